import json

from rolesynth_assets.cli.printable import cell_text, printable_json
from rolesynth_assets_tests.hostile import hostile_texts


def test_every_text_comes_back_and_none_steers_the_terminal() -> None:
    texts = [*hostile_texts(), "\x1b]0;x\x07", "\x9b2J", "\u202e", "\u2028", "\ud800", "\U000e0001"]
    for indent in (None, 1):
        said = printable_json({text: text for text in texts}, indent)
        assert json.loads(said) == {text: text for text in texts}
        assert all(line.isprintable() for line in said.splitlines())


def test_cells_of_a_table() -> None:
    cells = [None, 0, float("nan"), b"abc", "a\x1b[2J", [1.5, None]]
    assert [cell_text(cell) for cell in cells] == [
        "",
        "0",
        "nan",
        "<3 bytes>",
        "a\N{REPLACEMENT CHARACTER}[2J",
        "[1.5, None]",
    ]
