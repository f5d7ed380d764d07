"""Downloading a generator's zip file: https only, bounded in size and time, resumed when the connection breaks.

Nothing is sent but the request itself.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.addresses import CheckedRedirects, check_address
from MedUSISLib.generators.partial_file import PartialFile
from MedUSISLib.progress import Progress
from MedUSISLib.single_run import single_run

_BLOCK = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)$")
_BROKEN = (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException)


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes
    ----------
    silence_s : float
        Without a single byte the connection counts as broken.
    tries : int
        Tries in a row that bring nothing new.
    pause_s : float
        Before the second try; twice as long before each further one.
    slowest : float
        Bytes per second, over ``slow_s``; less is ended (a server that sends a byte now and then blocks for ever).
    slow_s : float
    whole_s : float
        For the whole file.
    """

    silence_s: float = 30.0
    tries: int = 4
    pause_s: float = 1.0
    slowest: float = 1024.0
    slow_s: float = 120.0
    whole_s: float = 12 * 3600.0


@contextmanager
def download(
    url: str,
    folder: Path,
    maximum_bytes: int,
    sha256: str | None,
    progress: Progress,
    patience: Patience | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Path]:
    """A downloaded file, removed after the block - unless the block, or the connection, fails in a way that passes.

    A broken connection is taken up again where it broke (Range with If-Range, so that a file that has changed on the
    server begins anew). What has come is kept when all tries fail, when this process is killed, and when the block
    raises `KeepDownload`: the next download of the same address goes on with it.

    Parameters
    ----------
    url : str
        An https URL; plain http is allowed to this machine only.
    folder : Path
        Where what has come is kept.
    maximum_bytes : int
        The transfer stops when it exceeds this, whatever size the server announced.
    sha256 : str, optional
        Expected hash.
    progress : Progress
    patience : Patience, optional
    clock : callable, optional
        Seconds that go on; for tests.

    Raises
    ------
    MedUSISError
        BAD_SETTING for another kind of URL, GENERATOR_NOT_FOUND when the server does not give the file, TIMED_OUT when
        it gives it too slowly, GENERATOR_CORRUPT when it is too large, cut short or not the expected one.
    """
    check_address(url)
    partial = PartialFile(folder, url)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep = False
    try:
        with single_run(partial.lock_path):
            partial.open()
            try:
                _Transfer(url, partial, maximum_bytes, sha256, progress, patience or Patience(), clock).run()
                yield partial.path
            except (KeepDownload, _Unreachable):
                keep = True
                raise
            finally:
                if not keep:
                    partial.discard()
    finally:
        partial.close()


class KeepDownload(MedUSISError):
    """What was downloaded will be wanted again soon."""


class _Unreachable(MedUSISError):
    """The server did not give everything; what it gave is kept."""


