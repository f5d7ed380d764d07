"""How long it takes to find the cases of a batch: 10,000 files of 2,500 people, and 4,000 DICOM slices of 16 series."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Python"))

from batch_tree import write
from test_imaging_dicom import write_series

from MedUSISLib.batch.find_cases import find_cases
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume


def files(root: Path, people: int) -> None:
    """A folder for each person: CT, segmentation, an MR and a note."""
    write(root, "one.nii.gz")
    data = (root / "one.nii.gz").read_bytes()
    (root / "one.nii.gz").unlink()
    for number in range(people):
        folder = root / f"cohort {number % 7}" / f"P{number}"
        folder.mkdir(parents=True)
        for name in ("ct.nii.gz", "seg.nii.gz", "t1.nii.gz", "notes.txt"):
            (folder / name).write_bytes(data + str(number).encode())  # else they are copies of one another


def slices(root: Path, series: int) -> None:
    """Series of 250 slices, all in one folder as on a CD."""
    grid = Geometry((64, 64, 250), (1.0, 1.0, 1.0), (0.5, 0.2, 0.1))
    for number in range(series):
        write_series(root / "parking", Volume(np.zeros(grid.shape_kji, np.int16), grid))
        (root / "DICOM").mkdir(exist_ok=True)
        for path in (root / "parking").iterdir():
            path.rename(root / "DICOM" / f"{number:03d}{path.stem[-3:]}")
        (root / "parking").rmdir()


def measure(what: str, make: Callable[[Path, int], None], number: int) -> None:
    """Print the processor time of one search."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), number)
        began = time.process_time()
        found = find_cases(Path(folder))
        print(f"{what}: {len(found.cases)} cases in {time.process_time() - began:.2f} s of processor time")


def main() -> None:
    """Both, with the numbers asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2500)
    parser.add_argument("--series", type=int, default=16)
    arguments = parser.parse_args()
    measure(f"{4 * arguments.people} files", files, arguments.people)
    measure(f"{250 * arguments.series} DICOM slices in one folder", slices, arguments.series)


if __name__ == "__main__":
    main()
