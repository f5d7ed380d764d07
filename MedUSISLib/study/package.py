"""What one reader gets: questions, order and blinded images in one file, every part with its hash; never the key."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.unpack import DAMAGED_ZIP
from MedUSISLib.imaging.writing import atomic_path
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress
from MedUSISLib.small_files import read_small_file
from MedUSISLib.study.key import IMAGE_SUFFIX, TRIALS_FOLDER, Key, KeyTrial, load_study
from MedUSISLib.study.leaks import check_study
from MedUSISLib.study.protocol import CHANGEABLE, Display, Protocol
from MedUSISLib.study.questions import Question
from MedUSISLib.study.versioned import (
    Identifier,
    Migration,
    Part,
    RandomName,
    ReaderId,
    Sha256,
    parse_versioned,
    sha256_of_json,
    to_json,
)

PACKAGE_NAME = "package.json"
PACKAGE_SUFFIX = ".zip"
MIGRATIONS: Mapping[int, Migration] = {}

_ZIP_TIME = (2000, 1, 1, 0, 0, 0)
_LARGEST_LIST = 64 * 1024 * 1024
_MOST_UNPACKED = 100
"""How much larger its contents may be than a package: MedUSIS packs nothing, a mail program may; a bomb is 1000."""
_DAMAGE = (OSError, *DAMAGED_ZIP)
Place = Literal["left", "right", "mr", "ct", "map"]
ImageFile = Annotated[str, Field(pattern=rf"^{TRIALS_FOLDER}/[0-9a-f]{{16}}\.nii$")]


class Panel(Part):
    """An image of a trial and where it is shown."""

    place: Place
    image: RandomName


class Stage(Part):
    """What is shown together; all questions of the package are asked in each stage."""

    panels: tuple[Panel, ...] = Field(min_length=1)


class Feedback(Part):
    """What a reader is told after a training trial."""

    answer: str = ""
    lesions_lps_mm: tuple[tuple[float, float, float], ...] = ()


class Trial(Part):
    """A trial as a reader's program sees it: nothing tells its arm, nor that it is a repeat."""

    id: RandomName
    session: int = Field(ge=1)
    training: bool = False
    stages: tuple[Stage, ...] = Field(min_length=1)
    feedback: Feedback | None = None


class Package(Part):
    """Contents of ``package.json``: what is needed to read, and nothing of the truth, the arms or the seed.

    Attributes
    ----------
    protocol_sha256 : str
        Of the protocol; answers carry it, so that they find their study.
    trials : tuple of Trial
        In the order of reading.
    files : mapping
        Name in the package to SHA-256.
    """

    version: Literal[1] = 1
    study: Identifier
    reader: ReaderId
    protocol_sha256: Sha256
    title: str = ""
    introduction: str = ""
    questions: tuple[Question, ...]
    closing: tuple[Question, ...] = ()
    profile: tuple[Question, ...] = ()
    display: Display
    sessions: int = 1
    washout_days: float = 0.0
    allow_back: bool = False
    breaks_after: int = 20
    trials: tuple[Trial, ...]
    files: dict[ImageFile, Sha256]

    @property
    def sha256(self) -> str:
        """Answers carry it: a package with other trials, images or questions has another one.

        What a protocol may change after the start is left out.
        """
        return sha256_of_json(self.model_dump(mode="json", exclude=set(CHANGEABLE)))


def package_of(protocol: Protocol, key: Key, reader: str) -> Package:
    """The package of one reader, without its images.

    Raises
    ------
    MedUSISError
        BAD_SETTING for a reader that the study does not have.
    """
    trials = key.trials_of(reader)
    names = sorted({name for t in trials for stage in t.stages for name in stage.images})
    return Package(
        study=protocol.id,
        reader=reader,
        protocol_sha256=key.protocol_sha256,
        title=protocol.title,
        introduction=protocol.introduction,
        questions=protocol.questions,
        closing=protocol.closing,
        profile=protocol.profile,
        display=protocol.display,
        sessions=protocol.randomisation.sessions,
        washout_days=protocol.randomisation.washout_days,
        allow_back=protocol.allow_back,
        breaks_after=protocol.breaks_after,
        trials=tuple(_blinded(trial, key, protocol) for trial in trials),
        files={f"{TRIALS_FOLDER}/{name}{IMAGE_SUFFIX}": key.image_of[name].sha256 for name in names},
    )


def _blinded(trial: KeyTrial, key: Key, protocol: Protocol) -> Trial:
    feedback = None
    if trial.training and protocol.training_feedback:
        lesions = key.case_of[trial.case].lesions
        feedback = Feedback(answer=trial.right_answer, lesions_lps_mm=tuple(one.centre_lps_mm for one in lesions))
    stages = tuple(
        Stage(
            panels=tuple(
                Panel(place=place, image=image)  # type: ignore[arg-type]
                for place, image in zip(stage.places, stage.images, strict=True)
            )
        )
        for stage in trial.stages
    )
    return Trial(id=trial.id, session=trial.session, training=trial.training, stages=stages, feedback=feedback)


