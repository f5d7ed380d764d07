"""Pictures of finished slices, to look at while a run goes on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from MedUSISLib.leftovers import WORKSPACE_VARIABLE, temporary
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.result import SYNTHETIC_NOTICE

_PICTURES = 12


class Previews:
    """Writes the first slice of a run and about a dozen more, evenly spread, as PNG, and tells the listener.

    Parameters
    ----------
    folder : Path
        Private to the run.
    progress : Progress
    slice_axis : int
        Only slices along this array axis are shown.
    number_of_slices : int
        Slices of the volume along it.
    """

    def __init__(self, folder: Path, progress: Progress, slice_axis: int, number_of_slices: int) -> None:
        self._folder = folder
        self._progress = progress
        self._axis = slice_axis
        self._step = max(1, number_of_slices // _PICTURES)
        self._shown = False

    def __call__(self, axis: int, number: int, image: np.ndarray) -> None:
        """Show network intensities [rows, columns] in [-1, 1] of one slice, if it is its turn."""
        if axis != self._axis or (self._shown and number % self._step):
            return
        self._shown = True
        path = self._folder / f"slice-{number:04d}.png"
        write_picture(path, image, upside_down=self._axis != 0)
        self._progress.preview(path)


def write_picture(path: Path, image: np.ndarray, upside_down: bool = False) -> None:
    """A grey PNG of network intensities, with the caution on it."""
    from PIL import Image, ImageDraw

    grey = np.clip((image + 1) * 127.5, 0, 255).astype(np.uint8)
    if upside_down:
        grey = grey[::-1]
    picture = Image.fromarray(grey)
    ImageDraw.Draw(picture).text((3, picture.height - 12), SYNTHETIC_NOTICE, fill=255)
    picture.save(path)


@contextmanager
def preview_folder() -> Iterator[Path]:
    """A private folder: in the job's workspace (which outlives the run a little), else gone with the run."""
    workspace = os.environ.get(WORKSPACE_VARIABLE)
    if workspace and Path(workspace).is_dir():
        yield Path(tempfile.mkdtemp(prefix="previews-", dir=workspace))
        return
    with temporary(Path(tempfile.gettempdir()) / f"medusis-previews-{os.urandom(8).hex()}") as folder:
        folder.mkdir(mode=0o700)
        yield folder
