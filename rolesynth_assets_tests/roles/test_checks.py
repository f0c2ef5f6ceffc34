import pytest

from rolesynth_assets.roles.checks import prompts_short, role_count, roles_distinct
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.roles.role import Role

ROLE_SETS = load_role_sets()
ROLE_LIST = ROLE_SETS["roles5"].written_roles()


def changed(role: Role, **fields: str) -> Role:
    return role.model_copy(update=fields)


@pytest.mark.parametrize("name", ["roles5", "generic5", "generic1"])
def test_the_shipped_roles_pass(name: str) -> None:
    roles = ROLE_SETS[name].written_roles()
    assert roles_distinct(roles).passed
    assert prompts_short(roles).passed
    assert role_count(roles, ROLE_SETS[name].role_count).passed


def test_nearly_equal_roles_are_found() -> None:
    twin = changed(
        ROLE_LIST[0], name="Watcher", responsibilities=ROLE_LIST[0].responsibilities[:-1]
    )
    outcome = roles_distinct([*ROLE_LIST, twin])
    assert (outcome.passed, outcome.value) == (False, 1.0)
    assert outcome.metadata["closest"] == ["Observer of Details", "Watcher"]


def test_equal_names_are_found_whatever_they_do() -> None:
    namesake = changed(ROLE_LIST[1], name="observer of details")
    assert not roles_distinct([*ROLE_LIST, namesake]).passed


def test_the_bound_is_a_setting() -> None:
    overlap = roles_distinct(ROLE_LIST).value
    assert 0 < overlap < 0.5
    assert not roles_distinct(ROLE_LIST, max_overlap=overlap - 0.01).passed


def test_no_roles_fail() -> None:
    assert not roles_distinct([]).passed
    assert not prompts_short([]).passed


def test_a_lost_role_is_found() -> None:
    outcome = role_count(ROLE_LIST[:4], 5)
    assert (outcome.passed, outcome.value, outcome.threshold) == (False, 4, 5)


def test_a_long_prompt_is_found() -> None:
    outcome = prompts_short([changed(ROLE_LIST[0], responsibilities="name " * 100)])
    assert not outcome.passed
    assert outcome.value > 120
    assert "Observer of Details / short" in outcome.description
