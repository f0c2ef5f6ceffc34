from rolesynth_assets_tests.drills import leaving


def test_nothing_leaves_for_another_server_and_no_metadata_for_any() -> None:
    outcomes = leaving.run("small")
    assert [outcome for outcome in outcomes if outcome.held < outcome.tried] == []
    assert all(outcome.tried for outcome in outcomes)
