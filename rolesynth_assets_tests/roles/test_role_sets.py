import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from rolesynth_assets.roles.library import SHIPPED_SETS, RoleSetError, load_role_set, load_role_sets
from rolesynth_assets.roles.role import LengthKind, PromptTemplates, Role
from rolesynth_assets.roles.role_set import RoleSet
from rolesynth_assets.store.digests import digest

SHIPPED = load_role_sets()
WRITTEN = [name for name, role_set in SHIPPED.items() if role_set.roles]

ROLE_SET = """
name: mine
description: A set of my own.
system: Write captions.
templates:
  long: "You are the {name}. {responsibilities} Write a lot."
  short: "You are the {name}. {responsibilities} Write little."
roles:
  - name: Gardener
    responsibilities: Name each plant.
  - name: Painter
    responsibilities: Name each colour.
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def test_the_shipped_sets_are_the_papers_and_its_baselines() -> None:
    assert list(SHIPPED) == ["generated", "generic1", "generic5", "roles5"]
    assert [role.name for role in SHIPPED["roles5"].roles] == [
        "Observer of Details",
        "Interpreter of Context",
        "Compositional Analyst",
        "Narrative Setter",
        "Emotional Responder",
    ]
    assert [SHIPPED[name].role_count for name in SHIPPED] == [5, 1, 5, 5]


@pytest.mark.parametrize("name", WRITTEN)
def test_shipped_prompts_fit_a_small_context(name: str) -> None:
    role_set = SHIPPED[name]
    assert len(role_set.system.split()) <= 25
    for role in role_set.written_roles():
        assert len(role.expertise.split()) <= 14
        assert len(role.responsibilities.split()) <= 28
        for length in LengthKind:
            prompt = role.prompt(length)
            assert len(prompt.split()) <= 70
            assert "{" not in prompt and "  " not in prompt
            assert role.responsibilities in prompt


def test_all_shipped_sets_share_one_system_text() -> None:
    assert len({role_set.system for role_set in SHIPPED.values()}) == 1
    assert SHIPPED["generated"].templates == SHIPPED["roles5"].templates


def test_generic_prompts_name_no_role_and_all_differ() -> None:
    prompts = [role.prompt(LengthKind.SHORT) for role in SHIPPED["generic5"].written_roles()]
    assert len(set(prompts)) == 5
    assert not any("You are" in prompt for prompt in prompts)


def test_the_single_baseline_shares_a_role_with_the_five() -> None:
    one = SHIPPED["generic1"].written_roles()[0]
    assert one.fingerprint in {role.fingerprint for role in SHIPPED["generic5"].written_roles()}


def test_the_keep_share_defaults_to_one_over_roles() -> None:
    assert SHIPPED["roles5"].keep_share == 1 / 5
    assert SHIPPED["generic1"].keep_share == 1.0
    assert SHIPPED["generated"].keep_share == 1 / 5


def test_the_prompts_of_the_paper_roles_are_these_words() -> None:
    """A change here makes all captions of roles5 unwanted and the stand-in need retraining."""
    observer = SHIPPED["roles5"].written_roles()[0]
    assert SHIPPED["roles5"].system == (
        "You write captions for images. Say only what the image shows, in plain English."
    )
    role = (
        "You are the Observer of Details. You see small visible facts that others pass over. "
        "Name each object with its number, colour, size and texture. Leave out guesses and "
        "feelings."
    )
    ending = "Answer with the caption only and never mention your role."
    assert observer.prompt(LengthKind.LONG) == (
        f"{role} Describe the image in three to five sentences. {ending}"
    )
    assert observer.prompt(LengthKind.SHORT) == (
        f"{role} Look at the image and write one sentence of at most 18 words. {ending}"
    )


def test_every_word_the_model_reads_is_in_the_fingerprint() -> None:
    role = SHIPPED["roles5"].written_roles()[0]
    templates = role.templates
    changed = [
        role.model_copy(update={"name": "Observer"}),
        role.model_copy(update={"expertise": "You look."}),
        role.model_copy(update={"responsibilities": "Name things."}),
        role.model_copy(update={"system": "Write."}),
        role.model_copy(
            update={"templates": templates.model_copy(update={"long": "{responsibilities}"})}
        ),
        role.model_copy(
            update={"templates": templates.model_copy(update={"short": "{responsibilities}"})}
        ),
    ]
    assert len({one.fingerprint for one in [role, *changed]}) == len(changed) + 1


def test_brackets_in_a_roles_words_are_just_words() -> None:
    templates = PromptTemplates(long="{responsibilities} long", short="{responsibilities} short")
    role = Role(name="Reader", responsibilities="Read {all} text.", templates=templates, system="s")
    assert role.prompt(LengthKind.LONG) == "Read {all} text. long"


def test_a_users_folder_adds_and_overrides(tmp_path: Path) -> None:
    write(tmp_path, ROLE_SET)
    copy = (SHIPPED_SETS / "roles5.yaml").read_text().replace("Observer of Details", "Botanist")
    write(tmp_path, copy, "five.yml")
    role_sets = load_role_sets(tmp_path)
    assert list(role_sets) == ["generated", "generic1", "generic5", "mine", "roles5"]
    assert role_sets["roles5"].roles[0].name == "Botanist"
    assert role_sets["mine"].keep_share == 1 / 2


def test_a_folder_that_is_not_there_adds_nothing(tmp_path: Path) -> None:
    assert load_role_sets(tmp_path / "none") == SHIPPED


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Name each plant.", "", r"field roles\.0\.responsibilities"),
        ("name: mine", "name: my set!", "field name"),
        ("{name}", "{nmae}", r"field templates\.long: .*unknown \['nmae'\]"),
        ("{responsibilities} Write a lot.", "Write a lot.", "must mention {responsibilities}"),
        ("Write a lot.", "Write a lot}.", r"templates\.long: .*unbalanced"),
        ("name: Painter", "name: gardener", r"field roles: .*share the name \['gardener'\]"),
        ("system: Write captions.", "sistem: Write captions.", "field sistem"),
        ("roles:", "generate: {purpose: x}\nroles:", "not both"),
        ("description: A set of my own.", "description: [", "cannot be read as YAML"),
        (ROLE_SET, "- a\n- b\n", "expected a mapping"),
        (ROLE_SET, "", "expected a mapping"),
        ("roles:", "filter: {keep: 1.5}\nroles:", r"field filter\.keep"),
        ("roles:", "filter: {keep: 0.5, per_image: 1}\nroles:", "field filter: .*leave keep null"),
    ],
)
def test_a_bad_file_is_named_with_its_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write(tmp_path, ROLE_SET.replace(old, new))
    with pytest.raises(RoleSetError, match=message) as error:
        load_role_sets(tmp_path).whole()
    assert str(path) in str(error.value)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ROLE_SET, "a.yaml")
    write(tmp_path, ROLE_SET, "b.yaml")
    with pytest.raises(RoleSetError, match=r"b\.yaml: field name: 'mine' is already .* a\.yaml"):
        load_role_sets(tmp_path).whole()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RoleSetError, match=r"none\.yaml: cannot be read"):
        load_role_set(tmp_path / "none.yaml")


def test_a_set_needs_roles_or_a_way_to_make_them() -> None:
    content = SHIPPED["roles5"].model_dump() | {"roles": []}
    with pytest.raises(ValueError, match="give either `roles`"):
        RoleSet.model_validate(content)


def test_a_generated_set_has_no_written_roles() -> None:
    with pytest.raises(ValueError, match="generated through an engine"):
        SHIPPED["generated"].written_roles()


def test_a_language_changes_no_request_and_must_be_known() -> None:
    role_set = load_role_sets()["roles5"]
    german = role_set.model_copy(update={"language": "de"})
    assert (role_set.language, german.digest) == ("en", role_set.digest)
    with pytest.raises(ValidationError, match="'english' is no language code"):
        RoleSet.model_validate(role_set.model_dump() | {"language": "english"})


def test_a_later_policy_changes_the_digest_and_its_absence_does_not(tmp_path: Path) -> None:
    plain = load_role_set(write(tmp_path, ROLE_SET))
    best = load_role_set(
        write(tmp_path, ROLE_SET.replace("roles:", "filter: {per_image: 2}\nroles:"))
    )
    assert best.digest != plain.digest and (best.keep_share, best.filter.floor) == (0, 2)
    values = plain.model_dump(mode="json", exclude={"name", "description", "language"})
    centred = write(tmp_path, ROLE_SET.replace("roles:", "filter: {centred: true}\nroles:"))
    assert load_role_set(centred).digest not in (plain.digest, best.digest)
    del values["filter"]["per_image"], values["filter"]["centred"]
    assert plain.digest == digest("role set", json.dumps(values, sort_keys=True))
