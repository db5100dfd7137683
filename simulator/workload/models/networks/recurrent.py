"""Recurrent networks: sequential scans of LSTM or GRU cells, and the speech and translation models built of them."""

from __future__ import annotations

from typing import Final

from simulator.foundation.errors import InputError
from simulator.workload.models.networks.canvas import Canvas
from simulator.workload.models.networks.network import FAMILIES

GATES: Final = {"lstm": 4, "gru": 3, "rnn": 1}


def scan(canvas: Canvas, hidden: int, *, cell: str = "lstm", both_ways: bool = False, joined: bool = True) -> None:
    """Draw one recurrent layer over the extent of the canvas, forwards or both ways.

    Args:
        joined: the two directions are concatenated; otherwise they are added.

    Raises:
        InputError: an unknown cell.
    """
    if cell not in GATES:
        raise InputError(f"no recurrent cell {cell!r}. Known: {', '.join(GATES)}.")
    entering = canvas.channels
    for _ in range(2 if both_ways else 1):
        canvas.channels = entering
        canvas.recurrence(hidden, gates=GATES[cell], name=cell)
    canvas.channels = hidden
    if both_ways and joined:
        canvas.concat(2 * hidden)
    elif both_ways:
        canvas.add()


@FAMILIES.register("lstm-language-model")
def lstm_language_model(size: int, *, vocab: int, width: int = 650, hidden: int = 650, layers: int = 2) -> Canvas:
    """Draw a word-level LSTM language model (Zaremba et al. 2014, arXiv:1409.2329) for sentences of ``size`` tokens."""
    canvas = Canvas(width, (size,))
    canvas.table("words", vocab, width, lookups=size)
    for _ in range(layers):
        scan(canvas, hidden)
    canvas.linear(vocab, name="vocabulary")
    return canvas


@FAMILIES.register("gnmt")
def gnmt(size: int, *, vocab: int = 32317, hidden: int = 1024, layers: int = 4) -> Canvas:
    """Draw a GNMT (Wu et al. 2016, arXiv:1609.08144) for sentences of ``size`` tokens in and out.

    The benchmark's form: one table for both languages, the first encoder layer runs both ways, an additive attention
    looks from the first decoder layer at the encoder, and its context enters every decoder layer.
    """
    canvas = Canvas(hidden, (size,))
    canvas.table("words of both languages", vocab, hidden, lookups=2 * size)
    scan(canvas, hidden, both_ways=True)
    for _ in range(layers - 1):
        scan(canvas, hidden)
    canvas.linear(hidden, bias=False, name="attention keys")
    canvas.channels = 2 * hidden
    scan(canvas, hidden)
    canvas.linear(hidden, bias=False, name="attention queries")
    canvas.attention(1, hidden)
    canvas.learned("attention scale", 2 * hidden + 1)
    for _ in range(layers - 1):
        canvas.channels = 2 * hidden
        scan(canvas, hidden)
    canvas.linear(vocab, name="vocabulary")
    return canvas


@FAMILIES.register("deepspeech2")
def deepspeech2(
    size: int, *, hidden: int = 1024, layers: int = 5, cell: str = "lstm", features: int = 161, labels: int = 29
) -> Canvas:
    """Draw a Deep Speech 2 (Amodei et al. 2015, arXiv:1512.02595) for ``size`` frames of a spectrogram (10 ms each).

    Two convolutions of 41 x 11 and 21 x 11, then layers that run both ways and add their directions, each but the first
    after a norm.
    """
    canvas = Canvas(1, (features, size))
    canvas.conv(32, (41, 11), stride=(2, 2), padding=(20, 5), bias=True)
    canvas.conv(32, (21, 11), stride=(2, 1), padding=(10, 5), bias=True)
    canvas.channels, canvas.extent = canvas.channels * canvas.extent[0], canvas.extent[1:]
    for layer in range(layers):
        if layer:
            canvas.norm()
        scan(canvas, hidden, cell=cell, both_ways=True, joined=False)
    canvas.norm()
    canvas.linear(labels, bias=False, name="labels")
    return canvas


@FAMILIES.register("rnn-t")
def rnn_t(
    size: int,
    *,
    features: int = 240,
    encoder: int = 1024,
    before: int = 2,
    after: int = 3,
    prediction: int = 320,
    joint: int = 512,
    labels: int = 29,
    tokens_per_frame: float = 0.25,
    lattice: bool = False,
) -> Canvas:
    """Draw an RNN transducer (Graves 2012, arXiv:1211.3711) for ``size`` stacked frames of an utterance.

    Args:
        before, after: encoder layers before and after two frames are joined into one.
        tokens_per_frame: labels of the transcript per stacked frame; the prediction network runs over them.
        lattice: the joint network runs over every pair of encoder frame and label, as in training; otherwise once per
            frame and once per label, as in greedy decoding.
    """
    canvas = Canvas(features, (size,))
    for _ in range(before):
        scan(canvas, encoder)
    canvas.extent = (max(1, size // 2),)
    canvas.concat(2 * encoder)
    for _ in range(after):
        scan(canvas, encoder)
    canvas.linear(joint, name="joint, encoder side")
    frames = canvas.extent[0]
    labels_spoken = max(1, round(size * tokens_per_frame))
    with canvas.branch():
        canvas.channels, canvas.extent = prediction, (labels_spoken,)
        canvas.table("labels", labels - 1, prediction, lookups=labels_spoken)
        for _ in range(2):
            scan(canvas, prediction)
        canvas.linear(joint, name="joint, prediction side")
    pairs = frames * (labels_spoken + 1) if lattice else frames + labels_spoken
    canvas.channels, canvas.extent = joint, (pairs,)
    canvas.act()
    canvas.linear(labels, name="labels")
    return canvas
