"""CTs, segmentations and other images of a tree, before it is known which belong together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from MedUSISLib.batch.bids import Entities
from MedUSISLib.batch.name_words import Words


@dataclass(frozen=True)
class Ct:
    """A CT that is to become a case.

    Attributes
    ----------
    key : str
        See `BatchCase.key`.
    name : str
        Path below the root: of the file, or of the folder of a series.
    path : Path
        What the case is given.
    words : tuple of str
        See `name_words.own_words`.
    silent : bool
        Its name does not say what it is; its voxels did.
    entities : mapping
        Of BIDS, empty where the name is none of BIDS.
    files : tuple of Path
        What its grid is read from.
    series, study, frame : str
        UIDs; "" for a file.
    """

    key: str
    name: str
    path: Path
    words: Words
    entities: Entities = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    silent: bool = False
    series: str = ""
    study: str = ""
    frame: str = ""


@dataclass(frozen=True)
class Segmentation:
    """A label map, a folder of masks, or a DICOM object.

    Attributes
    ----------
    name, path, words, entities, files, silent
        As of `Ct`; ``files`` is empty for a DICOM object, whose grid nobody needs.
    partial : bool
        Its name speaks of one structure or an outline.
    other_modality : bool
        Its name speaks of MR or PET.
    is_object : bool
        DICOM SEG or RTSTRUCT.
    approved : bool
        The object says that somebody has approved it.
    study : str
    refers_to, frames : frozenset of str
        Series that the object was made for, and frames of reference that it lies in.
    """

    name: str
    path: Path
    words: Words
    entities: Entities = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    silent: bool = False
    partial: bool = False
    other_modality: bool = False
    is_object: bool = False
    approved: bool = False
    study: str = ""
    refers_to: frozenset[str] = frozenset()
    frames: frozenset[str] = frozenset()


@dataclass(frozen=True)
class OtherImage:
    """An image that is no CT, but may have a segmentation of its own."""

    name: str
    words: Words
    files: tuple[Path, ...]
