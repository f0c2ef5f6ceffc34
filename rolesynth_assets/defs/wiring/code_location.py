"""The graph as a whole, for the asset and the job that look at all of it."""

from collections.abc import Callable

import dagster as dg


class CodeLocation:
    """A resource that returns the definitions it is part of.

    A run that is executed in process knows no repository, so an asset cannot ask its context for
    the graph. `definitions.py` binds the definitions here; nothing in `defs/` imports them.
    """

    def __init__(self, load: Callable[[], dg.Definitions]) -> None:
        """Take a function, since the resource is made before the definitions are."""
        self._load = load

    @property
    def definitions(self) -> dg.Definitions:
        """All assets, jobs, schedules and sensors."""
        return self._load()
