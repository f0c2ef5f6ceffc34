from rolesynth_assets_tests.drills.passing_faults import run


def test_what_failed_in_passing_is_asked_again_and_nothing_else() -> None:
    assert [outcome for outcome in run("small") if outcome.held < outcome.tried] == []
