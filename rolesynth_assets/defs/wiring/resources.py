"""The one resource of the graph: settings, stores, and a model to ask."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import dagster as dg
from pydantic import Field

from rolesynth_assets.mllm.cost.metered import Meter, MeteredEngine
from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatEngine, ModelIdentity
from rolesynth_assets.mllm.factory import leave_engine, take_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.settings import Settings

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables

T = TypeVar("T")


class Platform(dg.ConfigurableResource):
    """Costs money where a model is paid: settings, tables, and the models that answer.

    Empty fields follow the environment and rolesynth.yaml, which also holds the prices and caps.
    """

    data_root: str = Field(default="", description="Folder of all tables; ROLESYNTH_DATA if empty.")
    project: str = Field(default="", description="Project folder; ROLESYNTH_PROJECT if empty.")

    @property
    def settings(self) -> Settings:
        """The settings: `rolesynth.yaml`, the environment, then this resource's fields."""
        given = {"ROLESYNTH_DATA": self.data_root, "ROLESYNTH_PROJECT": self.project}
        return Settings.load({**os.environ, **{k: v for k, v in given.items() if v}})

    @property
    def store(self) -> "Store":
        """The Lance tables."""
        from rolesynth_assets.store.lance.store import Store

        return Store(str(self.settings.data_root))

    @property
    def small(self) -> "SmallTables":
        """The small result tables."""
        from rolesynth_assets.store.small.tables import SmallTables

        return SmallTables(self.settings.data_root)

    def ask(
        self,
        engine: EngineSettings,
        prices: Prices,
        work: Callable[[ChatEngine], Awaitable[T]],
        meter: Meter | None = None,
    ) -> tuple[T, ModelIdentity]:
        """Run `work` with an engine, and return the result with the model's identity.

        A model that takes long to load is kept for the next partition of this process; any other
        engine is closed.

        Args:
            engine: the model.
            prices: of the model.
            work: asks the engine.
            meter: counts the calls as they are answered, for progress.

        Raises:
            Failure: `work` failed after calls; its metadata says what they took.
        """
        meter = meter or Meter(prices)
        made = take_engine(engine)
        model = MeteredEngine(made, meter)
        _ = model.identity  # may ask the server once, so before the event loop

        async def run() -> T:
            try:
                done = await work(model)
            except BaseException:
                await made.aclose()
                raise
            await leave_engine(engine, made)
            return done

        with paid_although_failed(meter):
            return asyncio.run(run()), model.identity  # a preflight may have settled another one


@contextmanager
def paid_although_failed(meter: Meter) -> Iterator[None]:
    """Record the calls of work that fails with its failure, so that caps and pages count them.

    Raises:
        Failure: the work failed after calls.
    """
    try:
        yield
    except Exception as error:
        if meter.spent == Spent():
            raise
        raise dg.Failure(str(error), metadata=meter.spent.metadata) from error
