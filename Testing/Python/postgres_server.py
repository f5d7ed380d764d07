"""A PostgreSQL server of the tests' own, where its programs and the driver are installed; gone with the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_START_S = 120


def programs() -> Path | None:
    """Folder of initdb and pg_ctl: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    return versions[-1].parent if versions else None


def available() -> bool:
    """Whether `server` can start one."""
    return programs() is not None and find_spec("psycopg") is not None


@contextmanager
def server() -> Iterator[str]:
    """Start a server that listens on a socket in a private folder only; yields the URL of its empty database."""
    bin_folder = programs()
    assert bin_folder is not None
    # Not pytest's folder: a server does not run as root, and its user must get there; a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    try:
        data = folder / "data"
        _call(user, bin_folder / "initdb", "-D", data, "-A", "trust", "-U", "medusis", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        control = bin_folder / "pg_ctl"
        _call(user, control, "-D", data, "-l", folder / "log", "-o", options, "-t", _START_S, "-w", "start")
        try:
            yield f"postgresql+psycopg://medusis@/postgres?host={folder}"
        finally:
            _call(user, control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> str | None:
    """Who runs the server; None is whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    import pwd  # not on Windows

    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _call(user: str | None, *command: object) -> None:
    # Into a file and not a pipe: the server keeps what pg_ctl was given open.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(list(map(str, command)), user=user, cwd="/", stdout=said, stderr=said, timeout=_START_S)
        said.seek(0)
        assert done.returncode == 0, said.read().decode(errors="replace")
