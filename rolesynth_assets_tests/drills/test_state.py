from rolesynth_assets_tests.drills import state


def test_state_outlives_kills_clocks_and_homes() -> None:
    outcomes = state.run("small")
    assert [outcome for outcome in outcomes if outcome.held < outcome.tried] == []
    assert all(outcome.tried for outcome in outcomes)
