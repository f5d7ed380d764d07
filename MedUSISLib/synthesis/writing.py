"""The files of a result; every one says that it is synthetic."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE, SynthesisResult

FILES = {
    "mr": "mr.nii.gz",
    "uncertainty": "uncertainty.nii.gz",
    "noise_spread": "noise_spread.nii.gz",
    "mask_consistency": "mask_consistency.nii.gz",
    "labels": "labels.nii.gz",
}
"""File of each map of a result; ``noise_spread`` only when it was asked for."""

_CONTENTS = {
    "mr": "MR",
    "uncertainty": "variance over passes",
    "noise_spread": "variance over noise",
    "mask_consistency": "mask consistency",
    "labels": "labels",
}


def write_maps(result: SynthesisResult, folder: Path, progress: Progress) -> list[Path]:
    """Write the volumes of a result as compressed NIfTI."""
    present = [name for name in FILES if getattr(result, name) is not None]
    paths = []
    for number, name in enumerate(present, start=1):
        progress.checkpoint()
        text = f"{SYNTHETIC_NOTICE}; {_CONTENTS[name]}; {result.manifest.id} {result.manifest.version}"
        paths.append(write_volume(getattr(result, name), folder / FILES[name], description=text))
        progress.step(number, len(present))
    return paths


def write_json(value: dict[str, Any], path: Path) -> Path:
    """Readable JSON with plain numbers; what is not finite becomes null, as JSON knows no NaN."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
