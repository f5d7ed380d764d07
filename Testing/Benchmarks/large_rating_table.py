"""Time and memory of ``medusis study mrmc`` for many rows: tests x readers x cases, half of them positive."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil


def write_table(path: Path, tests: int, readers: int, cases: int) -> None:
    """Ratings with a term that all readers share, three decimals."""
    random = np.random.default_rng(0)
    shared = random.normal(size=cases) + np.arange(cases) % 2
    lines = ["reader,test,case,truth,rating"]
    for test in range(tests):
        for reader in range(readers):
            ratings = shared + random.normal(size=cases)
            lines += [f"r{reader},t{test},{case},{case % 2},{ratings[case]:.3f}" for case in range(cases)]
    path.write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["2x5x10000", "1x1x100000"], help="tests x readers x cases")
    for size in parser.parse_args().sizes:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "table.csv"
            write_table(table, *(int(part) for part in size.split("x")))
            begin, most = time.monotonic(), 0
            command = [sys.executable, "-m", "MedUSISLib.cli", "study", "mrmc", str(table), "--json"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
                watched = psutil.Process(run.pid)
                while run.poll() is None:
                    try:
                        most = max(most, watched.memory_info().rss)
                    except psutil.Error:
                        break
                    time.sleep(0.02)
            assert run.returncode == 0
            print(f"{size}: {time.monotonic() - begin:.1f} s, {most / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
