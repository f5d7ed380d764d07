"""From where a generator may be downloaded: https, and plain http from this machine alone; redirects included."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.parse import urlsplit

from MedUSISLib.errors import ErrorCode, MedUSISError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_address(url: str) -> None:
    """Refuse every other kind of address.

    Raises
    ------
    MedUSISError
        BAD_SETTING.

    Examples
    --------
    >>> check_address("https://example.org/head-t1w.zip")
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:  # half an address in brackets, a port that is no number
        raise _refused() from None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise _refused()


class CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to a place that would have been accepted in the first place."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        check_address(newurl)
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise _refused()
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refused() -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, "a generator is downloaded over https only", "give an https:// address")
