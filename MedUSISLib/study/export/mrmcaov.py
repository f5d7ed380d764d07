"""The long table of MRMCaov (University of Iowa, github.com/brian-j-smith/MRMCaov), as its data sets have it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.export.rated import Exported, rated
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading

COLUMNS = ("reader", "treatment", "case", "truth", "rating")
"""``mrmc(empirical_auc(truth, rating), treatment, reader, case, data = read.csv(file))``."""


def write_mrmcaov(readings: Sequence[Reading], path: str | Path, protocol: Protocol) -> Exported:
    """Write a CSV file with the columns of MRMCaov's examples; truth is 1 or 0.

    A visual Turing test has one treatment: use ``stmc`` (single test, multiple cases) there.

    Raises
    ------
    MedUSISError
        As ``rated``; what writing a file raises.
    """
    found = rated(readings, protocol)
    with atomic_path(path) as half, half.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for row in found.rows:
            table.writerow([row.reader, row.test, row.case, row.truth, f"{row.rating:g}"])
    return Exported(len(found.rows), found.remarks)
