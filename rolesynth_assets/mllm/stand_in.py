"""The embedded stand-ins' names; they never replace a real model's rows unasked."""

from collections import Counter
from collections.abc import Iterable

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.settings import EngineSettings

NANO = "nano-mllm"
"""The model name that rows of the weights `nano` carry; others carry their folder's name."""
SCRIPT = "script.1"
"""Version of what the scripted text member answers in CADS; raise it whenever that changes."""


def keep_paid_rows(writers: Iterable[str], settings: EngineSettings, rows: str) -> None:
    """Refuse to replace a real model's rows by the embedded stand-in's for want of a setting.

    A shell, or a daemon, without the variables that name the model would otherwise answer with the
    stand-in, find all rows out of date and remove what was paid for.

    Args:
        writers: the model of each row that is there.
        settings: of the engine that is about to answer.
        rows: what the rows are, in words.

    Raises:
        EngineError: rows are a real model's, and no engine was chosen.
    """
    if settings.engine != "embedded" or "engine" in settings.model_fields_set:
        return
    real = Counter(writer for writer in writers if writer != NANO)
    if not real:
        return
    model, _ = real.most_common(1)[0]
    raise EngineError(
        f"{real.total():,} {rows} are by {model}, and no engine is chosen here, so that the "
        f"embedded stand-in would replace them. Set {settings.names.engine} and "
        f"{settings.names.model} as they were, for the Dagster daemon too; "
        f"{settings.names.engine}=embedded replaces them."
    )
