"""L_mask acts: it has a gradient, punishes an image that vanishes, and is not fooled by the dark skull."""

from __future__ import annotations

import pytest
import torch

from MedUSISLib.training.losses.mask_consistency import SoftMask, filled_body, mask_consistency_loss


def head(skull: float = 0.05, brightness: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A disc of tissue with a dark ring 7 pixels wide inside, and its label map."""
    y, x = torch.meshgrid(torch.arange(64) - 32.0, torch.arange(64) - 32.0, indexing="ij")
    r = (x**2 + y**2).sqrt()
    value = torch.zeros(64, 64)
    value[r < 26] = 0.7
    value[(r < 22) & (r > 15)] = skull
    labels = (r < 26).long()
    image = value * brightness / 0.6 - 1
    return image.view(1, 1, 64, 64), labels.view(1, 64, 64)


def test_right_image_is_cheap_and_a_vanishing_one_dear() -> None:
    image, labels = head()
    body = filled_body(labels)
    right = mask_consistency_loss(image, body)
    losses = [mask_consistency_loss(head(brightness=b)[0], body) for b in (0.2, 0.15, 0.1, 0.0)]
    assert right < 0.01
    assert right < losses[0] < losses[1] < losses[2] < losses[3]
    assert losses[3] > 0.9 * body.mean()


def test_gradient_lifts_an_image_that_has_vanished() -> None:
    _, labels = head()
    image = torch.full((1, 1, 64, 64), -1.0, requires_grad=True)
    mask_consistency_loss(image, filled_body(labels)).backward()
    assert image.grad is not None
    assert image.grad.sum() < 0  # a step against it makes tissue brighter


def test_gradient_darkens_tissue_outside_the_body() -> None:
    image, labels = head()
    image[..., :6, :] = -0.75
    image.requires_grad_()
    mask_consistency_loss(image, filled_body(labels)).backward()
    assert image.grad is not None
    assert image.grad[..., :6, :].sum() > 0


def test_closing_takes_the_dark_skull_for_tissue() -> None:
    image, labels = head()
    body = filled_body(labels)
    ring = (image[0, 0] < -0.85) & (body[0, 0] > 0)
    assert SoftMask()(image)[0, 0][ring].mean() > 0.9
    assert mask_consistency_loss(image, body, SoftMask(closing=1)) > 5 * mask_consistency_loss(image, body)


def test_samples_do_not_see_each_other() -> None:
    image, _ = head()
    bright = torch.ones_like(image)
    torch.testing.assert_close(SoftMask()(torch.cat((image, bright)))[:1], SoftMask()(image))


def test_specks_are_opened_away() -> None:
    image = torch.full((1, 1, 32, 32), -1.0)
    image[..., 16, 16] = 1.0
    assert SoftMask(blur_sigma=0.0, closing=1)(image).max() < 0.05


def test_filled_body_has_no_holes() -> None:
    labels = torch.ones(2, 9, 9, dtype=torch.long)
    labels[:, 0] = 0
    labels[:, 4, 4] = 0
    body = filled_body(labels)
    assert body.shape == (2, 1, 9, 9)
    assert body[:, :, 4, 4].all() and not body[:, :, 0].any()


def test_three_dimensions_and_wrong_shapes() -> None:
    image = torch.randn(1, 1, 10, 10, 10, requires_grad=True)
    mask_consistency_loss(image, filled_body(torch.ones(1, 10, 10, 10))).backward()
    assert image.grad is not None and torch.isfinite(image.grad).all()
    with pytest.raises(ValueError, match="differ"):
        mask_consistency_loss(image, torch.ones(1, 1, 5, 5, 5))
    with pytest.raises(ValueError, match="odd"):
        SoftMask(closing=8)
