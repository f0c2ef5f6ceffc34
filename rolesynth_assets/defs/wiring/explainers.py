"""Closer words for the change of a source, for commands and for the pages alike."""

from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.lineage.staleness.explain import Explain, changed_roles
from rolesynth_assets.settings import Settings


def explainers() -> dict[str, Explain]:
    """Return functions that describe a change of a source, by source asset."""

    def of_role_set(name: str) -> str | None:
        from rolesynth_assets.roles.rows import roles_from_rows
        from rolesynth_assets.store.lance.reader import StoreReader

        role_set = partitions.ROLE_SETS.get(name)
        rows = StoreReader(str(Settings.load().data_root)).read("roles", {"role_set": name})
        if role_set is None or role_set.generate or not rows.num_rows:
            return None
        return changed_roles(roles_from_rows(rows), role_set.written_roles())

    def of_model(kind: str) -> Explain:
        model = getattr(Settings.load(), kind)
        now = "the embedded stand-in" if model.engine == "embedded" else f"{model.model}"
        revision = f", revision {model.revision}" if model.revision else ""
        return lambda partition: f"{kind} changed to {now}{revision}"

    models = {kind: of_model(kind) for kind in ("captioner", "judge")}
    return {"role_set_files": of_role_set, **models}
