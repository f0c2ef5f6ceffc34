"""Dagster events of a withdrawal: partitions with changed content, and failed checks."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import DATA_VERSION_TAG
from rolesynth_assets.lineage.withdraw.artefacts import Artefact, ArtefactKind
from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

CHECK = "no_withdrawn_image"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_MARKED = {
    ArtefactKind.TRAINING_SET: "training_sets",
    ArtefactKind.CHECKPOINT: "clip_checkpoints",
    ArtefactKind.R1_CHECKPOINT: "r1_checkpoints",
}
_Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def report_withdrawal(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    withdrawal: Withdrawal,
    store: "StoreReader",
) -> list[str]:
    """Record the changes of a withdrawal as a run, so that staleness and the UI show them.

    A shard that lost rows gets a materialization event with the digest of the remaining rows, which
    makes exactly its downstream partitions stale. A training set or checkpoint gets a failed check
    if it is still the one that holds the images. Calling it again repeats only the failed checks.

    Args:
        instance: instance that records the run.
        definitions: the code location.
        withdrawal: the withdrawal.
        store: the tables after the withdrawal.

    Returns:
        The recorded events, such as ``image_shards[photos-0000] changed``.
    """
    events: dict[str, _Event] = {}
    for asset, partition, version in _changed(withdrawal, store):
        stored = _latest(instance, asset, partition)
        if stored is not None and _version(stored) != version:
            events[f"{asset}[{partition}] changed"] = _content(stored, version, withdrawal)
    graph = definitions.resolve_asset_graph()
    for artefact, images in _marked(withdrawal):
        asset = _MARKED[artefact.kind]
        key = dg.AssetCheckKey(dg.AssetKey(asset), CHECK)
        stored = _latest(instance, asset, artefact.name)
        # the data version of each of these assets begins with the digest of its content
        if key not in graph.asset_check_keys or not _version(stored).startswith(artefact.digest):
            continue
        failed = _failed(key, artefact.name, images, graph.get(key).blocking)
        events[f"{asset}[{artefact.name}] failed {CHECK}"] = failed
    if events:
        _run(instance, list(events.values()))
    return list(events)


def _run(instance: dg.DagsterInstance, events: Sequence[_Event]) -> None:
    """Record events in a run of their own.

    Without a run, a check could not fail a second time: Dagster keeps one evaluation for each
    check, partition and run.
    """

    @dg.op
    def record_withdrawal(context: dg.OpExecutionContext) -> None:
        for event in events:
            context.log_event(event)  # type: ignore[arg-type]  # it takes check evaluations too

    @dg.job
    def withdrawal() -> None:
        record_withdrawal()

    withdrawal.execute_in_process(instance=instance, run_config=QUIET)


def _changed(withdrawal: Withdrawal, store: "StoreReader") -> Iterator[tuple[str, str, str]]:
    """Yield asset, partition and new data version where no upstream asset shows the change."""
    for shard in withdrawal.shards:
        yield "image_shards", shard, store.digest("images", {"shard": shard})
    domains = withdrawal.named(ArtefactKind.DOMAIN)
    for domain in domains:
        yield "cads_seeds", domain, store.digest("seeds", {"domain": domain})
    for name in withdrawal.named(ArtefactKind.ROUND):
        domain, round_key = name.split("|", 1)
        if domain not in domains:  # otherwise its seeds make it stale
            where = {"domain": domain, "round": round_key}
            tables = ("candidates", "verdicts", "contexts")
            left = digest("withdrawn", *(store.digest(table, where) for table in tables))
            yield "cads_rounds", f"{domain}|{round_key}", left


def _marked(withdrawal: Withdrawal) -> Iterator[tuple[Artefact, list[str]]]:
    """Yield each training set and checkpoint once, upstream first, with the images it holds."""
    for kind in _MARKED:
        held: dict[tuple[str, str], list[Artefact]] = {}
        for artefact in withdrawal.artefacts:
            if artefact.kind is kind:
                held.setdefault((artefact.name, artefact.digest), []).append(artefact)
        for same in held.values():
            yield same[0], [artefact.image_id for artefact in same]


def _latest(
    instance: dg.DagsterInstance, asset: str, partition: str
) -> dg.AssetMaterialization | None:
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition]), limit=1
    ).records
    return records[0].asset_materialization if records else None


def _version(stored: dg.AssetMaterialization | None) -> str:
    return (stored.tags or {}).get(DATA_VERSION_TAG, "") if stored else ""


def _content(
    stored: dg.AssetMaterialization, version: str, withdrawal: Withdrawal
) -> dg.AssetMaterialization:
    """Return the event of a partition with fewer rows; its code and input tags are unchanged."""
    reasons = sorted({stone.reason for stone in withdrawal.tombstones})
    return dg.AssetMaterialization(
        asset_key=stored.asset_key,
        partition=stored.partition,
        description="Images were withdrawn.",
        metadata={
            "rolesynth/withdrawn": len(withdrawal.tombstones),
            "rolesynth/reason": "; ".join(reasons),
        },
        tags={**(stored.tags or {}), DATA_VERSION_TAG: version},
    )


def _failed(
    key: dg.AssetCheckKey, partition: str, images: list[str], blocking: bool
) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=False,
        partition=partition,
        blocking=blocking,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{partition}: {len(images)} images were withdrawn; none may be.",
        metadata={
            "value": len(images),
            "threshold": 0,
            "examples": dg.MetadataValue.json(sorted(images)[:5]),
        },
    )
