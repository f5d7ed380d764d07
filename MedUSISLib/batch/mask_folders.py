"""Folders of masks, one file a structure: with nothing but masks in them, or with the CT that they were drawn on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from MedUSISLib.anatomy.schema import available_schemas, load_schema
from MedUSISLib.anatomy.segment_names import suggest_class
from MedUSISLib.batch.grids import Grids, size_of
from MedUSISLib.batch.tree import Folder
from MedUSISLib.dataset.names import name_facts
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.dicom_regions import MASKS, segmentation_object
from MedUSISLib.imaging.mask_folder import structure_name

_FEWEST_KNOWN = 3


@dataclass(frozen=True)
class MasksBesideCt:
    """A folder in which one image lies beside masks, as their names say; the voxels have not been asked.

    Attributes
    ----------
    folder : Folder
    image : Path
    masks : tuple of Path
    """

    folder: Folder
    image: Path
    masks: tuple[Path, ...]

    @property
    def largest(self) -> Path:
        """The mask in the largest file: if one of them is an image after all (of another window, say), it is this."""
        return max(self.masks, key=lambda mask: (size_of(mask), mask.name))

    def is_one_segmentation(self, roles: Mapping[Path, str], grids: Grids) -> bool:
        """True when the image is a CT, the largest mask labels, and each mask lies on the voxels of the CT.

        And when the folder, given as a segmentation, is read as masks: a DICOM object in it would be read instead.
        """
        if roles[self.image] != "ct" or roles[self.largest] != "labels":
            return False
        if not all(grids.same((self.image,), (mask,)) for mask in self.masks):
            return False
        with suppress(MedUSISError):
            return segmentation_object(self.folder.path) == (self.folder.path, MASKS)
        return False


def is_mask_folder(folder: str, volumes: Sequence[Path]) -> bool:
    """True for a folder with nothing but files called by what they are masks of, as TotalSegmentator calls them.

    Half of the names must be those of structures, three at least; where there are two files, both. A folder that is
    called after images is none: ``ct/liver.nii.gz`` is a CT of the liver.
    """
    last = PurePosixPath(folder).name
    if last.lower().startswith("images") or name_facts(f"{last}/x").role in ("ct", "mr", "other"):
        return False
    if len(volumes) < 2 or any(name_facts(path.name).role in ("ct", "mr", "other") for path in volumes):
        return False
    known = sum(_is_structure(structure_name(path)) for path in volumes)
    return known == len(volumes) or (known >= _FEWEST_KNOWN and 2 * known >= len(volumes))


def masks_beside_ct(folder: Folder, volumes: Sequence[Path]) -> MasksBesideCt | None:
    """One image and at least two masks that lie in a folder together; None where the names leave any doubt.

    The image is the only file that names a CT, or the only one whose name says nothing; every other one must be called
    by a structure. A whole segmentation, an MR or a second image beside them is a doubt.
    """
    masks = tuple(path for path in volumes if _is_structure(structure_name(path)))
    images = [path for path in volumes if path not in masks]
    if len(masks) < 2 or len(images) != 1 or name_facts(images[0].name).role not in ("ct", ""):
        return None
    if any(name_facts(path.name).role in ("ct", "mr", "other") for path in masks):
        return None
    return MasksBesideCt(folder, images[0], masks)


@lru_cache(maxsize=4096)
def _is_structure(name: str) -> bool:
    """Whether a name is that of a class, or of something that one is made of, in any schema."""
    return any(suggest_class(name, load_schema(schema)) not in (None, "background") for schema in available_schemas())
