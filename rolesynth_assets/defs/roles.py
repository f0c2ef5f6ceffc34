"""Stage 2: the roles of each role set, written by hand or by a dialogue with a model."""

import dagster as dg

from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.pages.metadata import lance_metadata, spent_metadata
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.defs.wiring.stage import Check, Made, stage
from rolesynth_assets.roles import checks


@stage(
    "roles",
    {"lance", "yaml"},
    partitions.role_set,
    deps={"role_set_files": None},
    pool="lance_roles",
    checks=[
        Check(
            checks.roles_distinct,
            "No two roles of the set look for the same thing.",
            blocking=True,
            bounds={"max_overlap": "max_role_overlap"},
        ),
        Check(checks.role_count, "The set has as many roles as it asks for.", blocking=True),
        Check(
            checks.prompts_short,
            "Every prompt fits a small context.",
            blocking=True,
            bounds={"max_words": "max_prompt_words"},
        ),
    ],
)
def role_lists(context: dg.AssetExecutionContext, platform: Platform) -> Made:
    """Expert roles that caption every image: name, expertise, responsibilities, prompts.

    In: a YAML file of `role_sets/`, and for a generated set the captioning model. Out: Lance table
    `roles`. Stale when: the YAML file or the code change.
    """
    import polars as pl

    from rolesynth_assets.mllm.preflight.check import Preflight
    from rolesynth_assets.roles.generate import dialogue_markdown, propose_roles
    from rolesynth_assets.roles.rows import WRITTEN_BY_HAND, role_rows

    name, store = context.partition_key, platform.store
    role_set = partitions.ROLE_SETS[name]
    generator, dialogue = WRITTEN_BY_HAND, None
    if role_set.generate:
        settings = platform.settings
        check = Preflight(store.root, settings.captioner, context.run_id, sees=False)
        dialogue, _ = platform.ask(
            settings.captioner,
            settings.prices.captioner,
            lambda engine: propose_roles(engine, role_set, check),
        )
        generator = dialogue.generator
    roles = list(dialogue.roles) if dialogue else role_set.written_roles()
    rows = role_rows(name, roles, generator)
    store.replace("roles", {"role_set": name}, rows)
    metadata = {
        "roles": len(roles),
        "table": pl.DataFrame(rows.select(["name", "expertise", "responsibilities"])),
        "generator": generator,
        "keep_share": role_set.keep_share,
        **lance_metadata("roles", len(roles), store.version("roles"), {}),
    }
    if dialogue:
        metadata |= spent_metadata(platform.settings.prices.captioner, dialogue)
        metadata["dialogue_rounds"] = dialogue.rounds
        metadata["dialogue"] = dialogue_markdown(dialogue.turns)
    return Made(
        metadata,
        store.digest("roles", {"role_set": name}),
        facts={"roles": roles, "expected": role_set.role_count},
    )
