"""kill -9 of captioning, scoring and CADS at random moments: what arrived is not paid twice."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rolesynth_assets_tests.defs.served_collective import KEY
from rolesynth_assets_tests.drills import _paid_work
from rolesynth_assets_tests.drills._paid_work import Stage
from rolesynth_assets_tests.drills.outcome import Outcome, Size
from rolesynth_assets_tests.mllm.stub_server import StubServer

PATIENCE_S = 300.0
SEED = 17
DELAY_S = 0.01
"""What the server takes for an answer."""
KILLS: dict[Size, dict[Stage, int]] = {
    "small": {"captions": 1, "scores": 1},  # CADS: cads/test_killed_round.py
    "long": {"captions": 10, "scores": 8, "cads": 8},
}
IMAGES: dict[Size, int] = {"small": 8, "long": 60}
SEEDS: dict[Size, int] = {"small": 1, "long": 6}


_KILLED, _AGAIN = "kill -9 during {}", "{} that was killed and run again"
FAULTS = [fault.format(stage) for stage in KILLS["long"] for fault in (_KILLED, _AGAIN)]


def run(size: Size) -> list[Outcome]:
    """Kill each stage so many times, then let it end and compare with a run nobody disturbed."""
    outcomes = []
    dice = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        killed, whole = Path(folder) / "killed", Path(folder) / "whole"
        for root in (killed, whole):
            _paid_work.prepare(root, IMAGES[size], SEEDS[size])
        for stage, kills in KILLS[size].items():
            with _server() as undisturbed:
                _paid_work.work(stage, whole, undisturbed.url)
                calls = len(undisturbed.requests)
            with _server(DELAY_S) as server:
                moments = [dice.randint(1, max(1, calls // kills)) for _ in range(kills)]
                repeated = _killed(stage, killed, server, moments)
            same = _paid_work.digests(stage, killed) == _paid_work.digests(stage, whole)
            bound = _paid_work.IN_FLIGHT[stage]
            outcomes += [
                Outcome(
                    _KILLED.format(stage),
                    kills,
                    sum(count <= bound for count in repeated),
                    f"at most the {bound} calls in flight are repeated",
                ),
                Outcome(
                    _AGAIN.format(stage),
                    1,
                    int(same),
                    "the tables are those of an undisturbed run",
                ),
            ]
    return outcomes


def _killed(stage: Stage, folder: Path, server: StubServer, moments: list[int]) -> list[int]:
    """Kill a stage after so many more calls each time; return how many calls each kill repeats."""
    ends = []
    for calls in moments:
        before = len(server.requests)
        process = _paid_work.start(stage, folder, server.url)
        try:
            _wait(lambda: len(server.requests) >= before + calls or process.poll() is not None)  # noqa: B023
        finally:
            process.kill()
        process.wait(PATIENCE_S)
        _wait(lambda: not server.in_flight)
        ends.append(len(server.requests))
    _paid_work.work(stage, folder, server.url)
    return list(_repeats(server, ends))


def _repeats(server: StubServer, ends: list[int]) -> Iterator[int]:
    """Charge each repeated call to the kill after its latest earlier attempt."""
    charged = [0] * len(ends)
    latest: dict[str, int] = {}
    for request in server.requests:
        asked = repr(request.payload)
        if asked in latest:
            charged[next(i for i, end in enumerate(ends) if latest[asked] < end)] += 1
        latest[asked] = request.ordinal
    yield from charged


@contextmanager
def _server(delay_s: float = 0.0) -> Iterator[StubServer]:
    with StubServer(
        _paid_work.answer, models=_paid_work.MODELS, api_key=KEY, delay_s=delay_s
    ) as server:
        yield server


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s in vain")
        time.sleep(0.001)
