"""Stratified sharding: every shard keeps the class proportions of the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.foundation.errors import InputError
from simulator.mapping.sharding.request import Request, sharders
from simulator.mapping.sharding.shards import BLOCK, Scattered, blocks


@sharders.register("stratified")
def stratified(request: Request) -> Scattered:
    """Deal the records out in turn, class after class, like cards.

    Every class is spread over the shards within one record of even, and so is the whole: dealing goes on where the
    class before stopped. With speeds, faster workers are dealt more cards, as evenly spread as can be; every class is
    then within two records of its worker's due.

    Raises:
        InputError: no classes given.
    """
    if request.classes is None:
        raise InputError("stratified needs the class of each record; name its column with --class.")
    codes = _codes(request.classes)
    counts = np.zeros(int(codes.max()) + 1, dtype=np.int64)
    for part in blocks(request.records):
        counts += np.bincount(codes[part], minlength=len(counts))
    following = np.cumsum(counts) - counts  # place in the deal of the next record of each class
    deal = _deal(request)
    owner = np.empty(request.records, dtype=np.uint32)
    for part in blocks(request.records):
        order = np.argsort(codes[part], kind="stable")
        here = np.bincount(codes[part], minlength=len(counts))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(here) - here, here)
        owner[part.start + order] = deal[(np.repeat(following, here) + rank) % len(deal)]
        following += here
    return Scattered(owner=owner, shards=request.shards)


def _deal(request: Request) -> NDArray[np.uint32]:
    """Who gets each card in turn, over again after its end: everybody once, or in proportion to speed.

    A worker with share s is due its k-th card at position (k + 1/2) / s.
    """
    if request.speeds is None:
        return np.arange(request.shards, dtype=np.uint32)
    shares = request.speeds / request.speeds.sum()
    edges = np.rint(np.concatenate([[0.0], np.cumsum(shares)]) * request.records).astype(np.int64)
    counts = np.diff(edges)
    due = np.concatenate([(np.arange(count) + 0.5) / max(count, 1) for count in counts])
    return np.repeat(np.arange(request.shards, dtype=np.uint32), counts)[np.argsort(due, kind="stable")]


def _codes(classes: NDArray[np.integer]) -> NDArray[np.integer]:
    """Classes as small numbers from 0, so that they can be counted."""
    if int(classes.min()) >= 0 and int(classes.max()) < BLOCK:
        return classes
    codes: NDArray[np.integer] = np.unique(classes, return_inverse=True)[1]
    return codes
