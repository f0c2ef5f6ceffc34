import pytest

from rolesynth_assets_tests.drills.full_disk import NoMountError, run


def test_a_full_or_read_only_disk_is_named_and_loses_nothing() -> None:
    try:
        outcomes = run("small")
    except NoMountError as error:
        pytest.skip(str(error))
    assert [(o.fault, o.held, o.tried) for o in outcomes if o.held != o.tried] == []
    assert len(outcomes) == 8
