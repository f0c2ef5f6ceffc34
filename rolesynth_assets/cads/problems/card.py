"""The dataset card of a domain's synthetic problems, in Markdown (MMSynthetic)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.pictures.markdown import bold, cell, code, heading, table, text

_MAX_TEXT = 400  # characters of an example's question or answer


@dataclass(frozen=True)
class Share:
    """Accepted candidates and problems in the set, for one strategy, kind or writer."""

    name: str
    accepted: int
    kept: int


@dataclass(frozen=True)
class Example:
    """One problem of the set."""

    question: str
    answer: str
    strategy: str
    consensus: int
    judges: int


@dataclass(frozen=True)
class ProblemCard:
    """The facts on the card of a domain's problems.

    Attributes:
        domain: partition.
        kept: problems of the set.
        hard: those with 1 <= C < K.
        rounds: rounds that accepted candidates come from.
        seeds: seeds that the set's problems come from.
        decisions: candidates by decision, accepted ones as ``kept``.
        strategies: one row per strategy.
        kinds: one row per task type.
        writers: one row per member.
        consensus: problems of the set by (C, K).
        dropped: accepted candidates that are not in the set, by reason.
        target: target size of the draw; None if nothing was drawn.
        draw_seed: seed of that draw.
        refused: findings of extra checks that drop a problem.
        kept_unrefused: problems that the set would have if no finding were refused.
        members: model of each member of the collective.
        renderers: names of the renderers of the images.
        licence: licence of the set, given its seeds and renderer; the caller is responsible for it.
        examples: some problems.
        digest: content digest of the problems.
    """

    domain: str
    kept: int
    hard: int
    rounds: int
    seeds: int
    decisions: Mapping[str, int]
    strategies: Sequence[Share]
    kinds: Sequence[Share]
    writers: Sequence[Share]
    consensus: Mapping[tuple[int, int], int]
    dropped: Mapping[str, int]
    target: int | None
    draw_seed: int
    refused: Sequence[str]
    kept_unrefused: int
    members: Mapping[str, ModelIdentity]
    renderers: Sequence[str]
    licence: str
    examples: Sequence[Example]
    digest: str


def problem_card_markdown(card: ProblemCard) -> str:
    """Write the card.

    Raises:
        ValueError: the licence is not stated, or counts contradict each other.
    """
    if not card.licence.strip():
        raise ValueError(
            f"the card of domain {card.domain!r} needs a licence: state that of the problems, or "
            "that it is unknown"
        )
    lost = card.decisions.get("kept", 0) - sum(card.dropped.values())
    sums = {card.kept, lost, *(sum(s.kept for s in of) for of in (card.strategies, card.kinds))}
    if len(sums) > 1:
        raise ValueError(
            f"the card of domain {card.domain!r} counts its problems as {sorted(sums)}: by rows, "
            "by decisions less drops, by strategy and by kind; gather it again"
        )
    sections = [_head(card), _origin(card), _composition(card), _losses(card)]
    if card.examples:
        sections.append(_example_section(card))
    sections.append(f"## Licence\n\n{text(card.licence)}")
    return "\n\n".join(sections) + "\n"


def _head(card: ProblemCard) -> str:
    facts = [
        f"- Problems: {card.kept:,}, each one image, one question, one answer, one solution",
        f"- Hard, which some judge failed: {card.hard:,} ({_share(card.hard, card.kept)})",
        f"- From {card.seeds:,} seeds in {card.rounds:,} rounds; no seed is part of the set",
    ]
    if card.digest:
        facts.append(f"- Content digest: {code(card.digest)}")
    return "\n".join([heading(1, f"Dataset card: {card.domain}"), "", *facts])


def _origin(card: ProblemCard) -> str:
    lines = [
        "## Origin",
        "",
        "Everything is synthetic: a member of a collective of models wrote question, answer and "
        "solution from a seed, a renderer drew the image, and the answer was reached by at least "
        "one member that saw image and question only (CADS). Nobody has checked the answers.",
        "",
    ]
    for name, model in card.members.items():
        stand_in = f". {bold('A stand-in')}, a small embedded model in place of a real one"
        said = f"{code(model.model)}, revision {code(model.revision)}, engine {cell(model.engine)}"
        lines.append(f"- {text(name)}: {said}{stand_in if model.stand_in else ''}")
    lines.append(f"- Images drawn by: {cell(', '.join(card.renderers) or 'not recorded')}")
    if any(model.stand_in for model in card.members.values()):
        lines += [
            "",
            "With stand-ins, the set only demonstrates the pipeline; it is of no use elsewhere.",
        ]
    return "\n".join(lines)


def _composition(card: ProblemCard) -> str:
    tables = []
    for title, shares in (
        ("strategy", card.strategies),
        ("kind", card.kinds),
        ("writer", card.writers),
    ):
        rows = [
            [s.name, f"{s.accepted:,}", f"{s.kept:,}", _share(s.kept, card.kept)] for s in shares
        ]
        tables.append(_table([title, "accepted", "in the set", "share of the set"], rows))
    rows = [
        [f"{c} of {k}", f"{count:,}", _share(count, card.kept)]
        for (c, k), count in card.consensus.items()
    ]
    tables.append(_table(["judges that reached the answer", "in the set", "share"], rows))
    return "## Composition\n\n" + "\n\n".join(tables)


def _losses(card: ProblemCard) -> str:
    decided = [[code(name), f"{count:,}"] for name, count in card.decisions.items()]
    parts = ["## What is not in the set", _table(["candidates decided", "number"], decided)]
    if card.dropped:
        rows = [[code(reason), f"{count:,}"] for reason, count in card.dropped.items()]
        parts.append(_table(["accepted, but dropped because", "number"], rows))
    if card.refused:
        findings = ", ".join(code(finding) for finding in card.refused)
        parts.append(
            f"A finding of the extra checks drops a problem: {findings} (`problems.refused` in "
            f"rolesynth.yaml). The set therefore has {card.kept:,} problems, and would have "
            f"{card.kept_unrefused:,} if no finding were refused."
        )
    if card.target is not None:
        parts.append(
            f"The set was to have at most {card.target:,} problems: drawn in proportion to domain "
            f"and strategy, hard ones first, with draw seed {card.draw_seed}."
        )
    return "\n\n".join(parts)


def _example_section(card: ProblemCard) -> str:
    rows = [
        [_cut(e.question), _cut(e.answer), e.strategy, f"{e.consensus} of {e.judges}"]
        for e in card.examples
    ]
    header = ["question (to an image)", "answer", "strategy", "judges that reached it"]
    return "## Examples\n\n" + _table(header, rows, text_columns=3)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    numbers = len(header) - text_columns
    return table(header, rows, "l" * text_columns + "r" * numbers)


def _cut(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"
