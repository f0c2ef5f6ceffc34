"""A sample of the grid as plain files, to publish beside a data set's card."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile

from rolesynth_assets.browse.captions.cards import cards
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.files.atomic_files import replaced_folder
from rolesynth_assets.pairs.exports.formats import FACTS, require_export_folder

STYLE = Path(__file__).parent / "static" / "browse.css"


def write_site(desk: Desk, role_set: str, folder: Path, number: int, seed: int = 0) -> int:
    """Write one page with some images and all their captions of a role set.

    Args:
        desk: the tables and the templates.
        role_set: role set of the captions.
        folder: folder to write; an earlier export in it is replaced as a whole.
        number: images to draw, at most.
        seed: seed of the draw.

    Returns:
        The number of images on the page.

    Raises:
        ForeignFolderError: the folder holds something else.
    """
    require_export_folder(folder)
    columns = desk.captions.columns(role_set)
    frame = columns.frame
    images = frame["image_id"].unique(maintain_order=True)
    drawn = images.sample(min(number, len(images)), seed=seed)
    rows = frame.filter(frame["image_id"].is_in(drawn.implode())).sort("row")
    shown = [card for card in cards(desk.store, columns, rows) if card.size[0]]
    page = desk.render(
        "site.html",
        {
            "role_set": role_set,
            "cards": shown,
            "images": len(images),
            "captions": frame.height,
            "kept": int((frame["decision"] == "kept").sum()),
            "models": columns.values["model"],
        },
    )
    with replaced_folder(folder) as draft:
        (draft / "thumbnails").mkdir()
        for card in shown:
            if small := desk.thumbnails.get(card.image_id):
                (draft / "thumbnails" / f"{card.image_id}.webp").write_bytes(small)
        copyfile(STYLE, draft / STYLE.name)
        (draft / "index.html").write_text(page, encoding="utf-8", errors="replace")
        facts = {"role_set": role_set, "format": "site", "images": len(shown)}
        (draft / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return len(shown)
