"""The journal of CADS, which stores paid replies and drawings."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from hashlib import sha256
from typing import ClassVar, NamedTuple

from rolesynth_assets.cads.drawing.renderer import Drawing
from rolesynth_assets.mllm.rows.reply_journal import ReplyJournal
from rolesynth_assets.store.digests import digest

_DRAWINGS = """
CREATE TABLE IF NOT EXISTS drawings (
    key TEXT PRIMARY KEY, renderer TEXT NOT NULL, media_type TEXT NOT NULL, image BLOB NOT NULL
);
"""


class Forgotten(NamedTuple):
    """Numbers of drawings and replies that were removed from a journal."""

    drawings: int
    replies: int


def drawing_key(renderer: str, visual_prompt: str, seed: int) -> str:
    """Return the identity of a drawing: its renderer, its instruction and its seed."""
    return digest("drawing", renderer, visual_prompt, seed)


class Journal(ReplyJournal):
    """Replies and drawings by key; drawings have the same guarantees as replies."""

    tables: ClassVar[str] = ReplyJournal.tables + _DRAWINGS

    def get_drawing(self, key: str) -> Drawing | None:
        """Return the drawing recorded under `key`, or None."""
        row = self._database.execute(
            "SELECT image, media_type, renderer FROM drawings WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Drawing(*row)

    async def put_drawing(self, key: str, drawing: Drawing) -> None:
        """Record a drawing and wait until it is durable.

        Raises:
            JournalError: it cannot be written.
        """
        row = (key, drawing.renderer, drawing.media_type, drawing.image)
        await asyncio.shield(self._write(("drawings", row)))

    def forget_images(self, image_ids: Collection[str]) -> Forgotten:
        """Remove images, and replies to requests that showed one, also from the disk.

        Args:
            image_ids: sha256 of the encoded bytes, as drawn or as shown to a model.
        """
        drawings = [
            (key,)
            for key, image in self._database.execute("SELECT key, image FROM drawings")
            if sha256(image).hexdigest() in image_ids
        ]
        self._transaction({"DELETE FROM drawings WHERE key = ?": drawings})
        return Forgotten(len(drawings), self.forget_replies(image_ids))
