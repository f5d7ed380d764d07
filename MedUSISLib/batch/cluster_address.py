"""Where a cluster is: what ``--cluster`` takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from MedUSISLib.errors import ErrorCode, MedUSISError

CLIENT_PORT = 10001
"""Where the head of a Ray cluster listens for clients, unless it was told another port."""

_LOCAL = re.compile(r"local(?::(\d{1,3}))?")
_REMOTE = re.compile(r"ray://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?/?")


@dataclass(frozen=True)
class ClusterAddress:
    """A Ray cluster that is there (``url``), or one that is started on this machine for the batch (``url`` is None).

    Attributes
    ----------
    url : str or None
        "ray://HOST:PORT".
    workers : int or None
        Of "local:N".

    Examples
    --------
    >>> ClusterAddress.parse("local:4")
    ClusterAddress(url=None, workers=4)
    >>> ClusterAddress.parse("ray://node7").url
    'ray://node7:10001'
    """

    url: str | None
    workers: int | None = None

    @classmethod
    def parse(cls, text: str) -> ClusterAddress:
        """From the text of ``--cluster``.

        Raises
        ------
        MedUSISError
            BAD_SETTING.
        """
        if local := _LOCAL.fullmatch(text):
            workers = int(local[1]) if local[1] else None
            if workers != 0:
                return cls(None, workers)
        if (remote := _REMOTE.fullmatch(text)) and 0 < int(remote[2] or CLIENT_PORT) < 2**16:
            return cls(f"ray://{remote[1]}:{int(remote[2] or CLIENT_PORT)}")
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "this is no address of a cluster",
            f"give 'local', 'local:N' (N workers on this machine), or 'ray://HOST:{CLIENT_PORT}'",
        )

    @property
    def is_local(self) -> bool:
        """It is started for the batch and ends with it."""
        return self.url is None
