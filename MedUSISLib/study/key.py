"""``key.json``: the truth about every trial. Never given to readers; packages are made without it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.protocol import PROTOCOL_NAME, ImageRole, Protocol, load_protocol
from MedUSISLib.study.versioned import (
    Identifier,
    Migration,
    Part,
    RandomName,
    ReaderId,
    Sha256,
    read_versioned,
)

KEY_NAME = "key.json"
TRIALS_FOLDER = "trials"
TRUTH_FOLDER = "truth"
IMAGE_SUFFIX = ".nii"
NOTICE = "The truth of a reader study. Do not give it to readers."
MIGRATIONS: Mapping[int, Migration] = {}

CaseId = Annotated[str, Field(pattern=r"^C\d{3,6}$")]


class KeyLesion(Part):
    """One component of a lesion mask; ``label`` is its value in the label map of the truth."""

    label: int = Field(ge=1)
    volume_mm3: float
    centre_lps_mm: tuple[float, float, float]
    mask_value: int


class KeyImage(Part):
    """What an image in ``trials`` is."""

    name: RandomName
    case: CaseId
    role: ImageRole
    sha256: Sha256
    input_sha256: str = ""


class KeyCase(Part):
    """A case under the number that stands for its name; ``row`` is its line in the table that the study was made of."""

    id: CaseId
    row: int
    stratum: str = ""
    status: bool | None = None
    training: bool = False
    lesions: tuple[KeyLesion, ...] = ()
    has_mask: bool = False


class KeyStage(Part):
    """What is shown together. ``places`` are "left" and "right" in a forced choice, else the kind of image."""

    arm: Identifier
    images: tuple[RandomName, ...]
    places: tuple[str, ...]


class KeyTrial(Part):
    """One trial of one reader.

    Attributes
    ----------
    id : str
        The random name under which answers are stored.
    stages : tuple
        One; in sequential reading one for each arm, in the order in which they appear.
    right_answer : str
        In a visual Turing test: "real" or "synthetic"; in a forced choice the side of the real one.
    repeat_of : str
        Id of the trial that this one repeats.
    """

    id: RandomName
    reader: ReaderId
    session: int = Field(ge=1)
    position: int = Field(ge=1)
    case: CaseId
    stages: tuple[KeyStage, ...] = Field(min_length=1)
    right_answer: str = ""
    repeat_of: str = ""
    training: bool = False


class Key(Part):
    """Contents of ``key.json``."""

    version: Literal[1] = 1
    notice: str = NOTICE
    study: Identifier
    protocol_sha256: Sha256
    secret: str
    cases: tuple[KeyCase, ...]
    images: tuple[KeyImage, ...]
    trials: tuple[KeyTrial, ...]

    @model_validator(mode="after")
    def _whole(self) -> Key:
        names = {image.name for image in self.images}
        cases = {case.id for case in self.cases}
        if len(names) != len(self.images) or len(cases) != len(self.cases):
            raise ValueError("names of images and cases must differ")
        if len({trial.id for trial in self.trials}) != len(self.trials):
            raise ValueError("names of trials must differ")
        for trial in self.trials:
            if trial.case not in cases or not {name for stage in trial.stages for name in stage.images} <= names:
                raise ValueError("a trial shows what the key does not hold")
        return self

    @cached_property
    def image_of(self) -> dict[str, KeyImage]:
        """Images by name."""
        return {image.name: image for image in self.images}

    @cached_property
    def case_of(self) -> dict[str, KeyCase]:
        """Cases by id."""
        return {case.id: case for case in self.cases}

    @cached_property
    def trial_of(self) -> dict[str, KeyTrial]:
        """Trials by id."""
        return {trial.id: trial for trial in self.trials}

    def trials_of(self, reader: str) -> list[KeyTrial]:
        """A reader's trials in the order of reading.

        Raises
        ------
        MedUSISError
            BAD_SETTING for a reader that the study does not have.
        """
        found = sorted((t for t in self.trials if t.reader == reader), key=lambda t: (t.session, t.position))
        if not found:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the study has no such reader",
                f"use one of {', '.join(dict.fromkeys(t.reader for t in self.trials))}",
            )
        return found


def load_key(study: str | Path) -> Key:
    """The key of a study's folder.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE or BAD_SETTING.
    """
    return read_versioned(Path(study) / KEY_NAME, Key, MIGRATIONS, "the key of the study")


def load_study(study: str | Path) -> tuple[Protocol, Key]:
    """Protocol and key of a study's folder, which belong together.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE or BAD_SETTING; also when the protocol was changed after the trials were made.
    """
    study = Path(study)
    if not (study / PROTOCOL_NAME).is_file():
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "this is not the folder of a study",
            "make one with `medusis study new`",
            study,
        )
    protocol, key = load_protocol(study), load_key(study)
    if key.study != protocol.id or key.protocol_sha256 != protocol.binding_sha256:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the protocol was changed after the trials were made",
            "restore it, or make the study again",
            study,
        )
    return protocol, key
