"""The pages of `docs/reference/` are what the code says now."""

import pytest

from rolesynth_assets_tests.docs.reference import PAGES, REFERENCE


@pytest.mark.parametrize("name", REFERENCE)
def test_page_is_up_to_date(name: str) -> None:
    stored = (PAGES / name).read_text(encoding="utf-8")
    assert stored == REFERENCE[name](), "the code has changed: run `make reference`"


def test_no_other_page_is_there() -> None:
    assert {path.name for path in PAGES.iterdir()} == set(REFERENCE)