class _Transfer:
    """One download in as many connections as it takes."""

    def __init__(
        self,
        url: str,
        partial: PartialFile,
        maximum_bytes: int,
        sha256: str | None,
        progress: Progress,
        patience: Patience,
        clock: Callable[[], float],
    ) -> None:
        self._url = url
        self._partial = partial
        self._maximum = maximum_bytes
        self._sha256 = sha256.lower() if sha256 else None
        self._progress = progress
        self._patience = patience
        self._clock = clock
        self._opener = urllib.request.build_opener(
            CheckedRedirects(), urllib.request.HTTPSHandler(context=ssl.create_default_context())
        )

    def run(self) -> None:
        """Until the file is whole and the expected one."""
        began = self._clock()
        was_resumed = self._partial.size > 0
        in_vain, pause = 0, self._patience.pause_s
        while not self._partial.is_whole:
            before = self._partial.size
            try:
                if self._connect(began):
                    break
                reason = _cut_short()
            except _BROKEN as error:
                if isinstance(getattr(error, "reason", None), ssl.SSLCertVerificationError):
                    raise _not_found("its certificate is not to be trusted") from error
                reason = _broken(error, self._partial.size)
            if not self._can_go_on():
                self._partial.discard()
            in_vain = 0 if self._partial.size > before else in_vain + 1
            if in_vain >= self._patience.tries:
                raise reason
            self._progress.warning("CONNECTION_BROKEN", "the connection broke: it is taken up again")
            was_resumed = was_resumed or self._partial.size > 0
            self._wait(pause, began)
            pause = pause * 2 if in_vain else self._patience.pause_s
        if self._sha256 is None or _sha256_of(self._partial.path) == self._sha256:
            return
        self._partial.discard()
        if was_resumed:  # parts of two versions, from a server that gives no mark of either
            self.run()
            return
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT,
            "the download is not the expected file: its SHA-256 differs",
            "check the address and the hash with the generator's author",
        )

    def _can_go_on(self) -> bool:
        """Whether the rest can be known to belong to what is here: by a mark of the server, or by the hash."""
        return bool(self._partial.validator) or self._sha256 is not None

    def _connect(self, began: float) -> bool:
        """Take what one connection gives; True when that was all."""
        offset = self._partial.size
        headers = {"User-Agent": "medusis", "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if self._partial.validator:
                headers["If-Range"] = self._partial.validator
        try:
            request = urllib.request.Request(self._url, headers=headers)
            with self._opener.open(request, timeout=self._patience.silence_s) as response:
                return self._take(response, offset, began)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and offset:  # there is no such part: begin anew
                    self._partial.discard()
                    return False
                if error.code >= 500 or error.code in (408, 429):
                    raise ConnectionError(f"the server answers {error.code}") from None
                raise _not_found(f"the server answers {error.code}") from None

    def _take(self, response: Any, offset: int, began: float) -> bool:
        announced = response.headers.get("Content-Length") or ""
        length = int(announced) if announced.isdigit() else 0
        if response.status == 206:
            place = _CONTENT_RANGE.match(response.headers.get("Content-Range") or "")
            if not offset or place is None or int(place[1]) != offset or int(place[3]) != self._partial.total:
                self._partial.discard()
                return False
        else:
            offset = 0
            self._partial.begin(response.headers, length)
        total = self._partial.total
        if total > self._maximum:
            raise _too_large()
        done, since, at = offset, offset, self._clock()
        with self._partial.path.open("ab") as sink:
            while block := _next_block(response):
                self._progress.checkpoint()
                done += len(block)
                if done > self._maximum or 0 < total < done:
                    raise _too_large()
                sink.write(block)
                if total:
                    self._progress.step(done, total)
                now = self._clock()
                if now - began > self._patience.whole_s:
                    raise _too_slow()
                if now - at > self._patience.slow_s:
                    if done - since < self._patience.slowest * (now - at):
                        raise _too_slow()
                    since, at = done, now
        return done == total or not total

    def _wait(self, seconds: float, began: float) -> None:
        end = self._clock() + seconds
        while self._clock() < end:
            self._progress.checkpoint()
            time.sleep(min(0.1, seconds))
        if self._clock() - began > self._patience.whole_s:
            raise _too_slow()


def _next_block(response: Any) -> bytes:
    """What has come, at least a byte, or nothing at the end; a broken connection is no trouble of our own disk."""
    try:
        block: bytes = response.read1(_BLOCK)
    except OSError as error:
        raise ConnectionError("the connection broke") from error
    return block


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_found(reason: str) -> MedUSISError:
    return MedUSISError(
        ErrorCode.GENERATOR_NOT_FOUND, f"the generator could not be downloaded: {reason}", "check the address"
    )


def _broken(error: Exception, size: int) -> MedUSISError:
    said = str(error) if isinstance(error, ConnectionError) and str(error).startswith("the server answers") else ""
    if size:
        return _Unreachable(
            ErrorCode.GENERATOR_NOT_FOUND,
            f"the connection broke again and again; {size / 1e6:.1f} MB have come",
            "try again later: it goes on from there",
        )
    reason = said or "the server cannot be reached, or the connection broke"
    return _Unreachable(
        ErrorCode.GENERATOR_NOT_FOUND, f"the generator could not be downloaded: {reason}", "check the address"
    )


def _cut_short() -> MedUSISError:
    return _Unreachable(ErrorCode.GENERATOR_CORRUPT, "the download was cut short, again and again", "try again later")


def _too_large() -> MedUSISError:
    return MedUSISError(
        ErrorCode.GENERATOR_CORRUPT, "the download is refused: it is larger than the limit", "check the address"
    )


def _too_slow() -> MedUSISError:
    return _Unreachable(
        ErrorCode.TIMED_OUT, "the server is too slow", "try again later: it goes on from there"
    )
