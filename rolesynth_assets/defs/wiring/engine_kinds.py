"""Kinds of the assets that a model makes: the engine that is set where the definitions are loaded.

The UI shows the kinds of an asset. They follow the settings, so reload the code location after a
change of the engine.
"""

from rolesynth_assets.cads.collective.collective import CollectiveError, load_collectives
from rolesynth_assets.settings import Settings

MOST_ENGINES = 2
"""Dagster allows three kinds an asset, and one is the table's."""

_settings = Settings.load()
CAPTIONER: str = _settings.captioner.engine
JUDGE: str = _settings.judge.engine


def member_engines(settings: Settings) -> set[str]:
    """Return the engines of the chosen collective's members; none without a usable collective."""
    try:
        chosen = load_collectives(settings.collectives).get(settings.collective)
    except CollectiveError:  # whatever needs it names the file
        chosen = None
    engines = sorted({member.engine for member in chosen.members}) if chosen else []
    return {*engines[:MOST_ENGINES]}


MEMBERS = member_engines(_settings)
