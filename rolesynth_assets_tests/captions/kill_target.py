"""What the kill test runs and kills: one captioning run with a slow engine that logs its calls.

`python -m rolesynth_assets_tests.captions.kill_target DATA_ROOT CALL_LOG DELAY_S`
"""

import asyncio
import sys
from pathlib import Path

from rolesynth_assets.captions.generate import write_captions
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.store.tables import Store
from rolesynth_assets_tests.captions.fake_engine import FakeEngine

SHARD = "shard-a"
ROLE_SET = "roles5"
LOOK_AHEAD = 4
"""Requests that the engine takes at once. The table's micro-batch is larger than the partition."""


def main(data_root: str, call_log: str, delay_s: float) -> None:
    engine = FakeEngine(log=Path(call_log), delay_s=delay_s, look_ahead=LOOK_AHEAD)
    roles = load_role_sets()[ROLE_SET].written_roles()
    asyncio.run(
        write_captions(
            Store(data_root),
            engine,
            SHARD,
            ROLE_SET,
            roles,
            run_id="kill",
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
