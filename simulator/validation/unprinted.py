"""What the scripts behind measured rows do that the rows do not print; nothing here is fitted.

Each entry is read in the documentation of the source that a row names: binned batches, a second network trained in the
same step, the version of a framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: share of the positions of BERT's phase 2 that hold tokens (Krell et al. 2021, arXiv 2107.02027: half is padding)
REAL_TOKENS: Final = 0.5
#: length of the samples of phase 2, in tokens; the first phase, 128, is not binned
_LONG: Final = 512
#: tokens by which the lengths of a bin differ, where phase 2 is read in bins of similar lengths (LDDL): a batch is as
#: long as its longest sample, on average half a bin more than the mean
_BIN: Final = 64
#: scripts that bin: "Binned pretraining for phase2 with LDDL using a bin size of 64" in their release notes
_BINNED: Final = ("PyTorch/LanguageModeling/BERT/", "PaddlePaddle/LanguageModeling/BERT/")
#: what is pre-trained beside a model and left out afterwards (Clark et al. 2020, arXiv 2003.10555)
_BESIDE: Final = {"electra-base": "electra-base-generator"}


def is_pretraining(row: Mapping[str, str]) -> bool:
    """Return whether a row of an encoder is not said to be fine-tuning."""
    return "fine-tuning" not in row.get("notes", "").casefold()


def mean_length(row: Mapping[str, str], longest: int) -> int:
    """Return the positions of a sample that are computed, where batches are as long as their longest sample."""
    binned = any(script in row.get("source", "") for script in _BINNED)
    if not binned or longest != _LONG or not is_pretraining(row):
        return longest
    return round(longest * REAL_TOKENS + _BIN / 2)


def trained_beside(row: Mapping[str, str]) -> str | None:
    """Return the name of the model that is trained in the same step, if any."""
    return _BESIDE.get(row["model_id"]) if is_pretraining(row) else None


def version_of(row: Mapping[str, str]) -> str:
    """Return the framework that a row names, with the version that its source tells."""
    engine = row.get("engine", "")
    return "tensorflow-2" if engine == "tensorflow" and "TensorFlow2/" in row.get("source", "") else engine
