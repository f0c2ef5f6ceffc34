"""Run every drill at its full size and write the table of `docs/reliability.md`.

Each module of this folder that has a `run(size) -> list[Outcome]` is a drill; the first line of
its docstring heads its rows. Exit status 1 if anything did not hold.
"""

import argparse
import importlib
import pkgutil
import sys
import time
from pathlib import Path

from rolesynth_assets_tests.drills.outcome import Outcome, Size

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- drills: begin -->", "<!-- drills: end -->"


def main() -> int:
    """Run the drills named on the command line, or all of them."""
    names = [m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)])]
    names = [n for n in names if not n.startswith(("_", "test_", "outcome"))]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drill", nargs="*", help="all if none is named")
    parser.add_argument("--size", choices=["small", "long"], default="long")
    args = parser.parse_args()

    rows, failed = [], 0
    for name in args.drill or names:
        module = importlib.import_module(f"rolesynth_assets_tests.drills.{name}")
        if not hasattr(module, "run"):
            continue
        started = time.perf_counter()
        size: Size = args.size
        outcomes: list[Outcome] = module.run(size)
        print(f"{name}: {time.perf_counter() - started:.0f} s")
        for outcome in outcomes:
            failed += outcome.held < outcome.tried
            print(f"  {outcome.held:>5} of {outcome.tried:<5} {outcome.fault}: {outcome.promise}")
        rows += [
            f"| {o.fault} | {o.tried:,} | {o.held:,} | {o.promise} | `{name}` |" for o in outcomes
        ]
    if not args.drill:
        _write(rows)
    return 1 if failed else 0


def _write(rows: list[str]) -> None:
    text = PAGE.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    table = ["| fault | tried | held | promise | drill |", "|---|---|---|---|---|", *rows]
    PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(table) + f"\n{END}{tail}")


if __name__ == "__main__":
    sys.exit(main())
