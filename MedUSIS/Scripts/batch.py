"""Synthetic MRs of many CTs in Slicer without its window, or in the Python of slicer-core: what `medusis batch` does.

    Slicer --no-splash --no-main-window --python-script MedUSIS/Scripts/batch.py --input PATIENTS --out RESULTS

The work is done by child processes of Slicer's own Python. The same call goes on with a batch that was interrupted. The
exit code is 0, or 3 when some cases failed or were left out, or that of the named error that stopped the batch
(docs/jobs.md). Slicer keeps "--help" for itself: write "-- --help".
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

for _folder in Path(__file__).resolve().parents[1:3]:
    # MedUSISLib lies beside the module where it is installed, and one folder further up in a checkout.
    if (_folder / "MedUSISLib" / "__init__.py").is_file() and str(_folder) not in sys.path:
        sys.path.append(str(_folder))

from MedUSISLib.errors import ErrorCode, MedUSISError  # noqa: E402
from MedUSISLib.mrml.script import leave, process_events, run_script  # noqa: E402

INCOMPLETE = 3


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments say; the exit code. Never raises, not even for --help or a wrong option."""
    return run_script(_parser(), arguments, _run)


def _run(options: argparse.Namespace) -> int:
    from MedUSISLib.mrml.headless_batch import run_batch

    if options.write_table is not None and not options.dry_run:
        what = "--write-table is for a look at the input: no batch was begun"
        raise MedUSISError(ErrorCode.BAD_SETTING, what, "give it with --dry-run")
    ours = ("verbose", "write_table")
    given = {name: value for name, value in vars(options).items() if value is not None and name not in ours}
    for name in ("input", "out"):
        given[name] = str(given[name].absolute())
    for name in ("generator", "labels"):  # an id, or the place of a folder or a table
        if name in given and Path(given[name]).exists():
            given[name] = str(Path(given[name]).absolute())
    table = options.write_table.absolute() if options.write_table is not None else None
    counts = run_batch(given, say=lambda line: print(line, flush=True), idle=process_events(), table=table)
    if not options.dry_run:
        print(options.out, flush=True)
    return INCOMPLETE if counts.get("failed") or counts.get("skipped") else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="batch.py",
        description="Synthetic MRs of many CTs and their segmentations. SYNTHETIC - not for diagnosis.",
        epilog="The same call goes on with a batch that was interrupted. Exit codes: docs/jobs.md.",
        allow_abbrev=False,
    )
    path = Path
    parser.add_argument("--input", type=path, required=True, help="folder (NIfTI, BIDS, DICOM) or table of cases (CSV)")
    parser.add_argument("--out", type=path, required=True, help="folder for the results of all cases")
    parser.add_argument("--generator", metavar="ID|FOLDER", help="of every case (head-t1w)")
    parser.add_argument("--segment", choices=("head-seg", "totalsegmentator"), help="segments a CT that has none")
    parser.add_argument("--labels", metavar="NAME|FILE.csv", help="what the labels mean; found out when not given")
    parser.add_argument("--unmapped", metavar="CLASS", help="class of labels that nobody knows")
    parser.add_argument("--mode", choices=("auto", "slice", "three-view", "window"))
    parser.add_argument("--passes", type=int, help="dropout passes for the uncertainty (8)")
    parser.add_argument("--noise-samples", type=int)
    parser.add_argument("--truncation", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--device", metavar="auto|cpu|cuda[:N]")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--allow-cpu", action="store_true", help="the CPU where the GPU has too little memory")
    parser.add_argument("--workers", type=int, help="cases at a time; chosen when not given")
    parser.add_argument("--retries", type=int, help="how often a case is tried again (2)")
    parser.add_argument("--case-timeout", type=float, dest="case_timeout_s", metavar="SECONDS", help="for one case")
    parser.add_argument("--retry-failed", action="store_true", help="try the cases again that failed before")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    parser.add_argument(
        "--write-table", type=path, metavar="FILE.csv", help="with --dry-run: the cases as a table to correct"
    )
    parser.add_argument("--verbose", action="store_true", help="show where an unexpected error came from")
    return parser


if __name__ == "__main__":
    leave(main())
