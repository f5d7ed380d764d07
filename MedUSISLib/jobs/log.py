"""A log that can be handed to a stranger: what happened, without the names and places of patient files."""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_PATH = re.compile(r"""(?<![\w<>/\\.])(?:[A-Za-z]:)?[\\/](?:[^\s'"<>|:*?\\/]+[\\/])+[^\s'"<>|:*?,;)\\/]*""")
_KEPT_LOGS = 30


def default_log_folder() -> Path:
    """Where logs of this user lie; the environment variable ``MEDUSIS_LOGS`` overrides it."""
    given = os.environ.get("MEDUSIS_LOGS")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "MedUSIS" / "Logs"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Logs" / "MedUSIS"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "medusis" / "log"


def new_log_file(kind: str, folder: Path | None = None) -> Path:
    """A new file name in the log folder, which is made; the oldest logs beyond 30 are removed."""
    folder = folder or default_log_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("medusis-*.log"))[: -(_KEPT_LOGS - 1)]:
        old.unlink(missing_ok=True)
    return folder / f"medusis-{time.strftime('%Y%m%d-%H%M%S')}-{kind}-{os.getpid()}.log"


class Scrubber:
    """Replaces the files of a request by their role, and every other path that is not code by ``<path>``.

    Parameters
    ----------
    request : BaseModel
        Its fields that are paths, nested ones too, are what must not show.

    Examples
    --------
    >>> from MedUSISLib.segmentation.request import SegmentationRequest
    >>> request = SegmentationRequest(ct="/data/Doe_Jane/ct_1962.nii.gz", out="/data/out.nii.gz")
    >>> Scrubber(request)("cannot open /data/Doe_Jane/ct_1962.nii.gz, is ct_1962 there?")
    'cannot open <ct>, is <ct> there?'
    """

    def __init__(self, request: BaseModel | None = None) -> None:
        words: dict[str, str] = {}
        for role, path in _paths_of(request):
            full = path.expanduser()
            for place in {full, full.absolute(), full.resolve()}:
                if len(place.parts) > 1:
                    words[str(place)] = role
                    words.setdefault(str(place.parent), f"{role} folder")
            bare = full.name.split(".")[0]
            if full.name:
                words[full.name] = role
            if len(bare) >= 4:
                words[bare] = role
        for trivial in ("", ".", "/", "\\", str(Path.home()), str(Path.cwd())):
            words.pop(trivial, None)
        self._roles = words
        ordered = sorted(words, key=len, reverse=True)
        # After a folder of the request everything up to a quote or colon belongs to the path, spaces included.
        below = r"""(?:[\\/][^'":<>|]*)?"""
        alternatives = "|".join(re.escape(word) + (below if _is_place(word) else "") for word in ordered)
        self._secret = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)") if ordered else None
        code = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")]
        self._code = {str(place): place.name for place in (Path(__file__).parents[1], *code)}

    def __call__(self, text: str) -> str:
        for place, name in self._code.items():
            text = text.replace(place, name)
        if self._secret is not None:
            text = self._secret.sub(self._role, text)
        return _PATH.sub("<path>", text)

    def _role(self, match: re.Match[str]) -> str:
        found = match.group()
        word = max((w for w in self._roles if found.startswith(w)), key=len)
        return f"<{self._roles[word]}>"


class JobLog:
    """A file that takes scrubbed lines with their time, from any thread. Without a path it takes them nowhere.

    A full disk costs lines, never the job: whoever waits for the job's last word must hear it.
    """

    def __init__(self, path: Path | None, scrub: Scrubber) -> None:
        self._scrub = scrub
        self._lock = threading.Lock()
        self._file = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="\n")

    def write(self, line: str) -> None:
        with self._lock:
            if self._file is not None:
                with suppress(OSError):
                    self._file.write(f"{time.strftime('%H:%M:%S')} {self._scrub(line)}\n")
                    self._file.flush()

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
                self._file = None


def _is_place(word: str) -> bool:
    return "/" in word or "\\" in word


def _paths_of(value: Any, role: str = "path") -> Iterable[tuple[str, Path]]:
    """Every path in a request with the name of its field; text with a separator counts as a path."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _paths_of(getattr(value, name), name)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _paths_of(item, str(name))
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _paths_of(item, role)
    elif isinstance(value, Path):
        yield role, value
    elif isinstance(value, str) and _is_place(value):
        yield role, Path(value)
