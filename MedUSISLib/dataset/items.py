"""What there is to read in a folder: files of volumes, and DICOM series whichever files they are spread over."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from MedUSISLib.dataset.names import sequence_of
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.dicom_files import is_dicom_file
from MedUSISLib.imaging.packed_pixels import elements_of
from MedUSISLib.imaging.writing import volume_suffix
from MedUSISLib.progress import Progress

_TAGS = ["SeriesInstanceUID", "Modality", "PatientID", "ImageType", "Rows", "Columns", "SeriesDescription"]
_OBJECTS = ("SEG", "RTSTRUCT", "RTDOSE", "RTPLAN", "SR", "PR", "KO")
# Other suffixes are not opened: a folder of a study also holds pictures, tables and programs.
_MAYBE_DICOM = {"", ".dcm", ".ima", ".dicom", ".img"}
FOREIGN_FORMATS = (
    ".mgz", ".mgh", ".hdr", ".mnc", ".par", ".rec", ".v", ".gipl", ".vtk", ".vti", ".mat", ".npy", ".npz",
)  # fmt: skip
"""Suffixes of volumes that MedUSIS does not read; counted, so that nobody wonders where they are."""


def may_be_dicom(path: Path) -> bool:
    """True when the suffix is one that DICOM files have; a number counts as one, too."""
    suffix = path.suffix.lower()
    return suffix in _MAYBE_DICOM or suffix.lstrip(".").isdigit()


@dataclass(frozen=True)
class Item:
    """A file of one volume, or the files of one DICOM series that lie in one folder.

    Attributes
    ----------
    path : Path
        The file; for a series the folder.
    name : str
        Path below the folder that was searched, forward slashes, with a made-up last part for a series.
    root : Path
        The folder that was searched.
    files : tuple of Path
        Slices of a series.
    series_uid : str
    modality : str
        As DICOM says.
    patient : str
        Hash of DICOM's PatientID.
    image_type : tuple of str
    sequence : str
        That DICOM's SeriesDescription names; the description itself may name anybody and is not kept.
    objection : str
        Why a series is not even read: "SEG", "RTSTRUCT", ...
    """

    path: Path
    name: str
    root: Path
    files: tuple[Path, ...] = ()
    series_uid: str = ""
    modality: str = ""
    patient: str = ""
    image_type: tuple[str, ...] = ()
    sequence: str = ""
    objection: str = ""

    @property
    def format(self) -> str:
        return "dicom" if self.files else volume_suffix(self.path).lstrip(".").removesuffix(".gz")


NO_TEXT = "with names that are no Unicode"
"""Why files are left out, in an inventory; others are counted by their suffix."""


@dataclass
class Inventory:
    """All items, and how many files of which suffix were left out."""

    items: list[Item] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def find_items(folders: Sequence[Path], exclude: Path, progress: Progress) -> Inventory:
    """Search folders with all that is below.

    Parameters
    ----------
    folders : sequence of Path
    exclude : Path
        The output folder; not searched.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` for a folder that is none, or when there is nothing to read in any.
    """
    inventory = Inventory()
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE, "one of the folders to scan does not exist", "check the path", folder
            )
        for where, names in _walk(folder, exclude):
            progress.checkpoint()
            if where.resolve() in seen:  # one of the folders lies in another
                continue
            seen.add(where.resolve())
            inventory.items += _items_of(where, names, folder, inventory.left_out)
    if not inventory.items:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "there is no volume in the folders",
            "give folders that hold NIfTI, NRRD, MHA or DICOM files",
        )
    return inventory


def _walk(folder: Path, exclude: Path) -> Iterator[tuple[Path, list[str]]]:
    for where, below, names in os.walk(folder):
        below[:] = sorted(b for b in below if not b.startswith(".") and (Path(where) / b).resolve() != exclude)
        if Path(where).resolve() != exclude:
            yield Path(where), sorted(name for name in names if not name.startswith("."))


def _is_text(path: Path) -> bool:
    """Whether dataset.json can name it: names of files are bytes on Linux, and those of old disks no Unicode."""
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _items_of(where: Path, names: list[str], root: Path, left_out: Counter[str]) -> list[Item]:
    items, slices = [], []
    headers = {name.lower() for name in names}
    for name in names:
        path = where / name
        suffix = path.suffix.lower()
        if not _is_text(path):
            left_out[NO_TEXT] += 1
        elif volume_suffix(path):
            items.append(Item(path, path.relative_to(root).as_posix(), root))
        elif may_be_dicom(path) and is_dicom_file(path):
            slices.append(path)
        elif suffix == ".raw" and any(h.endswith((".mhd", ".nhdr")) for h in headers):
            continue
        elif suffix in FOREIGN_FORMATS:
            left_out[suffix] += 1
        else:
            left_out["other"] += 1
    return items + list(_series_items(slices, where, root))


def _series_items(slices: list[Path], where: Path, root: Path) -> Iterator[Item]:
    """One item for each series; localizers are left out, as the reader does."""
    if not slices:
        return
    from pydicom.errors import InvalidDicomError

    found: dict[str, list[tuple[Path, Any]]] = defaultdict(list)
    for path in slices:
        try:
            header = elements_of(path, _TAGS)
        except (InvalidDicomError, OSError, EOFError, ValueError):
            continue
        if "LOCALIZER" not in [str(part).upper() for part in header.get("ImageType") or []]:
            found[str(header.get("SeriesInstanceUID", ""))].append((path, header))
    for uid, members in sorted(found.items()):
        first = members[0][1]
        modality = str(first.get("Modality", ""))
        patient = str(first.get("PatientID") or "").strip()
        short = blake2b(uid.encode(), digest_size=4).hexdigest()
        folder = where.relative_to(root).as_posix()
        yield Item(
            path=where,
            name=f"{'' if folder == '.' else folder + '/'}series-{short}",
            root=root,
            files=tuple(path for path, _ in members),
            series_uid=uid,
            modality=modality,
            patient=blake2b(patient.encode(), digest_size=5, person=b"medusis").hexdigest() if patient else "",
            image_type=tuple(str(part).upper() for part in first.get("ImageType") or []),
            sequence=sequence_of(str(first.get("SeriesDescription") or "")),
            objection="" if first.get("Rows") and modality not in _OBJECTS else modality or "DICOM",
        )
