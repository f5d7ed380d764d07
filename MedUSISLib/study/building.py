"""A study from a table of cases: blinded images, the truth, and every reader's order - all at once or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress
from MedUSISLib.study import common_form as form_of
from MedUSISLib.study.case_table import IMAGE_COLUMNS, CaseRow, read_case_table
from MedUSISLib.study.key import (
    IMAGE_SUFFIX,
    KEY_NAME,
    TRIALS_FOLDER,
    TRUTH_FOLDER,
    Key,
    KeyCase,
    KeyImage,
    KeyLesion,
)
from MedUSISLib.study.leaks import check_study, order_p
from MedUSISLib.study.lesions import Lesion, connected_lesions
from MedUSISLib.study.ordering import generator
from MedUSISLib.study.protocol import BLINDED_ROLES, PROTOCOL_NAME, ImageRole, Protocol
from MedUSISLib.study.record import StudyRecord, with_acceptances, write_record
from MedUSISLib.study.trial_plan import planned_trials
from MedUSISLib.study.versioned import to_json

FILE_TIME = 946_684_800
"""2000-01-01, in every file of ``trials``: when a file was made could tell what it is."""

_NAMES_LEVEL = 0.05
_REFERENCES: tuple[ImageRole, ...] = ("real", "synthetic", "second", "ct")


@dataclass(frozen=True)
class NewStudy:
    """What was made, in numbers."""

    cases: int
    images: int
    trials: int
    lesions: int
    remarks: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """For a result event and for people."""
        return {**self.__dict__, "remarks": list(self.remarks)}


def new_study(
    table: str | Path,
    protocol: Protocol,
    out: str | Path,
    overwrite: bool = False,
    secret: str | None = None,
    progress: Progress | None = None,
    accept: Sequence[str] = (),
    reason: str = "",
) -> NewStudy:
    """Make a study's folder from a table of cases.

    Parameters
    ----------
    table : str or Path
        CSV, see ``case_table.read_case_table``.
    protocol : Protocol
    out : str or Path
        The study's folder; appears when everything is done and no leak was found.
    overwrite : bool
        Also where a study is, or other files: its key is lost with it, and every package and answer that needs it.
    secret : str, optional
        From the key of an earlier study, to make the same names and orders again; random when not given.
    progress : Progress, optional
    accept : sequence of str
        Codes of leaks that are accepted, for ``reason``; both go into the study's record.
    reason : str

    Returns
    -------
    NewStudy

    Raises
    ------
    MedUSISError
        BAD_SETTING for a table that does not fit the protocol, a study that leaks, or a folder that holds a study
        already; what reading images raises.
    """
    progress = progress or Progress()
    if not overwrite and (Path(out).expanduser() / KEY_NAME).exists():
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the folder holds a study; its key would be lost, and every package and answer that needs it",
            "give a new folder, or allow to overwrite it when nobody has read it",
            path=out,
        )
    rows = read_case_table(table)
    _check_rows(rows, protocol)
    secret = secret or secrets.token_hex(32)
    with atomic_output_directory(out, overwrite) as folder:
        builder = _Builder(protocol, rows, folder, secret, progress)
        key = builder.build()
        (folder / PROTOCOL_NAME).write_text(to_json(protocol), encoding="utf-8", newline="\n")
        key_path = folder / KEY_NAME
        key_path.touch(mode=0o600)
        key_path.write_text(to_json(key), encoding="utf-8", newline="\n")
        progress.stage("check for leaks")
        report = check_study(folder, progress=progress)
        record = StudyRecord()
        if accept:
            record = with_acceptances(record, report.findings, accept, reason)
        # Written in any case: a record of an earlier study in this folder must not hold for this one.
        write_record(folder, record)
        if accept:
            report = check_study(folder)
        report.raise_if_leaking()
    return NewStudy(
        cases=len(key.cases),
        images=len(key.images),
        trials=len(key.trials),
        lesions=sum(len(case.lesions) for case in key.cases),
        remarks=(*builder.remarks, *(f"{finding.title}: {finding.what}" for finding in report.findings)),
    )


def _check_rows(rows: Sequence[CaseRow], protocol: Protocol) -> None:
    for row in rows:
        arms = _arms_of(row, protocol)
        every = protocol.design != "single"
        if not arms or (every and len(arms) < len(protocol.arms)):
            need = "the images of every arm" if every else "a real or a synthetic image"
            raise _wrong(row, f"lacks an image: this design needs {need} of each case")
        if protocol.kind == "lesion-reading" and not row.training and row.status is None and row.lesions is None:
            raise _wrong(row, "has neither a lesion mask nor a status, so that no answer could be right or wrong")
    read = [row for row in rows if not row.training]
    if not read:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the table of cases has nothing but training", "add cases")
    for number, arm in enumerate(protocol.arms):
        if not any(number in _arms_of(row, protocol) for row in read):
            raise MedUSISError(
                ErrorCode.BAD_SETTING, f"no case has an image for the arm '{arm.id}'", "add cases, or correct the table"
            )


def _arms_of(row: CaseRow, protocol: Protocol) -> tuple[int, ...]:
    return tuple(n for n, arm in enumerate(protocol.arms) if all(role in row.images for role in arm.panels))


def _wrong(row: CaseRow, what: str) -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, f"line {row.row} of the table of cases {what}", "correct the table")


class _Builder:
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
            raise _wrong(row, "has images that do not lie at the same place, so that nothing of the body is in all")
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
                    raise _wrong(row, f"has no {role} image to read: {error.message}") from None
            name = self._names[row.row, role]
            path = self._folder / TRIALS_FOLDER / f"{name}{IMAGE_SUFFIX}"
            write_volume(self._neutral(array, cut), path, form_of.DESCRIPTION)
            images.append(KeyImage(name=name, case=case, role=role, sha256=_sha256(path), input_sha256=source))
        lesions = self._lesions(case, row, grid, cut)
        if lesions is not None and row.status is not None and row.status != bool(lesions):
            raise _wrong(row, "has a status that contradicts its lesion mask")
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
                raise _wrong(row, f"has {same}")
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
            raise _wrong(row, "has a lesion mask with negative values")
        on_grid = resample(mask, grid, Interpolation.NEAREST, fill=0)
        labels, lesions = connected_lesions(self._neutral(on_grid.array_kji, cut), self._protocol.lesion_rule)
        if mask.array_kji.any() and not on_grid.array_kji.any():
            raise _wrong(row, "has a lesion mask that lies outside its images")
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
