"""Turning domain values into Dagster's metadata: schemas, lineage, pictures, check results."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.lineage.staleness.check_sentence import SENTENCE
from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets.pictures import markdown
from rolesynth_assets.store.column_notes import NOTES

if TYPE_CHECKING:
    import polars as pl

DIGITS = 6
"""Significant digits of the numbers of a check."""


class Asked(Protocol):
    """What a model was asked: the part that the reports of all stages with a model share."""

    @property
    def calls(self) -> int:
        """Requests sent."""
        ...

    @property
    def prompt_tokens(self) -> int:
        """Tokens read."""
        ...

    @property
    def completion_tokens(self) -> int:
        """Tokens written."""
        ...


def check_result(name: str, outcome: CheckOutcome, *, warn: bool = False) -> dg.AssetCheckResult:
    """Report a check with the measured value beside its threshold, numbers as people read them.

    The UI renders the description as Markdown, so it is escaped; the metadata has the sentence as
    it is, for commands.
    """
    measured: dict[str, object] = {"value": outcome.value}
    if outcome.threshold is not None:
        measured["threshold"] = outcome.threshold
    metadata = {key: _plain(rounded(value)) for key, value in (measured | outcome.metadata).items()}
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckResult(
        passed=bool(outcome.passed),
        check_name=name,
        description=markdown.text(outcome.description),
        severity=severity,
        metadata={**metadata, SENTENCE: outcome.description},
    )


def rounded(value: object) -> object:
    """Round the floats of a JSON-like value to six significant digits: 0.3, not 0.1 + 0.2."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Mapping):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return value


def _plain(value: object) -> Any:
    return value if isinstance(value, str | int | float | bool) else dg.MetadataValue.json(value)  # type: ignore[arg-type]


def shown(value: object) -> Any:
    """Return a value as a page shows it: Markdown rendered, data frames as tables, JSON."""
    import polars as pl

    if isinstance(value, markdown.Markdown):
        return dg.MetadataValue.md(value)
    if isinstance(value, pl.DataFrame):
        return markdown_table(value)
    return dg.MetadataValue.json(dict(value)) if isinstance(value, Mapping) else value


def training_loss(steps: Sequence[int], losses: Sequence[float], title: str) -> dict[str, Any]:
    """Return the curve of a training's losses and the last one; nothing if it had no steps."""
    from rolesynth_assets.pictures.charts import end_of_curve, loss_curve

    if not losses:
        return {}
    curve = loss_curve(steps, losses, title=title)
    return {
        "loss_curve": picture(curve, "training loss by step"),
        "final_loss": end_of_curve(losses),
    }


def picture(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """Show a PNG in the asset's metadata."""
    return dg.MetadataValue.md(markdown.image(png, alt))


def model_metadata(kind: str, identity: ModelIdentity) -> dict[str, Any]:
    """Name a model, and say so where it is a stand-in."""
    name = f"{identity.model}@{identity.revision} ({identity.engine})"
    return {f"rolesynth/{kind}": name + (" - embedded stand-in" if identity.stand_in else "")}


def members_metadata(members: Mapping[str, ModelIdentity]) -> dict[str, Any]:
    """Name the model behind each member of a collective."""
    named: dict[str, Any] = {}
    for name, identity in members.items():
        named |= model_metadata(f"member_{name}", identity)
    return named


def spent_metadata(prices: Prices, asked: Asked) -> dict[str, Any]:
    """Report what a model was asked and what that cost; a refresh's caps add these up."""
    tokens = asked.prompt_tokens, asked.completion_tokens
    return {**Spent(asked.calls, *tokens, prices.cost(asked.calls, *tokens)).metadata}


def lance_metadata(
    table: str, rows: int, version: int, lineage: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Any]:
    """Describe one partition of a Lance table: rows, version, column schema and column lineage.

    Args:
        table: Lance table.
        rows: rows of the partition.
        version: Lance version after the write.
        lineage: for each column the (asset, column) pairs that it is made from.
    """
    from rolesynth_assets.store.lance.schemas import table_spec

    columns = [
        _column(field.name, str(field.type), nullable=field.nullable)
        for field in table_spec(table).schema
    ]
    return {
        **_table_metadata("lance", table, rows, columns, lineage),
        "rolesynth/lance_version": version,
    }


def small_table_metadata(
    table: str, rows: int, lineage: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, Any]:
    """Describe one partition of a small table: rows, column schema and column lineage.

    Args:
        table: small table.
        rows: rows of the partition.
        lineage: for each column the (asset, column) pairs that it is made from.
    """
    from rolesynth_assets.store.small.schemas import small_table

    columns = [
        _column(column.name, column.kind, nullable=column.optional)
        for column in small_table(table).columns
    ]
    return _table_metadata("small", table, rows, columns, lineage)


def _table_metadata(
    store: str,
    table: str,
    rows: int,
    columns: Sequence[dg.TableColumn],
    lineage: Mapping[str, Sequence[tuple[str, str]]],
) -> dict[str, Any]:
    deps = {
        column: [dg.TableColumnDep(asset_key=dg.AssetKey(a), column_name=c) for a, c in sources]
        for column, sources in lineage.items()
    }
    return {
        "dagster/partition_row_count": rows,
        "dagster/table_name": f"{store}.{table}",
        "dagster/storage_kind": "lance",
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps),
    }


def _column(name: str, kind: str, *, nullable: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=nullable)
    return dg.TableColumn(name, kind, NOTES.get(name), constraints)


def markdown_table(frame: "pl.DataFrame") -> dg.MarkdownMetadataValue:
    """Show a small data frame as a Markdown table: texts on one line, floats with three digits."""
    rows = [
        [f"{value:.3f}" if isinstance(value, float) else value for value in row]
        for row in frame.iter_rows()
    ]
    return dg.MetadataValue.md(markdown.table(frame.columns, rows))
