"""Trees of NIfTI, NRRD and MHA files: what is a CT, what a segmentation, what neither.

Names are believed where they speak: reading the voxels of hundreds of files takes long, and the synthesis looks at them
anyway. Files whose names say nothing are read.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from MedUSISLib.batch.bids import entities_of
from MedUSISLib.batch.candidates import Ct, OtherImage, Segmentation
from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.grids import Grids, size_of
from MedUSISLib.batch.mask_folders import MasksBesideCt, is_mask_folder, masks_beside_ct
from MedUSISLib.batch.name_words import Words, nnunet_channel, own_words, says_part
from MedUSISLib.batch.problems import problem
from MedUSISLib.batch.tree import Folder
from MedUSISLib.dataset.items import Item
from MedUSISLib.dataset.names import folder_of_labels, name_facts, other_modality
from MedUSISLib.dataset.recognition import recognise
from MedUSISLib.dataset.synthetic import is_synthetic
from MedUSISLib.dataset.workers import default_jobs, for_each
from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.writing import volume_suffix
from MedUSISLib.progress import Progress
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

_WORTH_PROCESSES = 100_000_000
_LABELS_OF_BIDS = ("dseg", "mask")


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    role: str


_Read = dict[str, tuple[str, str]]


class VolumeTree:
    """What the volumes of a tree are; folders are added one after the other.

    Attributes
    ----------
    cts : list of Ct
    segmentations : list of Segmentation
    others : list of OtherImage
    """

    def __init__(self, problems: list[CaseProblem]) -> None:
        self.cts: list[Ct] = []
        self.segmentations: list[Segmentation] = []
        self.others: list[OtherImage] = []
        self._problems = problems
        self._files: list[_File] = []
        self._beside: list[tuple[MasksBesideCt, Mapping[Path, _File]]] = []

    def add(self, folder: Folder, volumes: Sequence[Path]) -> None:
        """Take the volumes that lie in a folder itself."""
        beside = masks_beside_ct(folder, volumes)
        if beside is None and is_mask_folder(folder.name, volumes):
            self._add_masks(folder, folder.name or ".", own_words(folder.name, folder_only=True), volumes)
            return
        channels = _nnunet_channels(folder.path.parent) if volumes else {}
        names = {path: folder.name_of(path) for path in volumes}
        files = {path: _File(path, name, _role(name, channels)) for path, name in names.items()}
        if beside is None:
            self._files += files.values()
        else:
            self._beside.append((beside, files))

    def settle(self, progress: Progress) -> None:
        """Read what names do not tell, and leave out what MedUSIS made."""
        self._files = _doubted(self._files)
        # Of masks beside an image the largest is asked; where they turn out to be none, all of them.
        images = [files[beside.image] for beside, files in self._beside]
        largest = [replace(files[beside.largest], role="") for beside, files in self._beside]
        read = self._ask([*self._files, *images, *largest], {}, progress)
        grids = Grids()
        for beside, files in self._beside:
            progress.checkpoint()
            self._settle_masks(beside, files, read, grids)
        read = self._ask(self._files, read, progress)
        for file in self._files:
            progress.checkpoint()
            role, what = read.get(file.name, (file.role, ""))
            if role != "other" and _is_ours(file.path):
                self._problems.append(problem("SYNTHETIC", file.name, "its header says that it is synthetic"))
            else:
                self._sort(file, role, what)
        self._files, self._beside = [], []

    def _ask(self, files: Sequence[_File], read: _Read, progress: Progress) -> _Read:
        """Role and reason of the files whose names say nothing, by name, from their voxels; those of ``read`` stay."""
        silent = [file for file in files if not file.role and file.name not in read]
        if not silent:
            return read
        progress.stage("reading files")
        # Processes that import everything anew take longer than a few small files.
        jobs = default_jobs() if sum(size_of(file.path) for file in silent) > _WORTH_PROCESSES else 1
        answers = for_each(_recognised, [file.path for file in silent], jobs, progress, _broken)
        return read | {silent[number].name: answer for number, answer in answers}

    def _settle_masks(self, beside: MasksBesideCt, files: Mapping[Path, _File], read: _Read, grids: Grids) -> None:
        """Masks beside their CT are its segmentation; where that is not plain, each is a file of its own."""
        roles = {path: read.get(file.name, (file.role, ""))[0] for path, file in files.items()}
        folder, image = beside.folder, files[beside.image]
        if beside.is_one_segmentation(roles, grids):
            self._files.append(image)
            self._add_masks(folder, image.name, own_words(image.name), beside.masks)
        elif roles[image.path] != "ct" and is_mask_folder(folder.name, list(files)):
            self._add_masks(folder, folder.name or ".", own_words(folder.name, folder_only=True), list(files))
        else:
            self._files += files.values()

    def _add_masks(self, folder: Folder, named: str, words: Words, masks: Sequence[Path]) -> None:
        self.segmentations.append(
            Segmentation(
                name=folder.name or ".",
                path=folder.path,
                words=words,
                entities=entities_of(named),
                files=(masks[0],),
            )
        )

    def _sort(self, file: _File, role: str, what: str) -> None:
        words = own_words(file.name)
        if role == "ct":
            key, entities = file.name, entities_of(file.name)
            self.cts.append(Ct(key, file.name, file.path, words, entities, (file.path,), silent=not file.role))
        elif role == "labels":
            self.segmentations.append(
                Segmentation(
                    file.name,
                    file.path,
                    words,
                    entities_of(file.name),
                    files=(file.path,),
                    silent=not file.role,
                    partial=says_part(file.name),
                    other_modality=other_modality(file.name),
                )
            )
        elif role in ("mr", "other"):
            self.others.append(OtherImage(file.name, words, (file.path,)))
            self._problems.append(problem("NOT_A_CT", file.name, what or "its name says MR, PET or another image"))
        else:
            self._problems.append(problem("NOT_READABLE" if role == "damaged" else "UNKNOWN_IMAGE", file.name, what))


def _role(name: str, channels: dict[str, str]) -> str:
    """ "ct", "labels", "mr", "other", or "" when only the voxels can tell."""
    channel = nnunet_channel(name)[1]
    if channel and channels:
        said = channels.get(str(int(channel)), "").lower()
        return "ct" if said == "ct" else "other"
    entities = entities_of(name)
    if entities.get("suffix") in _LABELS_OF_BIDS:
        return "labels"
    role = name_facts(name).role
    # Of ``labelsTr/ct_001.nii.gz`` the folder may be right, of ``lesions/p1_ct.nii.gz`` the file.
    return "" if role == "ct" and folder_of_labels(name) else role


def _doubted(files: Sequence[_File]) -> list[_File]:
    """Names are not believed of ``labels/P1/ct.nii.gz`` where ``images/P1/ct.nii.gz`` is there, too."""
    by_words: dict[Words, list[bool]] = defaultdict(list)
    said = [(file, own_words(file.name), _below_labels(file.name)) for file in files if file.role == "ct"]
    for _, words, below in said:
        by_words[words].append(below)
    doubted = {file.name for file, words, below in said if below and not all(by_words[words])}
    return [replace(file, role="") if file.name in doubted else file for file in files]


def _below_labels(name: str) -> bool:
    return any(folder_of_labels(f"{folder}/x") for folder in PurePosixPath(name).parents)


def _nnunet_channels(dataset: Path) -> dict[str, str]:
    """What nnU-Net's dataset.json calls its channels, by number; empty where there is none."""
    with suppress(OSError, ValueError, AttributeError):
        about = parse_json(read_small_file(dataset / "dataset.json"))
        named = about.get("channel_names") or about.get("modality") or {}
        return {str(int(number)): str(name) for number, name in named.items()}
    return {}


def _recognised(path: Path) -> tuple[str, str]:
    """Role and reason, from the voxels; role "damaged" when they cannot be read, "" when they are nothing known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = recognise(read_volume(path, "it"), name_role=name_facts(PurePosixPath(path).name).role)
        except MedUSISError as error:
            return "damaged", error.message
        except Exception as error:  # one odd file among thousands must not end the search
            return "damaged", f"reading it failed ({type(error).__name__})"
    if found.kind == "ct" and found.problems:
        return "", f"it looks like a CT, but {found.problems[0][1]}"
    return ("" if found.kind == "unknown" else found.kind), found.reason


def _broken(_: Path) -> tuple[str, str]:
    return "damaged", "reading it ended the process that read it"


def _is_ours(path: Path) -> bool:
    return is_synthetic(Item(path, path.name, path.parent))


def volumes_of(folder: Folder) -> list[Path]:
    """The volumes that lie in a folder itself."""
    return [path for path in folder.files if volume_suffix(path)]
