"""What became of a decision that was held fast: one word, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from simulator.planner.decide import Answer
from simulator.planner.golden import FLIP, GoldenFile, changed_keys, drifts, said, wanted
from simulator.planner.held import fate_of, held_of

Word = Literal["same", "drift", "flip-within-margin", "changed", "now-infeasible", "now-feasible"]

#: every verdict
WORDS: Final[tuple[Word, ...]] = get_args(Word)
#: verdicts that fail a test; the others are reported
FAILING: Final[tuple[Word, ...]] = ("changed", "now-infeasible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A word and its reasons, one sentence each."""

    word: Word
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.word}: {'; '.join(self.reasons)}" if self.reasons else self.word


def judge(expected: GoldenFile, found: Answer | None) -> Verdict:
    """Return what became of a decision; ``found`` is None where nothing fits now.

    A changed decision is a mere flip if the expected plan is still among the best and less than 1 % worse.

    Raises:
        InputError: the file expects a key that such a decision has not.
    """
    if found is None:
        if expected.decision == "infeasible":
            return Verdict(word="same")
        return Verdict(word="now-infeasible", reasons=("a plan was expected, and now nothing fits",))
    if expected.decision == "infeasible":
        return Verdict(word="now-feasible", reasons=("nothing was expected to fit, and now a plan does",))
    held = held_of(found)
    if expected.objective != held.objective:
        return Verdict(word="changed", reasons=(f"objective {expected.objective} -> {held.objective}",))
    drifted = tuple(drifts(expected, found))
    changed = tuple(changed_keys(expected, found))
    if not changed:
        return Verdict(word="drift", reasons=drifted) if drifted else Verdict(word="same")
    fate = fate_of(found, wanted(expected))
    flip = fate.margin is not None and fate.margin < FLIP
    return Verdict(word="flip-within-margin" if flip else "changed", reasons=(", ".join(changed), said(fate), *drifted))
