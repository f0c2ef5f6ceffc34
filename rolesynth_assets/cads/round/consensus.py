"""The decision on a candidate from its K verdicts (CADS, judging)."""

from collections.abc import Sequence

from rolesynth_assets.cads.values import Decision, Verdict


def decide(verdicts: Sequence[Verdict], judges: Sequence[str]) -> tuple[Decision, int | None, bool]:
    """Count how many judges reached the reference answer: C = 0 discards, 1 <= C <= K keeps.

    C is computed over exactly K verdicts. While a verdict is missing, or its `correct` is None, the
    candidate is undecided, whatever the other verdicts are.

    Args:
        verdicts: at most one of each judge, in any order.
        judges: the K judges.

    Returns:
        The decision, C (None while undecided), and whether the candidate is hard: 1 <= C < K.

    Raises:
        ValueError: a judge has two verdicts, or a verdict is by a member that is not a judge.
    """
    by_judge: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.judge not in judges:
            raise ValueError(
                f"{verdict.judge!r} is not a judge; the judges are: {', '.join(judges)}."
            )
        if verdict.judge in by_judge:
            raise ValueError(
                f"There are two verdicts of judge {verdict.judge!r}; C counts one per judge."
            )
        by_judge[verdict.judge] = verdict
    correct = [by_judge[judge].correct if judge in by_judge else None for judge in judges]
    if None in correct:
        return Decision.UNDECIDED, None, False
    consensus = correct.count(True)
    if consensus == 0:
        return Decision.DISCARDED, 0, False
    return Decision.KEPT, consensus, consensus < len(judges)
