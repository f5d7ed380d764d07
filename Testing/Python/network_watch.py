"""As ``sitecustomize`` on the path of a child process: writes down whatever touches a network, and forbids it.

``watched_environment(folder)`` makes the environment; ``heard(folder)`` says what was tried, by any Python process that
was started with it. Sockets of C++ libraries are not seen by Python's audit: ``listening`` asks the system for those.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

_VARIABLE = "MEDUSIS_TEST_NETWORK"
_EVENTS = frozenset(
    f"socket.{name}" for name in ("connect", "bind", "sendto", "sendmsg", "getaddrinfo", "gethostbyname")
)


def watched_environment(folder: Path, **variables: str) -> dict[str, str]:
    """For children whose every try to reach or offer something by a network fails and is written down."""
    (folder / "path").mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, folder / "path" / "sitecustomize.py")
    search = [str(folder / "path"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, _VARIABLE: str(folder / "tried"), "PYTHONPATH": os.pathsep.join(search), **variables}


def heard(folder: Path) -> list[str]:
    """What was tried, and a line for each process that was watched."""
    path = folder / "tried"
    return path.read_text().splitlines() if path.exists() else []


def listening(pids: Iterable[int]) -> list[str]:
    """Internet addresses at which processes listen or to which they are connected, now."""
    import psutil

    found = []
    for pid in pids:
        try:
            found += [f"{c.laddr}" for c in psutil.Process(pid).net_connections(kind="inet")]
        except psutil.Error:
            continue
    return found


def _watch(log: str) -> None:
    def hook(event: str, arguments: tuple) -> None:
        if event not in _EVENTS or _is_local(event, arguments):
            return
        with open(log, "a") as file:
            file.write(f"{event} {os.getpid()}\n")
        raise PermissionError(f"no network in this test: {event}")

    with open(log, "a") as file:
        file.write(f"watching {os.getpid()}\n")
    sys.addaudithook(hook)


def _is_local(event: str, arguments: tuple) -> bool:
    """A socket in the file system; or a look whether there is IPv6, as urllib3 takes one when it is imported."""
    if getattr(arguments[0], "family", None) == getattr(__import__("socket"), "AF_UNIX", object()):
        return True
    return event == "socket.bind" and tuple(arguments[1][:2]) == ("::1", 0)


if os.environ.get(_VARIABLE):
    _watch(os.environ[_VARIABLE])
