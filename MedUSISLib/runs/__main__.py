"""``python -m MedUSISLib.runs work FOLDER`` does the queued runs of a folder; `store.RunStore` starts it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Entrance of the worker process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m MedUSISLib.runs", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    work = verbs.add_parser("work", help="do the queued runs, one after another")
    work.add_argument("--python", default=sys.executable, help="what runs a job")
    work.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)

    from MedUSISLib.library_words import keep_library_words_out
    from MedUSISLib.runs.worker import Worker

    keep_library_words_out()
    return Worker(Path(os.path.abspath(chosen.folder)), (chosen.python, "-m", "MedUSISLib.jobs", "run")).work()


if __name__ == "__main__":
    sys.exit(main())
