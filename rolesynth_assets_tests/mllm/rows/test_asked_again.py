from rolesynth_assets.mllm.rows.asked_again import reasons_in_words, rows_to_ask, way_out
from rolesynth_assets.mllm.rows.one_go import note, one_go


def test_a_row_is_asked_once_in_one_go_and_again_in_the_next() -> None:
    wanted = ["a", "b"]
    with one_go():
        assert rows_to_ask("caption_id", wanted, ["refused"]) == "reason IN ('refused')"
        note(["b", "x"])
        again = rows_to_ask("caption_id", wanted, ["refused"])
        assert again == "reason IN ('refused') AND NOT caption_id IN ('b')"
    with one_go():
        assert rows_to_ask("caption_id", wanted, ["refused"]) == "reason IN ('refused')"
    note(["a"])  # outside of one, as in a run that the UI starts
    assert rows_to_ask("caption_id", wanted, ["refused"]) == "reason IN ('refused')"


def test_reasons_are_told_with_counts_examples_and_the_way_out() -> None:
    counts = {"refused": 2, "truncated": 12, "timeout": 1}
    told = reasons_in_words(counts, {"truncated": "A red apple " * 30, "refused": ""})
    assert told.startswith("truncated 12 (such as 'A red apple A red")
    assert told.endswith("...'), refused 2, timeout 1")
    said = way_out(counts, "roles5")
    assert "`rolesynth run --role-set roles5 --again refused,truncated` asks these" in said
    assert "ended as timeout again by itself" in said
    assert "--again" not in way_out({"timeout": 1}, "roles5")
