"""Whether a folder lies on a drive that several computers share."""

from __future__ import annotations

from pathlib import Path

import psutil

_NETWORK = frozenset(
    {
        "9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4",
        "panfs", "smb2", "smb3", "smbfs", "sshfs", "vboxsf", "webdav",
    }
)  # fmt: skip
"""Types of file systems, as mount tables call them; those of FUSE without that word."""


def is_on_network(folder: Path) -> bool:
    """True for a folder on a network drive; False also where nobody can tell.

    Examples
    --------
    >>> is_on_network(Path("/"))
    False
    """
    place = folder.resolve()
    if place.drive.startswith("\\\\"):  # \\server\share
        return True
    mounts = [mount for mount in psutil.disk_partitions(all=True) if place.is_relative_to(mount.mountpoint)]
    if not mounts:
        return False
    nearest = max(mounts, key=lambda mount: len(mount.mountpoint))
    return nearest.fstype.lower().removeprefix("fuse.") in _NETWORK or "remote" in nearest.opts.split(",")
