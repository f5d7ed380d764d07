"""Networks by name, as configurations and generator bundles write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from MedUSISLib.networks.oasis_generator import OasisGenerator
from MedUSISLib.networks.unet_segmentator import UNetSegmentator
from MedUSISLib.networks.wavelet_discriminator import WaveletDiscriminator
from MedUSISLib.networks.wavelet_generator import WaveletGenerator


def _unet(**arguments: Any) -> nn.Module:
    from monai.networks.nets import BasicUNet  # 2 s to import, and only head-seg needs it

    return BasicUNet(**arguments)


def _subpixel_unet(**arguments: Any) -> nn.Module:
    from MedUSISLib.networks.subpixel_unet import SubpixelUNet  # the same import of MONAI

    return SubpixelUNet(**arguments)


_NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "wavelet_generator": WaveletGenerator,
    "oasis_generator": OasisGenerator,
    "wavelet_discriminator": WaveletDiscriminator,
    "segmentator": UNetSegmentator,
    "unet": _unet,
    "subpixel_unet": _subpixel_unet,
}
_WITH_SPECTRAL_NORM = ("wavelet_generator", "oasis_generator", "segmentator")


def network_names() -> tuple[str, ...]:
    """All names that `build_network` knows."""
    return tuple(_NETWORKS)


def build_network(name: str, arguments: dict[str, Any], *, folded: bool = False) -> nn.Module:
    """Make a network with fresh weights.

    Parameters
    ----------
    name : str
        One of `network_names`; "unet" is MONAI's BasicUNet, "subpixel_unet" the one of `head-seg`.
    arguments : dict
        Arguments of its class; unknown ones are an error.
    folded : bool
        Without spectral norm, for weights that `fold_spectral_norm` has folded (those of a bundle).

    Raises
    ------
    ValueError
        If the name is not known, or the arguments do not fit the network.

    Examples
    --------
    >>> net = build_network("wavelet_generator", {"number_of_classes": 16, "widths": [32, 16]}, folded=True)
    """
    if name not in _NETWORKS:
        raise ValueError(f"unknown network {name!r}; known are {', '.join(_NETWORKS)}")
    if folded and name in _WITH_SPECTRAL_NORM:
        arguments = {**arguments, "spectral": False}
    try:
        return _NETWORKS[name](**arguments)
    except TypeError as error:
        raise ValueError(f"arguments that do not fit the network {name!r}: {error}") from error
