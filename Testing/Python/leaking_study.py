"""Studies that somebody spoiled: files of an arm changed as a careless person would change them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from MedUSISLib.study.key import Key, load_key
from MedUSISLib.study.trial_writing import FILE_TIME
from MedUSISLib.study.versioned import to_json

HEADER = 352


def change_files(
    study: Path, roles: Sequence[str], change: Callable[[bytes], bytes], only: int | None = None, settle: bool = True
) -> None:
    """Change the files of some roles; hashes in the key are right again afterwards, and times with ``settle``."""
    key = load_key(study)
    images = [i for i in key.images if i.role in roles][:only]
    hashes = {}
    for image in images:
        path = study / "trials" / f"{image.name}.nii"
        path.write_bytes(change(path.read_bytes()))
        if settle:
            os.utime(path, (FILE_TIME, FILE_TIME))
        hashes[image.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    rewrite(study, key, images=[i.model_copy(update={"sha256": hashes.get(i.name, i.sha256)}) for i in key.images])


def rewrite(study: Path, key: Key, **fields: object) -> None:
    """The key with other images or trials."""
    (study / "key.json").write_text(to_json(Key.model_validate({**key.model_dump(), **_plain(fields)})))


def _plain(fields: dict[str, object]) -> dict[str, object]:
    return {n: [x.model_dump() for x in v] for n, v in fields.items()}  # type: ignore[attr-defined]


def voxels(content: bytes) -> np.ndarray:
    """A trial's voxels, flat, uint8."""
    return np.frombuffer(content[HEADER:], np.uint8).copy()


def with_voxels(content: bytes, array: np.ndarray) -> bytes:
    """The same header before other voxels."""
    return content[:HEADER] + array.tobytes()


def with_field(content: bytes, at: int, value: bytes) -> bytes:
    """The file with other bytes at a place of the header."""
    return content[:at] + value + content[at + len(value) :]
