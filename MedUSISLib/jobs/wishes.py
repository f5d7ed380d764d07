"""How a wish to pause, finish or stop reaches a running job: one word in a small file that the job looks at.

A file and no signal: it works on every system, whoever started the job, and it can be read again after a crash.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from MedUSISLib.progress import Wish

WISH_VARIABLE = "MEDUSIS_WISH"
"""Names the file; set by the launcher."""


class WishFile:
    """The file of a job, as the job and those who steer it see it.

    Parameters
    ----------
    path : Path
        It is there only while there is a wish.
    interval_s : float
        How long ``read`` gives the same answer without looking: 0.2 s, because a job asks in every step and the file
        may lie on a network.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     wishes = WishFile(Path(folder) / "wish", interval_s=0)
    ...     before = wishes.read()
    ...     wishes.write(Wish.PAUSE)
    ...     before, wishes.read()
    (None, <Wish.PAUSE: 'pause'>)
    """

    def __init__(self, path: Path, interval_s: float = 0.2) -> None:
        self.path = path
        self._interval_s = interval_s
        self._looked = float("-inf")
        self._seen: Wish | None = None

    @classmethod
    def of_environment(cls) -> WishFile | None:
        """The file that the launcher of this process chose."""
        name = os.environ.get(WISH_VARIABLE)
        return cls(Path(name)) if name else None

    def read(self) -> Wish | None:
        """The wish; None when there is none, or nothing that is understood."""
        now = time.monotonic()
        if now - self._looked >= self._interval_s:
            self._looked = now
            self._seen = None
            with suppress(OSError, ValueError):
                self._seen = Wish(self.path.read_text(encoding="ascii").strip())
        return self._seen

    def write(self, wish: Wish) -> None:
        """Say a wish, in place of an earlier one; whole or not at all. OSError where that cannot be written."""
        half = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        try:
            half.write_text(f"{wish.value}\n", encoding="ascii")
            os.replace(half, self.path)
        finally:
            with suppress(OSError):
                half.unlink()

    def clear(self) -> None:
        """There is no wish any more."""
        with suppress(OSError):
            self.path.unlink()
