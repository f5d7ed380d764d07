"""How training slices are varied (light, no torch)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class AugmentationSettings(BaseModel):
    """``augmentation`` of a configuration; 0 switches a variation off.

    Attributes
    ----------
    flip : float
        Probability that left and right change places. Sagittal slices are never flipped: that would be front and back.
    deform : float
        Probability of a turn, scaling and shift. Not 1: an affine blurs, and slices that are all a little blurred
        teach that sharp ones are wrong.
    turn_deg, scale, shift : float
        Largest turn in degrees, relative change of size (of each axis), and shift as a share of half the slice.
    gamma : float
        The image's contrast is bent by an exponent between 1 / (1 + gamma) and 1 + gamma; white matter stays.
    bias : float
        A smooth field between exp(-bias) and exp(bias) is multiplied onto the image.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    flip: float = Field(default=0.5, ge=0, le=1)
    deform: float = Field(default=0.5, ge=0, le=1)
    turn_deg: float = Field(default=8.0, ge=0, le=180)
    scale: float = Field(default=0.08, ge=0, lt=1)
    shift: float = Field(default=0.03, ge=0, le=1)
    gamma: float = Field(default=0.0, ge=0)
    bias: float = Field(default=0.0, ge=0)
