"""The journal of CADS, which stores paid replies and drawings."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from hashlib import sha256
from typing import ClassVar, NamedTuple

from rolesynth_assets.cads.drawing.renderer import Drawing
from rolesynth_assets.cads.prompts.replies import fits_a_step
from rolesynth_assets.cads.values import StepReason
from rolesynth_assets.mllm.rows.reply_journal import ReplyJournal
from rolesynth_assets.store.digests import digest

_DRAWINGS = """
CREATE TABLE IF NOT EXISTS drawings (
    key TEXT PRIMARY KEY, renderer TEXT NOT NULL, media_type TEXT NOT NULL, image BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS drawn_from (
    image_id TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (image_id, key)
) WITHOUT ROWID;
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

    async def put_drawing(self, key: str, drawing: Drawing, about: Iterable[str] = ()) -> None:
        """Record a drawing and wait until it is durable.

        Args:
            key: key of the drawing.
            drawing: the drawing.
            about: ids of images that its instruction came from; it is removed with any of them.

        Raises:
            JournalError: it cannot be written.
        """
        row = (key, drawing.renderer, drawing.media_type, drawing.image)
        ties = (("drawn_from", (image, key)) for image in set(about))
        await asyncio.shield(self._write(("drawings", row), *ties))

    async def tie_drawing(self, key: str, about: Collection[str]) -> None:
        """Record that a drawing in the journal came from some images; see `put_drawing`.

        Raises:
            JournalError: it cannot be written.
        """
        if about:
            await asyncio.shield(self._write(*(("drawn_from", (i, key)) for i in set(about))))

    def failed(self, reasons: Collection[str]) -> int:
        """Return the number of calls that failed for one of some reasons, `unparsable` included."""
        return super().failed(reasons) + len(self._unparsable(reasons))

    def forget_failed(self, reasons: Collection[str]) -> int:
        """Remove calls that failed for one of some reasons, so that they are made again.

        Returns:
            The number of removed replies.

        Raises:
            JournalError: the file cannot be written.
        """
        unparsable = self._unparsable(reasons)
        self.drop(unparsable)
        return super().forget_failed(reasons) + len(unparsable)

    def _unparsable(self, reasons: Collection[str]) -> list[str]:
        """Return the keys of replies that no step can read, if that is one of the reasons."""
        if StepReason.UNPARSABLE not in reasons:
            return []
        return [
            key
            for key, reply in self.replies()
            if reply.text is not None and not fits_a_step(reply.text)
        ]

    def forget_images(self, image_ids: Collection[str]) -> Forgotten:
        """Remove images, and drawings and replies that came from one, also from disk or bucket.

        Args:
            image_ids: sha256 of the encoded bytes, as drawn or as shown to a model.
        """
        asked = "SELECT key FROM drawn_from WHERE image_id = ?"
        from_one = {key for i in image_ids for (key,) in self._database.execute(asked, (i,))}
        drawings = [
            (key,)
            for key, image in self._database.execute("SELECT key, image FROM drawings")
            if key in from_one or sha256(image).hexdigest() in image_ids
        ]
        self._take_out([key for (key,) in drawings])
        self._transaction(
            {
                "DELETE FROM drawings WHERE key = ?": drawings,
                "DELETE FROM drawn_from WHERE key NOT IN (SELECT key FROM drawings)": [()],
            }
        )
        return Forgotten(len(drawings), self.forget_replies(image_ids))
