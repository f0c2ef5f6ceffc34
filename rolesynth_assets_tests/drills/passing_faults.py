"""Faults of a server that pass: what failed is said, and asked again by the next run alone."""

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rolesynth_assets_tests.defs.served_collective import KEY
from rolesynth_assets_tests.drills import _paid_work
from rolesynth_assets_tests.drills._paid_work import Stage
from rolesynth_assets_tests.drills.outcome import Outcome, Size
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer

FAULT_OF = {
    "an error 500": Fault("status", 500),
    "a reset connection": Fault("drop"),
    "a reply without choices": Fault("no_choices"),
    "half an answer": Fault("closed_body"),
    "a server that hangs": Fault("hang"),
}
STAGES: dict[Size, tuple[Stage, ...]] = {
    "small": ("captions", "cads"),
    "long": ("captions", "scores", "cads"),
}
IMAGES: dict[Size, int] = {"small": 2, "long": 20}
SEEDS: dict[Size, int] = {"small": 1, "long": 4}
TIMEOUT_S = 2.0
ONE_IN = 6
"""Share of the requests that a fault strikes, each at its first attempt."""


_DURING = "{} during {}"
FAULTS = [_DURING.format(name, stage) for name in FAULT_OF for stage in STAGES["long"]]


def run(size: Size) -> list[Outcome]:
    """Strike some requests of each stage with each fault, then run the stage once more."""
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        _prepare(whole, size, "scores")
        with _server(None) as server:
            for stage in STAGES[size]:
                _paid_work.work(stage, whole, server.url)
        for number, (name, fault) in enumerate(FAULT_OF.items()):
            for stage in STAGES[size]:
                if size == "small" and stage == "cads" and number:
                    continue
                root = Path(folder) / f"{number}-{stage}"
                _prepare(root, size, stage)
                held = _mended(stage, root, fault) and (
                    _paid_work.digests(stage, root) == _paid_work.digests(stage, whole)
                )
                promise = "the next run asks for what failed, for nothing else, and ends as if"
                outcomes.append(
                    Outcome(
                        _DURING.format(name, stage), 1, int(held), f"{promise} nothing had failed"
                    )
                )
    return outcomes


def _prepare(root: Path, size: Size, stage: Stage) -> None:
    _paid_work.prepare(root, IMAGES[size], SEEDS[size])
    if stage == "scores":
        with _server(None) as server:
            _paid_work.work("captions", root, server.url)


def _mended(stage: Stage, root: Path, fault: Fault) -> bool:
    """Run a stage under a fault and without it; tell whether the second run mended the first."""
    limits = {"max_retries": 0, "timeout_s": TIMEOUT_S}
    with _server(fault) as server:
        failed = _paid_work.work(stage, root, server.url, **limits)
        first = {_name(request): _struck(request) for request in server.requests}
    with _server(None) as server:
        left = _paid_work.work(stage, root, server.url, **limits)
        second = {_name(request) for request in server.requests}
    struck = {request for request, hit in first.items() if hit}
    # in CADS new questions follow from what had failed
    again = second & first.keys() if stage == "cads" else second
    return failed == len(struck) > 0 and left == 0 and again == struck


@contextmanager
def _server(fault: Fault | None) -> Iterator[StubServer]:
    def strike(request: StubRequest) -> Fault | None:
        return fault if _struck(request) else None

    with StubServer(_paid_work.answer, strike, models=_paid_work.MODELS, api_key=KEY) as server:
        yield server


def _name(request: StubRequest) -> str:
    return hashlib.sha256(json.dumps(request.payload, sort_keys=True).encode()).hexdigest()


def _struck(request: StubRequest) -> bool:
    return int(_name(request)[:8], 16) % ONE_IN == 0
