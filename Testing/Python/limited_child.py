"""Does jobs one after another, each with little memory, small files or a nearly full disk; says how each ended.

Reads a list of ``{"job": {...}, "limit": "memory" | "file" | "disk", "bytes": n, "out": folder}`` from standard input.
"""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from MedUSISLib.jobs.run import run_job

FILLER = "filler"


def main() -> None:
    steps = json.load(sys.stdin)
    if any(step["limit"] == "memory" for step in steps):
        import MedUSISLib.synthesis.engine  # noqa: F401  (what is loaded later would count as the job's)

    told = [done(step) for step in steps]
    os.write(1, json.dumps(told).encode())


def done(step: dict[str, Any]) -> dict[str, Any]:
    out = Path(step["out"])
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        job.write_text(json.dumps({"version": 1, **step["job"]}))
        events = io.StringIO()
        with LIMITS[step["limit"]](step["bytes"], out):
            code = run_job(job, events)
    last = json.loads(events.getvalue().splitlines()[-1])
    left = sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.name != FILLER)
    for path in out.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return {"code": code, "last": last, "left": left}


@contextmanager
def _memory(size: int, out: Path) -> Iterator[None]:
    """So many bytes more than the process has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    with _limited(resource.RLIMIT_AS, pages * resource.getpagesize() + size):
        yield


@contextmanager
def _file(size: int, out: Path) -> Iterator[None]:
    """No file may be larger; the system says EFBIG."""
    with _limited(resource.RLIMIT_FSIZE, size):
        yield


@contextmanager
def _disk(size: int, out: Path) -> Iterator[None]:
    """So many bytes are free on the disk of ``out``, which is a small one; the system says ENOSPC."""
    with (out / FILLER).open("wb") as filler:
        while shutil.disk_usage(out).free > size:
            filler.write(b"x" * 4096)
            filler.flush()
    yield


@contextmanager
def _limited(kind: int, size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


LIMITS = {"memory": _memory, "file": _file, "disk": _disk}

if __name__ == "__main__":
    main()
