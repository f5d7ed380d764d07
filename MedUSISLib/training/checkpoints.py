"""Checkpoints of a training: written whole or not at all, loaded without running any code from them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch

from MedUSISLib.errors import ErrorCode, MedUSISError

LAST = "last.ckpt"
BEST = "best.ckpt"
GOOD = "good.ckpt"
"""The last checkpoint before which nothing had begun to go wrong."""


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write to a temporary name and rename: a kill, or a power cut, in between leaves the older checkpoint."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # a full disk, most often: what was written of it would keep it full
        temporary.unlink(missing_ok=True)
        raise


def keep_as(path: Path, name: str) -> None:
    """Keep a checkpoint under another name beside it, without writing it again where the file system can."""
    temporary = path.with_name(f"{name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:
        shutil.copyfile(path, temporary)
    temporary.replace(path.with_name(name))


def remove_half_written(folder: Path) -> None:
    """Remove what a killed training was just writing."""
    for pattern in ("*.tmp", "samples/*.tmp.png"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def load_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are accepted (``weights_only``).

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` when it is damaged or holds anything else.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            f"the checkpoint cannot be read ({type(error).__name__})",
            "delete it to start again, or restore a copy",
            path,
        ) from None
