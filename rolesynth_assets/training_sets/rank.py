"""One of the processes that train a CLIP model together; torchrun starts it.

``torchrun ... -m rolesynth_assets.training_sets.rank FOLDER``, where FOLDER is the folder
``processes`` beside the checkpoint, into which the run of `clip_checkpoints` has written the job.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
import threading
import time
from pathlib import Path

from pydantic import TypeAdapter

from rolesynth_assets.clip.ranks.group import Ranks, RanksError, joined_ranks
from rolesynth_assets.clip.ranks.job import WRITE_EVERY_S, JobFolder, Said
from rolesynth_assets.clip.ranks.launch import ENDS_WITH_STDIN
from rolesynth_assets.clip.train import TrainReport
from rolesynth_assets.clip.training_run import train_job
from rolesynth_assets.progress import Besides, Progress, Reporter, reporter
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.training_sets.rows import selected_pairs, training_set


def main(path: str) -> None:
    """Train as one process of several, and end with code 1 after an error."""
    folder = JobFolder(Path(path))
    _end_with_stdin()
    try:
        with joined_ranks() as ranks:
            logging.basicConfig(format="%(message)s")  # from warnings on
            reporter.set(_written_by(ranks, folder))
            _train(ranks, folder)
    except BaseException as error:
        folder.fail(int(os.environ.get("RANK", 0)), error)
        logging.getLogger("rolesynth").exception("this process of the training ends")
        _end(1)


def _train(ranks: Ranks, folder: JobFolder) -> None:
    job = folder.job()
    store, recipe = Store(job.data_root), job.recipe
    pairs = selected_pairs(store, recipe, job.pairs_version, job.left_out)
    data = training_set(store, recipe, pairs)
    if data.digest != job.training_set_digest:
        raise RanksError(
            f"The training set of recipe {recipe.name!r} is {data.digest[:12]} here and "
            f"{job.training_set_digest[:12]} in the run that asks for it: this machine has another "
            "data root or another version of rolesynth-assets."
        )
    report = train_job(job, data, ranks)
    if ranks.leads:
        folder.finish(TypeAdapter(TrainReport).dump_json(report).decode())


def _written_by(ranks: Ranks, folder: JobFolder) -> Reporter:
    """Return a reporter that writes the progress of process 0 down."""

    def made(label: str, besides: Besides | None = None) -> Progress:
        last = 0.0

        def report(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if ranks.leads and (now - last >= WRITE_EVERY_S or done == total):
                last = now
                folder.say(Said(label=label, done=done, total=total))

        return report

    return made


def _end_with_stdin() -> None:
    """End this process when the run that waits for it has ended, however that happened."""
    if os.environ.get(ENDS_WITH_STDIN) and stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    while os.read(0, 1024):
        pass
    _end(1)


def _end(code: int) -> None:
    """End at once: an orderly end would wait for processes that wait for this one."""
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
