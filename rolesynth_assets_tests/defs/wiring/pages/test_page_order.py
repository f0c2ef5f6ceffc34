import math

from rolesynth_assets.defs.wiring.pages.metadata import picture
from rolesynth_assets.defs.wiring.pages.page_order import page_order


def test_pictures_come_first_and_the_tables_facts_last() -> None:
    drawn = picture(b"\x89PNG\r\n\x1a\n", "a curve")
    given = {
        "dagster/table_name": "lance.pairs",
        "rolesynth/lance_version": 3,
        "rolesynth/kept": 5,
        "rolesynth/curve": drawn,
        "rolesynth/images": 2,
    }
    assert list(page_order(given).items()) == [
        ("rolesynth/curve", drawn),
        ("rolesynth/kept", 5),
        ("rolesynth/images", 2),
        ("dagster/table_name", "lance.pairs"),
        ("rolesynth/lance_version", 3),
    ]


def test_fractions_are_short_and_whole_digits_stay() -> None:
    given = {"a": 53.56923, "b": 123456.7, "c": 0.000123456, "d": 0.0, "e": math.inf, "f": 7}
    short = {"a": 53.57, "b": 123457.0, "c": 0.0001235, "d": 0.0, "e": math.inf, "f": 7}
    assert page_order(given) == short


def test_cost_that_is_added_up_stays_exact() -> None:
    assert page_order({"rolesynth/cost": 0.123456789}) == {"rolesynth/cost": 0.123456789}
