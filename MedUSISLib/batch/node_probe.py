"""What a node of a cluster is asked before it gets a case. This file travels to it: standard library only.

It is sent by value (`ray_nodes.look_at_nodes`): a node without MedUSIS, or with another one, must be able to say so.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import sys
import uuid
from typing import Any

NEEDED = ("torch", "monai", "SimpleITK", "nibabel", "safetensors", "pydantic", "psutil")
"""Packages without which no worker starts."""


def look(files: dict[str, int], out: str, token_name: str, token: str) -> dict[str, Any]:
    """What this node is and sees.

    Parameters
    ----------
    files : dict of str to int
        Inputs with their sizes in bytes as the batch sees them, -1 for a folder.
    out : str
        Folder of the results.
    token_name, token : str
        A file in ``out`` and its content: a folder of the same name on a disk of the node's own does not have it.

    Returns
    -------
    dict
        ``host``; ``python``, ``medusis`` (versions; "" where there is none); ``missing`` (packages); ``unseen`` (number
        of inputs that are absent or other ones); ``out``: "", or what is wrong ("absent", "other", "read-only").
    """
    medusis, missing = "", [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if importlib.util.find_spec("MedUSISLib") is not None:
        import MedUSISLib

        medusis = MedUSISLib.__version__
    return {
        "host": socket.gethostname(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "system": platform.system(),
        "medusis": medusis,
        "missing": missing,
        "unseen": sum(not _is_there(path, size) for path, size in files.items()),
        "out": _trouble_with(out, token_name, token),
    }


def size_of(path: str) -> int:
    """Bytes of a file that can be read, -1 for a folder.

    Raises
    ------
    OSError
        When it is not there or cannot be opened.
    """
    if os.path.isdir(path):
        os.listdir(path)
        return -1
    with open(path, "rb") as file:
        return os.fstat(file.fileno()).st_size


def _is_there(path: str, size: int) -> bool:
    try:
        return size_of(path) == size
    except OSError:
        return False


def _trouble_with(out: str, token_name: str, token: str) -> str:
    if not os.path.isdir(out):
        return "absent"
    try:
        with open(os.path.join(out, token_name), encoding="ascii") as file:
            if file.read() != token:
                return "other"
    except OSError:
        return "other"
    mine = os.path.join(out, f"{token_name}-{uuid.uuid4().hex[:12]}")
    try:
        os.close(os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(mine)
    except OSError:
        return "read-only"
    return ""
