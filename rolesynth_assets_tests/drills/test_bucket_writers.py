from rolesynth_assets_tests.drills import bucket_writers


def test_writers_to_a_bucket_lose_and_double_nothing() -> None:
    outcomes = bucket_writers.run("small")
    assert [outcome for outcome in outcomes if outcome.held < outcome.tried] == []
    assert all(outcome.tried for outcome in outcomes)
