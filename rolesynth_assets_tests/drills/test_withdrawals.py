from rolesynth_assets_tests.drills import withdrawals


def test_a_withdrawn_image_is_asked_for_no_more_and_nothing_of_it_is_kept() -> None:
    outcomes = withdrawals.run("small")
    assert [outcome for outcome in outcomes if outcome.held < outcome.tried] == []
    assert all(outcome.tried for outcome in outcomes)
