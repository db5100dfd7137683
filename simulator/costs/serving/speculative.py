"""Seconds of generated tokens when they are guessed and checked: the time of a pass over the tokens that it yields.

The draft's passes run inside the model's iteration, so the host's own time counts once for all of them. The check
reads the cache of the model once for all guesses of a request; guesses of several requests fill the products.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from simulator.costs.serving.additions import Speculation
from simulator.costs.serving.iteration import Replica, context_seconds, dense_seconds

Floats = NDArray[np.float64]


def draft_of(replica: Replica) -> Replica | None:
    """Return the draft model on the same devices; None where nothing guesses, or a look-up does."""
    if replica.speculation is None or replica.speculation.draft is None:
        return None
    return replace(replica, model=replica.speculation.draft, speculation=None, adapters=None, offloaded=0.0)


def token_dense_seconds(replica: Replica, sequences: Floats, speculation: Speculation) -> Floats:
    """Return seconds per generated token of everything but attention, for so many decoding requests."""
    guesses, draft = speculation.tokens, draft_of(replica)
    checked = sequences * (guesses + 1)
    rows = checked / (replica.layout.pp * replica.layout.dp_attention)
    total = dense_seconds(replica, checked, sampled=rows)
    if draft is not None:
        total = total + guesses * dense_seconds(draft, sequences)
    return np.asarray(total / speculation.expected_tokens, dtype=np.float64)


def token_context_seconds(replica: Replica, speculation: Speculation, *, typical: float) -> float:
    """Return seconds per generated token and token of context."""
    draft = draft_of(replica)
    total = context_seconds(replica, typical=typical)
    if draft is not None:
        total += speculation.tokens * context_seconds(draft, typical=typical)
    return total / speculation.expected_tokens
