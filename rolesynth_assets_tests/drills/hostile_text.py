"""Hostile text: file names, role names, captions, problems, rationales, replies of a policy."""

import base64
from html.parser import HTMLParser

import polars as pl

from rolesynth_assets.cads.problems.card import Example, ProblemCard, Share, problem_card_markdown
from rolesynth_assets.cads.records import MemberUsage
from rolesynth_assets.cads.report.counts import MemberReport, RoundReport
from rolesynth_assets.cads.report.metadata import contexts_markdown
from rolesynth_assets.cads.report.page import round_markdown
from rolesynth_assets.cli.lineage.trace_page import trace_page
from rolesynth_assets.defs.wiring.pages.metadata import markdown_table, picture
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, Trace
from rolesynth_assets.mllm.engine import ModelIdentity, Turn
from rolesynth_assets.r1.training.checkpoint import Rollout
from rolesynth_assets.reports.ablation import ablation_markdown
from rolesynth_assets.reports.dataset_card import (
    DatasetCard,
    LengthRow,
    RoleRow,
    Source,
    dataset_card_markdown,
)
from rolesynth_assets.reports.r1 import rollouts_markdown
from rolesynth_assets.roles.generate import dialogue_markdown
from rolesynth_assets_tests.drills.outcome import Outcome, Size
from rolesynth_assets_tests.hostile import hostile_texts
from rolesynth_assets_tests.pictures.rendered import markup, pictures

PNG = b"\x89PNG\r\n\x1a\n"
OURS = {"p", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"} | {
    *("h1", "h2", "strong", "em", "code", "blockquote", "hr", "img")
}
"""Elements that our pages are made of; pictures are looked at one by one."""
HTML = {"html", "meta", "title", "style", "body", "section", "div", "h1", "h2", "ul", "li"} | {
    *("details", "summary", "span", "dl", "dt", "dd", "img")
}


FAULTS = [
    "a hostile text in a page, table or card",
    "a hostile text in the exported HTML",
    "hostile texts in the UI, and a page of another origin, with a beacon on loopback",
]


def run(size: Size) -> list[Outcome]:
    """Put each text into each page; in the long form look at them in the Dagster UI too."""
    promise = "it is shown letter by letter: no link, no picture, no HTML comes of it"
    tried = held = 0
    for said in hostile_texts():
        for page in markdown_pages(said).values():
            tried += 1
            held += set(markup(page)) <= OURS and all(
                source.startswith("data:image/png;base64,") for source in pictures(page)
            )
    outcomes = [Outcome(FAULTS[0], tried, held, promise)]
    pages = [trace_html(said) for said in hostile_texts()]
    outcomes.append(Outcome(FAULTS[1], len(pages), sum(map(_inert, pages)), promise))
    return outcomes + (_in_the_ui() if size == "long" else [])


def markdown_pages(said: str) -> dict[str, str]:
    """Return each kind of page with one text in every place that is free text, by name."""
    frame = pl.DataFrame({"file": [said], "reason": [said], "score": [0.5]}, strict=False)
    model = ModelIdentity(said, said, said, stand_in=True)
    share = Share(said, 1, 1)
    return {
        "rejects": markdown_table(frame).md_str or "",
        "picture": picture(PNG, said).md_str or "",
        "dialogue": dialogue_markdown([Turn("user", said)]),
        "round": round_markdown(_report(said)),
        "contexts": contexts_markdown(
            pl.DataFrame({"seed_id": [said], "hard": [1], "before": [said], "text": [said + "x"]})
        ),
        "problems": problem_card_markdown(
            ProblemCard(
                domain=said, kept=1, hard=0, rounds=1, seeds=1,
                decisions={"kept": 1, said: 1}, strategies=[share], kinds=[share], writers=[share],
                consensus={(1, 3): 1}, dropped={}, target=1, draw_seed=0, refused=["suspect_label"],
                kept_unrefused=1, members={said: model}, renderers=[said], licence=said,
                examples=[Example(said, said, said, 1, 3)], digest=said,
            )
        ),
        "dataset": dataset_card_markdown(
            DatasetCard(
                role_set=said, description=said, images=1, images_total=1,
                roles=[RoleRow(said, said, 1, 1)], lengths=[LengthRow(said, 1, 1, 1.0, 1.0, 1, 1)],
                captioner=model, judge=model, keep_share=0.5, floor_per_image=0,
                sources=[Source(said, said)],
                dropped={said: 1}, diversity={said: 0.5}, filter_quality={said: 0.5}, digest=said,
            )
        ),
        "ablation": ablation_markdown(
            pl.DataFrame(
                {
                    "recipe": [said], "seed": [0], "benchmark": [said], "metric": ["top1"],
                    "value": [0.5], "low": [0.4], "high": [0.6], "chance": [0.1], "n": [10],
                }
            ),
            baselines={}, descriptions={said: said}, stand_in=said,
        ),
        "rollouts": rollouts_markdown(
            [
                Rollout(
                    item_id="a", question=said, image=PNG, solution=said, task_type="MCQ",
                    before=said, after=said, reward_before=0, reward_after=1,
                )
            ]
        ),
    }  # fmt: skip


def trace_html(said: str) -> str:
    """Return the page of `rolesynth trace --html` with one text in every place that is free."""
    ids = [NodeId(kind, said) for kind in (Kind.CAPTION, Kind.ROLE, Kind.SCORE)]
    nodes = {key: Node(key, said, {said: said, "text": said}, said, said) for key in ids}
    edges = ((ids[1], ids[0]), (ids[0], ids[2]))
    trace = Trace(ids[0], nodes, edges, (said,))
    return trace_page(trace, "http://127.0.0.1:3000", {ids[1]: ("image/png", PNG)})


def _report(said: str) -> RoundReport:
    counts = {said: 1}
    member = MemberReport(said, 1, 1, 0, 1, 1, 1, 1)
    return RoundReport(
        judges=1, candidates=1, consensus=(0, 1), undecided=0, failed=0, hard=0, members=(member,),
        strategies=counts, claimed_domains=counts, task_types=counts, flagged=counts, duplicates=1,
        kept_without_writer=1, decided_by=counts, failures=counts, missing_verdicts=counts,
        seeds=1, seeds_at_work=1, reflected=1, not_reflected=counts, rows_tokens=1,
        usage=MemberUsage(),
    )  # fmt: skip


class _Elements(HTMLParser):
    """Counts what is no element of ours, and what leads to another place."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        run_link = tag == "a" and (given.get("href") or "").startswith(
            "http://127.0.0.1:3000/runs/"
        )
        ours = tag in HTML or run_link
        drawn = (given.get("src") or DRAWN) == DRAWN
        if not ours or not drawn or any(name.startswith("on") for name in given):
            self.foreign.append(tag)


DRAWN = "data:image/png;base64," + base64.b64encode(PNG).decode()


def _inert(page: str) -> bool:
    elements = _Elements()
    elements.feed(page)
    return not elements.foreign


def _in_the_ui() -> list[Outcome]:
    """Look at the pages in the Dagster UI with Chromium: the tests of `browser/test_beacon.py`."""
    import subprocess
    import sys
    from pathlib import Path

    tests = Path(__file__).parents[1] / "browser" / "test_beacon.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tests), "-rA", "--color=no"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    passed = sum(line.startswith("PASSED") for line in lines)
    failed = sum(line.startswith(("FAILED", "ERROR", "SKIPPED")) for line in lines)
    return [
        Outcome(
            FAULTS[2],
            max(passed + failed, 1),
            passed,
            "the beacon hears nothing, and no history is wiped",
        )
    ]
