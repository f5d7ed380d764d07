"""L_seg: background counts, rare classes weigh more but not without end."""

from __future__ import annotations

import pytest
import torch

from MedUSISLib.training.losses.segmentation import class_weights, segmentation_loss, synthetic_target


def labels_with_background() -> torch.Tensor:
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, :8] = 1
    labels[:, :8, :4] = 2
    return labels


def test_background_counts() -> None:
    labels = labels_with_background()
    logits = torch.zeros(2, 4, 16, 16, requires_grad=True)
    segmentation_loss(logits, labels, floor_pixels=1).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0, 12] < 0).all()  # pushed towards background where the label is background
    right, wrong = (torch.zeros(2, 4, 16, 16) for _ in range(2))
    right.scatter_(1, labels.unsqueeze(1), 9.0)
    wrong.copy_(right)
    wrong[:, 0, 12:], wrong[:, 1, 12:] = 0.0, 9.0  # background called a tissue
    assert segmentation_loss(wrong, labels) > segmentation_loss(right, labels) + 1


def test_every_class_weighs_the_same_in_sum() -> None:
    labels = labels_with_background()
    weights = class_weights(labels, 4, floor_pixels=1, cap=1e9)
    pixels = torch.bincount(labels.flatten(), minlength=4)
    torch.testing.assert_close((weights * pixels)[:3], torch.full((3,), labels.numel() / 3))
    assert weights[3] == 0


def test_floor_and_cap_hold() -> None:
    labels = torch.zeros(1, 512, 512, dtype=torch.long)
    labels[0, 0, :3] = 1
    assert class_weights(labels, 3)[1] == 30
    assert class_weights(labels, 3, cap=1e9)[1] == pytest.approx(512 * 512 / (2 * 200))


def test_ignored_pixels_do_not_count_and_labels_out_of_range_are_refused() -> None:
    labels = labels_with_background()
    logits = torch.randn(2, 4, 16, 16)
    whole = segmentation_loss(logits[:, :, :8], labels[:, :8])
    labels[:, 8:] = -100
    torch.testing.assert_close(segmentation_loss(logits, labels), whole)
    with pytest.raises(ValueError, match="label 7"):
        class_weights(torch.tensor([0, 7]), 4)
    with pytest.raises(ValueError, match="do not fit"):
        segmentation_loss(logits, labels[:, :8])


def test_synthetic_is_the_class_after_the_last() -> None:
    labels = labels_with_background()
    target = synthetic_target(labels, 3)
    assert (target == 3).all()
    assert torch.isfinite(segmentation_loss(torch.randn(2, 4, 16, 16), target))


def test_three_dimensions_and_half_precision() -> None:
    loss = segmentation_loss(torch.randn(1, 4, 4, 4, 4).bfloat16(), torch.randint(0, 3, (1, 4, 4, 4)))
    assert loss.dtype is torch.float32
