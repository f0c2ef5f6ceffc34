from rolesynth_assets.cads.problems.checks import problems_found


def test_an_empty_set_says_where_its_candidates_went_and_the_way_out() -> None:
    found = problems_found(0, {"failed": 4, "discarded": 2}, {"duplicate": 1}, "geometry")
    assert not found.passed
    assert "Candidates: 4 failed, 2 discarded, 1 duplicate." in found.description
    assert "`rolesynth problems geometry --again unparsable,refused,truncated`" in found.description
    none = problems_found(0, {}, {}, "geometry")
    assert "none was written" in none.description and "--again" not in none.description
    assert "--again" not in problems_found(0, {"discarded": 3}, {}, "geometry").description
    assert problems_found(1, {"failed": 9}, {}, "geometry").passed
