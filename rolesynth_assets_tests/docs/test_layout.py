"""The limits of the layout: small files, small folders, no Dagster below the top floors."""

import tomllib
from pathlib import Path

import pytest

import rolesynth_assets

PACKAGE = Path(rolesynth_assets.__path__[0])
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
IMPORT_DAGSTER = {"cli", "browse", "ui", "definitions", "defs", "lineage"}


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_files_are_short() -> None:
    lines = {named(path): len(path.read_text().splitlines()) for path in MODULES}
    assert len(lines) > 500
    assert {name: n for name, n in lines.items() if n > 400} == {}


def test_files_of_the_dagster_layer_are_shorter() -> None:
    lines = {named(path): len(path.read_text().splitlines()) for path in MODULES}
    of_defs = {name: n for name, n in lines.items() if name.startswith("defs/")}
    assert of_defs
    assert {name: n for name, n in of_defs.items() if n > 200} == {}


def test_folders_hold_few_modules() -> None:
    folders: dict[str, int] = {}
    for path in MODULES:
        if path.name != "__init__.py":
            folders[named(path.parent)] = folders.get(named(path.parent), 0) + 1
    assert {name: n for name, n in folders.items() if n > 15} == {}


@pytest.mark.parametrize("name", ["layers", "forbidden"])
def test_the_contracts_are_about_every_package(name: str) -> None:
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    (contract,) = (c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == name)
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    packages = {name for name in top if not name.startswith(("_", "."))}
    if name == "layers":
        assert {one.strip() for floor in contract["layers"] for one in floor.split("|")} == packages
    else:
        assert contract["forbidden_modules"] == ["dagster"]
        listed = {module.removeprefix("rolesynth_assets.") for module in contract["source_modules"]}
        assert listed == packages - IMPORT_DAGSTER
