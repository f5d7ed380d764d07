"""The TensorBoard log of a training, where the package is installed that writes it.

It is written by tensorboardX: an event file needs protobuf alone, while ``torch.utils.tensorboard`` wants the whole of
TensorBoard with its server (20 MB of packages instead of 0.5 MB, which would have to go into Slicer's Python). To look
at it, ``tensorboard --logdir OUT/tensorboard`` with TensorBoard installed anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np


class TensorBoardLog:
    """An event file that appears with its first entry.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def start(self, iteration: int) -> bool:
        """Begin a new file: what older ones hold beyond this iteration is no longer shown.

        Returns
        -------
        bool
            False when the package is missing; nothing is written then.
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            return False
        self.close()
        with _computer_is_not_named():
            self._writer = SummaryWriter(str(self._folder), purge_step=iteration + 1, flush_secs=10)
        return True

    def numbers(self, group: str, values: Mapping[str, float], iteration: int) -> None:
        """Curves, as "group/name"."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", float(value), iteration)

    def picture(self, name: str, picture: np.ndarray, iteration: int) -> None:
        """A picture, uint8 (H, W, 3)."""
        if self._writer is not None:
            self._writer.add_image(name, picture, iteration, dataformats="HWC")

    def close(self) -> None:
        """Write the rest and end the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


@contextmanager
def _computer_is_not_named() -> Iterator[None]:
    """tensorboardX puts the name of the computer into that of its file, and offers no other way."""
    from tensorboardX import event_file_writer

    with patch.object(event_file_writer, "socket", SimpleNamespace(gethostname=lambda: "computer")):
        yield
