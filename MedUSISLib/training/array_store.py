"""Arrays remembered under a key: written whole or not at all, checked when read, shared by all who train."""

from __future__ import annotations

import json
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import safetensors
from safetensors.numpy import save as to_bytes
from safetensors.torch import load_file

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.writing import written_file_error
from MedUSISLib.leftovers import temporary
from MedUSISLib.progress import Progress
from MedUSISLib.single_run import single_run

_POLL_S = 0.2
Arrays = dict[str, np.ndarray]


class ArrayStore:
    """A folder of files, each with a few arrays.

    The arrays that come back are mapped from the file: pages are read when they are looked at, the system takes them
    back when memory is short, and processes that train on the same data share them. They must not be written to.

    Parameters
    ----------
    folder : Path
        Made when something is saved.
    prefix : str
        Of the files' names.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = ArrayStore(Path(folder))
    ...     first = store.get("k", lambda: {"a": np.arange(3)}, Progress())
    ...     again = store.get("k", lambda: {"a": np.arange(9)}, Progress())
    >>> again["a"].tolist()
    [0, 1, 2]
    """

    def __init__(self, folder: Path, prefix: str = "case") -> None:
        self.folder, self.prefix = folder, prefix

    def path(self, key: str) -> Path:
        """The file of a key, whether it exists or not."""
        return self.folder / f"{self.prefix}-{key}.safetensors"

    def load(self, key: str) -> Arrays | None:
        """The arrays of a key; None where there are none, or damaged ones, which are then forgotten."""
        path = self.path(key)
        if not path.is_file():
            return self._from_earlier_version(key)
        try:
            with safetensors.safe_open(path, "np") as file:
                sums = json.loads((file.metadata() or {})["crc32"])
            arrays = {name: tensor.numpy() for name, tensor in load_file(path).items()}
            whole = sums.keys() == arrays.keys() and all(_crc(array) == sums[name] for name, array in arrays.items())
        except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError):
            whole = False
        if not whole:
            with suppress(OSError):  # somebody else may have forgotten it already, or holds it open
                path.unlink()
            return None
        return arrays

    def save(self, key: str, arrays: Arrays) -> None:
        """Remember arrays.

        Raises
        ------
        MedUSISError
            ``DISK_FULL``, or ``BAD_SETTING`` when the folder cannot be written to.
        """
        # A name of its own for each writer: two of them then do not write into one file.
        half = self.folder / f"{self.path(key).name}.{uuid.uuid4().hex[:8]}.tmp"
        contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        sums = {name: _crc(array) for name, array in contiguous.items()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with temporary(half):
                with half.open("wb") as file:
                    file.write(to_bytes(contiguous, {"crc32": json.dumps(sums)}))
                    file.flush()
                    os.fsync(file.fileno())
                half.replace(self.path(key))
        except OSError as error:
            raise written_file_error(error, self.folder, "the cache") from None

    def get(self, key: str, make: Callable[[], Arrays], progress: Progress) -> Arrays:
        """The arrays of a key, made where there are none; of several processes that ask, one makes them.

        Parameters
        ----------
        key : str
        make : callable
        progress : Progress
            Asked ``checkpoint`` while another process makes them.
        """
        found = self.load(key)
        if found is not None:
            return found
        with self._alone(key, progress):
            found = self.load(key)
            if found is None:
                self._remove_halves(key)
                self.save(key, make())
                found = self.load(key)
        if found is None:
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                "a file of the cache is damaged as soon as it is written",
                "choose another cache folder, and have the disk checked",
                self.folder,
            )
        return found

    @contextmanager
    def _alone(self, key: str, progress: Progress) -> Iterator[None]:
        """Waits for whoever makes the same arrays; a process that was killed is not waited for."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(single_run(self.folder / f"{self.prefix}-{key}-lock"))
                    break
                except MedUSISError:
                    progress.checkpoint()
                    time.sleep(_POLL_S)
            yield

    def _remove_halves(self, key: str) -> None:
        """What a killed process left: nobody else writes this key now."""
        for half in self.folder.glob(f"{self.path(key).name}.*.tmp"):
            with suppress(OSError):
                half.unlink()

    def _from_earlier_version(self, key: str) -> Arrays | None:
        """Arrays that version 0.1 kept as a compressed file under the same key, in today's form."""
        earlier = self.folder / f"{self.prefix}-{key}.npz"
        if not earlier.is_file():
            return None
        try:
            with np.load(earlier) as data:
                arrays = dict(data)
        except Exception:  # a damaged archive fails in many ways
            return None
        self.save(key, arrays)
        return self.load(key)


def _crc(array: np.ndarray) -> int:
    return zlib.crc32(array.reshape(-1).view(np.uint8).data)
