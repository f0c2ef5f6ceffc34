from rolesynth_assets_tests.drills.judge_orders import run


def test_orders_to_the_judge_raise_no_score() -> None:
    outcomes = run("small")
    assert [(o.fault, o.tried) for o in outcomes if o.held != o.tried] == []
    assert all(o.tried >= 8 for o in outcomes)
