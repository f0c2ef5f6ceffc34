import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app
from rolesynth_assets.cli.exit_messages import CommandGroup


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("rolesynth.yaml", "shard_sise: 5\n", "shard_sise: there is no such field"),
        ("rolesynth.yaml", "shard_size: [\n", "cannot be read as YAML"),
    ],
)
def test_files_that_cannot_be_used_are_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, told: str
) -> None:
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    result = invoke("run", "--role-set", "roles5", "--recipe", "roles5")
    assert result.exit_code == 2
    assert told in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_variable_that_cannot_be_used_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ROLESYNTH_ENGINE", "magic")
    result = invoke("trace", "abc")
    assert result.exit_code == 2
    engines = "'embedded', 'openai', 'openai-batch' or 'vllm'"
    assert f"ROLESYNTH_ENGINE: Input should be {engines}" in result.output


def raising(error: BaseException) -> Result:
    """Run a command that fails in this way."""
    app = typer.Typer(cls=CommandGroup)

    @app.callback()
    def commands() -> None:
        """More than one command."""

    @app.command()
    def work() -> None:
        raise error

    return CliRunner().invoke(app, ["work"])


def test_an_interruption_ends_the_command_with_the_shells_status() -> None:
    result = raising(KeyboardInterrupt())
    assert result.exit_code == 130
    assert "the same command goes on from there" in result.output


def test_a_fault_of_the_program_is_not_hidden() -> None:
    assert isinstance(raising(ValueError("a fault of ours")).exception, ValueError)


def test_help_shows_partitions_with_their_brackets() -> None:
    told = " ".join(re.sub(r"[│╭╮╰╯─]", " ", invoke("trace", "--help").output).split())
    assert "clip_checkpoints[roles5|0]" in told


LOOK = "import signal; print('ignored:', signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
COMMAND = f"""
import signal, subprocess, sys, typer
from rolesynth_assets.cli.exit_messages import CommandGroup
app = typer.Typer(cls=CommandGroup)
@app.callback()
def commands(): ...
@app.command()
def work():
    signal.raise_signal(signal.SIGINT)  # a script's Ctrl-C is not for what it put aside
    subprocess.run([sys.executable, "-c", {LOOK!r}], check=True)
app(["work"])
"""


def test_processes_below_a_script_with_nohup_can_be_interrupted() -> None:
    """`nohup rolesynth ... &` of a script starts with SIGINT ignored."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.stdout.strip() == "ignored: False"
