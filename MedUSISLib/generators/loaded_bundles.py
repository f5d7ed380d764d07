"""Bundles that stay in memory between runs: verified anew only when a file of theirs has changed."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle, require_kind, verify_bundle
from MedUSISLib.generators.catalogue import find_bundle
from MedUSISLib.heap import trim_heap

if TYPE_CHECKING:
    import torch
    from torch import nn

Fingerprint = tuple[tuple[str, int, int, int, int], ...]

_SETTLED_S = 2.0
"""A file that was written this shortly before it was looked at may be written again within the same tick of the file
system's clock (2 s on FAT) without a trace: what was verified then is verified once more the next time."""


@dataclass(frozen=True)
class _Verified:
    bundle: Bundle
    fingerprint: Fingerprint
    settled: bool


class LoadedBundles:
    """Verified bundles and their networks, for whoever does one run after the other.

    May be used from several threads; a network itself serves one of them at a time.

    Parameters
    ----------
    keep : int
        Networks that stay in memory, the last used ones; with 0 each is the caller's alone.

    Examples
    --------
    >>> bundles = LoadedBundles(keep=1)
    >>> bundle = bundles.verified("head-seg")
    >>> bundles.network(bundle) is bundles.network(bundle)
    True
    """

    def __init__(self, keep: int = 2) -> None:
        self._keep = keep
        self._lock = threading.RLock()
        self._verified: dict[Path, _Verified] = {}
        self._networks: OrderedDict[tuple[Path, str], nn.Module] = OrderedDict()

    def verified(self, path_or_id: str | Path, kind: str | None = None) -> Bundle:
        """The bundle, as `bundle.load_bundle` gives it.

        Its files are hashed when they are not the ones that were hashed before, by name, size, times and inode.

        Raises
        ------
        MedUSISError
            GENERATOR_NOT_FOUND, GENERATOR_CORRUPT.
        """
        folder = find_bundle(path_or_id)
        with self._lock:
            found, began = fingerprint(folder), time.time()
            known = self._verified.get(folder)
            if known is None or not known.settled or known.fingerprint != found:
                self._verified.pop(folder, None)
                bundle = verify_bundle(folder)
                for key in [key for key in self._networks if key[0] == folder and key[1] != bundle.sha256]:
                    del self._networks[key]
                newest = max((max(modified, changed) for _, _, modified, changed, _ in found), default=0)
                settled = newest < (began - _SETTLED_S) * 1e9 and found == fingerprint(folder)
                known = self._verified[folder] = _Verified(bundle, found, settled)
        return require_kind(known.bundle, kind)

    def network(self, bundle: Bundle, device: str | torch.device = "cpu") -> nn.Module:
        """The bundle's network; on ``device`` when it is loaded now, else where its last user left it.

        Raises
        ------
        MedUSISError
            GENERATOR_CORRUPT when the weights do not fit.
        """
        key = (bundle.directory, bundle.sha256)
        with self._lock:
            network = self._networks.get(key)
            if network is None:
                network = bundle.load_network(device)
            if self._keep:
                self._networks[key] = network
                self._networks.move_to_end(key)
                while len(self._networks) > self._keep:
                    self._networks.popitem(last=False)
            return network

    def release(self) -> None:
        """Forget everything, and give its memory back."""
        with self._lock:
            self._verified.clear()
            self._networks.clear()
        give_memory_back()


def give_memory_back() -> None:
    """Give what no object needs back to the system: allocators of Python, torch and C keep it for the next time."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    trim_heap()


def device_memory_bytes() -> int:
    """Memory of accelerators that this process holds."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return sum(int(torch.cuda.memory_reserved(number)) for number in range(torch.cuda.device_count()))


def fingerprint(folder: Path) -> Fingerprint:
    """Name, size, times of writing and of change (ns), and inode of every file in a bundle's folder.

    Raises
    ------
    MedUSISError
        GENERATOR_CORRUPT when the folder cannot be looked through.
    """
    try:
        found = []
        for path in sorted(folder.rglob("*")):
            status = path.lstat()
            if not path.is_dir() or path.is_symlink():
                name = path.relative_to(folder).as_posix()
                found.append((name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    except OSError as error:
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT, "the generator's folder cannot be read", "install it again", path=folder
        ) from error
    return tuple(found)
