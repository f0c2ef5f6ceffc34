import subprocess
import sys

CODE = """
import sys
BEFORE
from rolesynth_assets.store.lance.fast_import import import_lance_without_pandas
import_lance_without_pandas()
import pyarrow as pa
import lance
print("pandas" in sys.modules, pa.array([1]).to_pylist())
import pandas
print(pandas.Series([1]).sum())
"""


def run(before: str) -> list[str]:
    code = CODE.replace("BEFORE", before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_pandas_is_left_out_and_can_be_imported_after() -> None:
    assert run("") == ["False [1]", "1"]


def test_a_process_with_pandas_keeps_it() -> None:
    assert run("import pandas") == ["True [1]", "1"]
