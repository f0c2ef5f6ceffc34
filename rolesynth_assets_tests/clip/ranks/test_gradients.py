"""Several processes compute the gradients of one."""

import multiprocessing

import pytest
import torch

from rolesynth_assets.clip.ranks.share import rows_of, share_of
from rolesynth_assets_tests.clip.ranks import gradients
from rolesynth_assets_tests.clip.ranks.gradients import CASES, write_gradients
from rolesynth_assets_tests.free_port import free_port

COUNT = 2


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The gradients of each of two processes, and of one that is alone."""
    folder, port = tmp_path_factory.mktemp("gradients"), free_port()
    # the program is imported once, and then forked
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([gradients.__name__])
    processes = [
        context.Process(target=write_gradients, args=(rank, COUNT, port, folder / f"{rank}.pt"))
        for rank in range(COUNT)
    ]
    for process in processes:
        process.start()
    threads = torch.get_num_threads()
    write_gradients(0, 1, "", folder / "alone.pt")
    torch.set_num_threads(threads)
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * COUNT
    return {path.stem: torch.load(path) for path in folder.glob("*.pt")}


@pytest.mark.parametrize("case", CASES)
def test_gradients_losses_and_batch_statistics_are_those_of_one_process(found, case):
    alone = found["alone"]
    names = [name for name in alone if name.startswith(f"{case}/")]
    assert len(names) > 20
    for rank in range(COUNT):
        for name in names:
            torch.testing.assert_close(
                found[str(rank)][name],
                alone[name],
                rtol=1e-6,
                atol=1e-9,
                msg=lambda m, n=name: f"{n}: {m}",
            )


@pytest.mark.parametrize("case", CASES)
def test_all_processes_have_the_same_bits(found, case):
    for name, gradient in found["0"].items():
        if name.startswith(f"{case}/"):
            assert all(torch.equal(found[str(rank)][name], gradient) for rank in range(1, COUNT))


@pytest.mark.parametrize(("rows", "count"), [(7, 3), (3, 3), (16, 4), (10, 1)])
def test_each_row_belongs_to_one_process(rows, count):
    runs = [rows_of(rank, count, rows) for rank in range(count)]
    assert [row for run in runs for row in range(rows)[run]] == list(range(rows))
    sizes = {run.stop - run.start for run in runs}
    assert max(sizes) - min(sizes) <= 1
    assert share_of(0, count, rows, 2 * rows).texts == rows_of(0, count, 2 * rows)
