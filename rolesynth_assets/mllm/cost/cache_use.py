"""How much of its work vLLM spared by its caches, from the counters that it keeps.

It counts look-ups and hits since its start: of the prefix cache in tokens of prompts, and of the
processor cache (`mm_cache`: prepared pictures) and of any encoder cache in pictures. Counters of a
server are of all its clients.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

_COUNTER = re.compile(r"vllm(?:_\w+)?:(\w*?cache)_(queries|hits)(?:_total)?")
_SAMPLE = re.compile(
    rf"^({_COUNTER.pattern})(?:\{{[^\n]*\}})?[ \t]+([0-9][0-9.eE+-]*)(?:[ \t].*)?$", re.MULTILINE
)
_NAMES = {"mm_cache": "processor_cache"}
MOST_COUNTERS = 10_000
"""Samples that are read of one answer; a server has a few for each of its engines."""


@dataclass(frozen=True)
class CacheUse:
    """Look-ups in a cache and how many of them hit, since the model was loaded."""

    queries: float = 0.0
    hits: float = 0.0

    def since(self, earlier: CacheUse) -> CacheUse:
        """Return the difference to `earlier`."""
        return CacheUse(self.queries - earlier.queries, self.hits - earlier.hits)


Caches = Mapping[str, CacheUse]
"""The use of each cache, by a name such as `prefix_cache`."""


@runtime_checkable
class CachingEngine(Protocol):
    """An engine that can know how its model's caches were used."""

    async def caches(self) -> Caches | None:
        """Return the use of the caches until now; None if nobody counts it or answers."""
        ...


def summed(samples: Iterable[tuple[str, float]]) -> Caches | None:
    """Return the use of each cache from counters by name; None if none is about a cache.

    Args:
        samples: name and value; several engines of a server have samples of the same name.
    """
    found: dict[str, dict[str, float]] = {}
    for name, value in samples:
        if counter := _COUNTER.fullmatch(name):
            counts = found.setdefault(_NAMES.get(counter[1], counter[1]), {})
            counts[counter[2]] = counts.get(counter[2], 0.0) + value
    return {name: CacheUse(**counts) for name, counts in found.items()} or None


def read_metrics(text: str) -> Caches | None:
    """Return the use of each cache from a server's metrics, in the text format of Prometheus."""
    samples: list[tuple[str, float]] = []
    for line in _SAMPLE.finditer(text):
        try:
            samples.append((line[1], float(line[4])))
        except ValueError:
            continue
        if len(samples) == MOST_COUNTERS:
            break
    return summed(samples)


def together(caches: Iterable[Caches | None]) -> Caches | None:
    """Return the use of the caches of several servers; None if none of them counts it."""
    found: dict[str, CacheUse] = {}
    for counted in caches:
        for name, use in (counted or {}).items():
            before = found.get(name, CacheUse())
            found[name] = CacheUse(before.queries + use.queries, before.hits + use.hits)
    return found or None


@dataclass
class Spared:
    """What the caches spared in a piece of work.

    Attributes:
        use: the use of each cache in it.
    """

    use: dict[str, CacheUse] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, float]:
        """The share of look-ups that hit, such as `prefix_cache_hit_rate`, where there were any."""
        return {f"{name}_hit_rate": use.hits / use.queries for name, use in self.use.items()}


@asynccontextmanager
async def spared(engine: object) -> AsyncIterator[Spared]:
    """Measure the use of an engine's caches in a context; it is known after it.

    Nothing is found if the engine has no caches or counts nothing, or was loaded anew meanwhile.
    """
    found = Spared()
    before = await engine.caches() if isinstance(engine, CachingEngine) else None
    yield found
    after = (
        await engine.caches() if isinstance(engine, CachingEngine) and before is not None else {}
    )
    for name, use in sorted((after or {}).items()):
        now = use.since((before or {}).get(name, CacheUse()))
        if 0 <= now.hits <= now.queries and now.queries:
            found.use[name] = now
