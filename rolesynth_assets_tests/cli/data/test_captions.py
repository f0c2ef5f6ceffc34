"""`rolesynth search` and `rolesynth sample` over a stored world."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets.browse.captions import search as searching
from rolesynth_assets.cli.app import app
from rolesynth_assets.store.meaning_index import MeaningIndex
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


def test_search_by_meaning_and_by_both(world: StoredWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = world.store.read("captions").to_pylist()
    vectors = dict(zip((row["text"] for row in rows), np.eye(384, dtype=np.float32), strict=False))
    TextIndex(world.root, ROLE_SET).build(world.store)
    asked = rows[3]["text"]
    monkeypatch.setattr(searching, "meaning_of", lambda text: vectors[text])
    refused = invoke("search", asked, "--by", "meaning")
    assert refused.exit_code == 2
    assert "meaning_index" in refused.output
    embed = lambda texts: np.stack([vectors[text] for text in texts])  # noqa: E731
    MeaningIndex(world.root, ROLE_SET).build(world.store, embed)
    for by in ("meaning", "both"):
        result = invoke("search", asked, "--by", by, "--json", "--limit", "5")
        assert result.exit_code == 0, result.output
        found = [json.loads(line) for line in result.output.splitlines()]
        assert found[0]["text"] == asked
        assert len(found) == 5
    assert found[0]["relevance"] == pytest.approx(2 / 61, abs=1e-4)  # the first in both


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
