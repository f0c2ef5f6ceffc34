"""All exports of a domain's synthetic problems, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.engine import ModelIdentity

if TYPE_CHECKING:
    from rolesynth_assets.answers.checker_process import Grader
    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.store.lance.reader import StoreReader


def export_all(
    store: StoreReader, domain: str, folder: DataPath, grader: Grader, *, system: str, card: str
) -> dict[str, int]:
    """Write a domain's problems for EasyR1, TRL and `datasets`; return the rows by format.

    Args:
        store: store with the table ``problems``.
        domain: partition.
        folder: folder that gets ``easyr1``, ``trl`` and ``hf``, each replaced as a whole.
        grader: the trainers' checkers.
        system: system text of TRL's prompts.
        card: the dataset card, Markdown.

    Raises:
        ExportError: the domain has no kept problem, or one that a trainer cannot use.
    """
    from rolesynth_assets.cads.problems.exports.accepted import accepted_problems
    from rolesynth_assets.cads.problems.exports.easyr1 import export_easyr1
    from rolesynth_assets.cads.problems.exports.hf import export_hf
    from rolesynth_assets.cads.problems.exports.trl import export_trl

    version = store.version("problems")
    problems = partial(accepted_problems, store, domain, version)
    return {
        "easyr1": export_easyr1(problems(), folder / "easyr1", grader),
        "trl": export_trl(problems(), folder / "trl", grader, system=system),
        "hf": export_hf(problems(), folder / "hf", card),
    }


def recorded_members(
    store: StoreReader, domain: str, collective: Collective | None
) -> Mapping[str, ModelIdentity]:
    """Return the models that wrote and judged a domain's candidates, as their rows record them.

    Args:
        store: store with ``candidates`` and ``verdicts``.
        domain: partition.
        collective: collective that names the engines, which rows do not record; None leaves them
            unknown.

    Returns:
        Models by member; a member that has had several models has one entry for each.
    """
    said: set[tuple[str, str, str]] = set()
    for table, name in (("candidates", "member"), ("verdicts", "judge")):
        rows = store.read(table, {"domain": domain}, [name, "model", "revision"]).to_pylist()
        said |= {(row[name], row["model"], row["revision"]) for row in rows}
    engines = {m.name: str(m.engine) for m in collective.members} if collective else {}
    names = [name for name, _, _ in said]
    found = {}
    for name, model, revision in sorted(said):
        engine = engines.get(name, "not recorded")
        key = name if names.count(name) == 1 else f"{name} ({model} {revision[:12]})"
        found[key] = ModelIdentity(engine, model, revision, stand_in=engine == "embedded")
    return found
