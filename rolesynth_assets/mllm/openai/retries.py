"""The rules of further attempts: how many, and after how long a wait."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.mllm.openai.faults import LONGEST_WAIT_S, RetryableFault

_BAD_RESPONSE_ATTEMPTS = 3
"""Waiting rarely fixes a server with invalid answers, but sometimes fixes a broken proxy."""

T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """Seconds to wait between attempts; jitter of up to `initial_s` is added."""

    initial_s: float = 0.5
    ceiling_s: float = 30.0
    retry_after_cap_s: float = LONGEST_WAIT_S

    def wait_s(self, attempts: int, fault: RetryableFault) -> float:
        """Return the seconds before the next attempt: what the server asks, or exponentially more.

        Args:
            attempts: attempts that were made.
            fault: the fault of the last one.
        """
        doubled = self.initial_s * 2.0 ** min(attempts - 1, 60)
        computed = min(doubled + random.uniform(0, self.initial_s), self.ceiling_s)
        if fault.retry_after_s is None:
            return computed
        # Never earlier than the server asks, with jitter so that not all retry at once.
        asked = min(fault.retry_after_s, self.retry_after_cap_s)
        return asked + min(computed, 0.1 * self.retry_after_cap_s)


async def retried(
    attempt: Callable[[], Awaitable[T]],
    max_retries: int,
    backoff: Backoff,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """Return the result of the first attempt that succeeds.

    Args:
        attempt: makes one attempt.
        max_retries: attempts after the first one; fewer are made if the answers are invalid.
        backoff: how long to wait between them.
        sleep: waits for some seconds.

    Raises:
        RetryableFault: the fault of the last attempt; any other exception ends the attempts.
    """
    attempts = 0
    while True:
        try:
            return await attempt()
        except RetryableFault as fault:
            attempts += 1
            invalid = fault.reason is FailureReason.BAD_RESPONSE
            if attempts > (
                min(max_retries, _BAD_RESPONSE_ATTEMPTS - 1) if invalid else max_retries
            ):
                raise
            wait_s = backoff.wait_s(attempts, fault)
        await sleep(wait_s)
