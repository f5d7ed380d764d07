"""iMRMC's input file (FDA, github.com/DIDSR/iMRMC): a header with four numbers, then reader, case, modality, score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.study.export.rated import Exported, rated
from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.readings import Reading

TRUTH_READER = "-1"
"""Rows of this reader hold the truth, one for every case; "truth" means the same."""


def write_imrmc(readings: Sequence[Reading], path: str | Path, protocol: Protocol) -> Exported:
    """Write an ``.imrmc`` file.

    ``NR``, ``N0``, ``N1``, ``NM`` count readers, cases without and with what is looked for, and modalities; after
    ``BEGIN DATA:`` each line is ``reader,case,modality,score``, the truth first. Cases are whole numbers, which is more
    than iMRMC asks for: RJafroc reads this format, too, and needs them.

    Raises
    ------
    MedUSISError
        As ``rated``; BAD_SETTING for a reader called "truth"; what writing a file raises.
    """
    found = rated(readings, protocol)
    if "truth" in (reader.lower() for reader in found.readers):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "iMRMC takes a reader called 'truth' for the truth", "export CSV tables"
        )
    truth = found.truth_of
    lines = [
        f"MedUSIS study {protocol.id}",
        f"Scores are {found.meaning.replace(':', ',')}",
        "",
        f"NR: {len(found.readers)}",
        f"N0: {sum(value == 0 for value in truth.values())}",
        f"N1: {sum(value == 1 for value in truth.values())}",
        f"NM: {len(found.tests)}",
        "",
        "BEGIN DATA:",
        *(f"{TRUTH_READER},{case},0,{value}" for case, value in truth.items()),
        *(f"{row.reader},{row.case},{row.test},{row.rating:g}" for row in found.rows),
    ]
    with atomic_path(path) as half:
        half.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    return Exported(len(found.rows), found.remarks)
