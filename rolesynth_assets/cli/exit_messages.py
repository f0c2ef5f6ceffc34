"""Exit messages and statuses of the commands."""

from __future__ import annotations

import os
import signal
from typing import Any

import typer
from typer.core import TyperGroup

from rolesynth_assets.disk_trouble import disk_trouble, written_places
from rolesynth_assets.errors import InputError
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.mllm.engine import EngineError

INTERRUPTED = 130
"""Exit status of a command ended by Ctrl-C, as in shells."""


def _pass_on_no_ignored_interrupt() -> None:
    """Let processes that a command starts be interrupted as usual.

    A script's ``nohup rolesynth ... &`` starts with SIGINT ignored. Dagster takes SIGTERM for the
    same, and processes below inherit both, so those that capture logs would not end when asked. A
    handler that does nothing ignores the signal here and is not inherited.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)


class CommandGroup(TyperGroup):
    """Commands that print an error that a user can fix as one message, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with no imports from the current folder in processes that it starts.

        Raises:
            typer.Exit: with 2 for unusable input, with 130 for an interruption, with 1 for a disk
                that is full or cannot be written, or a bucket that does not answer.
        """
        os.environ["PYTHONSAFEPATH"] = "1"
        _pass_on_no_ignored_interrupt()
        try:
            return super().invoke(ctx)
        except (InputError, EngineError) as error:
            typer.secho(str(error), fg="red", err=True)
            raise typer.Exit(2) from error
        except StorageError as error:
            typer.secho(f"{error} What was written is kept.", fg="red", err=True)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as interrupt:
            typer.secho(
                "\nInterrupted. What was written is kept: the same command goes on from there.",
                fg="yellow",
                err=True,
            )
            raise typer.Exit(INTERRUPTED) from interrupt
        except (typer.Exit, typer.Abort):
            raise  # its message has been printed
        except Exception as error:
            explanation = disk_trouble(error, written_places())
            if explanation is None:
                raise
            typer.secho(explanation, fg="red", err=True)
            raise typer.Exit(1) from error
