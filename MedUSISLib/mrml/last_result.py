"""The result of the last run, kept until an input, a setting or the scene changes: another choice of maps needs no run.

In the memory of the application, where the images are anyway: nothing of it is on a disk.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.mrml.settings import SynthesisSettings

if TYPE_CHECKING:
    from MedUSISLib.mrml.preparation import PreparedInputs

MOST_BYTES = 256_000_000
"""A result of 512 x 512 x 400 voxels, compressed, has about 200 MB; what is larger is not kept."""

TAKEN = "RESULT_TAKEN"
TAKEN_TEXT = (
    "The inputs and all settings that change the image are those of the last run: its result was taken, and nothing was"
    " computed."
)


class LastResult:
    """One result folder as bytes, with the fingerprint of all that it came from."""

    def __init__(self) -> None:
        self._key = ""
        self._files: dict[str, bytes] = {}

    def keep(self, key: str, folder: Path) -> None:
        """Keep a result in place of the one before, unless it is too large."""
        self.forget()
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder.is_dir() else []
        if paths and sum(path.stat().st_size for path in paths) <= MOST_BYTES:
            self._files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
            self._key = key

    def write(self, key: str, folder: Path) -> bool:
        """Write the result that was made from exactly this into a new folder; False when there is none."""
        if not key or key != self._key:
            return False
        for name, content in self._files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return True

    def forget(self) -> None:
        """Keep nothing."""
        self._key, self._files = "", {}


def fingerprint(settings: SynthesisSettings, prepared: PreparedInputs) -> str:
    """SHA-256 of everything that a result depends on.

    The voxels and grids of the inputs as they were written for this run, what the labels mean, every setting, and the
    generator by the hashes of its files. Not by times of change: an array of a volume can be changed without a trace.

    Raises
    ------
    OSError
        When one of the files cannot be read.
    """
    from MedUSISLib import __version__
    from MedUSISLib.generators.bundle import sha256_of_file
    from MedUSISLib.generators.catalogue import find_bundle
    from MedUSISLib.generators.manifest import MANIFEST_NAME

    facts: dict[str, Any] = {
        "version": __version__,
        "settings": vars(settings),
        "generator": sha256_of_file(find_bundle(settings.generator) / MANIFEST_NAME),
        "resampled": prepared.segmentation_was_resampled,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in (prepared.ct_file, prepared.segmentation_file, prepared.labels_file):
        digest.update(sha256_of_file(path).encode())
    return digest.hexdigest()
