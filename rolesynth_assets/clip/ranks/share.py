"""The part of a batch that one process of a training encodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """One process's rows of a batch: a run of its images, and a run of its captions.

    Images and captions are divided apart, so that each process has as much to encode as the others;
    a caption's image may be another process's.

    Attributes:
        images: its image rows.
        texts: its captions.
    """

    images: slice
    texts: slice


def share_of(rank: int, count: int, images: int, texts: int) -> Share:
    """Return the share of a process.

    Args:
        rank: number of the process, from 0.
        count: number of processes.
        images: image rows of the batch.
        texts: captions of the batch.
    """
    return Share(rows_of(rank, count, images), rows_of(rank, count, texts))


def rows_of(rank: int, count: int, rows: int) -> slice:
    """Return a process's run of rows; the sizes of all runs differ by one at most."""
    return slice(rows * rank // count, rows * (rank + 1) // count)


def size(run: slice) -> int:
    """Return the number of rows in a run."""
    return run.stop - run.start
