"""The dataset card of a role set's pairs in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.pictures.markdown import bold, cell, code, heading, table, text


@dataclass(frozen=True)
class RoleRow:
    """One role: its expertise, and the number of its captions before and after the filter."""

    name: str
    expertise: str
    captions: int
    kept: int


@dataclass(frozen=True)
class LengthRow:
    """One length kind: number of captions, cut-off score, and words per kept caption."""

    length: str
    captions: int
    kept: int
    cutoff: float | None
    mean_words: float
    min_words: int
    max_words: int


@dataclass(frozen=True)
class Source:
    """A source of images or artwork, with the licence text that the caller vouches for."""

    name: str
    licence: str


@dataclass(frozen=True)
class DatasetCard:
    """The facts of a dataset card.

    Attributes:
        role_set: name of the role set.
        description: purpose of the role set.
        images: number of images with at least one kept caption.
        images_total: number of images with captions or failed requests.
        roles: one row for each role.
        lengths: one row for each length kind.
        captioner: model that wrote the captions.
        judge: model that scored them; None if nothing was scored.
        keep_share: share that the filter was configured to keep; None if nothing was cut.
        floor_per_image: captions of each image and length kind that are kept whatever the cut is.
        dropped: number of captions that are not in the set by reason, including failed replies.
        diversity: value of each measure.
        filter_quality: value of each measure, such as precision and recall, if the truth is known.
        sources: sources of the images.
        digest: content digest of the pairs.
    """

    role_set: str
    description: str
    images: int
    images_total: int
    roles: Sequence[RoleRow]
    lengths: Sequence[LengthRow]
    captioner: ModelIdentity
    judge: ModelIdentity | None
    keep_share: float | None
    floor_per_image: int
    sources: Sequence[Source]
    dropped: Mapping[str, int] = field(default_factory=dict)
    diversity: Mapping[str, float] = field(default_factory=dict)
    filter_quality: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""


def dataset_card_markdown(card: DatasetCard) -> str:
    """Write the card.

    Raises:
        ValueError: there is no source, a source has no licence text, or the counts of roles and
            lengths contradict each other.
    """
    if not card.sources or not all(source.licence.strip() for source in card.sources):
        raise ValueError(
            f"the card of {card.role_set} needs every source with its licence text; state the "
            "licence of your images, or that it is unknown"
        )
    by_role = (sum(r.captions for r in card.roles), sum(r.kept for r in card.roles))
    by_length = (sum(r.captions for r in card.lengths), sum(r.kept for r in card.lengths))
    if by_role != by_length:
        raise ValueError(
            f"(captions, kept) of {card.role_set} are {by_role} by role and {by_length} by length"
        )
    sections = [_head(card, *by_role), _models(card), _roles(card), _lengths(card), _filter(card)]
    if card.diversity:
        sections.append(_measures("Diversity of an image's captions", card.diversity))
    sections.append(_sources(card))
    return "\n\n".join(sections) + "\n"


def _head(card: DatasetCard, captions: int, kept: int) -> str:
    facts = [
        f"- Images: {card.images:,} with a kept caption "
        f"({_share(card.images, card.images_total)}), "
        f"of {card.images_total:,} offered",
        f"- Pairs: {kept:,} kept of {captions:,} captions ({_share(kept, captions)})",
    ]
    if card.digest:
        facts.append(f"- Content digest: {code(card.digest)}")
    return "\n".join(
        [heading(1, f"Dataset card: {card.role_set}"), "", text(card.description), "", *facts]
    )


def _models(card: DatasetCard) -> str:
    lines = ["## Models", "", f"- Captions: {_model(card.captioner)}"]
    lines.append(f"- Scores: {_model(card.judge) if card.judge else 'none; nothing was scored'}")
    return "\n".join(lines)


def _model(identity: ModelIdentity) -> str:
    name = f"{code(identity.model)}, revision {code(identity.revision)}"
    if identity.engine:  # rows do not record the engine of a real model
        name += f", engine {cell(identity.engine)}"
    if not identity.stand_in:
        return name
    return (
        f"{name}. {bold('A stand-in')}: a small embedded model in place of a real vision-language "
        "model; its captions demonstrate the pipeline and are not useful as training data elsewhere"
    )


def _roles(card: DatasetCard) -> str:
    rows = [
        [
            role.name,
            role.expertise,
            f"{role.captions:,}",
            f"{role.kept:,}",
            _share(role.kept, role.captions),
        ]
        for role in card.roles
    ]
    return "## Roles\n\n" + _table(["role", "expertise", "captions", "kept", "share"], rows, 2)


def _lengths(card: DatasetCard) -> str:
    rows = [
        [
            row.length,
            f"{row.captions:,}",
            f"{row.kept:,}",
            _share(row.kept, row.captions),
            "" if row.cutoff is None else f"{row.cutoff:g}",
            f"{row.mean_words:.1f}",
            f"{row.min_words} to {row.max_words}",
        ]
        for row in card.lengths
    ]
    header = ["length", "captions", "kept", "share", "lowest kept score", "mean words", "words"]
    return "## Lengths\n\n" + _table(header, rows, 1)


def _filter(card: DatasetCard) -> str:
    if card.keep_share is None:
        asked = "No caption was cut by its score."
    elif card.keep_share == 0:
        asked = (
            f"The filter was set to keep the {card.floor_per_image} captions of each image and "
            "length with the highest role-aware scores."
        )
    else:
        asked = (
            f"The filter was set to keep the {card.keep_share:.1%} of captions with the highest "
            "role-aware scores, by one cut over all images and roles"
        )
        floor = f", and the best {card.floor_per_image} of each image and length"
        asked += f"{floor if card.floor_per_image else ''}."
    parts = ["## Filter", asked]
    if card.dropped:
        rows = [[code(reason), f"{count:,}"] for reason, count in sorted(card.dropped.items())]
        parts.append(_table(["not in the set because", "captions"], rows, 1))
    if card.filter_quality:
        rows = [[name, f"{value:.3f}"] for name, value in card.filter_quality.items()]
        parts.append(_table(["against the known truth", "value"], rows, 1))
    return "\n\n".join(parts)


def _measures(title: str, measures: Mapping[str, float]) -> str:
    rows = [[name, f"{value:.3f}"] for name, value in measures.items()]
    return f"## {title}\n\n" + _table(["measure", "value"], rows, 1)


def _sources(card: DatasetCard) -> str:
    lines = [f"- {text(source.name)}: {cell(source.licence)}" for source in card.sources]
    return "\n".join(["## Sources and licences", "", *lines])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> str:
    numbers = len(header) - text_columns
    return table(header, rows, "l" * text_columns + "r" * numbers)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def write_dataset_card(path: DataPath, card: DatasetCard) -> str:
    """Write `dataset_card_markdown` to a file, whose folder is made, and return the page."""
    page = dataset_card_markdown(card)
    write_text(path, page)
    return page
