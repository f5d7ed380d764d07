"""What is deleted with a run: its folder, and on demand what a training wrote elsewhere; nothing of others."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_OF_TRAINING = (
    "last.ckpt",
    "best.ckpt",
    "good.ckpt",
    "*.ckpt.tmp",
    "*.tmp",
    "log.jsonl",
    "start.json",
    "training.json",
    "class_table.md",
    "samples.png",
    "samples",
    "bundle",
    "tensorboard",
    ".training-lock",
)
"""What a training writes into its `out`."""

_OF_CACHE = ("case-*.safetensors*", "case-*.npz", "head-labels-*.npz")
"""What it writes into its cache."""


def written_by_training(out: Path) -> list[Path]:
    """What a training wrote into its output folder, the finished generator included."""
    return _matching(out, _OF_TRAINING)


def written_into_cache(cache: Path) -> list[Path]:
    """Prepared cases; patient data."""
    return _matching(cache, _OF_CACHE)


def delete(paths: Iterable[Path]) -> None:
    """Delete files and folders with all that is in them, and folders that are empty then. OSError when one stays."""
    parents = set()
    for path in paths:
        parents.add(path.parent)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for parent in parents:
        with suppress(OSError):
            parent.rmdir()


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted({path for pattern in patterns for path in folder.glob(pattern)})
