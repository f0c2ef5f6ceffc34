"""The one resource of the graph: settings, stores, and a model to ask."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import dagster as dg

from rolesynth_assets.mllm.engine import ChatEngine, ModelIdentity
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.settings import Settings

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.warehouse.warehouse import Warehouse

T = TypeVar("T")


class Platform(dg.ConfigurableResource):
    """Where data lives and which model answers; empty fields follow the environment."""

    data_root: str = ""
    project: str = ""

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
    def warehouse(self) -> "Warehouse":
        """The DuckDB tables."""
        from rolesynth_assets.store.warehouse.warehouse import Warehouse

        return Warehouse(self.settings.paths.warehouse)

    def ask(
        self, engine: EngineSettings, work: Callable[[ChatEngine], Awaitable[T]]
    ) -> tuple[T, ModelIdentity]:
        """Run `work` with an engine, close it, and return the result with the model's identity."""
        model = make_engine(engine)
        _ = model.identity  # may ask the server once, so before the event loop

        async def run() -> T:
            try:
                return await work(model)
            finally:
                await model.aclose()

        return asyncio.run(run()), model.identity  # a preflight may have settled another one
