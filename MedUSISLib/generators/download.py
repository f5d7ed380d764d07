"""Downloading a generator's zip file: https only, bounded, and nothing is sent but the request itself."""

from __future__ import annotations

import hashlib
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress

_BLOCK = 256 * 1024
_TIMEOUT_S = 30.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def download(url: str, path: Path, maximum_bytes: int, sha256: str | None, progress: Progress) -> None:
    """Download a file.

    Parameters
    ----------
    url : str
        An https URL; plain http is allowed to this machine only.
    path : Path
        Where to write it.
    maximum_bytes : int
        The transfer stops when it exceeds this, whatever size the server announced.
    sha256 : str, optional
        Expected hash.

    Raises
    ------
    MedUSISError
        BAD_SETTING for another kind of URL, GENERATOR_NOT_FOUND when the server does not give the file,
        GENERATOR_CORRUPT when it is too large, cut short or not the expected one.
    """
    _check_url(url)
    opener = urllib.request.build_opener(
        _CheckedRedirects(), urllib.request.HTTPSHandler(context=ssl.create_default_context())
    )
    digest = hashlib.sha256()
    done = 0
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "medusis"})
        with opener.open(request, timeout=_TIMEOUT_S) as response, path.open("xb") as sink:
            announced = response.headers.get("Content-Length")
            total = int(announced) if announced and announced.isdigit() else 0
            if total > maximum_bytes:
                raise _too_large()
            while block := response.read(_BLOCK):
                progress.checkpoint()
                done += len(block)
                if done > maximum_bytes:
                    raise _too_large()
                digest.update(block)
                sink.write(block)
                if total:
                    progress.step(done, total)
    except urllib.error.HTTPError as error:
        raise _not_found(f"the server answers {error.code}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise _not_found("the server cannot be reached, or the connection broke") from error
    if total and done != total:
        raise MedUSISError(ErrorCode.GENERATOR_CORRUPT, "the download was cut short", "try again")
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT,
            "the download is not the expected file: its SHA-256 differs",
            "check the address and the hash with the generator's author",
        )


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to a place that would have been accepted in the first place."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_url(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise _bad_url()
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or local) or not parts.hostname:
        raise _bad_url()


def _bad_url() -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, "a generator is downloaded over https only", "give an https:// address")


def _not_found(reason: str) -> MedUSISError:
    return MedUSISError(
        ErrorCode.GENERATOR_NOT_FOUND, f"the generator could not be downloaded: {reason}", "check the address"
    )


def _too_large() -> MedUSISError:
    return MedUSISError(
        ErrorCode.GENERATOR_CORRUPT, "the download is refused: it is larger than the limit", "check the address"
    )
