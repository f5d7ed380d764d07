"""The semantic anchor: a frozen segmentator, trained elsewhere, must find the labels in the synthetic image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.anatomy.schema import LabelSchema

IGNORED = -100
_SMALLEST = 1e-6


class Anchor:
    """Class-balanced cross-entropy of a frozen segmentator's answer, between two label schemas.

    A segmentator that is trained together with the generator is content with any one-to-one swap of classes; one that
    has learned from other images is not. It is differentiated through, never trained.

    The two schemas may divide the anatomy differently. A class means the answers of its own name and of all classes
    that merge into it ("brain" is any of its parts); a class that the segmentator does not answer means what the
    coarser one means that it merges into (fat: soft tissue); where there is none, its pixels are not judged.

    Parameters
    ----------
    network : nn.Module
        Gives ``[B, answers, H, W]`` logits of axial slices; is frozen here.
    encode : callable
        From synthetic images ``[B, 1, H, W]`` in [-1, 1] to what the network takes.
    answers : sequence of str
        Names of the network's outputs in ``known``; an empty one is not used.
    known : LabelSchema
        Of the segmentator.
    schema : LabelSchema
        Of the labels.
    """

    def __init__(
        self, network: nn.Module, encode: nn.Module, answers: tuple[str, ...], known: LabelSchema, schema: LabelSchema
    ) -> None:
        self.network, self.encode = network.eval().requires_grad_(False), encode
        self._means = meanings(answers, known, schema)

    @property
    def judged(self) -> Tensor:
        """Whether each class of the schema is judged."""
        return self._means.any(1)

    def __call__(self, image: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """Mean over all judged pixels of ``weight * -log p(any answer that the label means)``.

        Parameters
        ----------
        image : Tensor
            ``[B, 1, H, W]``, or ``[B, 1, D, H, W]``, whose slices along D are axial.
        labels : Tensor of int64
            ``[B, H, W]`` or ``[B, D, H, W]``.
        weights : Tensor, shape (C,) or longer
            Of each class, see `class_weights`.
        """
        if image.ndim == 5:
            image, labels = image.transpose(1, 2).flatten(0, 1), labels.flatten(0, 1)
        means = self._means.to(image.device)
        probabilities = self.network(self.encode(image)).float().softmax(1)
        of_class = torch.einsum("ca,ba...->bc...", means.float(), probabilities).clamp(min=_SMALLEST)
        judged = means.any(1)[labels]
        target = torch.where(judged, labels, IGNORED)
        # (torch 2.13 has no backward of nll_loss for any other order in memory)
        losses = F.nll_loss(
            of_class.log().contiguous(), target, weights[: len(means)], ignore_index=IGNORED, reduction="sum"
        )
        return losses / labels.numel()


def meanings(answers: tuple[str, ...], known: LabelSchema, schema: LabelSchema) -> Tensor:
    """Which answers each class of a schema means, bool (classes, answers).

    Examples
    --------
    >>> from MedUSISLib.anatomy.schema import load_schema
    >>> head = load_schema("head")
    >>> table = meanings(("background", "soft_tissue", "cortex", "white_matter"), head, head)
    >>> [table[head.index_of(name)].int().tolist() for name in ("brain", "fat", "eyes")]
    [[0, 0, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0]]
    """
    table = torch.zeros(schema.number_of_classes, len(answers), dtype=torch.bool)
    for column, answer in enumerate(answers):
        for name in _upwards(answer, known):
            if name in schema:
                table[schema.index_of(name), column] = True
    for label in schema.classes:
        if not table[label.index].any():
            for name in _upwards(label.name, schema)[1:]:
                if name in answers:
                    table[label.index, answers.index(name)] = True
                elif table[schema.index_of(name)].any():
                    table[label.index] = table[schema.index_of(name)]
                if table[label.index].any():
                    break
    return table


def _upwards(name: str, schema: LabelSchema) -> list[str]:
    """The class, the one it merges into, and so on."""
    chain: list[str] = []
    current: str | None = name
    while current and current in schema and current not in chain:
        chain.append(current)
        current = schema.class_named(current).merges_into
    return chain
