"""Every id and digest that the pages of a graph show, and whether `rolesynth trace` takes it."""

import json
import re

import dagster as dg

from rolesynth_assets.cli.lineage.trace import stored_sources
from rolesynth_assets.lineage.trace.shown import trace_shown
from rolesynth_assets.lineage.trace.subject import SubjectError
from rolesynth_assets.lineage.trace.trace import trace

HEX = re.compile(r"(?<![0-9a-zA-Z+/])[0-9a-f]{12,64}(?![0-9a-zA-Z+/])")
PICTURE = re.compile(r"data:image/[^)\\s\"]*")


def shown_ids(instance: dg.DagsterInstance) -> dict[str, str]:
    """Every text of 12 and more hexadecimal digits on a page, with the page that shows it."""
    found: dict[str, str] = {}
    for key in instance.all_asset_keys():
        for record in instance.fetch_materializations(key, limit=100).records:
            made, entry = record.asset_materialization, record.event_log_entry
            assert made and made.tags
            texts = {name: str(value.value) for name, value in made.metadata.items()}
            texts |= {"run": entry.run_id, "data version": made.tags["dagster/data_version"]}
            for name, text in texts.items():
                for shown in HEX.findall(PICTURE.sub("", json.dumps(text))):
                    if not shown.isdigit():  # a number
                        found[shown] = f"{name} of {key.to_user_string()}[{record.partition_key}]"
    return found


def untraced(instance: dg.DagsterInstance) -> dict[str, str]:
    """Those of them that no trace takes, of the project that the environment names."""
    sources, left = stored_sources(), {}
    for shown, where in shown_ids(instance).items():
        try:
            trace(sources, shown)
        except SubjectError:
            other = trace_shown(instance, shown, 3)
            if other is None or (isinstance(other, str) and not trace(sources, other).nodes):
                left[shown] = where
    return left
