"""`rolesynth benchmarks check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from rolesynth_assets.cli.app import app
from rolesynth_assets_tests.benchmarks.layouts import published_files as files


def test_a_check_names_what_is_there_and_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "data"))
    files.coco(tmp_path / "coco")
    files.urban(tmp_path / "urban")
    (tmp_path / "urban" / "image" / "1.jpg").unlink()
    for name, text in {
        "coco": f"path: {tmp_path}/coco",
        "city": f"path: {tmp_path}/urban",
        "gone": f"path: {tmp_path}/gone",
        "bad": "path: x\nnonsense: 1",
    }.items():
        files.put(tmp_path / f"benchmarks/{name}.yaml", f"name: {name}\nkind: retrieval\n{text}\n")
    result = CliRunner().invoke(app, ["benchmarks", "check", "coco", "city", "gone", "bad"])
    assert result.exit_code == 1
    assert "coco: retrieval, layout coco_captions, 3 images, 15 captions" in result.output
    assert "city: Task city: " in result.output and "1.txt has no image" in result.output
    assert f"gone: no files at {tmp_path}/gone" in result.output
    assert "field nonsense" in result.output
    assert CliRunner().invoke(app, ["benchmarks", "check", "coco", "arithmetic"]).exit_code == 0
    unknown = CliRunner().invoke(app, ["benchmarks", "check", "none"])
    assert unknown.exit_code == 2
