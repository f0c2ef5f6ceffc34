"""From K verdicts to a decision (CADS, judging)."""

from collections.abc import Sequence

from rolesynth_assets.cads.values import Decision, Verdict


def decide(verdicts: Sequence[Verdict], judges: Sequence[str]) -> tuple[Decision, int | None, bool]:
    """Count how many judges reached the reference answer: C = 0 discards, 1 <= C <= K keeps.

    C is computed over exactly K verdicts. While one is missing or has no `correct`, the candidate
    is undecided, whatever the others say.

    Args:
        verdicts: at most one of each judge, in any order.
        judges: the K judges.

    Returns:
        The decision, C (None while undecided), and whether the candidate is hard: 1 <= C < K.

    Raises:
        ValueError: a verdict is a second one of its judge, or of somebody who is no judge.
    """
    by_judge: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.judge not in judges:
            raise ValueError(f"{verdict.judge!r} is no judge; these are: {', '.join(judges)}.")
        if verdict.judge in by_judge:
            raise ValueError(f"There are two verdicts of judge {verdict.judge!r}; C counts one.")
        by_judge[verdict.judge] = verdict
    correct = [by_judge[judge].correct if judge in by_judge else None for judge in judges]
    if None in correct:
        return Decision.UNDECIDED, None, False
    consensus = correct.count(True)
    if consensus == 0:
        return Decision.DISCARDED, 0, False
    return Decision.KEPT, consensus, consensus < len(judges)
