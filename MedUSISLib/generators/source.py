"""What a generator is exported from: an installed one, a bundle's folder, or the folder of a training."""

from __future__ import annotations

from pathlib import Path

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.catalogue import find_bundle
from MedUSISLib.generators.manifest import MANIFEST_NAME

STATES = ("best", "last")
"""Checkpoints of a training that can become a generator, the better one first."""


def bundle_to_export(source: str, state: str | None = None) -> Path | None:
    """Folder of the finished bundle; ``None`` when a checkpoint of the training has to be measured first.

    Parameters
    ----------
    source : str
        Id of a generator, folder of a bundle, or ``out`` folder of a training.
    state : {"best", "last"}, optional
        This checkpoint, though the training may have ended.

    Raises
    ------
    MedUSISError
        ``GENERATOR_NOT_FOUND`` when there is no such generator; ``BAD_SETTING`` for a state that there is not, or the
        state of something that is no training.
    """
    if state is not None and state not in STATES:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, f"a training has no state '{state}'", f"say one of: {', '.join(STATES)}"
        )
    folder = Path(source).expanduser()
    if not (folder / MANIFEST_NAME).is_file() and _checkpoints(folder):
        if state is not None:
            return None
        finished = sorted(path.parent for path in folder.glob(f"bundle/*/{MANIFEST_NAME}"))
        return finished[0] if len(finished) == 1 else None
    if state is not None:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "--from chooses a checkpoint, and this is not the folder of a training that has one",
            "leave it out, or give the `out` folder of a training",
        )
    return find_bundle(source)


def chosen_state(training: Path, state: str | None) -> str:
    """The state that was asked for, else the best that there is."""
    return state or _checkpoints(training)[0]


def _checkpoints(folder: Path) -> list[str]:
    return [state for state in STATES if (folder / f"{state}.ckpt").is_file()]
