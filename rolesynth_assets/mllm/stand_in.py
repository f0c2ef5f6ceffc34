"""Names of the embedded stand-ins, and the guard of a real model's rows against them."""

from collections import Counter
from collections.abc import Iterable

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.settings import EngineSettings

NANO = "nano-mllm"
"""The model name in rows of the weights `nano`; other weights use their folder's name."""
SCRIPT = "script.1"
"""Version of the scripted text member's answers in CADS; raise it whenever they change."""


def keep_paid_rows(writers: Iterable[str], settings: EngineSettings, rows: str) -> None:
    """Refuse to replace a real model's rows with the embedded stand-in's if no engine is set.

    A shell or a daemon without the variables that name the model would otherwise use the stand-in,
    find all rows out of date, and remove rows that were paid for.

    Args:
        writers: the model of each existing row.
        settings: settings of the engine that would answer.
        rows: name of the rows in the message, such as "captions".

    Raises:
        EngineError: a real model made some of the rows, and no engine was chosen.
    """
    if settings.engine != "embedded" or "engine" in settings.model_fields_set:
        return
    real = Counter(writer for writer in writers if writer != NANO)
    if not real:
        return
    model, _ = real.most_common(1)[0]
    raise EngineError(
        f"{real.total():,} {rows} are by {model}, and no engine is set here, so the embedded "
        f"stand-in would replace them. Set {settings.names.engine} and {settings.names.model} as "
        f"they were, also for the Dagster daemon; {settings.names.engine}=embedded replaces the "
        "rows."
    )
