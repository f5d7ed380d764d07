"""What ``medusis train CONFIG.yaml`` is told: data, network, phases, output; validated before torch is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.manifest import TrainingData
from MedUSISLib.plain_reasons import plain_reasons
from MedUSISLib.training.augmentation_settings import AugmentationSettings
from MedUSISLib.training.configuration_file import read_yaml, with_absolute_paths
from MedUSISLib.training.data_configuration import DataConfiguration, LabelSource, NonNegative, Part
from MedUSISLib.training.fine_tuning import StartSettings, with_start_in_full
from MedUSISLib.training.health import SafetySettings
from MedUSISLib.training.selection import SelectionSettings


class PhaseConfiguration(Part):
    """One stretch of training: how long, with which losses and rates.

    Attributes
    ----------
    iterations : int
    l1, class_means, ssim : float
        Weights of the losses against the real image; for paired and pseudo-paired slices only.
    lesions : float
        Weight of the difference to the real image inside ``lesions`` of an image, each lesion's own size being 1.
    adversarial, segmentation, mask : float
        Weights of the discriminator's, the segmentator's and the mask-consistency loss (equation 3.1).
    anchor : float
        Weight of the cross-entropy of a frozen segmentator that was trained elsewhere (``anchor_segmentator``).
    oasis : bool
        The segmentator also learns to tell synthetic from real pixels, as OASIS's discriminator does; needs pairs.
    label_mix : float
        Weight of LabelMix in the segmentator's step of ``oasis``.
    periodic_pattern : float
        Weight of the loss against checkerboards.
    unpaired_share : float
        Share of each batch whose labels have no image.
    """

    name: str
    iterations: int = Field(gt=0)
    l1: NonNegative = 0
    class_means: NonNegative = 0
    ssim: NonNegative = 0
    lesions: NonNegative = 0
    adversarial: NonNegative = 0
    segmentation: NonNegative = 0
    mask: NonNegative = 0
    anchor: NonNegative = 0
    oasis: bool = False
    label_mix: NonNegative = 0
    periodic_pattern: NonNegative = 0
    unpaired_share: float = Field(default=0.0, ge=0, le=1)
    generator_rate: float = Field(default=1e-4, gt=0)
    final_rate: float = Field(
        default=0.1, gt=0, le=1, description="the generator's rate falls to this share, by cosine"
    )
    discriminator_rate: float = Field(default=2e-3, gt=0)
    segmentator_rate: float = Field(default=4e-4, gt=0)
    discriminator_steps: int = Field(default=1, gt=0)
    r1: NonNegative = 10
    r1_every: int = Field(default=8, gt=0)
    ema: float = Field(default=0.999, ge=0, lt=1)

    @model_validator(mode="after")
    def _what_needs_what(self) -> PhaseConfiguration:
        if self.oasis and not self.segmentation:
            raise ValueError("oasis needs a weight for segmentation")
        if self.label_mix and not self.oasis:
            raise ValueError("label_mix needs oasis: true")
        return self


class CardConfiguration(Part):
    """What the model card says that the export does not measure: for whom, by what licence, and what not.

    ``measurements`` are sentences on figures measured by a command of their own, which each names.
    """

    version: str = "0.1.0"
    title: str = ""
    licence: str = "owner to state"
    modality: str = "T1w MR"
    body_region: str = "head"
    intended_use: str = "research"
    known_limits: tuple[str, ...] = ()
    measurements: tuple[str, ...] = ()
    training_data: tuple[TrainingData, ...] = ()


class GeneratorTraining(Part):
    """Training of a generator (``task: generator``)."""

    task: Literal["generator"] = "generator"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    out: Path
    cache: Path
    seed: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    threads: int | None = None
    devices: int = Field(default=1, gt=0, description="processes on one machine, each with a GPU of its own if any")
    nodes: int = Field(default=1, gt=0, description="machines; more than one need torchrun or srun")
    batch_size: int = Field(default=8, gt=0, description="of all processes together")
    accumulate: int = Field(
        default=1, gt=0, description="the batch goes through the networks in so many parts: less memory, the same step"
    )
    data: DataConfiguration
    loader_workers: int = Field(
        default=1, ge=0, description="threads that make batches ahead while the networks work; 0 makes them in line"
    )
    prepare_workers: int | None = Field(
        default=None, gt=0, description="processes that prepare cases; by cores and memory when absent"
    )
    start_from: StartSettings | None = Field(default=None, description="fine-tune a finished generator")
    network: dict[str, Any] = Field(default={}, description="name and arguments; the parent's with `start_from`")
    discriminator: dict[str, Any] = {}
    discriminator_crop: int | None = Field(
        default=None, gt=0, description="side of the patches that the discriminator sees; all of the slice if absent"
    )
    segmentator: dict[str, Any] = {}
    anchor_segmentator: str = Field(default="head-seg", description="id or folder of the segmentator of `anchor`")
    grain: dict[str, NonNegative] = Field(
        default={}, description="standard deviation of the noise of real images per class, white matter = 0.7"
    )
    augmentation: AugmentationSettings = AugmentationSettings()
    betas: tuple[float, float] = (0.0, 0.99)
    phases: tuple[PhaseConfiguration, ...] = Field(min_length=1)
    card: CardConfiguration = CardConfiguration()
    selection: SelectionSettings = SelectionSettings()
    safety: SafetySettings = SafetySettings()
    validate_every: int = Field(default=250, gt=0)
    checkpoint_every: int = Field(default=250, gt=0)
    resume: bool = Field(default=False, description="go on from the last checkpoint in `out`")

    @model_validator(mode="after")
    def _some_network(self) -> GeneratorTraining:
        if not self.network and self.start_from is None:
            raise ValueError("say what `network` to train, or which generator to `start_from`")
        return self

    @model_validator(mode="after")
    def _pairs_where_needed(self) -> GeneratorTraining:
        for phase in self.phases:
            if phase.oasis and (self.data.pairing == "unpaired" or phase.unpaired_share == 1):
                raise ValueError(f"phase {phase.name!r}: oasis needs real images with labels (paired or pseudo)")
        return self


class SegmentatorTraining(Part):
    """Training of `head-seg` from whole-head label maps by domain randomisation (``task: segmentator``)."""

    task: Literal["segmentator"] = "segmentator"
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    out: Path
    cache: Path
    seed: int = 0
    device: str = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    threads: int | None = None
    batch_size: int = Field(default=16, gt=0)
    label_maps: tuple[LabelSource, ...] = Field(min_length=1)
    crop: tuple[int, int] = (224, 192)
    features: tuple[int, int, int, int, int, int] = (32, 48, 96, 128, 160, 48)
    iterations: int = Field(default=2400, gt=0)
    rate: float = Field(default=2e-3, gt=0)
    ema: float = Field(default=0.99, ge=0, lt=1)
    ct_share: float = Field(default=0.45, ge=0, le=1)
    t1_share: float = Field(default=0.35, ge=0, le=1)
    card: CardConfiguration = CardConfiguration()
    validate_every: int = Field(default=200, gt=0)
    checkpoint_every: int = Field(default=200, gt=0)
    resume: bool = Field(default=False, description="go on from the last checkpoint in `out`")


TrainingConfiguration = Annotated[GeneratorTraining | SegmentatorTraining, Field(discriminator="task")]


class _Any(BaseModel):
    training: TrainingConfiguration


#: What pydantic puts before the place: the field of ``_Any``, and the task.
_PLACE = re.compile(r"^training(\.(generator|segmentator))?(\.|: )")
_SHOWN = 3


def read_configuration(path: Path) -> GeneratorTraining | SegmentatorTraining:
    """Read a YAML file; relative paths are meant from the file's own folder, ``$NAME`` is an environment variable.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when it cannot be read, ``BAD_SETTING`` naming the setting and what is wrong with it.
    """
    path = Path(path)
    return configuration_from(read_yaml(path), path.parent, path)


def configuration_from(content: Any, folder: Path, path: Path | None = None) -> GeneratorTraining | SegmentatorTraining:
    """Validate an already parsed configuration; see ``read_configuration``. ``path`` is named in errors."""
    if not isinstance(content, dict):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the training configuration holds no settings",
            "write settings as `name: value`; docs/training.md explains them, Resources/Training has examples",
            path,
        )
    folder = folder.resolve()
    content = with_start_in_full({"task": "generator", **with_absolute_paths(content, folder)}, folder)
    try:
        return _Any.model_validate({"training": content}).training
    except ValidationError as error:
        reasons = [_PLACE.sub("", reason) for reason in plain_reasons(error, _Any)]
        more = f" (and {len(reasons) - _SHOWN} more)" if len(reasons) > _SHOWN else ""
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the training configuration is not valid: {'; '.join(reasons[:_SHOWN])}{more}",
            "correct it; docs/training.md explains the settings",
            path,
        ) from None
