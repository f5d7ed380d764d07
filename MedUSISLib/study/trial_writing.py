"""From the images of every case to blinded files of one form, the truth, and the key that knows which is which."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.axis_operator import Interpolation
from MedUSISLib.imaging.body import body_mask
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.modality import check_is_ct, clean_ct
from MedUSISLib.imaging.reading import read_label_map, read_volume
from MedUSISLib.imaging.resampling import resample
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.study import common_form as form_of
from MedUSISLib.study.case_table import IMAGE_COLUMNS, CaseRow
from MedUSISLib.study.key import IMAGE_SUFFIX, TRIALS_FOLDER, TRUTH_FOLDER, Key, KeyCase, KeyImage, KeyLesion
from MedUSISLib.study.leaks import order_p
from MedUSISLib.study.lesions import Lesion, connected_lesions
from MedUSISLib.study.ordering import generator
from MedUSISLib.study.protocol import BLINDED_ROLES, ImageRole, Protocol
from MedUSISLib.study.trial_plan import planned_trials

FILE_TIME = 946_684_800
"""2000-01-01, in every file of ``trials``: when a file was made could tell what it is."""

_NAMES_LEVEL = 0.05
_REFERENCES: tuple[ImageRole, ...] = ("real", "synthetic", "second", "ct")


def wrong(row: CaseRow, what: str) -> MedUSISError:
    """What a line of the table of cases does not fit, without repeating it."""
    return MedUSISError(ErrorCode.BAD_SETTING, f"line {row.row} of the table of cases {what}", "correct the table")


class TrialWriter:
    """One pass to find every body and with them the common size, a second one to write; one case in memory."""

    def __init__(
        self, protocol: Protocol, rows: Sequence[CaseRow], folder: Path, secret: str, progress: Progress
    ) -> None:
        self._protocol, self._rows, self._folder, self._secret = protocol, rows, folder, secret
        self._form, self._progress = protocol.common_form, progress
        self._seed = protocol.randomisation.seed
        roles = {role for arm in protocol.arms for role in arm.panels}
        self._roles: tuple[ImageRole, ...] = tuple(r for r in IMAGE_COLUMNS if r in roles)
        # One rule for all: bodies from CTs only when every case has one.
        self._body_from_ct = all("ct" in row.images for row in rows)
        self._names = self._image_names()
        self._inputs: dict[str, int] = {}
        self.remarks: list[str] = []
        (folder / TRIALS_FOLDER).mkdir()
        (folder / TRUTH_FOLDER).mkdir(mode=0o700)

    def build(self) -> Key:
        size = self._common_size()
        cases, images = [], []
        self._progress.stage("write the trials")
        for number, row in enumerate(self._rows):
            self._progress.checkpoint()
            case, written = self._case(f"C{number + 1:03}", row, size)
            cases.append(case)
            images += written
            self._progress.step(number + 1, len(self._rows))
        self._settle_files()
        return Key(
            study=self._protocol.id,
            protocol_sha256=self._protocol.binding_sha256,
            secret=self._secret,
            cases=tuple(cases),
            images=tuple(sorted(images, key=lambda image: image.name)),
            trials=tuple(planned_trials(self._protocol, cases, images, self._secret)),
        )

    def _random_names(self, purpose: str, count: int) -> list[str]:
        random = generator(self._seed, self._secret, "names", purpose)
        names: dict[str, None] = {}
        while len(names) < count:
            names[random.bytes(8).hex()] = None
        return list(names)

    def _image_names(self) -> dict[tuple[int, str], str]:
        """A random name for every image, drawn again while sorting by it happens to part the arms: one time in 20."""
        shown: list[tuple[int, str]] = [
            (row.row, role) for row in self._rows for role in self._roles if role in row.images
        ]
        blinded = sum(role in BLINDED_ROLES for _, role in shown)
        for attempt in count():
            names = dict(zip(shown, self._random_names(f"images {attempt}", len(shown)), strict=True))
            inside = sorted((name, role == "real") for (_, role), name in names.items() if role in BLINDED_ROLES)
            places = [place for place, (_, real) in enumerate(inside) if real]
            if order_p(places, blinded) > _NAMES_LEVEL or blinded < 12:
                return names
        raise AssertionError

    def _common_size(self) -> tuple[int, int, int]:
        if self._form.size_ijk is not None:
            return self._form.size_ijk
        self._progress.stage("find the bodies")
        extents = []
        for number, row in enumerate(self._rows):
            self._progress.checkpoint()
            volumes = self._read(row, self._needed(row))
            role = self._reference(volumes)
            extents.append(form_of.body_extent_mm(volumes[role].geometry, _body(role, volumes[role])))
            self._progress.step(number + 1, len(self._rows))
        return form_of.common_size(extents, self._form)

    def _needed(self, row: CaseRow) -> list[ImageRole]:
        """Roles of the case that are shown, and the CT where it tells the body."""
        return [r for r in row.images if r in self._roles or (r == "ct" and self._body_from_ct)]  # type: ignore[misc]

    def _read(self, row: CaseRow, roles: Sequence[ImageRole]) -> dict[ImageRole, Volume]:
        volumes: dict[ImageRole, Volume] = {}
        for role in roles:
            name = {"ct": "the CT", "uncertainty": "the uncertainty map"}.get(role, f"the {role} MR")
            volume = read_volume(row.images[role], f"{name} in line {row.row} of the table of cases")
            if role == "ct":
                check_is_ct(volume, f"{name} in line {row.row} of the table of cases")
                volume = clean_ct(volume)
            volumes[role] = volume
        return volumes

    def _reference(self, volumes: Mapping[ImageRole, Volume]) -> ImageRole:
        """The image whose axes the case's grid follows, and in which the grid's middle is found."""
        return "ct" if self._body_from_ct else next(role for role in _REFERENCES if role in volumes)

    def _keep(
        self, volumes: Mapping[ImageRole, Volume], grid: Geometry, known: Mapping[ImageRole, np.ndarray]
    ) -> np.ndarray:
        """Body and common coverage: what is shown of every image of the case; ``known`` are bodies found before."""
        keep = np.ones(grid.shape_kji, dtype=bool)
        for role, volume in volumes.items():
            if role in self._roles:
                keep &= form_of.covered(volume, grid)
        if not self._form.mask:
            return keep
        sources: list[ImageRole] = (
            ["ct"]
            if self._body_from_ct
            else [r for r in BLINDED_ROLES if r in volumes] or [r for r in _REFERENCES if r in volumes][:1]
        )
        body = np.zeros(grid.shape_kji, dtype=bool)
        for role in sources:
            volume = volumes[role]
            own = known[role] if role in known else _body(role, volume)
            mask = resample(volume.with_array(own.astype(np.uint8)), grid, Interpolation.NEAREST, fill=0)
            body |= mask.array_kji.astype(bool)
        return keep & body

    def _case(self, case: str, row: CaseRow, size: tuple[int, int, int]) -> tuple[KeyCase, list[KeyImage]]:
        volumes = self._read(row, self._needed(row))
        reference = self._reference(volumes)
        body = _body(reference, volumes[reference])
        grid = form_of.case_grid(volumes[reference].geometry, body, size, self._form)
        keep = self._keep(volumes, grid, {reference: body})
        if not keep.any():
            raise wrong(row, "has images that do not lie at the same place, so that nothing of the body is in all")
        cut = self._cut(case, row, keep)
        images = []
        for role in self._roles:
            if role not in volumes:
                continue
            source = self._first_use(volumes[role], row, role)
            random = generator(self._seed, self._secret, "grey", case, role)
            if role == "ct":
                array = form_of.blinded_ct(volumes[role], grid, keep)
            else:
                try:
                    array = form_of.blinded_grey(volumes[role], grid, keep, self._form, random)
                except MedUSISError as error:
                    raise wrong(row, f"has no {role} image to read: {error.message}") from None
            name = self._names[row.row, role]
            path = self._folder / TRIALS_FOLDER / f"{name}{IMAGE_SUFFIX}"
            write_volume(self._neutral(array, cut), path, form_of.DESCRIPTION)
            images.append(KeyImage(name=name, case=case, role=role, sha256=_sha256(path), input_sha256=source))
        lesions = self._lesions(case, row, grid, cut)
        if lesions is not None and row.status is not None and row.status != bool(lesions):
            raise wrong(row, "has a status that contradicts its lesion mask")
        return (
            KeyCase(
                id=case,
                row=row.row,
                stratum=row.stratum,
                status=row.status if lesions is None else bool(lesions),
                training=row.training,
                lesions=tuple(KeyLesion(**lesion.__dict__) for lesion in lesions or ()),
                has_mask=lesions is not None,
            ),
            images,
        )

    def _first_use(self, volume: Volume, row: CaseRow, role: str) -> str:
        """Hash of an input's voxels; refuses an image that is already another one's."""
        digest = hashlib.sha256(repr(volume.geometry.matrix.tolist()).encode())
        digest.update(np.ascontiguousarray(volume.array_kji).tobytes())
        source = digest.hexdigest()
        if role in BLINDED_ROLES:
            if source in self._inputs:
                other = self._inputs[source]
                same = (
                    "the same image as real and as synthetic" if other == row.row else f"an image of line {other} again"
                )
                raise wrong(row, f"has {same}")
            self._inputs[source] = row.row
        return source

    def _cut(self, case: str, row: CaseRow, keep: np.ndarray) -> int | None:
        display = self._protocol.display
        if display.mode == "volume":
            return None
        fraction = row.slice_fraction
        if fraction is None:
            fraction = float(generator(self._seed, self._secret, "slice", case).uniform(*display.slice_range))
        return form_of.slice_index(keep, display.plane, fraction)

    def _neutral(self, array: np.ndarray, cut: int | None) -> Volume:
        size = array.shape[::-1]
        volume = Volume(array, form_of.neutral_geometry((size[0], size[1], size[2]), self._form))
        if cut is None:
            return volume
        flat = form_of.cut_slice(volume, self._protocol.display.plane, cut)
        # Where the slice came from is anatomy, but a header tells it to software: every slice lies in the middle.
        size = flat.array_kji.shape[::-1]
        return Volume(flat.array_kji, form_of.neutral_geometry((size[0], size[1], size[2]), self._form))

    def _lesions(self, case: str, row: CaseRow, grid: Geometry, cut: int | None) -> list[Lesion] | None:
        """Lesions on the trial's grid, their label map written to the truth; None without a mask."""
        if row.lesions is None:
            return None
        mask = read_label_map(row.lesions, f"the lesion mask in line {row.row} of the table of cases")
        if mask.array_kji.min() < 0:
            raise wrong(row, "has a lesion mask with negative values")
        on_grid = resample(mask, grid, Interpolation.NEAREST, fill=0)
        labels, lesions = connected_lesions(self._neutral(on_grid.array_kji, cut), self._protocol.lesion_rule)
        if mask.array_kji.any() and not on_grid.array_kji.any():
            raise wrong(row, "has a lesion mask that lies outside its images")
        write_volume(labels, self._folder / TRUTH_FOLDER / f"{case}.nii.gz")
        _, drawn = connected_lesions(mask, self._protocol.lesion_rule.model_copy(update={"smallest_mm3": 0.0}))
        if cut is None and len(lesions) < len(drawn):
            self.remarks.append(
                f"lesions: of the {len(drawn)} in the mask of line {row.row}, {len(lesions)} count; the others are too "
                "small for the rule or the trials' voxels, or touch there, and a mark on them is a false one"
            )
        return lesions

    def _settle_files(self) -> None:
        for path in (self._folder / TRIALS_FOLDER).iterdir():
            os.chmod(path, 0o644)
            os.utime(path, (FILE_TIME, FILE_TIME))


def _body(role: str, volume: Volume) -> np.ndarray:
    return body_mask(volume) if role == "ct" else form_of.mr_body_mask(volume)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
