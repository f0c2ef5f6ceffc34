"""Processes started together end together, however the one that started them ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

STARTER = """
import sys
from rolesynth_assets.ui.services import Services
services = Services()
for name in ("one", "two"):
    services.start(name, ["-c", sys.argv[1]])
services.wait()
print("ended:", services.end(), flush=True)
"""
CHILD = """
import os, subprocess, sys, time
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), grandchild.pid, flush=True)
time.sleep(300)
"""
PATIENCE_S = 60


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def all_gone(pids: list[int]) -> bool:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and any(map(alive, pids)):
        time.sleep(0.05)
    return not any(map(alive, pids))


def started(child: str, sigint: object = signal.SIG_DFL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-c", STARTER, child],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),  # type: ignore[arg-type]
    )


@pytest.fixture
def starter(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    process = started(CHILD, getattr(request, "param", signal.SIG_DFL))
    yield process
    process.kill()
    process.communicate()


def pids_of(starter: subprocess.Popen[str]) -> list[int]:
    assert starter.stdout
    return [int(pid) for _ in range(2) for pid in starter.stdout.readline().split()]


def test_a_killed_starter_leaves_no_process_behind(starter: subprocess.Popen[str]) -> None:
    pids = pids_of(starter)
    assert len(pids) == 4 and all(map(alive, pids))
    starter.kill()
    assert all_gone(pids)


@pytest.mark.parametrize("starter", [signal.SIG_DFL, signal.SIG_IGN], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_the_background_of_a_shell_too(
    starter: subprocess.Popen[str], number: signal.Signals
) -> None:
    pids = pids_of(starter)
    starter.send_signal(number)
    out, _ = starter.communicate(timeout=PATIENCE_S)
    assert out.strip() == "ended:"
    assert starter.returncode == 0
    assert all_gone(pids)


def test_one_that_ends_ends_the_others_and_is_named() -> None:
    flag = "import sys, time; time.sleep(0 if sys.argv[1:] else 300)"
    starter = STARTER.replace('["-c", sys.argv[1]]', '["-c", sys.argv[1], *name[3:]]')
    starter = starter.replace('"two"', '"two!"')
    done = subprocess.run(
        [sys.executable, "-P", "-c", starter, flag],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.strip() == "ended: two!"


def test_no_module_of_the_current_folder_is_imported(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("dagster", "yaml", "sitecustomize", "usercustomize", "rolesynth_assets"):
        (tmp_path / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r})\n")
    child = (
        "import subprocess, sys, yaml, rolesynth_assets\n"
        "subprocess.run([sys.executable, '-m', 'yaml'], capture_output=True)\n"
        "subprocess.run([sys.executable, '-m', 'dagster', '--version'], capture_output=True)\n"
    )
    starter = STARTER.replace('("one", "two")', '("one",)')
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONSAFEPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", starter, child],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.strip() == "ended: one"
    assert not ran.exists(), ran.read_text()
