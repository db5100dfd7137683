"""What the scripts behind measured rows do that the rows do not print; nothing here is fitted.

Each entry is read in the documentation of the source that a row names: binned batches, a second network trained in the
same step, the version of a framework, what is counted as throughput.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from simulator.workload.models.library import load_network

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

#: measurements of schedulers whose jobs run under AdaptDL: "step_time ... incl. AdaScale statistics"
_ADAPTED: Final = "siasosp23/artifacts"


#: scripts of vision transformers with the dropout of the paper's recipe and AdamW ("HIDDEN_DROPOUT_PROB=0.1")
_VIT_RECIPE: Final = "projects/vit/"


def follows_vit_recipe(row: Mapping[str, str]) -> bool:
    """Return whether a vision transformer is trained as in its paper: with dropout, by Adam (arXiv 2010.11929)."""
    return _VIT_RECIPE in row.get("source", "")


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
    """Return the framework that a row names, with the version or the library on top of it that its source tells."""
    engine, source = row.get("engine", ""), row.get("source", "")
    if engine == "pytorch" and source.startswith(_ADAPTED):
        return "adaptdl"
    return "tensorflow-2" if engine == "tensorflow" and "TensorFlow2/" in source else engine


#: scripts of a speech encoder, which print tokens/s: in pre-training the positions that are masked and guessed, in
#: fine-tuning the letters of the transcripts (criterion.py, "ntokens"); a batch is so many pieces
_WAV2VEC: Final = "SpeechRecognition/wav2vec2/"
_HOURGLASS: Final = "wav2vec2-base-hourglass"
#: samples of audio in one piece (MAX_TOKENS of the scripts): in pre-training, and in fine-tuning, whose rows accumulate
#: nothing and take all eight pieces at once
_PIECE: Final = 1.4e6
_PIECE_TUNED: Final = 3.2e6
_TUNED_PIECES: Final = 8
#: samples of audio per position of the transformer: the product of the strides of the front end
_HOP: Final = 320
#: share of the positions that are masked: spans of 10 that start at 6.5 % of them (Baevski et al. 2020, section 4.2)
_MASKED: Final = 0.49
#: samples of audio per letter or blank of LibriSpeech's transcripts: 9.4 million words of 5.4 in 960 hours at 16 kHz
_LETTER: Final = 960 * 3600 * 16_000 / (9.4e6 * 5.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a row counts: the model it runs, its samples per printed one, and units of throughput per sample."""

    model: str
    samples: float = 1.0
    units: float = 1.0


def counted(row: Mapping[str, str]) -> Counted:
    """Return what the samples of a row are; those of most are the model's own."""
    if _WAV2VEC not in row.get("source", ""):
        return Counted(model=row["model_id"])
    size = load_network(_HOURGLASS).size
    tuned = float(row.get("global_batch_samples") or 0) <= _TUNED_PIECES
    if tuned:
        return Counted(model=_HOURGLASS, samples=_PIECE_TUNED / size, units=size / _LETTER)
    return Counted(model=_HOURGLASS, samples=_PIECE / size, units=_MASKED * size / _HOP)
