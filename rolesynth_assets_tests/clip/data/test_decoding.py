"""Worker processes decode as threads do, and start where they pay."""

import io
import os
import signal

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.clip.data import decoding
from rolesynth_assets.clip.data.decoding import PAYS_FROM, PAYS_OVER, Decoders
from rolesynth_assets.clip.data.geometry import Geometry
from rolesynth_assets.parallel.worker_process import WorkerEndedError

GEOMETRY = Geometry(24, 24, 24, int(Image.Resampling.BICUBIC))
SOME = 70  # more than two chunks


@pytest.fixture(scope="module")
def encoded() -> list[bytes]:
    files = []
    for index in range(SOME):
        buffer = io.BytesIO()
        pixels = np.random.default_rng(index).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(buffer, "JPEG" if index % 2 else "PNG")
        files.append(buffer.getvalue())
    return files


@pytest.fixture
def processes(monkeypatch):
    monkeypatch.setattr(decoding, "PAYS_FROM", 1)
    decoders = Decoders(GEOMETRY, PAYS_OVER, workers=2)
    assert decoders.processes == 2
    yield decoders
    decoders.close()


def decoded(decoders: Decoders, files: list[bytes]) -> tuple[np.ndarray, dict[int, str]]:
    out = np.zeros((len(files), 24, 24, 3), np.uint8)
    return out, decoders.decode(files, out)


def test_processes_and_threads_give_the_same_pixels_and_faults(encoded, processes):
    broken = [*encoded]
    broken[3], broken[68] = broken[3][:50], b"no image"
    threads = Decoders(GEOMETRY, 1, workers=2)
    ours, our_faults = decoded(processes, broken)
    plain, plain_faults = decoded(threads, broken)
    threads.close()
    good = [index for index in range(SOME) if index not in (3, 68)]
    assert np.array_equal(ours[good], plain[good])
    assert plain[good].any(axis=(1, 2, 3)).all()
    assert our_faults.keys() == plain_faults.keys() == {3, 68}
    again, faults = decoded(processes, encoded)  # a broken file ends no worker
    assert not faults and np.array_equal(again[good], plain[good])


def test_a_killed_process_is_replaced(encoded, processes):
    before, _ = decoded(processes, encoded)
    started = [worker.process for worker in processes._workers.workers if worker.process]
    for process in started:
        os.kill(process.pid, signal.SIGKILL)
    after, faults = decoded(processes, encoded)
    assert not faults and np.array_equal(after, before)


def test_a_process_that_ends_twice_over_the_same_images_ends_the_work(
    encoded, processes, monkeypatch
):
    monkeypatch.setattr(decoding, "_WORKER", "print(); raise SystemExit(7)")
    dying = Decoders(GEOMETRY, PAYS_OVER, workers=1)
    with pytest.raises(WorkerEndedError, match="code 7"):
        decoded(dying, encoded[:2])
    dying.close()


def test_nothing_to_decode_starts_nothing(processes):
    _, faults = decoded(processes, [])
    assert not faults
    assert all(worker.process is None for worker in processes._workers.workers)


@pytest.mark.parametrize(
    ("fit", "images", "workers"),
    [
        (GEOMETRY, PAYS_OVER - 1, PAYS_FROM),
        (GEOMETRY, PAYS_OVER, PAYS_FROM - 1),
        (lambda image: image, PAYS_OVER, PAYS_FROM),  # a transform that only torchvision has
    ],
)
def test_threads_decode_where_processes_do_not_pay(fit, images, workers):
    decoders = Decoders(fit, images, workers)
    assert decoders.processes == 0
    decoders.close()
