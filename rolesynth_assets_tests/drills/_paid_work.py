"""Paid work against a stub server: captions, scores, or a round of CADS, in a process or in this.

`python -m rolesynth_assets_tests.drills._paid_work STAGE FOLDER URL` does one stage and ends.
"""

import asyncio
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rolesynth_assets.mllm.engine import ChatEngine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.defs.served_collective import KEY, SKILLS
from rolesynth_assets_tests.defs.served_collective import answer as member_answers
from rolesynth_assets_tests.mllm.stub_server import StubRequest

Stage = Literal["captions", "scores", "cads"]
REPOSITORY = Path(__file__).parents[2]
CONCURRENCY = 4
"""Requests in flight of one engine."""
IN_FLIGHT: Mapping[Stage, int] = {
    "captions": CONCURRENCY,
    "scores": CONCURRENCY,
    "cads": CONCURRENCY * len(SKILLS),
}
SHARD, ROLE_SET, DOMAIN, ROUND = "drill", "roles5", "dots", "2026-01-04"
TABLES: Mapping[Stage, tuple[str, ...]] = {
    "captions": ("captions",),
    "scores": ("scores",),
    "cads": ("candidates", "verdicts", "contexts"),
}
PARTITION = {"shard": SHARD, "role_set": ROLE_SET}
MODELS = [{"id": name, "object": "model"} for name in ("stub", *SKILLS)]
WORDS = "red green small large round apple wooden table bright window cat street lamp".split()


def prepare(folder: Path, images: int, seeds: int) -> None:
    """Store what the stages are made from."""
    import pyarrow as pa
    from PIL import Image

    from rolesynth_assets.cads.seeds.rows import seed_rows
    from rolesynth_assets.store.digests import image_id
    from rolesynth_assets.store.lance.schemas import IMAGES
    from rolesynth_assets_tests.cads import simulated

    store, rows = Store(folder), []
    for number in range(images):
        stream = io.BytesIO()
        Image.new("RGB", (32, 32), (number % 256, number // 256, 99)).save(stream, "PNG")
        data = stream.getvalue()
        rows.append(
            {
                "image_id": image_id(data),
                "shard": SHARD,
                "source": f"{number}.png",
                "media_type": "image/png",
                "width": 32,
                "height": 32,
                "bytes": len(data),
                "data": data,
                "ordinal": number,
            }
        )
    store.append("images", {"shard": SHARD}, pa.Table.from_pylist(rows, schema=IMAGES.schema))
    store.append("seeds", {"domain": DOMAIN}, seed_rows(simulated.seeds(seeds, DOMAIN)))


def answer(asked: StubRequest) -> str:
    """Answer as the asked model would: the same for the same request."""
    if asked.payload["model"] in SKILLS:
        return member_answers(asked)
    drawn = hashlib.sha256(json.dumps(asked.payload, sort_keys=True).encode()).digest()
    if asked.payload["temperature"] == 0:
        return f"{drawn[0] % 100 + 1}\nAs it is."
    long = max(v for k, v in asked.payload.items() if k.startswith("max_")) >= 100
    return " ".join(WORDS[byte % len(WORDS)] for byte in drawn[: 13 if long else 7])


def start(stage: Stage, folder: Path, url: str) -> subprocess.Popen[bytes]:
    """Begin a stage in a process of its own."""
    command = [sys.executable, "-m", __name__, stage, str(folder), url]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment)


def work(stage: Stage, folder: Path, url: str, **settings: Any) -> int:
    """Do one stage here.

    Returns:
        Rows, or calls in CADS, that failed for a transient reason.
    """
    if stage == "cads":
        return _cads(folder, url, settings)
    from rolesynth_assets.captions.captioning import write_captions
    from rolesynth_assets.mllm.openai.engine import OpenAIEngine
    from rolesynth_assets.pairs.scoring import write_scores
    from rolesynth_assets.roles.library import load_role_sets

    roles = load_role_sets()[ROLE_SET].written_roles()
    write = write_captions if stage == "captions" else write_scores
    engine: ChatEngine = OpenAIEngine(
        EngineSettings.model_validate(
            {
                "engine": "openai",
                "model": "stub",
                "base_url": url,
                "revision": "1",
                "api_key": KEY,
                "concurrency": CONCURRENCY,
                **settings,
            }
        )
    )
    made = asyncio.run(write(Store(folder), engine, SHARD, ROLE_SET, roles, run_id="drill"))
    return made.failed_in_passing


def _cads(folder: Path, url: str, settings: Mapping[str, Any]) -> int:
    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.cads.drawing import factory
    from rolesynth_assets.cads.round.stored_round import Place, make_round
    from rolesynth_assets.mllm.rows.reply_journal import journal_path
    from rolesynth_assets.store.small.tables import SmallTables
    from rolesynth_assets.store.tombstones import Withdrawn

    member = {"engine": "openai", "base_url": url, "api_key_env": "STUB_KEY", "revision": "1"}
    limits = {"concurrency": CONCURRENCY, "preflight": False, **settings}
    members = [{"name": name, "model": name, **member, **limits} for name in SKILLS]
    collective = Collective.model_validate({"name": "drill", "members": members})
    make_renderer, factory.make_renderer = factory.make_renderer, _plain
    try:
        outcome, _ = make_round(
            *(Store(folder), collective, {"STUB_KEY": KEY}, journal_path(folder, "cads")),
            Place(DOMAIN, ROUND, None, "drill"),
            Withdrawn(SmallTables(folder)),
        )
    finally:
        factory.make_renderer = make_renderer
    return outcome.to_ask_again


def _plain(settings: object, environ: object) -> Any:
    from rolesynth_assets_tests.cads.simulated import PlainRenderer

    return PlainRenderer()


def digests(stage: Stage, folder: Path) -> list[str]:
    """The content of a stage's tables."""
    return [Store(folder).digest(table) for table in TABLES[stage]]


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), sys.argv[3])  # type: ignore[arg-type]
