"""Write `docs/evidence.md` and the numbers in the README from records that a script wrote.

`python -m rolesynth_assets_tests.docs.evidence` writes the page from `docs/evidence/*.json`. With
`--record FILE --name NAME --command COMMAND` it takes over a record first, such as the
`ablation.json` beside the report of `rolesynth ablation`, or that of `ablation_on_gpu`.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from rolesynth_assets.reports.ablation_record import (
    Record,
    claim_sentences,
    cuts_table,
    difference_picture,
    scores_table,
)

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "evidence.md"
RECORDS = ROOT / "docs" / "evidence"
README = ROOT / "README.md"
MADE = "<!-- Made by `make evidence` from docs/evidence/*.json. Do not edit. -->\n"
BLOCK = re.compile(r"<!-- evidence -->\n.*?<!-- /evidence -->\n", re.DOTALL)
IN_README = (
    ("best", "base"),
    ("roles5", "generic1"),
    ("roles5", "roles5_random_cut"),
)
"""The three differences that the README quotes, each measured on long text."""

_BEFORE = """# Evidence

What earns the score, measured on the embedded world: composed pictures whose content is known,
captions and judgements by a model of three million parameters, and a tiny CLIP. The numbers say
which part of the method works there, and how large a difference has to be to be seen. They say
nothing about photographs.

Each section comes from one record, a file beside this page that a script wrote. The
differences are in points of R@1, mean of both directions, with 95 % intervals paired over
training seeds and images. The best recipe is chosen on `scenes_long_dev`; all differences are
measured on `scenes_long` or `scenes_short`, which chose nothing.
"""
_AFTER = """## What would change on real data

- A real captioner errs in other ways, and its captions differ more between roles than those of a
  tiny model, whose five plain prompts give almost the same caption. The gain of the roles may be
  larger.
- A pretrained CLIP knows the world already: `roles5_vit_b16` fine-tunes ViT-B/16 with the paper's
  schedule. A gain of ten points over such a base is not to be expected on its own benchmarks.
- A judge that separates true captions from false ones less well makes the filter's gain smaller;
  the review page measures that.
- The cut chooses images as well as captions. How many images remain depends on how much scores
  differ between images of your set: `filter_cutoffs` counts them.
"""


def records() -> dict[str, Record]:
    """Return all records by name."""
    found = sorted(RECORDS.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in found}


def page(found: dict[str, Record]) -> str:
    """Return the page of some records."""
    sections = [_section(name, record) for name, record in found.items()]
    none = "No record is there yet: `make evidence` with a RECORD and a NAME takes one over.\n"
    return "\n".join([MADE + _BEFORE, *(sections or [none]), _AFTER])


def _section(name: str, record: Record) -> str:
    picture = f"![Differences of recipes with their intervals, sorted](evidence/{name}.png)"
    best = record["best_on_dev"]
    chosen = f" The recipe chosen on the dev split is `{best}`." if best else ""
    return "\n".join(
        [
            f"## {record['images']:,} images",
            "",
            f"`{record['command']}` on {record['machine']}; {record['schedule']}.{chosen}",
            "",
            *([picture, ""] if record["findings"] else []),
            claim_sentences(record),
            "",
            scores_table(record),
            "",
            cuts_table(record),
            "",
        ]
    )


def readme_block(found: dict[str, Record]) -> str:
    """Return what the README says: one picture and three numbers, of the largest record."""
    lines = ["<!-- evidence -->"]
    if found:
        name = max(found, key=lambda one: (found[one]["images"], one))
        record = found[name]
        lines += [
            f"![Differences of recipes with their intervals, sorted](docs/evidence/{name}.png)",
            "",
            f"On {record['images']:,} composed pictures ([evidence](docs/evidence.md)):",
            "",
            *_three(record),
        ]
    return "\n".join([*lines, "<!-- /evidence -->", ""])


def _three(record: Record) -> list[str]:
    """Return the claims that the README quotes, with their numbers."""
    wanted = [(record["best_on_dev"] if a == "best" else a, b) for a, b in IN_README]
    rows = [
        one
        for one in record["findings"]
        if (one["ours"], one["theirs"]) in wanted and one["benchmark"] == "scenes_long"
    ]
    return [claim_sentences({**record, "findings": [one]}) for one in rows]


def take_over(record: Path, name: str, command: str, folder: Path) -> None:
    """Copy a record, with the command that made it, and draw its picture."""
    content = {**json.loads(record.read_text(encoding="utf-8")), "command": command}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if drawn := difference_picture(content):
        (folder / f"{name}.png").write_bytes(drawn)


def main() -> None:
    """Take over a record if one is given, then write page and README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="a record, as JSON")
    parser.add_argument("--name", default="ablation", help="its name in docs/evidence")
    parser.add_argument("--command", default="rolesynth ablation", help="the command that made it")
    asked = parser.parse_args()
    if asked.record:
        take_over(asked.record, asked.name, asked.command, RECORDS)
    found = records()
    PAGE.write_text(page(found), encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(BLOCK.sub(lambda _: readme_block(found), text), encoding="utf-8")


if __name__ == "__main__":
    main()
