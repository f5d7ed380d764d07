"""Fine classes replaced by coarser ones at random, so that a generator serves coarse and fine segmentations alike."""

from __future__ import annotations

import torch

from MedUSISLib.anatomy.merging import merge_groups
from MedUSISLib.anatomy.schema import LabelSchema


class ClassMerger:
    """Merges classes of a batch of label slices, each slice for itself.

    Classes with the same coarser partner are merged together (a segmentation that does not divide the brain divides
    none of it), the others each with its own draw.

    Parameters
    ----------
    schema : LabelSchema
        Its ``merges_into`` says which class becomes which.
    probability : float
        Of each merge, per slice.
    """

    def __init__(self, schema: LabelSchema, probability: float) -> None:
        self.probability = probability
        self.size = schema.number_of_classes
        groups = merge_groups(schema)
        self.groups = sorted((schema.index_of(c), [schema.index_of(m) for m in fine]) for c, fine in groups.items())

    def __call__(self, labels: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Class indices (B, H, W) to class indices (B, H, W)."""
        tables = torch.arange(self.size).repeat(len(labels), 1)
        for table in tables:
            for coarse, members in self.groups:
                # All of a group at once mostly, sometimes only one member of it.
                if torch.rand((), generator=rng) < self.probability:
                    table[members] = coarse
                elif len(members) > 1 and torch.rand((), generator=rng) < self.probability / 2:
                    table[members[int(torch.randint(len(members), (), generator=rng))]] = coarse
        return torch.gather(tables, 1, labels.reshape(len(labels), -1).long()).reshape(labels.shape)
