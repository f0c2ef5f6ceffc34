"""The drill of hostile texts, at its small size."""

from rolesynth_assets_tests.drills import hostile_text


def test_no_text_becomes_a_link_a_picture_or_html() -> None:
    for outcome in hostile_text.run("small"):
        assert outcome.held == outcome.tried, outcome
