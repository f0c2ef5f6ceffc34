"""Trainings by torchrun on this machine; processes are started, killed and counted for real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rolesynth_assets.clip.checkpoint.files import STATE, read_manifest
from rolesynth_assets.clip.ranks import launch
from rolesynth_assets.clip.ranks.job import JobFolder
from rolesynth_assets.clip.ranks.launch import TrainingProcessError
from rolesynth_assets.clip.ranks.settings import TrainingSettings
from rolesynth_assets.clip.training_run import trained
from rolesynth_assets.progress import reporter
from rolesynth_assets_tests.clip.ranks.stored_job import stored_job, training_set_of
from rolesynth_assets_tests.free_port import free_port

ALONE, TWO = TrainingSettings(processes=1), TrainingSettings(processes=2)
LONG = {"schedule": {"steps": 150, "batch_images": 4, "warmup_steps": 2}}


def processes_of(job) -> list[int]:
    """Return the processes that do a job, by their command lines."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if launch.MODULE.encode() in command and str(job.checkpoint).encode() in b" ".join(command):
            found.append(int(entry.name))
    return found


def workers_of(job) -> list[int]:
    """Return those that train, without the torchrun that has started them."""
    return [
        pid
        for pid in processes_of(job)
        if b"torch.distributed.run" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def losses(report) -> list[float]:
    return [point.loss for point in report.losses]


def test_two_processes_train_the_model_of_one(tmp_path, make_recipe):
    schedule = {"steps": 5, "batch_images": 7, "warmup_steps": 2}
    recipe = make_recipe(schedule=schedule, optimizer={"lr": 1e-4})
    one = stored_job(tmp_path, recipe, "one")
    alone = trained(ALONE, one, training_set_of(one))
    two = one.model_copy(update={"checkpoint": tmp_path / "two"})
    seen = []
    token = reporter.set(lambda label, besides=None: lambda *far: seen.append((label, *far)))
    try:
        together = trained(TWO, two, training_set_of(two))
    finally:
        reporter.reset(token)
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    assert (together.captions, together.captions_cut) == (alone.captions, alone.captions_cut)
    assert read_manifest(two.checkpoint) == together.manifest
    assert (together.manifest.processes, alone.manifest.processes) == (2, 1)
    assert seen[-1] == ("training tiny seed 3", 5, 5)
    names = [
        sorted(path.name for path in Path(str(job.checkpoint)).iterdir()) for job in (one, two)
    ]
    assert names[0] == names[1]


def test_a_killed_process_ends_all_and_another_number_of_them_goes_on(tmp_path, make_recipe):
    job = stored_job(tmp_path, make_recipe(**LONG)).model_copy(update={"save_every": 5})

    def kill(label, besides=None):
        def report(done, total):
            if label.startswith("training") and done >= 5:
                os.kill(workers_of(job)[-1], signal.SIGKILL)

        return report

    token = reporter.set(kill)
    try:
        with pytest.raises(TrainingProcessError, match=r"Process \d .* ended by SIGKILL.*Run it"):
            trained(TWO, job, training_set_of(job))
    finally:
        reporter.reset(token)
    assert processes_of(job) == []
    assert (job.checkpoint / STATE).is_file()
    assert not JobFolder.beside(Path(str(job.checkpoint))).path.exists()
    report = trained(ALONE, job, training_set_of(job))
    assert report.resumed_from >= 5
    assert len(report.losses) == 150


def test_a_killed_run_leaves_no_process(tmp_path, make_recipe):
    job = stored_job(tmp_path, make_recipe(**LONG))
    folder = JobFolder.beside(Path(str(job.checkpoint)))
    folder.begin(job)
    script = (
        "import sys; from pathlib import Path; "
        "from rolesynth_assets.clip.ranks.launch import run_on_ranks; "
        "from rolesynth_assets.clip.ranks.job import JobFolder; "
        f"run_on_ranks(JobFolder(Path({str(folder.path)!r})), 2)"
    )
    run = subprocess.Popen([sys.executable, "-c", script])
    wait_for(lambda: len(workers_of(job)) == 2)
    run.kill()
    run.wait()
    wait_for(lambda: not processes_of(job), 60)
    assert not (job.checkpoint / "manifest.json").exists()


def test_two_machines_train_one_model(tmp_path, make_recipe):
    job = stored_job(tmp_path, make_recipe())
    folder, port = JobFolder.beside(Path(str(job.checkpoint))).path, free_port()
    torchrun = [
        *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"),
        *("--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--local-addr=127.0.0.1"),
    ]
    other = subprocess.Popen(
        [*torchrun, "-m", launch.MODULE, str(folder)],
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
    )
    try:
        settings = TrainingSettings(torchrun=tuple(torchrun))
        report = trained(settings, job, training_set_of(job))
        assert other.wait(300) == 0
    finally:
        other.kill()
    assert report.manifest.processes == 2
    assert len(report.losses) == 6


def test_an_error_of_a_process_is_the_error_of_the_run(tmp_path, make_recipe):
    job = stored_job(tmp_path, make_recipe())
    data = training_set_of(job)
    other = job.model_copy(update={"training_set_digest": "0" * 64})
    with pytest.raises(TrainingProcessError, match=r"RanksError in process \d.*another data root"):
        trained(TWO, other, data)


def test_a_command_that_does_not_exist_is_named(tmp_path, make_recipe):
    job = stored_job(tmp_path, make_recipe())
    with pytest.raises(TrainingProcessError, match=r"'no-such-torchrun'.*training\.torchrun"):
        trained(TrainingSettings(torchrun=("no-such-torchrun",)), job, training_set_of(job))


@pytest.mark.parametrize(
    ("processes", "gpus", "batch", "count"),
    [
        ("auto", 0, 4096, 1),
        ("auto", 8, 4096, 8),
        ("auto", 8, 64, 2),
        ("auto", 8, 8, 1),
        (3, 0, 8, 3),
    ],
)
def test_the_number_of_processes(processes, gpus, batch, count):
    assert TrainingSettings(processes=processes).count(gpus, batch) == count


def test_a_command_and_a_number_exclude_each_other():
    with pytest.raises(ValueError, match="give processes or torchrun"):
        TrainingSettings(processes=2, torchrun=("torchrun",))
