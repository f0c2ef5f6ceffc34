"""One stage of the graph: an asset whose checks, owners and result are laid out in one place.

`@stage(...)` takes what Dagster must know of an asset. The function below it returns a `Made`: what
its page shows, and facts. Each check takes the facts that the parameters of its function name, as
an asset takes its resources.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

import dagster as dg

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.defs.wiring.executor import pod_tags
from rolesynth_assets.defs.wiring.pages.browse_link import browse_link
from rolesynth_assets.defs.wiring.pages.metadata import check_result, shown
from rolesynth_assets.defs.wiring.pages.page_order import page_order
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.lineage.refresh import shown_staleness
from rolesynth_assets.lineage.staleness.stored_tables import TABLE, TABLE_ID
from rolesynth_assets.mllm.factory import release_engine
from rolesynth_assets.store.table_identity import SMALL, given_identity
from rolesynth_assets.thresholds import SAMPLES, Thresholds


@dataclass(frozen=True)
class Check:
    """A data-quality check of an asset's partition; its function's name is its name in Dagster.

    Attributes:
        function: takes facts of the asset by the names of its parameters.
        sentence: what holds when it passes, for people.
        blocking: whether a failure stops what is downstream.
        warn: whether a failure is a warning and not an error.
        bounds: for parameters that are bounds, the field of `thresholds` in rolesynth.yaml.

    Raises:
        ValueError: a bound names no parameter of the function, or no threshold; or a number that
            the function takes by default cannot be set.
    """

    function: Callable[..., CheckOutcome]
    sentence: str
    blocking: bool = False
    warn: bool = False
    bounds: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a bound that would never be found."""
        unknown = {*self.bounds} - {*self._parameters} or {
            *self.bounds.values()
        } - Thresholds.model_fields.keys()
        if unknown:
            raise ValueError(f"check {self.name}: there is no {', '.join(sorted(unknown))}")
        numbers = {n for n, p in self._parameters.items() if isinstance(p.default, int | float)}
        if unset := sorted(numbers - self.bounds.keys()):
            names = ", ".join(unset)
            raise ValueError(f"check {self.name}: {names} cannot be set in rolesynth.yaml")

    @property
    def name(self) -> str:
        """The check's name in Dagster, under which its history is kept."""
        return self.function.__name__

    def spec(self, asset: str, partitions_def: dg.PartitionsDefinition | None) -> dg.AssetCheckSpec:
        """Declare the check; the asset's own step evaluates it, for each partition apart."""
        return dg.AssetCheckSpec(
            self.name,
            asset=asset,
            description=self.sentence,
            blocking=self.blocking,
            partitions_def=partitions_def,
        )

    def result(self, facts: Mapping[str, Any], thresholds: Thresholds) -> dg.AssetCheckResult:
        """Evaluate the check.

        Raises:
            TypeError: a fact that its function needs is missing.
        """
        known = {name: facts[name] for name in self._parameters if name in facts}
        held = {name: getattr(thresholds, bound) for name, bound in self.bounds.items()}
        outcome = self.function(**known, **held)
        if held and not outcome.passed:
            said = f"{outcome.description.rstrip('. ')}. {self._settings(held, outcome)}"
            outcome = replace(outcome, description=said)
        return check_result(self.name, outcome, warn=self.warn)

    def _settings(self, held: Mapping[str, float], outcome: CheckOutcome) -> str:
        """Say which settings the bounds are, and where it helps which value would pass."""
        names = {f"thresholds.{self.bounds[name]}": value for name, value in held.items()}
        listed = " and ".join(f"{name} (now {value:g})" for name, value in names.items())
        said = f"rolesynth.yaml sets the bound: {listed}"
        limits = set(self.bounds.values()) - SAMPLES
        if len(limits) == 1 and outcome.threshold is not None and outcome.value > outcome.threshold:
            said += f"; {ceil(100 * outcome.value) / 100:g} would accept this"
        return f"{said}."

    @property
    def _parameters(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.function).parameters


@dataclass(frozen=True)
class Made:
    """What was made of one partition.

    Attributes:
        metadata: what the page shows. A name without a slash gets the prefix ``rolesynth/``; data
            frames become tables, mappings JSON.
        data_version: digest of the content.
        facts: arguments of the asset's checks, by the names of their functions' parameters.
        tags: tags of the materialization.
    """

    metadata: Mapping[str, Any]
    data_version: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None

    def of_table(self, root: DataPath) -> "Made":
        """Add the id of the table that holds it, by which a table made anew is known."""
        store, _, table = str(self.metadata.get(TABLE, "")).partition(".")
        if not table:
            return self
        identity = given_identity(root, table if store == "lance" else SMALL)
        return replace(self, metadata={**self.metadata, TABLE_ID: identity})

    def result(self, checks: Iterable[Check], thresholds: Thresholds) -> dg.MaterializeResult:
        """Return it as Dagster takes it, with every check evaluated."""
        named = {
            key if "/" in key else f"rolesynth/{key}": shown(value)
            for key, value in self.metadata.items()
        }
        return dg.MaterializeResult(
            metadata=page_order(named),
            check_results=[
                *(check.result(self.facts, thresholds) for check in checks),
                shown_staleness.passed(),
            ],
            data_version=dg.DataVersion(self.data_version),
            tags=self.tags,
        )


def stage(
    group: str,
    kinds: set[str],
    partitions_def: dg.PartitionsDefinition | None = None,
    *,
    deps: Mapping[str, dg.PartitionMapping | None] | None = None,
    checks: Sequence[Check] = (),
    **settings: Any,
) -> Callable[[Callable[..., Made]], dg.AssetsDefinition]:
    """Make an asset of a function that returns a `Made`.

    Args:
        group: group of the asset.
        kinds: what it is made with and kept in.
        partitions_def: its partitions, which are those of its checks too.
        deps: what it is made from, with the partition mapping where it is not Dagster's default.
        checks: its checks; an asset with one asks for the resource `platform`, for the thresholds.
        settings: other arguments of `dg.asset`; the code version is "1" if it is not given.
    """

    def asset(make: Callable[..., Made]) -> dg.AssetsDefinition:
        def run(context: dg.AssetExecutionContext, **resources: Any) -> dg.MaterializeResult:
            if settings.get("pool") == "gpu":
                release_engine()  # a model that captioning has left on the GPU
            made = make(context, **resources)
            key = context.partition_key if context.has_partition_key else None
            if link := browse_link(make.__name__, key):
                made = replace(made, metadata={**made.metadata, "browse": link})
            if "platform" not in resources:
                return made.result(checks, Thresholds())
            own = resources["platform"].settings
            return made.of_table(own.data_root).result(checks, own.thresholds)

        run.__name__, run.__doc__ = make.__name__, make.__doc__
        run.__signature__ = inspect.signature(make).replace(return_annotation=dg.MaterializeResult)  # type: ignore[attr-defined]
        run.__annotations__ = {**make.__annotations__, "return": dg.MaterializeResult}
        arguments: dict[str, Any] = {
            "partitions_def": partitions_def,
            "deps": [dg.AssetDep(up, partition_mapping=how) for up, how in (deps or {}).items()],
            "group_name": group,
            "kinds": kinds,
            "owners": ["team:rolesynth"],
            "check_specs": [
                *(check.spec(make.__name__, partitions_def) for check in checks),
                shown_staleness.spec(make.__name__, partitions_def),
            ],
            "code_version": "1",
            "op_tags": pod_tags(make.__name__),
        }
        return dg.asset(**arguments | settings)(run)

    return asset
