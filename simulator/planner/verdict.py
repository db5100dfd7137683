"""What became of a decision that was held fast: one word, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from simulator.planner.golden import FLIP, GoldenFile, changed_keys, drifts, fate, margin_of_expected
from simulator.planner.recommendation import Recommendation

Word = Literal["same", "drift", "flip-within-margin", "changed", "now-infeasible", "now-feasible"]

#: verdicts that fail a test; the others are reported
FAILING: Final[tuple[Word, ...]] = ("changed", "now-infeasible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A word and its reasons, one sentence each."""

    word: Word
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.word}: {'; '.join(self.reasons)}" if self.reasons else self.word


def judge(expected: GoldenFile, found: Recommendation | None) -> Verdict:
    """Return what became of a decision; ``found`` is None where nothing fits now.

    A changed decision is a mere flip if the expected plan is still among the best and less than 1 % worse.
    """
    if found is None:
        if expected.decision == "infeasible":
            return Verdict(word="same")
        return Verdict(word="now-infeasible", reasons=("a plan was expected, and now nothing fits",))
    if expected.decision == "infeasible":
        return Verdict(word="now-feasible", reasons=("nothing was expected to fit, and now a plan does",))
    if expected.objective != found.objective:
        return Verdict(word="changed", reasons=(f"objective {expected.objective} -> {found.objective}",))
    drifted = tuple(drifts(expected, found))
    changed = tuple(changed_keys(expected, found))
    if not changed:
        return Verdict(word="drift", reasons=drifted) if drifted else Verdict(word="same")
    margin = margin_of_expected(expected, found)
    flip = margin is not None and margin < FLIP
    return Verdict(
        word="flip-within-margin" if flip else "changed", reasons=(", ".join(changed), fate(margin), *drifted)
    )
