from rolesynth_assets_tests.drills import bad_entries


def test_a_bad_entry_stops_nothing():
    for outcome in bad_entries.run("small"):
        assert outcome.held == outcome.tried, outcome
