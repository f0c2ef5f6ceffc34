"""Importing Lance without pandas, for a command that a person waits for."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _NoPandas(MetaPathFinder):
    """Makes `import pandas` fail, as if it was not installed."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("left out to save time", name="pandas")


def import_lance_without_pandas() -> None:
    """Import Lance in half the time, in a process that has no use for pandas.

    `pyarrow.dataset` imports pandas to find out whether a Python value is one of its arrays, and
    remembers for the rest of the process if there was none. A process that has either module
    already is left as it is.
    """
    if "pandas" in sys.modules or "pyarrow.dataset" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import lance  # noqa: F401
    finally:
        sys.meta_path.remove(finder)
