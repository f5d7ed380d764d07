"""``protocol.json``: everything about a study that is decided before the first reading, validated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.questions import Choice, Confidence, Marks, Number, Question, Scale, Text
from MedUSISLib.study.versioned import Identifier, Migration, Part, ReaderId, read_versioned, sha256_of_json

PROTOCOL_NAME = "protocol.json"
MIGRATIONS: Mapping[int, Migration] = {}
"""Version 1 is the first; ``MIGRATIONS[1]`` will bring it to 2."""

Kind = Literal["visual-turing", "lesion-reading"]
Design = Literal["single", "forced-choice", "crossed", "sequential", "crossover"]
ImageRole = Literal["real", "synthetic", "second", "ct", "uncertainty"]
"""What an image of a case is; "second" is another real MR, such as a FLAIR that is read beside the T1."""
BLINDED_ROLES: tuple[ImageRole, ...] = ("real", "synthetic")
"""What a reader must not be able to tell apart but by the picture."""

_DESIGNS: Mapping[str, tuple[str, ...]] = {
    "visual-turing": ("single", "forced-choice"),
    "lesion-reading": ("crossed", "sequential", "crossover"),
}
PositiveFloat = Annotated[float, Field(gt=0.0)]


class Arm(Part):
    """One way of reading a case: the images that are shown together, from left to right."""

    id: Identifier
    panels: tuple[ImageRole, ...] = Field(min_length=1, max_length=4)

    @field_validator("panels")
    @classmethod
    def _different(cls, panels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(panels)) != len(panels):
            raise ValueError("an arm shows each image once")
        return panels


class WindowPreset(Part):
    """A contrast that a reader can choose; in HU for CT, in percent of the grey scale for MR."""

    name: str = Field(min_length=1, max_length=40)
    image: Literal["mr", "ct"] = "mr"
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> WindowPreset:
        if not self.low < self.high:
            raise ValueError("high must exceed low")
        return self


class Display(Part):
    """How a trial looks.

    Attributes
    ----------
    mode : str
        "volume" is scrolled; "slice" is one slice of it.
    plane : str
        Plane of the slice, or the plane that a volume opens in.
    slice_range : (float, float)
        Where a slice is taken when the table does not say, as a part of the body's extent.
    windows : tuple
        Presets; the first of each kind of image is what a trial opens with.
    crosshair, zoom, change_window : bool
        What a reader may do.
    """

    mode: Literal["volume", "slice"] = "volume"
    plane: Literal["axial", "coronal", "sagittal"] = "axial"
    slice_range: tuple[float, float] = (0.35, 0.65)
    windows: tuple[WindowPreset, ...] = (
        WindowPreset(name="Standard", low=0.0, high=100.0),
        WindowPreset(name="Brain", image="ct", low=0.0, high=80.0),
        WindowPreset(name="Bone", image="ct", low=-450.0, high=1050.0),
    )
    crosshair: bool = True
    zoom: bool = True
    change_window: bool = True

    @field_validator("slice_range")
    @classmethod
    def _range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0.0 <= value[0] <= value[1] <= 1.0:
            raise ValueError("must be two numbers between 0 and 1, in order")
        return value


class CommonForm(Part):
    """The form that every image is brought to, so that nothing but the picture differs.

    Attributes
    ----------
    spacing_mm : (float, float, float)
        Of every trial, right-left, front-back, feet-head.
    size_ijk : (int, int, int), optional
        Of every trial; the smallest that holds every case's body when not given.
    mask : bool
        Everything outside the body becomes the background value 0.
    percentiles : (float, float)
        Of the body's voxels, to black and white.
    floor : float
        Values below this part of the range become 0: the noise of a scanner in air inside the body is told apart from
        the clean air of a network at a glance of the histogram.
    levels : int
        Grey levels. Voxels of an image with coarser steps are spread evenly within their step first.
    """

    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)
    size_ijk: tuple[int, int, int] | None = None
    mask: bool = True
    percentiles: tuple[float, float] = (0.5, 99.5)
    floor: float = Field(default=0.03, ge=0.0, le=0.2)
    levels: int = Field(default=256, ge=16, le=256)

    @model_validator(mode="after")
    def _sensible(self) -> CommonForm:
        low, high = self.percentiles
        if not 0.0 <= low < high <= 100.0:
            raise ValueError("percentiles must be two numbers between 0 and 100, in order")
        if self.size_ijk is not None and not all(1 <= n <= 1024 for n in self.size_ijk):
            raise ValueError("size_ijk must be three numbers from 1 to 1024")
        return self


class Randomisation(Part):
    """In which order each reader sees what.

    Attributes
    ----------
    seed : int
        Together with the key's secret it makes the order; it is never in a reader's package.
    sessions : int
        Sittings. The arms of a case are spread over them.
    washout_days : float
        Least time between two sessions.
    block_size : int, optional
        Each block of this many trials holds arms, lesion status and strata in the proportions of the whole.
    counterbalance : bool
        The second reader begins with the second arm, and so on.
    one_arm_per_case : bool
        Each reader sees each case once, in one arm; the next reader in the other.
    repeats : int
        Trials shown a second time, for the agreement of a reader with himself.
    gap : int
        At least this many other trials between two of the same case, where the number of trials allows it.
    longest_run : int
        At most this many trials of one arm in a row, where the numbers allow it.
    """

    seed: int = Field(default=0, ge=0, lt=2**63)
    sessions: int = Field(default=1, ge=1, le=20)
    washout_days: float = Field(default=0.0, ge=0.0, le=3650.0)
    block_size: int | None = Field(default=None, ge=2)
    counterbalance: bool = True
    one_arm_per_case: bool = False
    repeats: int = Field(default=0, ge=0)
    gap: int = Field(default=5, ge=0)
    longest_run: int = Field(default=4, ge=1)


class LesionRule(Part):
    """What of a mask is a lesion: components that touch by faces (6), edges (18) or corners (26), large enough."""

    connectivity: Literal[6, 18, 26] = 26
    smallest_mm3: float = Field(default=3.0, ge=0.0)


class HitRule(Part):
    """When a mark counts as a hit: inside the lesion's mask, or within ``radius_mm`` of its nearest voxel's centre."""

    kind: Literal["inside", "distance"] = "distance"
    radius_mm: PositiveFloat = 5.0


class Analysis(Part):
    """Decided before the data: the margin within which readers are called unable to tell, and the level."""

    equivalence_margin: float = Field(default=0.1, gt=0.0, lt=0.5)
    alpha: float = Field(default=0.05, gt=0.0, lt=0.5)
    positive: Literal["synthetic", "real"] = "real"


class Protocol(Part):
    """Contents of ``protocol.json``.

    Examples
    --------
    >>> protocol = visual_turing("head-t1", readers=("R1", "R2"))
    >>> [arm.id for arm in protocol.arms], protocol.display.mode
    (['real', 'synthetic'], 'volume')
    """

    version: Literal[1] = 1
    id: Identifier
    kind: Kind
    design: Design
    title: str = Field(default="", max_length=200)
    introduction: str = Field(default="", max_length=5000)
    readers: tuple[ReaderId, ...] = Field(min_length=1, max_length=500)
    arms: tuple[Arm, ...] = Field(min_length=2, max_length=6)
    questions: tuple[Question, ...] = Field(min_length=1)
    closing: tuple[Question, ...] = ()
    profile: tuple[Question, ...] = ()
    display: Display = Display()
    common_form: CommonForm = CommonForm()
    randomisation: Randomisation = Randomisation()
    training_feedback: bool = False
    allow_back: bool = False
    breaks_after: int = Field(default=20, ge=1)
    lesion_rule: LesionRule = LesionRule()
    hit_rule: HitRule = HitRule()
    analysis: Analysis = Analysis()

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        if self.design not in _DESIGNS[self.kind]:
            raise ValueError(f"a study of kind {self.kind} has a design of {', '.join(_DESIGNS[self.kind])}")
        _require_different("readers", [reader.lower() for reader in self.readers])
        _require_different("arms", [arm.id for arm in self.arms])
        for name, asked in (("questions", self.questions), ("closing", self.closing), ("profile", self.profile)):
            _require_different(name, [question.id for question in asked])
        if self.kind == "visual-turing" and [arm.panels for arm in self.arms] != [("real",), ("synthetic",)]:
            raise ValueError("a visual Turing test has the arms real and synthetic, one image each, in this order")
        if self.kind == "lesion-reading" and not any(question.kind == "marks" for question in self.questions):
            raise ValueError("lesion reading needs a question of kind marks")
        self._check_sessions()
        return self

    @property
    def binding_sha256(self) -> str:
        """Hash of all that must stay once answers exist: it ties key, packages and answers to the protocol."""
        return sha256_of_json(self.model_dump(mode="json", exclude={*CHANGEABLE, "readers"}))

    def _check_sessions(self) -> None:
        plan = self.randomisation
        if self.design == "crossover" and (plan.sessions != len(self.arms) or plan.washout_days <= 0):
            raise ValueError("a crossover has one session for each arm, and washout_days above 0")
        if self.design in ("sequential", "forced-choice", "crossover") and plan.one_arm_per_case:
            raise ValueError(f"one_arm_per_case does not go with {self.design}: every reader needs all arms of a case")
        if self.design == "sequential" and self.allow_back:
            raise ValueError("sequential reading locks each answer: allow_back must be false")


def _require_different(name: str, values: list[str]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name} must differ")


CLOSING: tuple[Question, ...] = (
    Scale(id="quality", text="How good were the images?", lowest="poor", highest="excellent"),
    Scale(id="ease", text="How easy was the reading?", lowest="hard", highest="easy"),
    Scale(id="trust", text="Would you trust such images?", lowest="not at all", highest="fully"),
    Text(id="remarks", text="Anything else?"),
)
PROFILE: tuple[Question, ...] = (
    Text(id="specialty", text="Your specialty", required=True),
    Number(id="years", text="Years of experience", low=0, high=70),
)


def visual_turing(
    study: str,
    readers: tuple[str, ...] = ("R1",),
    forced_choice: bool = False,
    randomisation: Randomisation | None = None,
) -> Protocol:
    """The usual visual Turing test: real, synthetic or unsure with confidence, or which of two is the real one."""
    text = "Which of the two images is real?" if forced_choice else "Is this image real or synthetic?"
    options = ("left", "right") if forced_choice else ("real", "synthetic", "unsure")
    return Protocol(
        id=study,
        kind="visual-turing",
        design="forced-choice" if forced_choice else "single",
        title="Real or synthetic?",
        readers=readers,
        arms=(Arm(id="real", panels=("real",)), Arm(id="synthetic", panels=("synthetic",))),
        questions=(
            Choice(id="source", text=text, options=options, labels=tuple(o.capitalize() for o in options)),
            Confidence(id="confidence", text="How sure are you?"),
        ),
        closing=CLOSING,
        profile=PROFILE,
        randomisation=randomisation or Randomisation(repeats=0),
    )


def lesion_reading(
    study: str,
    readers: tuple[str, ...] = ("R1",),
    design: Literal["crossed", "sequential", "crossover"] = "crossed",
    arms: tuple[Arm, ...] = (Arm(id="ct", panels=("ct",)), Arm(id="ct-synthetic", panels=("ct", "synthetic"))),
    randomisation: Randomisation | None = None,
) -> Protocol:
    """The usual lesion reading: is there one, how sure, and a mark on each; CT alone against CT with synthetic MR."""
    crossover = Randomisation(sessions=len(arms), washout_days=28.0)
    return Protocol(
        id=study,
        kind="lesion-reading",
        design=design,
        title="Lesion reading",
        readers=readers,
        arms=arms,
        questions=(
            Choice(id="present", text="Is there a lesion?", options=("yes", "no"), labels=("Yes", "No")),
            Confidence(id="confidence", text="How likely is a lesion?"),
            Marks(id="marks", text="Mark every lesion"),
        ),
        closing=CLOSING,
        profile=PROFILE,
        randomisation=randomisation or (crossover if design == "crossover" else Randomisation()),
    )


def load_protocol(path: str | Path) -> Protocol:
    """Read and validate a protocol; a folder means its ``protocol.json``.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE or BAD_SETTING.
    """
    path = Path(path)
    return read_versioned(path / PROTOCOL_NAME if path.is_dir() else path, Protocol, MIGRATIONS, "the protocol")


CHANGEABLE = ("title", "introduction", "breaks_after")
"""What may be changed after the first answer; readers may be added at the end. Everything else would make the answers
before and after it answers to different questions."""


def check_change(before: Protocol, after: Protocol, started: bool) -> None:
    """Refuse a change that would invalidate what was answered already.

    Parameters
    ----------
    before, after : Protocol
    started : bool
        True when an answer exists; before that only the study's id is fixed.

    Raises
    ------
    MedUSISError
        BAD_SETTING naming the fields that must stay.
    """
    if not started:
        fixed = ["id"] if before.id != after.id else []
    else:
        fixed = [
            name
            for name in Protocol.model_fields
            if name not in (*CHANGEABLE, "readers") and getattr(before, name) != getattr(after, name)
        ]
        if after.readers[: len(before.readers)] != before.readers:
            fixed.append("readers (they may only be added at the end)")
    if fixed:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the study has begun; this cannot be changed any more: {', '.join(fixed)}",
            "change it back, or begin a new study",
        )
