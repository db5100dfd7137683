"""Models by name: where their files lie, and how a name, an alias or a path finds one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from simulator.foundation.errors import InputError, Place, UnknownName
from simulator.workload.models.facts import ForwardFacts
from simulator.workload.models.files import Architecture, ModelFile, read_model
from simulator.workload.models.networks.network import Network
from simulator.workload.models.networks.typical import typical_network

_BESIDE_PACKAGE = ("_data/scenarios/models", "../scenarios/models")  # in a wheel; in a checkout or editable install
_SEPARATORS = re.compile(r"[\s_/-]+")


def models_folder() -> Path:
    """Return the folder of the shipped model files; raises :class:`InputError` if the installation lacks it."""
    package = Path(__file__).resolve().parents[2]
    for candidate in _BESIDE_PACKAGE:
        folder = (package / candidate).resolve()
        if folder.is_dir():
            return folder
    raise InputError(f"no model files beside {package.name}; install the package again.")


class ModelLibrary(Mapping[str, ModelFile]):
    """The files of one folder, read when asked for; a key is a file's stem, its name or one of its aliases.

    Names are compared without regard to case, blanks, hyphens, underscores and slashes.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem)}
        self._spelt = {spelling(stem): path for stem, path in self._paths.items()}
        self._read = lru_cache(maxsize=None)(read_model)

    def __getitem__(self, name: str) -> ModelFile:
        """Return the model; raises :class:`UnknownName` with near names."""
        path = self._path(name)
        if path is None:
            raise UnknownName("model", name, self._paths)
        return self._read(path)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._path(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def _path(self, name: str) -> Path | None:
        return self._paths.get(name) or self._spelt.get(spelling(name)) or self._by_alias(name)

    def _by_alias(self, name: str) -> Path | None:
        """Find the file that lists ``name`` as an alias; only files whose text mentions it are parsed."""
        wanted = spelling(name)
        for path in self._paths.values():
            if wanted in spelling(path.read_text(encoding="utf-8")):
                model = self._read(path)
                if wanted in {spelling(known) for known in (model.name, *model.aliases)}:
                    return path
        return None


def spelling(name: str) -> str:
    """Return a name as it is compared: lower case, without blanks, hyphens, underscores and slashes.

    >>> spelling("Llama-3.1 8B")
    'llama3.18b'
    """
    return _SEPARATORS.sub("", name.casefold())


@cache
def shipped_models() -> ModelLibrary:
    """Return the models that ship with the program."""
    return ModelLibrary(models_folder())


def find_model(name_or_path: str | Path) -> ModelFile:
    """Return a model file by shipped name, alias, or path to a YAML file.

    Raises:
        UnknownName: no such model; carries near names.
        InputError: the path cannot be read, or is not a model file.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith((".yaml", ".yml")):
        return read_model(name_or_path)
    if not text.strip():
        raise InputError("a model needs a name, as in 'llama-3-70b'.", place=Place(key="model"))
    return shipped_models()[text]


def load_model(name_or_path: str | Path) -> Architecture:
    """Return the architecture of a model: a ``Transformer``, the cost of one forward pass, or a network's layers.

    What is known in other ways beside stands in :func:`find_model`'s answer: ``transformer``, ``forward``, ``network``.
    Raises as :func:`find_model` does.
    """
    return find_model(name_or_path).architecture


def load_network(name_or_path: str | Path, size: int | None = None) -> Network:
    """Return a model's layers for samples of ``size`` (None: the size in its file).

    Raises:
        InputError: no layers are known of the model; else as :func:`find_model`.
    """
    model = find_model(name_or_path)
    if model.network is None:
        raise InputError(f"model {model.name!r} has no layers in its file, only {_known_by(model)}.")
    return model.network.build(size)


def layers_of(model: ModelFile, size: int | None = None) -> Network:
    """Return a model's layers in training, or equal layers of its published cost where none are known.

    Args:
        size: of a sample: pixels along an edge of an image where the model says them, and then a latent shrinks with
            its image; else what the size of its recipe counts. None: the model's own in training.

    Raises:
        InputError: neither layers nor the cost of a sample are known, or no source says how the cost follows the size.
    """
    printed = model.forward.image_size if model.forward else None
    if model.network is not None:
        own = model.network.training_size if size is None else size
        return model.network.build(
            own if size is None or printed is None else round(model.network.size * size / printed)
        )
    if model.forward is None:
        raise InputError(f"neither layers nor the cost of a forward pass of {model.name!r} are known.")
    return typical_network(model.forward, size)


def load_forward(name_or_path: str | Path) -> ForwardFacts:
    """Return the cost of one forward pass of one sample: as published, else counted from the layers.

    Raises:
        InputError: only a transformer's shape is known (its cost depends on the tokens); else as :func:`find_model`.
    """
    model = find_model(name_or_path)
    if model.forward is not None:
        return model.forward
    if model.network is None:
        raise InputError(f"model {model.name!r} is a transformer's shape; its cost depends on the tokens of a sample.")
    network = model.network.build()
    return ForwardFacts(name=model.name, kind=model.kind, family=model.family, sample=model.note or "sample",
                        macs=network.macs, parameters=float(network.parameters),
                        activations=float(network.activations))  # fmt: skip


def _known_by(model: ModelFile) -> str:
    return "a transformer's shape" if model.transformer is not None else "the cost of one forward pass"
