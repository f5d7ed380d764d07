"""Is the anatomy recognisable? Slices are segmented again by a network that the generator was not trained with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import MedUSISError
from MedUSISLib.evaluation.dice import DiceRow, confusion_matrix, dice_per_class, merges_for_comparison
from MedUSISLib.segmentation.encoding import CHANNELS, WHITE_MATTER_LEVEL, encode_mr, with_depth
from MedUSISLib.segmentation.head import T1_FAT
from MedUSISLib.segmentation.network_scores import answer_of_any_size
from MedUSISLib.segmentation.segment import HEAD_SEG
from MedUSISLib.training.head_classes import head_classes_in
from MedUSISLib.training.t1_scaling import WHITE_MATTER

SMALLEST_CLASS = 200
"""Pixels over all slices; a class with fewer does not count in the mean Dice."""


class Resegmentation:
    """`head-seg` on slices, in one look: no N4, no smoothing between slices, no second round.

    It is the quick path of ``medusis segment``: the generator's scale is known, so the slices need not be searched for
    white matter; fat is told from other soft tissue by brightness, as there. `head-seg` was trained on invented slices
    alone. Where it labelled the training's images (pseudo-pairs), the Dice says whether it finds in the synthetic slice
    what it found in the real one.

    Parameters
    ----------
    schema : LabelSchema
        Of the generator.
    device : torch.device

    Attributes
    ----------
    reason : str
        Why there is no re-segmentation; empty when there is one.
    """

    def __init__(self, schema: LabelSchema, device: torch.device) -> None:
        self.schema, self.device, self.reason = schema, device, ""
        self._network: nn.Module | None = None
        self._table, missing = head_classes_in(schema)
        if missing:
            self.reason = f"the label schema '{schema.id}' lacks what head-seg answers: {', '.join(missing)}"
            return
        from MedUSISLib.generators.bundle import load_bundle

        try:
            self._network = load_bundle(HEAD_SEG, kind="segmentator").load_network(device)
        except MedUSISError as error:
            self.reason = f"the segmentation network 'head-seg' is not available ({error.code.value})"

    def labels(self, images: np.ndarray, depth_mm: np.ndarray, pixel_mm: float = 1.0, batch: int = 8) -> np.ndarray:
        """Class indices of the generator's schema.

        Parameters
        ----------
        images : ndarray [N, H, W]
            White matter = 0.7.
        depth_mm : ndarray [N]
            Below the top of the head; NaN where it is not known.
        pixel_mm : float
            Side of a pixel; head-seg sees 1 mm.

        Returns
        -------
        ndarray of uint8 [N, H, W]
        """
        assert self._network is not None
        head = load_schema("head")
        soft, fat = head.index_of("soft_tissue"), head.index_of("fat")
        found = []
        with torch.inference_mode():
            for first in range(0, len(images), batch):
                part = torch.from_numpy(np.nan_to_num(images[first : first + batch]).astype(np.float32))
                part = part.to(self.device)
                depth = torch.from_numpy(depth_mm[first : first + batch].astype(np.float32)).to(self.device)
                encoded = with_depth(encode_mr(_resized(part, pixel_mm) * (WHITE_MATTER_LEVEL / WHITE_MATTER)), depth)
                assert encoded.shape[1] == CHANNELS
                answer = answer_of_any_size(self._network, encoded).float()
                if answer.shape[2:] != part.shape[1:]:
                    answer = F.interpolate(answer, part.shape[1:], mode="bilinear", align_corners=False)
                label = answer.argmax(1)
                label[(label == soft) & (part > T1_FAT)] = fat
                found.append(label.cpu().numpy().astype(np.uint8))
        return self._table[np.concatenate(found)]

    def rows(self, reference: np.ndarray, predicted: np.ndarray) -> list[DiceRow]:
        """Dice per class of the reference; classes that head-seg cannot answer are counted as their coarser one.

        A class that it cannot answer and that is part of none that it can has no row.
        """
        schema, answered = self.schema, set(np.unique(self._table).tolist())
        size = max(one.index for one in schema.classes) + 1
        matrix = confusion_matrix(reference, predicted, size)
        merge = merges_for_comparison(matrix.sum(axis=1), matrix.sum(axis=0), schema)
        unknown: list[str] = ["background"]
        for one in schema.classes:
            if one.index in answered or one.name in merge.values():
                continue
            if one.merges_into is not None and schema.index_of(one.merges_into) in answered:
                merge[one.name] = one.merges_into
            else:
                unknown.append(one.name)
        return dice_per_class(reference, predicted, schema, merge, unknown)


def mean_dice(rows: Sequence[DiceRow]) -> float | None:
    """Mean over the classes that are large enough; ``None`` without any."""
    counted = [row.dice for row in rows if row.dice is not None and row.reference_voxels >= SMALLEST_CLASS]
    return float(np.mean(counted)) if counted else None


def _resized(slices: torch.Tensor, pixel_mm: float) -> torch.Tensor:
    """Slices [N, H, W] brought to pixels of 1 mm."""
    if abs(pixel_mm - 1) < 0.05:
        return slices
    size = [max(1, round(length * pixel_mm)) for length in slices.shape[1:]]
    return F.interpolate(slices[:, None], size, mode="bilinear", align_corners=False, antialias=pixel_mm < 1)[:, 0]
