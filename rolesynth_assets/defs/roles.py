"""Stage 2: the roles of each role set, written by hand or by a dialogue with a model."""

from collections.abc import Iterable

import dagster as dg

from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.metadata import (
    OWNERS,
    check_result,
    check_spec,
    lance_metadata,
    markdown_table,
    spent_metadata,
)
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.pictures.markdown import bold, quote

_CHECKS = {
    "roles_distinct": "No two roles of the set look for the same thing.",
    "role_count": "The set has as many roles as it asks for.",
    "prompts_short": "Every prompt fits a small context.",
}


@dg.asset(
    partitions_def=partitions.role_set,
    deps=["role_set_files"],
    group_name="roles",
    kinds={"lance", "yaml"},
    owners=OWNERS,
    code_version="1",
    pool="lance_roles",
    check_specs=[
        check_spec("role_lists", name, text, partitions.role_set, blocking=True)
        for name, text in _CHECKS.items()
    ],
)
def role_lists(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Expert roles that caption every image: name, expertise, responsibilities, prompts.

    In: a YAML file of `role_sets/`, and for a generated set the captioning model. Out: Lance table
    `roles`. Stale when: the YAML file or the code change.
    """
    import polars as pl

    from rolesynth_assets.roles import checks
    from rolesynth_assets.roles.generate import propose_roles
    from rolesynth_assets.roles.rows import WRITTEN_BY_HAND, role_rows

    name, store = context.partition_key, platform.store
    role_set = partitions.ROLE_SETS[name]
    generator, dialogue = WRITTEN_BY_HAND, None
    if role_set.generate:
        dialogue, _ = platform.ask(
            platform.settings.captioner, lambda engine: propose_roles(engine, role_set)
        )
        generator = dialogue.generator
    roles = list(dialogue.roles) if dialogue else role_set.written_roles()
    rows = role_rows(name, roles, generator)
    store.replace("roles", {"role_set": name}, rows)
    shown = pl.DataFrame(rows.select(["name", "expertise", "responsibilities"]))
    metadata = {
        "rolesynth/roles": len(roles),
        "rolesynth/table": markdown_table(shown),
        "rolesynth/generator": generator,
        "rolesynth/keep_share": role_set.keep_share,
        **lance_metadata("roles", len(roles), store.version("roles"), {}),
    }
    if dialogue:
        metadata |= spent_metadata(
            platform.settings.prices.captioner,
            *(dialogue.calls, dialogue.prompt_tokens, dialogue.completion_tokens),
        )
        metadata["rolesynth/dialogue_rounds"] = dialogue.rounds
        said = dialogue_markdown([(turn.speaker, turn.text) for turn in dialogue.turns])
        metadata["rolesynth/dialogue"] = dg.MetadataValue.md(said)
    overlap = platform.settings.thresholds.max_role_overlap
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            check_result("roles_distinct", checks.roles_distinct(roles, overlap)),
            check_result("role_count", checks.role_count(roles, role_set.role_count)),
            check_result("prompts_short", checks.prompts_short(roles)),
        ],
        data_version=dg.DataVersion(store.digest("roles", {"role_set": name})),
    )


def dialogue_markdown(turns: Iterable[tuple[str, str]]) -> str:
    """Show who said what, in turns of a speaker and a text."""
    return "\n\n".join(f"{bold(speaker)}:\n\n{quote(said)}" for speaker, said in turns)
