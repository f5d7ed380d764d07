"""Everything that a scan may find wrong: its code, how bad it is, and what to do about it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class ProblemKind(NamedTuple):
    """How bad a kind of problem is, what it is called on the page, and what to do.

    ``error``: not used for training unless someone says so by hand. ``warning``: used, but look at it. ``note``: good
    to know.
    """

    severity: Severity
    title: str
    advice: str


PROBLEMS: dict[str, ProblemKind] = {
    "DAMAGED": ProblemKind("error", "cannot be read", "copy or export it again"),
    "TOO_LARGE": ProblemKind(
        "error", "too large for this machine", "scan it on a machine with more memory, or crop it"
    ),
    "SHEARED": ProblemKind("error", "axes that are not perpendicular", "resample it to a rectangular grid first"),
    "BAD_SLICES": ProblemKind("error", "slices missing, doubled or uneven", "export the series again, one phase only"),
    "BAD_HEADER": ProblemKind("error", "geometry that cannot be", "repair the header, or convert it again"),
    "FOUR_D": ProblemKind("error", "a time series", "store the volumes that you want as single files"),
    "NOT_GREY": ProblemKind("error", "colour, vectors or complex numbers", "give an image with one number per voxel"),
    "WRONG_MODALITY": ProblemKind(
        "error", "neither CT nor MR", "leave it out; if it is an MR after all, set use to true in dataset.json"
    ),
    "DICOM_OBJECT": ProblemKind(
        "error",
        "a DICOM object that is no image",
        "convert it to a label map in NIfTI or NRRD (3D Slicer: import it, export the segmentation as a label map)",
    ),
    "CONSTANT": ProblemKind("error", "the same value everywhere", "check how the file was made"),
    "EMPTY_LABELS": ProblemKind("error", "a label map without labels", "segment it again, or leave it out"),
    "NOT_FINITE": ProblemKind(
        "warning", "voxels that are not numbers", "check how the file was made; they count as lowest value"
    ),
    "NOT_HU": ProblemKind(
        "error", "a CT, but not in Hounsfield units", "convert it again from DICOM, with rescale slope and intercept"
    ),
    "MAYBE_CT": ProblemKind(
        "warning",
        "taken for MR, but it may be a rescaled CT",
        "look at it; if it is a CT, convert it again from DICOM, or set its use to false",
    ),
    "NAME_DISAGREES": ProblemKind(
        "warning", "name and content disagree", "look at it, and correct its role in dataset.json"
    ),
    "SYNTHETIC": ProblemKind(
        "error", "a synthetic image", "leave it out: nothing is learned from one's own inventions"
    ),
    "DERIVED_MAP": ProblemKind(
        "error", "a map rather than an image", "leave it out; if it is an MR, set use to true in dataset.json"
    ),
    "SINGLE_LABEL": ProblemKind(
        "warning", "a mask of one structure", "a generator needs all tissues: give a full segmentation as well"
    ),
    "SINGLE_SLICE": ProblemKind("error", "a single slice", "give the whole volume"),
    "SMALL_FIELD_OF_VIEW": ProblemKind("warning", "shows little", "look whether it holds the body part"),
    "ANISOTROPIC": ProblemKind("warning", "very thick slices", "use it only if nothing better is there"),
    "GEOMETRY_MISMATCH": ProblemKind(
        "error", "labels that do not lie on their image", "export the segmentation again, in the image's own space"
    ),
    "LABELS_IN_AIR": ProblemKind(
        "warning", "labels that reach into the air", "look at the outline: couch and cushions should not be labelled"
    ),
    "OTHER_GRID": ProblemKind("note", "labels in another grid", "nothing; they are resampled with nearest"),
    "NO_COVERAGE": ProblemKind(
        "error", "labels on next to nothing of the body", "give a segmentation of the whole body part"
    ),
    "LOW_COVERAGE": ProblemKind(
        "warning", "labels on little of the body", "segment the body too, or expect much to be drawn from nothing"
    ),
    "UNMAPPED_LABELS": ProblemKind(
        "error",
        "label values that nobody knows",
        "say what they mean, by 'mapping' in dataset.json or --labels: a name or a CSV table",
    ),
    "DUPLICATE": ProblemKind("error", "the same voxels twice", "keep one; two copies of one person spoil the split"),
    "SAME_VOXELS_OTHER_HEADER": ProblemKind(
        "error", "the same voxels twice, with different headers", "find out which header is right, and keep that one"
    ),
    "PAIRED_BY_GRID": ProblemKind("note", "labels given to an image by their grid alone", "look whether they fit"),
    "NOT_COMPARED": ProblemKind("warning", "a case that could not be looked at", "please report it, without the data"),
    "NO_LABELS": ProblemKind(
        "note",
        "a CT without labels",
        "segment it (medusis segment), or leave it as it is: a training can label heads itself",
    ),
    "MIXED_SEQUENCES": ProblemKind(
        "warning", "MR of different sequences", "train one generator for each: set use to false for the others"
    ),
    "ONE_PERSON_MANY": ProblemKind(
        "warning", "one person has most of the files", "look whether files were grouped into people rightly"
    ),
}
"""By code, in the order in which the page lists them."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
