"""What people read before they turn something on: what spends money says so first."""

import re

import pytest

from rolesynth_assets.definitions import defs

FREE = {
    "new_image_shards",
    "cheap_tables_and_pages",
    "end_killed_runs",
    "table_upkeep",
    "maintain_tables",
}
PAID = {"rematerialize_stale", "weekly_refresh", "refresh", "make_what_is_stale"}


def descriptions() -> dict[str, str]:
    repository = defs.get_repository_def()
    named = [*repository.sensor_defs, *repository.schedule_defs]
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    return {each.name: each.description or "" for each in (*named, *jobs)}


def test_everything_that_can_be_started_is_known_here() -> None:
    assert set(descriptions()) == FREE | PAID


@pytest.mark.parametrize("name", sorted(FREE | PAID))
def test_the_first_words_are_about_money(name: str) -> None:
    begins = "Costs money" if name in PAID else "Costs nothing"
    assert descriptions()[name].startswith(begins)


@pytest.mark.parametrize("name", sorted(PAID))
def test_what_spends_names_its_cap(name: str) -> None:
    assert re.search(r"\bcaps?\b|at most", descriptions()[name])


def test_resources_are_described() -> None:
    for name, resource in defs.get_repository_def().get_top_level_resources().items():
        assert resource.description, name
