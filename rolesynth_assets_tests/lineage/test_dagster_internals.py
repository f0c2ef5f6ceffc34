"""Private modules of Dagster are imported by one file, which says from which version."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import rolesynth_assets
from rolesynth_assets.lineage import dagster_internals

PACKAGE = Path(rolesynth_assets.__file__).parent
INTERNALS = Path(dagster_internals.__file__)
PUBLIC = ("dagster_k8s",)
"""Libraries of the family of which only the public API is used."""


def private(module: str) -> bool:
    """Whether a module belongs to the Dagster family and is not a public one."""
    family = module.split(".")[0]
    if module in PUBLIC:
        return False
    # `dagster` alone is the public API: what lies below it has no promise of staying
    return (family == "dagster" and module != family) or family.startswith("dagster_")


def private_imports(text: str) -> Iterator[str]:
    """The private modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if private(alias.name))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            if private(node.module):
                yield node.module
            elif node.module == "dagster":
                yield from (name for name in names[1:] if name.startswith("dagster._"))


def test_private_modules_are_imported_in_one_file_alone() -> None:
    found = {
        str(path.relative_to(PACKAGE)): modules
        for path in sorted(PACKAGE.rglob("*.py"))
        if (modules := list(private_imports(path.read_text())))
    }
    assert list(found) == [str(INTERNALS.relative_to(PACKAGE))], found


@pytest.mark.parametrize(
    "text",
    [
        "import dagster._core.assets",
        "from dagster._core.assets import AssetDetails",
        "from dagster import _core",
        "def f():\n    from dagster_shared.error import SerializableErrorInfo",
        "from dagster_webserver.app import create_app_from_workspace_process_context",
    ],
)
def test_every_way_to_import_one_is_noticed(text: str) -> None:
    assert list(private_imports(text))


def test_public_imports_are_free() -> None:
    assert not list(private_imports("import dagster as dg\nfrom dagster import AssetKey"))


def test_they_were_read_from_the_version_that_is_installed() -> None:
    """At an upgrade: read each name again, and change the version beside it."""
    assert dagster_internals.READ_FROM == dg.__version__
    beside = re.findall(r"# (\d+\.\d+\.\d+): ", INTERNALS.read_text())
    assert set(beside) == {dg.__version__}


def test_many_partitions_are_asked_for_with_few_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, a page over 2,000 shards asks for each key of each check by itself."""
    keys = [f"shard-{number}" for number in range(100)]
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("shards", keys)
        asked: list[str] = []
        ask = instance.has_dynamic_partition

        def counted(partitions_def_name: str, partition_key: str) -> bool:
            asked.append(partition_key)
            return ask(partitions_def_name, partition_key)

        monkeypatch.setattr(instance, "has_dynamic_partition", counted)
        before = dagster_internals.CachingDynamicPartitionsLoader.has_dynamic_partition
        with dagster_internals.few_partition_queries():
            loader = dagster_internals.CachingDynamicPartitionsLoader(instance)
            assert all(loader.has_dynamic_partition("shards", key) for key in keys)
            assert not loader.has_dynamic_partition("shards", "gone")
            assert not loader.has_dynamic_partition("shards", "gone")
            assert not loader.has_dynamic_partition("other", "shard-1")
        assert len(asked) <= dagster_internals.FEW_KEYS + 1
        assert dagster_internals.CachingDynamicPartitionsLoader.has_dynamic_partition is before
