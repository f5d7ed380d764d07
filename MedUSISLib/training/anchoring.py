"""The segmentator that a training is anchored to, and the warning when a training without pairs has none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import load_bundle
from MedUSISLib.segmentation.encoding import CHANNELS, WHITE_MATTER_LEVEL, encode_mr, with_depth
from MedUSISLib.training.configuration import GeneratorTraining
from MedUSISLib.training.losses.anchor import Anchor
from MedUSISLib.training.t1_scaling import CLIP, WHITE_MATTER

#: `head-seg` has an output for it that it was never taught: fat is told by its brightness afterwards.
_NOT_ANSWERED = ("fat",)

NO_ANCHOR = (
    "no phase has pairs or an anchor: classes may be swapped without any loss noticing. Give `anchor` a weight, or look"
    " at the class table"
)


class EncodedForHeadSeg(nn.Module):
    """Synthetic T1 slices as `head-seg` takes them; how far below the vertex they lie is said to be unknown."""

    def forward(self, image: Tensor) -> Tensor:
        """``[B, 1, H, W]`` in [-1, 1] to ``[B, 4, H, W]``."""
        brightness = (image[:, 0].float() + 1) * (CLIP / 2) * (WHITE_MATTER_LEVEL / WHITE_MATTER)
        unknown = torch.full((len(image),), float("nan"), device=image.device)
        return with_depth(encode_mr(brightness), unknown)


def load_anchor(configuration: GeneratorTraining, schema: LabelSchema, device: torch.device) -> Anchor | None:
    """The frozen segmentator, where a phase gives it a weight.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when it cannot judge what is trained: other than axial slices or volumes of 1 mm, a crop that
        does not fit its network, no class in common; those of loading a bundle.
    """
    if not any(phase.anchor for phase in configuration.phases):
        return None
    name, data = configuration.anchor_segmentator, configuration.data
    bundle = load_bundle(name, kind="segmentator")
    arguments: dict[str, Any] = dict(bundle.manifest.network.arguments)
    if arguments.get("in_channels") != CHANNELS:
        raise _wrong(f"the segmentator '{bundle.manifest.id}' does not take what head-seg takes", "give another one")
    if data.spacing_mm != (1.0, 1.0, 1.0) or any(share for view, share in data.views.items() if view != "axial"):
        raise _wrong("the anchor judges axial slices of 1 mm only", "train with views: {axial: 1}, or without anchor")
    network = bundle.load_network(device)
    multiple = int(getattr(network, "size_multiple", 1))
    if any(size % multiple for size in data.crop[-2:]):
        raise _wrong("data.crop does not fit the anchor's network", f"give rows and columns in multiples of {multiple}")
    known = load_schema(bundle.manifest.schema_id)
    answers = tuple("" if name in _NOT_ANSWERED else name for name in known.names[: int(arguments["out_channels"])])
    anchor = Anchor(network, EncodedForHeadSeg(), answers, known, schema)
    if int(anchor.judged.sum()) < 2:
        raise _wrong(
            f"the segmentator '{bundle.manifest.id}' knows none of the classes of the label schema '{schema.id}'",
            "give one that does, or train without anchor",
        )
    return anchor


def lacks_anchor(configuration: GeneratorTraining) -> bool:
    """Whether nothing holds classes in their places: no pairs in any phase, and no anchor in the adversarial ones."""
    phases = [phase for phase in configuration.phases if phase.adversarial or phase.segmentation]
    pairs = configuration.data.pairing != "unpaired" and any(
        phase.unpaired_share < 1 and (phase.l1 or phase.class_means or phase.ssim or phase.oasis)
        for phase in configuration.phases
    )
    return bool(phases) and not pairs and not all(phase.anchor for phase in phases)


def _wrong(message: str, hint: str) -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, f"anchor: {message}", hint)
