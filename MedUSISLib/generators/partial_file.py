"""What has come of a download so far: kept when the connection breaks, so that the next try goes on from there."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from MedUSISLib.leftovers import remove
from MedUSISLib.single_run import LOCK_SUFFIX

FOLDER_NAME = ".downloads"
_KEPT_S = 7 * 86400.0
_WHOLE_KEPT_S = 3600.0


class PartialFile:
    """The first bytes of one address, and by what the server will know that the rest still belongs to them.

    The address itself is not written down: it may hold a key.

    Parameters
    ----------
    folder : Path
        For all downloads; made with rights for this user alone.
    url : str

    Attributes
    ----------
    path : Path
        The bytes that have come.
    lock_path : Path
    validator : str
        The server's entity tag or time of the last change, empty when it gave neither.
    total : int
        Bytes of the whole file, 0 when the server did not say.
    """

    def __init__(self, folder: Path, url: str) -> None:
        key = hashlib.sha256(url.encode("utf-8")).hexdigest()[:24]
        self._folder = folder
        self.path = folder / f"{key}.part"
        self.lock_path = folder / f"{key}{LOCK_SUFFIX}"
        self._notes = folder / f"{key}.json"
        self.validator = ""
        self.total = 0

    def open(self) -> None:
        """Make the folder, forget downloads that nobody went on with for a week, and look what is there."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):
            for old in self._folder.iterdir():
                if time.time() - old.stat().st_mtime > _KEPT_S:
                    remove(old)
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            self.validator, self.total = str(notes["validator"]), int(notes["total"])
            if self.is_whole and time.time() - self.path.stat().st_mtime > _WHOLE_KEPT_S:
                self.discard()  # there may be another one by now
        except (OSError, ValueError, KeyError, TypeError):
            self.discard()

    @property
    def size(self) -> int:
        """Bytes that have come."""
        return self.path.stat().st_size if self.path.is_file() and not self.path.is_symlink() else 0

    @property
    def is_whole(self) -> bool:
        """Whether all that was announced is there."""
        return 0 < self.total == self.size

    def begin(self, headers: Mapping[str, str], total: int) -> None:
        """Begin anew with what a server sends now."""
        self.discard()
        tag = headers.get("ETag") or ""
        # a weak tag promises the same meaning, not the same bytes (RFC 9110, 13.1.5)
        self.validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified") or ""
        self.total = total
        self.path.touch(mode=0o600)
        self._notes.touch(mode=0o600)
        self._notes.write_text(json.dumps({"validator": self.validator, "total": total}), encoding="utf-8")

    def discard(self) -> None:
        """Forget everything; the folder too, when nothing else is in it."""
        for path in (self.path, self._notes):
            remove(path)
        self.validator, self.total = "", 0

    def close(self) -> None:
        """Remove the folder when nothing is kept in it."""
        with suppress(OSError):
            self._folder.rmdir()
