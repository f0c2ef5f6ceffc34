"""Run the drills at their full size and write their rows of the table of `docs/reliability.md`.

Each module of this folder that has a `run(size) -> list[Outcome]` is a drill; its `FAULTS` name the
rows that its long size gives. Rows of drills that are not run stay as they are. Exit status 1 if
anything did not hold.
"""

import argparse
import importlib
import pkgutil
import sys
import time
from pathlib import Path
from types import ModuleType

from rolesynth_assets_tests.drills.outcome import Outcome, Size

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- drills: begin -->", "<!-- drills: end -->"


def main() -> int:
    """Run the drills named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drill", nargs="*", help="all if none is named")
    parser.add_argument("--size", choices=["small", "long"], default="long")
    args = parser.parse_args()

    failed = 0
    found = drills()
    for name in args.drill or found:
        module = found[name]
        started = time.perf_counter()
        size: Size = args.size
        outcomes: list[Outcome] = module.run(size)
        print(f"{name}: {time.perf_counter() - started:.0f} s")
        for outcome in outcomes:
            failed += outcome.held < outcome.tried
            print(f"  {outcome.held:>5} of {outcome.tried:<5} {outcome.fault}: {outcome.promise}")
        if size == "long":
            _write(name, outcomes)
    return 1 if failed else 0


def drills() -> dict[str, ModuleType]:
    """Return the drills by their name."""
    names = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)])]
    names = [n for n in names if not n.startswith(("_", "test_", "outcome"))]
    modules = {n: importlib.import_module(f"rolesynth_assets_tests.drills.{n}") for n in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run")}


def rows(page: str) -> dict[str, list[str]]:
    """Return the faults that the table of a page names, by drill."""
    found: dict[str, list[str]] = {}
    for line in page.partition(BEGIN)[2].partition(END)[0].splitlines()[3:]:
        fault, *_, drill = (cell.strip() for cell in line.strip().strip("|").split("|"))
        found.setdefault(drill.strip("`"), []).append(fault)
    return found


def _write(name: str, outcomes: list[Outcome]) -> None:
    """Replace the rows of one drill; the drills are in alphabetical order."""
    head, rest = PAGE.read_text().split(BEGIN)
    table, tail = rest.split(END)
    kept = [line for line in table.splitlines()[3:] if not line.endswith(f"| `{name}` |")]
    new = [f"| {o.fault} | {o.tried:,} | {o.held:,} | {o.promise} | `{name}` |" for o in outcomes]
    rows = sorted(kept + new, key=lambda line: line.rsplit("|", 2)[1])
    titles = ["| fault | tried | held | promise | drill |", "|---|---|---|---|---|"]
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join([*titles, *rows]) + f"\n{END}{tail}")


if __name__ == "__main__":
    sys.exit(main())
