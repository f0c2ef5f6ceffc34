from rolesynth_assets_tests.drills.kills import run


def test_a_kill_repeats_at_most_what_was_in_flight() -> None:
    assert [outcome for outcome in run("small") if outcome.held < outcome.tried] == []
