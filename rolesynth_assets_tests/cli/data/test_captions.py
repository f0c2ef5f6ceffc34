"""`rolesynth search` and `rolesynth sample` over a stored world."""

import json

from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app
from rolesynth_assets.store.text_index import TextIndex
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_search_finds_kept_captions_with_their_decision(world: StoredWorld) -> None:
    TextIndex(world.root, ROLE_SET).build(world.store)
    rows = world.store.read("pairs").to_pylist()
    word = next(w for row in rows if row["kept"] for w in row["text"].split())
    result = invoke("search", word, "--role-set", ROLE_SET, "--kept", "--json")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.output.splitlines()]
    wanted = {row["caption_id"] for row in rows if row["kept"] and word in row["text"].split()}
    assert {row["caption_id"] for row in found} == wanted
    assert all(row["decision"] == "kept" and row["rationale"] for row in found)


def test_search_without_an_index_names_the_command(world: StoredWorld) -> None:
    result = invoke("search", "red")
    assert result.exit_code == 2
    assert "caption_index" in result.output


def test_a_sample_is_the_same_for_the_same_seed(world: StoredWorld) -> None:
    first, second = (invoke("sample", "-n", "3", "--json").output for _ in range(2))
    assert first == second
    assert len(first.splitlines()) == 3
    assert invoke("sample", "-n", "3", "--seed", "1", "--json").output != first
    dropped = invoke("sample", "--dropped", "--json").output.splitlines()
    assert {json.loads(line)["decision"] for line in dropped} == {"dropped"}


def test_an_unknown_role_set_lists_those_with_captions(world: StoredWorld) -> None:
    result = invoke("sample", "--role-set", "nobody")
    assert result.exit_code == 2
    assert ROLE_SET in result.output
