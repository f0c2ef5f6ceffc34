import asyncio

import pytest

from rolesynth_assets.cads.round.task_group import concurrently


def test_results_come_in_order():
    async def one(number: int) -> int:
        for _ in range(5 - number):
            await asyncio.sleep(0)
        return number

    assert asyncio.run(concurrently(one(number) for number in range(5))) == [0, 1, 2, 3, 4]
    assert asyncio.run(concurrently([])) == []


def test_first_failure_is_raised_bare_and_ends_the_others():
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise KeyError("row")

    async def nested() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(forever())
            group.create_task(fail())

    with pytest.raises(KeyError, match="row"):
        asyncio.run(concurrently([forever(), nested()]))
    assert ended == [True, True]
