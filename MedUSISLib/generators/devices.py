"""Which device a network runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    import torch


def choose_device(name: str = "auto") -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    MedUSISError
        DEVICE_NOT_AVAILABLE when a device that was asked for by name is not there; ``auto`` never fails.
        BAD_SETTING for a name that says nothing.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"there is no kind of device {name!r}", "choose auto, cpu, cuda or cuda:N"
        ) from None
    found = torch.cuda.device_count() if device.type == "cuda" and torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= found:
        raise MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE,
            f"the device '{name}' is not available: torch finds {found} CUDA device(s)",
            "use --device auto or --device cpu",
        )
    return device
