"""How many examples property tests draw, and which: the same ones every time, or many new ones.

`make test` draws fixed examples, so that luck decides nothing. `make test-long` draws new ones.
"""

import os

from hypothesis import HealthCheck, settings

VARIABLE = "ROLESYNTH_PROPERTY_TESTS"
"""Environment variable with the profile's name, ``fixed`` (the default) or ``long``."""
FIXED, LONG = "fixed", "long"


def load_profile() -> None:
    """Load the profile that the environment names; neither depends on the machine's speed."""
    unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile(FIXED, unhurried, derandomize=True, database=None)
    settings.register_profile(LONG, unhurried, derandomize=False, max_examples=2_000)
    settings.load_profile(os.environ.get(VARIABLE, FIXED))


def examples(count: int) -> settings:
    """Set a property's number of examples in `make test`; a long run draws its own number."""
    if settings.get_current_profile_name() == LONG:
        return settings()
    return settings(max_examples=count)
