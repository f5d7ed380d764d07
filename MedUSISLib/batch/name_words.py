"""Which words of a file's path say whose it is, so that a CT and its segmentation can be found to belong together."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path, PurePosixPath

from MedUSISLib.dataset.names import says_another_image, says_ct_or_labels, without_counter
from MedUSISLib.imaging.writing import volume_suffix

Words = tuple[str, ...]

_SEPARATORS = re.compile(r"[\s_.+\-]+")
# nnU-Net counts the channels of a case at the end of the name.
_CHANNEL = re.compile(r"_(0\d{3})$")
# Training and test cases of nnU-Net may have the same numbers.
_NNUNET_SPLIT = re.compile(r"(?:images|labels)(tr|ts|val)")
# Of more words than this, not every selection is tried.
_MOST_LEFT_OUT = 4
_PARTIAL = {
    "lesion", "lesions", "tumor", "tumour", "roi", "rois", "contour", "contours", "mask", "masks", "brainmask",
    "headmask", "tissue", "gtv", "ctv", "ptv", "annotation", "annotations",
}  # fmt: skip


def own_words(name: str, folder_only: bool = False) -> Words:
    """The words of a path that are left when those for CT, labels and kinds of folders are taken out.

    A CT and its segmentation usually have the same ones, in the same order, wherever the roles are written.

    Parameters
    ----------
    name : str
        Path below the root of the tree, forward slashes.
    folder_only : bool
        It is the path of a folder.

    Examples
    --------
    >>> own_words("ct_headneck/pt_109_ct.nii.gz"), own_words("seg_headneck/pt_109.nii.gz")
    (('headneck', 'pt', '109'), ('headneck', 'pt', '109'))
    >>> own_words("P1/P1_ct1.nii.gz"), own_words("imagesTr/case_7_0000.nii.gz"), own_words("s0011/segmentations", True)
    (('p1', '1'), ('tr', 'case', '7'), ('s0011',))
    """
    pure = PurePosixPath(name)
    levels = list(pure.parts)
    if not folder_only and levels:
        levels[-1] = nnunet_channel(name)[0] or _stem(levels[-1])
    words: list[str] = []
    above: Words = ()
    for depth, level in enumerate(levels):
        found = _words_of(level)
        # "P1/P1_ct": said twice, meant once. A folder 1 in a folder 1 is a session of a person.
        is_stem = depth == len(levels) - 1 and not folder_only
        if above and found[: len(above)] == above and (is_stem or not all(word.isdigit() for word in above)):
            found = found[len(above) :]
        words += found
        above = found or above
    return tuple(words)


def without_sequences(words: Words) -> Words:
    """Words without those for MR, sequences and PET: what images of one person have in common."""
    return tuple(word for word in words if not says_another_image(word))


def nnunet_channel(name: str) -> tuple[str, str]:
    """Name of the case and number of the channel of a file in ``imagesTr`` or ``imagesTs``; ("", "") of others.

    Examples
    --------
    >>> nnunet_channel("imagesTr/case_001_0000.nii.gz"), nnunet_channel("ct/case_001_0000.nii.gz")
    (('case_001', '0000'), ('', ''))
    """
    pure = PurePosixPath(name)
    stem = _stem(pure.name)
    channel = _CHANNEL.search(stem)
    if channel and len(pure.parts) > 1 and pure.parts[-2].lower().startswith("images"):
        return stem[: channel.start()], channel[1]
    return "", ""


def says_part(name: str) -> bool:
    """True when a segmentation's name speaks of one structure or of an outline, rather than of a whole segmentation."""
    return bool(_PARTIAL & set(_split(PurePosixPath(name).name.lower())))


def shorter(words: Words) -> set[Words]:
    """What is left of words when up to four of them are taken out, the order kept; not the words themselves."""
    most = min(_MOST_LEFT_OUT, len(words) - 1)
    return {
        tuple(word for number, word in enumerate(words) if number not in out)
        for count in range(1, most + 1)
        for out in map(set, combinations(range(len(words)), count))
    }


def is_part_of(few: Words, many: Words) -> bool:
    """True when ``few`` stand in ``many`` in the same order.

    Examples
    --------
    >>> is_part_of(("p1",), ("p1", "v2")), is_part_of(("2", "1"), ("1", "2"))
    (True, False)
    """
    rest = iter(many)
    return all(word in rest for word in few)


def _words_of(level: str) -> Words:
    words = []
    for token in _split(level):
        if split := _NNUNET_SPLIT.fullmatch(token.lower()):
            words.append(split[1])
            continue
        bare, number = without_counter(token)
        words += [part.lower() for part in (bare, number) if part and not says_ct_or_labels(part)]
    return tuple(words)


def _split(text: str) -> list[str]:
    return [token for token in _SEPARATORS.split(text) if token]


def _stem(name: str) -> str:
    return name[: len(name) - len(volume_suffix(Path(name)))]