def write_package(study: str | Path, reader: str, out: str | Path, progress: Progress | None = None) -> Package:
    """Write what goes to one reader: a ZIP file whose members are unpacked, in fixed order and with fixed times.

    Not packed, because how well an image packs depends on its noise, and so on its arm. The same study and reader give
    the same bytes.

    Parameters
    ----------
    study : str or Path
        The study's folder; it is checked for leaks first.
    reader : str
        As in the protocol.
    out : str or Path
        The file to write; ".zip" is added when it has no suffix.

    Returns
    -------
    Package

    Raises
    ------
    MedUSISError
        BAD_SETTING when the study leaks, the reader is unknown or the file cannot be written; DISK_FULL.
    """
    progress = progress or Progress()
    study, out = Path(study), Path(out)
    protocol, key = load_study(study)
    package = package_of(protocol, key, reader)
    progress.stage("check for leaks")
    check_study(study, progress).raise_if_leaking()
    progress.stage("write the package")
    out = out if out.suffix else out.with_suffix(PACKAGE_SUFFIX)
    if out.is_dir():
        raise MedUSISError(ErrorCode.BAD_SETTING, "the package would replace a folder", "give a file name", out)
    with atomic_path(out) as half, zipfile.ZipFile(half, "w", zipfile.ZIP_STORED, strict_timestamps=True) as archive:
        archive.writestr(_member(PACKAGE_NAME), to_json(package))
        for number, name in enumerate(package.files):
            progress.checkpoint()
            archive.writestr(_member(name), (study / name).read_bytes())
            progress.step(number + 1, len(package.files))
    return package


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _ZIP_TIME)
    member.external_attr = 0o644 << 16
    member.create_system = 3
    return member


def open_package(path: str | Path) -> Package:
    """Read and verify a package: a ZIP file, or the folder that one was unpacked to.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when it is no package; BAD_SETTING when an image is missing, foreign or was changed.
    """
    path = Path(path)
    if path.is_dir():
        return _verified_folder(path)
    with _archive(path) as archive:
        return _verified_archive(archive, path)


def unpack(path: str | Path, folder: str | Path) -> Package:
    """Verify a package and lay its files into a new folder, all at once; for programs that read files.

    Raises
    ------
    MedUSISError
        As ``open_package``; BAD_SETTING when the folder holds other things.
    """
    path = Path(path)
    with _archive(path) as archive:
        package = _verified_archive(archive, path)
        with atomic_output_directory(folder) as new:
            (new / TRIALS_FOLDER).mkdir()
            (new / PACKAGE_NAME).write_text(to_json(package), encoding="utf-8", newline="\n")
            for name in package.files:
                (new / name).write_bytes(archive.read(name))
    return package


def _archive(path: Path) -> zipfile.ZipFile:
    if not path.is_file():  # a pipe would be waited for
        raise _no_package(path)
    try:
        return zipfile.ZipFile(path)
    except _DAMAGE:
        raise _no_package(path) from None


def _verified_archive(archive: zipfile.ZipFile, path: Path) -> Package:
    try:
        if archive.getinfo(PACKAGE_NAME).file_size > _LARGEST_LIST:
            raise KeyError
        package = parse_versioned(archive.read(PACKAGE_NAME), Package, MIGRATIONS, "the package", path)
    except (KeyError, *_DAMAGE):
        raise _no_package(path) from None
    if sum(entry.file_size for entry in archive.infolist()) > _MOST_UNPACKED * path.stat().st_size:
        raise _changed(path)
    present = {name for name in archive.namelist() if not name.endswith("/")} - {PACKAGE_NAME}
    if present != set(package.files) or len(archive.namelist()) != len(set(archive.namelist())):
        raise _changed(path)
    for name, expected in package.files.items():
        try:
            with archive.open(name) as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
        except _DAMAGE:
            raise _changed(path) from None
        if found != expected:
            raise _changed(path)
    _check_images(package, path)
    return package


def _verified_folder(folder: Path) -> Package:
    try:
        content = read_small_file(folder / PACKAGE_NAME, _LARGEST_LIST)
    except OSError:
        raise _no_package(folder) from None
    package = parse_versioned(content, Package, MIGRATIONS, "the package", folder)
    for name, expected in package.files.items():
        try:
            found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError:
            raise _changed(folder) from None
        if found != expected:
            raise _changed(folder)
    _check_images(package, folder)
    return package


def _check_images(package: Package, path: Path) -> None:
    held = {name.rpartition("/")[2].removesuffix(IMAGE_SUFFIX) for name in package.files}
    shown = {panel.image for trial in package.trials for stage in trial.stages for panel in stage.panels}
    if not shown <= held:
        raise _changed(path)


def _no_package(path: Path) -> MedUSISError:
    return MedUSISError(
        ErrorCode.INPUT_NOT_READABLE, "this is no reading package, or it is incomplete", "copy it again", path
    )


def _changed(path: Path) -> MedUSISError:
    return MedUSISError(
        ErrorCode.BAD_SETTING, "the reading package was changed or is incomplete", "ask for it again", path
    )


def image_file(folder: str | Path, image: str) -> Path:
    """Where an image of an unpacked package lies."""
    return Path(folder) / TRIALS_FOLDER / f"{image}{IMAGE_SUFFIX}"


def forbidden_words(protocol: Protocol, key: Key) -> set[str]:
    """What must not stand in a package beside the questions: for a test, and for whoever wants to be sure.

    Secret, seed (as a field), case numbers, names of input fields and hashes of inputs.
    """
    words = {key.secret, '"seed"', '"secret"', '"arms"', '"right_answer"', '"repeat_of"', '"stratum"'}
    words |= {f'"{case.id}"' for case in key.cases} | {json.dumps(c.stratum) for c in key.cases if c.stratum}
    words |= {image.input_sha256 for image in key.images}
    return words
