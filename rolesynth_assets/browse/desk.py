"""What the pages work with: the tables, what was read of them, and the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from rolesynth_assets.addresses import UI
from rolesynth_assets.browse.captions.columns import CaptionCache, CaptionColumns
from rolesynth_assets.browse.captions.highlight import marked
from rolesynth_assets.browse.compare.pictures import BenchmarkPictures
from rolesynth_assets.browse.making import Making
from rolesynth_assets.browse.thumbnails import Thumbnails
from rolesynth_assets.browse.words import file_name, reason_words
from rolesynth_assets.counted import counted
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.lineage.trace.sources import short

if TYPE_CHECKING:
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables

REVIEWER = "rolesynth_reviewer"
"""Cookie that remembers the reviewer's name."""
KEEP = {"Cache-Control": "private, max-age=86400"}
"""Headers of a picture: it never changes, and a withdrawn one is gone in a day."""


@dataclass(frozen=True)
class Desk:
    """One session of the server.

    Attributes:
        settings: data root and project.
        ui: address of the Dagster UI that pages link to.
        secret: what forms that write must hold; new in each session.
        prepare: makes the Dagster home ready; called where one is needed.
    """

    settings: Settings
    ui: str = UI
    secret: str = field(default_factory=token_urlsafe)
    prepare: Callable[[], object] = lambda: None

    @cached_property
    def store(self) -> Store:
        """The Lance tables."""
        from rolesynth_assets.store.lance.store import Store

        return Store(str(self.settings.data_root))

    @cached_property
    def small(self) -> SmallTables:
        """The small result tables."""
        from rolesynth_assets.store.small.tables import SmallTables

        return SmallTables(self.settings.data_root)

    @property
    def root(self) -> DataPath:
        """The data root."""
        return self.settings.data_root

    @cached_property
    def captions(self) -> CaptionCache:
        """The captions' columns that are held in memory."""
        return CaptionCache(self.store)

    @cached_property
    def thumbnails(self) -> Thumbnails:
        """The small pictures."""
        return Thumbnails(self.store)

    @cached_property
    def benchmark_pictures(self) -> BenchmarkPictures:
        """The small pictures of the benchmarks' images."""
        return BenchmarkPictures(self.settings)

    @cached_property
    def making(self) -> Making:
        """What was started to be made from a page."""
        return Making()

    @cached_property
    def review_orders(self) -> dict[str, tuple[CaptionColumns, list[int]]]:
        """The order in which captions are reviewed, by role set, with the captions it is of."""
        return {}

    @cached_property
    def _templates(self) -> Jinja2Templates:
        env = Environment(
            loader=PackageLoader("rolesynth_assets.browse"),
            autoescape=True,  # every text is a model's or a file's
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        env.filters |= {"words": reason_words, "short": short, "counted": counted}
        env.filters["file_name"] = file_name
        env.globals |= {"marked": marked}
        return Jinja2Templates(env=env)

    def render(self, template: str, shown: Mapping[str, Any]) -> str:
        """Return a page that no server shows."""
        return self._templates.env.get_template(template).render(**shown)

    def page(
        self, request: Request, template: str, shown: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Render a page.

        Args:
            request: the request.
            template: file of the template.
            shown: what it shows.
            status: HTTP status.
        """
        always = {"ui": self.ui.rstrip("/"), "secret": self.secret, "path": request.url.path}
        headers = {"Cache-Control": "no-cache"}
        return self._templates.TemplateResponse(
            request, template, {**always, **shown}, status_code=status, headers=headers
        )
