"""Weights on disk: safetensors only, half precision where it costs nothing, always float32 in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    import torch

HALF_MAXIMUM = 65504.0
PICKLE_SUFFIXES = frozenset(
    {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib", ".dill", ".npy", ".npz", ".pyc", ".ts", ".torch"}
)
"""File kinds that are, or may hide, a pickle: loading one would run whatever its author wrote into it."""


def is_pickle(path: Path) -> bool:
    """Whether a file may be a pickle, by its suffix or by its first bytes (whatever it is called).

    A pickle of protocol 2 and later starts with 0x80 and the protocol's number, a torch checkpoint is a zip archive.
    """
    if path.suffix.lower() in PICKLE_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return False
    return (len(start) >= 2 and start[0] == 0x80 and 2 <= start[1] <= 10) or start == b"PK\x03\x04"


def save_weights(path: Path, state_dict: Mapping[str, torch.Tensor]) -> None:
    """Write a state dict as safetensors, matrices and kernels in float16, vectors and counters as they are.

    Biases and BatchNorm statistics stay in float32: they are few (below 1 % of a generator), and a running variance
    can lie outside the range of float16.

    Raises
    ------
    MedUSISError
        BAD_SETTING when a weight is not finite or does not fit half precision.
    """
    import torch
    from safetensors.torch import save_file

    stored: dict[str, torch.Tensor] = {}
    for name, tensor in state_dict.items():
        value = tensor.detach().to("cpu")
        if value.is_floating_point():
            value = value.to(torch.float32)
            largest = float(value.abs().max()) if value.numel() else 0.0
            if not largest <= HALF_MAXIMUM:
                raise MedUSISError(
                    ErrorCode.BAD_SETTING,
                    f"the weight '{name}' is not finite or too large for half precision",
                    "the training has diverged: export an earlier checkpoint",
                )
            if value.ndim >= 2:
                value = value.to(torch.float16)
        stored[name] = value.clone(memory_format=torch.contiguous_format)
    save_file(stored, str(path), metadata={"format": "pt"})


def read_weights(paths: list[Path]) -> dict[str, torch.Tensor]:
    """Read safetensors files into one state dict with float32 tensors on the CPU.

    Raises
    ------
    MedUSISError
        GENERATOR_CORRUPT when a file is not safetensors, two files name the same tensor, or a weight is not finite.
    """
    import torch
    from safetensors.torch import load_file

    state: dict[str, torch.Tensor] = {}
    for path in paths:
        if path.suffix.lower() != ".safetensors" or is_pickle(path):
            raise MedUSISError(
                ErrorCode.GENERATOR_CORRUPT,
                "the generator's weights are not a safetensors file",
                "MedUSIS never loads pickled weights (.pt, .pth, .ckpt): ask the author for safetensors",
                path=path,
            )
        try:
            part = load_file(str(path), device="cpu")
        except Exception as error:
            raise MedUSISError(
                ErrorCode.GENERATOR_CORRUPT,
                "the generator's weights cannot be read",
                "install the generator again",
                path=path,
            ) from error
        for name, tensor in part.items():
            if name in state:
                raise MedUSISError(
                    ErrorCode.GENERATOR_CORRUPT, f"the weight '{name}' is there twice", "install the generator again"
                )
            # a copy always: what safetensors gives may be the file itself, mapped into memory
            value = tensor.to(torch.float32, copy=True) if tensor.is_floating_point() else tensor.clone()
            if value.is_floating_point() and not _is_finite(value):
                raise MedUSISError(
                    ErrorCode.GENERATOR_CORRUPT, f"the weight '{name}' is not finite", "install the generator again"
                )
            state[name] = value
    return state


def _is_finite(value: torch.Tensor) -> bool:
    """By the extremes, which a NaN spoils as well: 0.01 s for 54 M weights, where asking each of them takes 0.2."""
    import torch

    return value.numel() == 0 or bool(torch.isfinite(torch.stack(torch.aminmax(value))).all())
