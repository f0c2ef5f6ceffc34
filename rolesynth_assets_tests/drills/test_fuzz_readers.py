from rolesynth_assets_tests.drills import fuzz_readers


def test_damaged_inputs_end_as_rows_or_errors():
    for outcome in fuzz_readers.run("small"):
        assert outcome.held == outcome.tried, outcome
