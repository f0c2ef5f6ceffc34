from __future__ import annotations

import os

import pytest

from rolesynth_assets.bounded_json import read_json
from rolesynth_assets.bounded_yaml import YamlFileError, read_yaml

BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "expands to more than"),
        ("a: &a [*a]", "contains itself"),
        ("[" * 5000, "nests deeper"),
        ("[" * 60 + "]" * 60, "nests deeper"),
        ("a: " + "x" * 2**20, "more than 1048576 bytes"),
        ("when: 2001-13-40", "month"),
        ("a: [", "flow"),
    ],
)
def test_what_is_refused(tmp_path, text, said):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(YamlFileError, match=said):
        read_yaml(tmp_path / "x.yaml")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")
    with pytest.raises(YamlFileError, match="no such file"):
        read_yaml(tmp_path / "x.yaml")


def test_aliases_are_values(tmp_path):
    (tmp_path / "x.yaml").write_text("a: &a [1, 2]\nb: *a\n")
    assert read_yaml(tmp_path / "x.yaml") == {"a": [1, 2], "b": [1, 2]}


def test_json_has_bounds():
    assert read_json("[1, 2, [3]]", 4) == [1, 2, [3]]
    for text, said in (("[1, 2, [3]]", "more than 3 values"), ("[" * 10**5, "nests too deep")):
        with pytest.raises(ValueError, match=said):
            read_json(text, 3 if len(text) < 20 else 10**6)
