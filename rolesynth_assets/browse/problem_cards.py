"""The problems of a page: candidates with their verdicts, and what became of their context."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from rolesynth_assets.browse.query_string import given_number, query_string
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

PER_PAGE = 12
"""Candidates on a page."""
FILTERS = ("domain", "round", "member", "strategy", "decision")
"""Columns of a candidate by which a page filters."""
_LISTED = ("candidate_id", *FILTERS, "hard", "consensus", "judges", "seed_id")
FINDINGS = {
    "text_only_leak": "solved without the picture",
    "suspect_label": "judges agree on another answer",
    "copied_numbers": "numbers copied from the seed",
}
"""Findings of the extra checks, in words."""


@dataclass(frozen=True)
class ProblemView:
    """The state of the page of problems, as its address holds it; an empty text is no filter."""

    domain: str = ""
    round: str = ""
    member: str = ""
    strategy: str = ""
    decision: str = ""
    hard: str = ""
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> ProblemView:
        """Read the state from the parameters of an address.

        Raises:
            InputError: the page is no number.
        """
        texts = {f.name: given.get(f.name, "") for f in fields(cls) if f.name != "page"}
        return cls(**texts, page=given_number(given.get("page") or "1", "page"))

    def query(self, **changes: Any) -> str:
        """Return the state with some changes as the query of an address; see `query_string`."""
        return query_string(self, changes)


@dataclass(frozen=True)
class ProblemPage:
    """One page of candidates.

    Attributes:
        candidates: candidates that match, on all pages.
        pages: number of pages, at least 1.
        page: number of this one.
        rows: candidates of this page, each with ``verdicts``, ``seed``, ``context`` and ``problem``
            (its row in the set, if it is in there).
    """

    candidates: int
    pages: int
    page: int
    rows: list[dict[str, Any]]


def listed_candidates(store: StoreReader) -> pl.DataFrame:
    """Return all candidates by the columns that a page filters by, the last round first."""
    import polars as pl

    frame = pl.DataFrame(store.read("candidates", None, _LISTED))
    return frame.sort(
        "domain", "round", "seed_id", "candidate_id", descending=[False, True, *2 * [False]]
    )


def problem_page(store: StoreReader, frame: pl.DataFrame, view: ProblemView) -> ProblemPage:
    """Load the candidates of a page with all that is shown of them.

    Args:
        store: the tables.
        frame: all candidates (`listed_candidates`).
        view: filters and page.
    """
    import polars as pl

    tests = [pl.col(name) == value for name in FILTERS if (value := getattr(view, name))]
    if view.hard:
        tests.append(pl.col("hard") == (view.hard == "hard"))
    found = frame.filter(*tests) if tests else frame
    pages = max(1, -(-found.height // PER_PAGE))
    page = min(view.page, pages)
    ids = found["candidate_id"].slice((page - 1) * PER_PAGE, PER_PAGE).to_list()
    return ProblemPage(found.height, pages, page, _rows(store, ids))


def candidate_picture(store: StoreReader, candidate: str) -> bytes | None:
    """Return the drawn picture of a candidate; None if there is none."""
    rows = store.read("candidates", None, ["image"], any_key("candidate_id", [candidate]))
    return rows["image"][0].as_py() if rows.num_rows else None


def word_diff(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yield the words of two texts as (kind, text); the kind is "same", "gone" or "new"."""
    one, other = before.split(), after.split()
    for tag, i, j, k, n in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "equal":
            yield "same", " ".join(one[i:j])
        else:
            if i < j:
                yield "gone", " ".join(one[i:j])
            if k < n:
                yield "new", " ".join(other[k:n])


def _rows(store: StoreReader, ids: list[str]) -> list[dict[str, Any]]:
    if not ids:
        return []
    mine = any_key("candidate_id", ids)
    plain = [c for c in _columns("candidates") if c != "image"]
    candidates = {r["candidate_id"]: r for r in _read(store, "candidates", mine, plain)}
    verdicts: dict[str, list[dict]] = {}
    for row in _read(store, "verdicts", mine, _columns("verdicts")):
        verdicts.setdefault(row["candidate_id"], []).append(row)
    seeds = sorted({row["seed_id"] for row in candidates.values()})
    of_seeds = any_key("seed_id", seeds)
    words = {r["seed_id"]: r for r in _read(store, "seeds", of_seeds, ["seed_id", "problem"])}
    contexts = {
        (row["domain"], row["round"], row["seed_id"]): row
        for row in _read(store, "contexts", of_seeds, _columns("contexts"))
    }
    chosen = ["problem_id", "kept", "reason", "detail"]
    in_set = {
        r["problem_id"]: r for r in _read(store, "problems", any_key("problem_id", ids), chosen)
    }
    return [
        candidates[key]
        | {
            "verdicts": sorted(
                verdicts.get(key, []), key=lambda v: (not v["with_image"], v["judge"])
            ),
            "seed": words.get(candidates[key]["seed_id"], {}).get("problem", ""),
            "context": contexts.get(
                tuple(candidates[key][name] for name in ("domain", "round", "seed_id"))
            ),
            "problem": in_set.get(key),
        }
        for key in ids
        if key in candidates
    ]


def _columns(table: str) -> list[str]:
    from rolesynth_assets.store.lance.schemas import table_spec

    return list(table_spec(table).schema.names)


def _read(store: StoreReader, table: str, where: str, columns: list[str]) -> list[dict[str, Any]]:
    return store.read(table, None, columns, where).to_pylist()
