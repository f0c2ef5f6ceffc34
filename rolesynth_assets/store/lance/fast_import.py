"""A fast import of Lance without pandas, for interactive commands."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    """Makes `import pandas` fail as if it were not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("left out to save time", name="pandas")


def import_lance_without_pandas() -> None:
    """Import Lance in half the time, in a process that does not need pandas.

    `pyarrow.dataset` imports pandas to test whether a Python value is one of its arrays, and
    remembers for the rest of the process if the import failed. Nothing changes in a process that
    has already imported either module.
    """
    if "pandas" in sys.modules or "pyarrow.dataset" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import lance  # noqa: F401
    finally:
        sys.meta_path.remove(finder)
