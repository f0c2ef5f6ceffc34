from rolesynth_assets_tests.drills import bombs


def test_bombs_end_with_a_reason():
    for outcome in bombs.run("small"):
        assert outcome.held == outcome.tried, outcome
