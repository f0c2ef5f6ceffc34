"""A PostgreSQL server of the tests' own, where the machine has the program."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEBIAN = Path("/usr/lib/postgresql")


def programs() -> Path | None:
    """Folder of `initdb` and `pg_ctl`; None where PostgreSQL is not installed."""
    found = shutil.which("initdb")
    debian = sorted(DEBIAN.glob("*/bin/initdb"))
    return Path(found).parent if found else debian[-1].parent if debian else None


@contextmanager
def loopback_postgres(programs: Path, timezone: str) -> Iterator[str]:
    """Run a server on a socket in a folder of its own, and give the URL of its database.

    Args:
        programs: see `programs`.
        timezone: what the server takes for local time.
    """
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to be root
    home = Path(tempfile.mkdtemp(prefix="pg-"))

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), "-D", str(home / "data"), *arguments]
        subprocess.run(command, check=True, user=user, cwd=home, stdout=subprocess.DEVNULL)

    try:
        if user:
            shutil.chown(home, user)
        run("initdb", "-U", "dagster", "-A", "trust", "--no-sync")
        options = f"-c listen_addresses='' -c timezone={timezone} -c fsync=off -k {home}"
        run("pg_ctl", "start", "-w", "-o", options, "-l", str(home / "log"))
        try:
            yield f"postgresql+psycopg2://dagster@/postgres?host={home}"
        finally:
            run("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(home)
