"""Equality of mathematical expressions by math-verify, in bounded time."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
from functools import lru_cache
from threading import Lock

from rolesynth_assets.answers import child_process

MAX_CHARS = 200
"""Most characters of one expression; longer expressions are not compared."""
SECONDS = 8.0
"""Time limit of one comparison; after it the worker is ended and the result is unknown."""
START_SECONDS = 60.0
"""Time limit of the first comparison, which imports sympy."""

_MATHS = re.compile(r"[\\^_=\u221a\u03c0]|[\w)\]}]\s?[-+*/]\s?[\w(\[{\\]|\d[a-z]|[a-z]\d|[(\[].*,")
_FUNCTIONS = r"sqrt|sin|cos|tan|log|ln|exp|pi|theta|alpha|beta|frac|times|cdot|infty"
_PROSE = re.compile(rf"(?<![\\a-z])(?!(?:{_FUNCTIONS})\b)[a-z]{{3,}}")
# capitals and percent; dates and ranges, which are not subtractions; numbers beyond any answer
_LEFT_OUT = re.compile(r"[A-Z%]|\d-\d|\d{16}|\^\{?-?\d{4}|\^[^\s+*-]*\^|\d\d!|!!")
_ASSIGNED = re.compile(r"\\?[a-z]+(?:_\{?\w+\}?)? ?=[^=<>]+")
_ROOT = re.compile(r"(?:\\?sqrt|\u221a) ?\(([^()]*)\)|\u221a ?(\d+|[a-z])")
_NAMED = re.compile(rf"(?<![\\a-zA-Z])(?:{_FUNCTIONS})(?![a-z])")


def same_expression(one: str, other: str) -> bool | None:
    r"""Compare two expressions, plain or LaTeX, such as 2\sqrt{5} and \sqrt{20}.

    Expressions with capital letters or percent are not compared, since math-verify reads H as h,
    the letters of NaCl as factors in any order, and 50% as 50.

    Returns:
        Whether they are equal; None if that is unknown: for prose, for an expression that is too
        long or too hard, and for symbols of which no equality is found. A comparison takes at most
        `SECONDS`, the first one of a process at most `START_SECONDS`.
    """
    if not (_mathematical(one) and _mathematical(other)):
        return None
    if not (_MATHS.search(one) or _MATHS.search(other)):
        return None
    return _WORKER.compare(_as_latex(one), _as_latex(other))


def _mathematical(text: str) -> bool:
    if not text or len(text) > MAX_CHARS or _LEFT_OUT.search(text):
        return False
    if "=" in text and not _ASSIGNED.fullmatch(text):
        return False  # math-verify reads only the right-hand side: 2x=6 would be 6
    return not _PROSE.search(text)


def _as_latex(text: str) -> str:
    text = _ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text)
    text = text.replace("\u03c0", r"\pi ").replace("\u00d7", r"\times ").replace("\u00f7", "/")
    return _NAMED.sub(r"\\\g<0>", text)


class _Worker:
    """Starts the worker process at the first comparison, and again after it was ended."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    @lru_cache(maxsize=50_000)  # noqa: B019 - there is one worker, for the life of the process
    def compare(self, one: str, other: str) -> bool | None:
        with self._lock:
            fresh = self._process is None or self._owner != os.getpid()  # a fork has no worker
            process = self._start() if fresh else self._process
            assert process is not None
            try:
                said = child_process.ask(process, (one, other), START_SECONDS if fresh else SECONDS)
            except (TimeoutError, child_process.GoneError):
                self.end()
                return None
        return {b"equal": True, b"different": False}.get(said.strip())

    def end(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            child_process.end(self._process)
        self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self._owner = os.getpid()
        self._process = child_process.start("rolesynth_assets.answers.latex_worker", quiet=True)
        return self._process


_WORKER = _Worker()
atexit.register(_WORKER.end)
