"""What names of files and folders tell: the role, the sequence, the session - and what is left is the person.

Names only help. What a file is, its voxels decide (`recognition`); names settle who it belongs to, and which of two
equally good partners is meant.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import NamedTuple

_CT = {"ct", "cect", "ncct", "cbct", "lowdose", "hu"}
_MR = {"mr", "mri", "irm", "mrt"}
# Modalities that look like an MR by their voxels.
_OTHER = {"pet", "suv", "spect"}
_SEQUENCES = {
    **dict.fromkeys(("t1", "t1w", "t1ce", "t1c", "t1gd", "mprage", "spgr", "memprage", "bravo"), "T1w"),
    **dict.fromkeys(("t2", "t2w", "tse"), "T2w"),
    **dict.fromkeys(("flair", "fl", "darkfluid"), "FLAIR"),
    **dict.fromkeys(("pd", "pdw"), "PDw"),
    **dict.fromkeys(("swi", "t2star"), "T2starw"),
    **dict.fromkeys(("dwi", "adc", "trace"), "diffusion"),
}
_LABELS = {
    "seg", "segs", "segm", "segmentation", "segmentations", "label", "labels", "labelmap", "labelmaps", "mask", "masks",
    "lesion", "lesions", "tumor", "tumour", "aseg", "aparc", "headmask", "brainmask", "roi", "rois", "gt", "annotation",
    "annotations", "groundtruth", "tissue", "dseg", "contour", "contours", "structures", "organs", "labelstr",
    "labelsts", "parcellation",
}  # fmt: skip
_EMPTY = {
    "image", "images", "img", "volume", "volumes", "vol", "scan", "scans", "data", "nifti", "nii", "dicom", "dcm",
    "nrrd", "mha", "raw", "orig", "original", "anat", "imagestr", "imagests", "series", "study", "input", "inputs",
    "file", "files", "mni", "reg", "registered", "resampled", "n4", "brain", "bet", "defaced", "derivatives", "rawdata",
    "sourcedata", "train", "training", "test", "val", "validation",
}  # fmt: skip
# Of these, what names a format or a kind of folder and never a person, a split or a sequence.
_CONTAINERS = {
    "image", "images", "img", "volume", "volumes", "vol", "scan", "scans", "data", "nifti", "nii", "dicom", "dcm",
    "nrrd", "mha", "raw", "orig", "original", "anat", "series", "input", "inputs", "file", "files", "derivatives",
    "rawdata", "sourcedata",
}  # fmt: skip
_SESSION = re.compile(r"(ses|session|study|visit|tp|timepoint|scan|run|acq|rec|echo|series|fu|followup)-?(\d+)")
_BIDS = re.compile(r"(?:^|[/_])sub-([A-Za-z0-9]+)")
_BIDS_SESSION = re.compile(r"(?:^|[/_])ses-([A-Za-z0-9]+)")
# A folder such as P012, patient_7, case-0013, 000123: the files below are one person's.
_PERSON_FOLDER = re.compile(
    r"(?:(?:p|pt|pat|patient|sub|subj|subject|case|s|id|person|vol|volunteer|anon|hn|head|brats\w*)[-_ ]?)?\d+[a-z]?",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\.(nii\.gz|nii|nrrd|nhdr|mha|mhd|dcm|ima|seg\.nrrd)$", re.IGNORECASE)
_COUNTED = re.compile(r"([A-Za-z]+)(\d+)")
# What `items` calls a DICOM series.
_MADE_UP = re.compile(r"series-[0-9a-f]{8}")
_NNUNET_CHANNEL = re.compile(r"_0\d{3}$")


class NameFacts(NamedTuple):
    """What the path of a file tells.

    Attributes
    ----------
    person : tuple of str
        Parts of the pseudonym; empty when nothing is left of the name.
    session : str
    role : str
        "ct", "mr", "labels", "other" (PET and the like) or "".
    sequence : str
        "T1w", "T2w", ... or "".
    stem : frozenset of str
        All tokens of the file's name, to compare partners.
    sure : bool
        True where the layout itself says the person (BIDS, a folder per person): nothing is joined by likeness then.
    """

    person: tuple[str, ...]
    session: str
    role: str
    sequence: str
    stem: frozenset[str]
    sure: bool


def name_facts(path: str) -> NameFacts:
    """Read a relative path with forward slashes.

    Examples
    --------
    >>> name_facts("ct_headneck/pt_109_seg.nii.gz")[:4]
    (('headneck', 'pt_109'), '', 'labels', '')
    >>> name_facts("rawdata/sub-07/ses-2/anat/sub-07_ses-2_T1w.nii.gz")[:4]
    (('sub-07',), '2', 'mr', 'T1w')
    >>> name_facts("P012/ct.nii.gz")[:3]
    (('P012',), '', 'ct')
    """
    pure = PurePosixPath(path)
    stem = _SUFFIX.sub("", pure.name)
    folders = pure.parts[:-1]
    if any(folder.lower().startswith("images") for folder in folders[-1:]):
        stem = _NNUNET_CHANNEL.sub("", stem)
    tokens = _tokens(stem)
    all_folder_tokens = [token for folder in folders for token in _tokens(folder)]
    role = _role(tokens) or _role([token for folder in folders[::-1] for token in _tokens(folder)][:3])
    sequence = next((_SEQUENCES[t] for t in [*tokens, *all_folder_tokens] if t in _SEQUENCES), "")
    session = next((m[2] for part in (stem, *folders[::-1]) if (m := _SESSION.search(part.lower()))), "")
    joined = path.replace("\\", "/")
    if bids := _BIDS.search(joined):
        found = _BIDS_SESSION.search(joined)
        return NameFacts((f"sub-{bids[1]}",), found[1] if found else session, role, sequence, frozenset(tokens), True)
    for depth, folder in enumerate(folders):
        if _PERSON_FOLDER.fullmatch(folder):
            above = [_person_part(part) for part in folders[:depth]]
            person = tuple(part for part in (*above, folder) if part)
            return NameFacts(person, session, role, sequence, frozenset(tokens), True)
    parts = [part for part in (*map(_person_part, folders), _person_part(stem)) if part]
    return NameFacts(tuple(parts), session, role, sequence, frozenset(tokens), False)


def _tokens(name: str) -> list[str]:
    return [token for token in re.split(r"[\s_.\-+]+", name.lower()) if token]


def says_ct_or_labels(word: str) -> bool:
    """True for a word by which the names of a CT and of its labels differ: CT, labels, or kinds of folders.

    Sequences and splits are none of them: ``T1`` and ``test`` may be people, or hold other people of the same names.

    Examples
    --------
    >>> [says_ct_or_labels(word) for word in ("ct", "Labels", "dicom", "P012", "T1", "test")]
    [True, True, True, False, False, False]
    """
    return word.lower() in _CT | _LABELS | _CONTAINERS


def says_another_image(word: str) -> bool:
    """True for a word for MR, a sequence or PET."""
    return word.lower() in _MR | _OTHER or word.lower() in _SEQUENCES


def folder_of_labels(path: str) -> bool:
    """True when the folder that a file lies in is called after labels.

    Examples
    --------
    >>> folder_of_labels("labelsTr/ct_001.nii.gz"), folder_of_labels("labels/P1/ct.nii.gz")
    (True, False)
    """
    return bool(_LABELS & set(_tokens(PurePosixPath(path).parent.name)))


def without_counter(word: str) -> tuple[str, str]:
    """A word for a CT or for labels without the number that is glued to it, and that number.

    Examples
    --------
    >>> without_counter("seg2"), without_counter("t1"), without_counter("ct")
    (('seg', '2'), ('t1', ''), ('ct', ''))
    """
    match = _COUNTED.fullmatch(word)
    return (match[1], match[2]) if match and match[1].lower() in _CT | _LABELS else (word, "")


def other_modality(path: str) -> bool:
    """True when the name of a file speaks of MR, PET or the like, and not of CT: ``t1_seg`` is not a CT's."""
    tokens = set(_tokens(_SUFFIX.sub("", PurePosixPath(path).name)))
    return bool(tokens & (_MR | _OTHER | set(_SEQUENCES))) and not tokens & _CT


def _role(tokens: list[str]) -> str:
    """Labels win: ``ct_seg`` is the segmentation of a CT."""
    found = {without_counter(token)[0] for token in tokens}
    if found & _LABELS:
        return "labels"
    if found & _CT:
        return "ct"
    if found & (_MR | set(_SEQUENCES)):
        return "mr"
    return "other" if found & _OTHER else ""


def sequence_of(text: str) -> str:
    """Sequence that a text names, for example DICOM's SeriesDescription; "" when it names none.

    Examples
    --------
    >>> sequence_of("t2_tse_tra_p2"), sequence_of("Scout")
    ('T2w', '')
    """
    return next((_SEQUENCES[token] for token in _tokens(text) if token in _SEQUENCES), "")


def _person_part(name: str) -> str:
    """A name without the words for roles, sequences, sessions and containers; its own spelling is kept."""
    if _MADE_UP.fullmatch(name):
        return ""
    kept = []
    for token in re.split(r"[\s_.+]+", name):
        lowered = token.lower()
        if lowered in _CT | _MR | _OTHER | _LABELS | _EMPTY or lowered in _SEQUENCES or _SESSION.fullmatch(lowered):
            continue
        if token:
            kept.append(token)
    return "_".join(kept)
