"""Reach a Ray cluster, or start one on this machine that nobody else can reach.

Lives in the child process `cluster_child` alone: Ray ends the process that talks to a cluster whose head is gone, puts
its own copies of libraries before others, and is told most of what matters here by environment variables.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psutil

from MedUSISLib.batch.cluster_address import ClusterAddress
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.leftovers import note
from MedUSISLib.private_folder import PrivateFolder, remove_abandoned

NOT_STARTED = "Ray could not start a cluster on this machine"
INSTALL = "pip install 'medusis[cluster]'"

_LONGEST_SOCKET = 103
"""Bytes that every system allows for the path of a socket: macOS 103, Linux 107."""
_BELOW_THE_FOLDER = len("/medusis-12345678/r/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")
_OBJECT_STORE_BYTES = 80 * 2**20
"""The least that Ray takes: nothing but events goes through it."""
_ANSWER_S = 10.0
_ATTEMPTS = 2
_SERVERS = ("gcs_server", "raylet")


@dataclass(frozen=True)
class Node:
    """A living machine of the cluster; ``memory`` in bytes."""

    id: str
    host: str
    cpus: float
    gpus: float
    memory: float


class RaySession:
    """An open connection: ``ray`` is the library."""

    def __init__(self, ray: Any, servers: list[psutil.Process]) -> None:
        self.ray = ray
        self._servers = servers

    def nodes(self) -> list[Node]:
        """The living nodes that offer processors: one that offers none is there to manage the others."""
        found = [
            Node(
                node["NodeID"],
                str(node.get("NodeManagerHostname") or node.get("NodeManagerAddress") or node["NodeID"][:8]),
                *(float(node["Resources"].get(name, 0.0)) for name in ("CPU", "GPU", "memory")),
            )
            for node in self.ray.nodes()
            if node["Alive"]
        ]
        return [node for node in found if node.cpus or node.gpus]

    @property
    def lost(self) -> bool:
        """True when a cluster of our own can do nothing any more; one of somebody else's is asked by using it."""
        return any(not _lives(server) for server in self._servers)


@contextmanager
def ray_session(address: ClusterAddress, workers: int) -> Iterator[RaySession]:
    """Connect, or start a cluster for ``workers`` workers; it is gone afterwards.

    Raises
    ------
    MedUSISError
        DEPENDENCY_MISSING without Ray; DEVICE_NOT_AVAILABLE when the cluster does not answer or has other versions.
    """
    require_ray(address)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with _local_session(workers) if address.is_local else _remote_session(str(address.url)) as session:
        yield session


def require_ray(address: ClusterAddress) -> None:
    """Raise DEPENDENCY_MISSING when a package is not there; imports nothing."""
    for package in ("ray",) if address.is_local else ("ray", "grpc"):
        if importlib.util.find_spec(package) is None:
            raise MedUSISError(
                ErrorCode.DEPENDENCY_MISSING,
                f"a batch on a cluster needs the Python package '{'grpcio' if package == 'grpc' else package}'",
                f"install it into the environment that runs MedUSIS: {INSTALL}",
            )


@contextmanager
def _local_session(workers: int) -> Iterator[RaySession]:
    """A cluster of this machine that listens on 127.0.0.1, to nobody without its key."""
    before = tempfile.gettempdir()
    tempfile.tempdir = short_temporary_folder()
    folder = PrivateFolder()
    try:
        note(folder.path)
        # Ray opens its own folder for everybody, so it is one in the private folder.
        rays, temporary = folder.path / "r", folder.path / "t"
        temporary.mkdir(mode=0o700)
        os.environ.update(
            # Documented for two other systems; everywhere it makes all parts of Ray bind to the loopback address.
            RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0",
            # Another user of this machine reaches 127.0.0.1 too. A key of our own also keeps Ray from making one in the
            # home folder.
            RAY_AUTH_MODE="token",
            RAY_AUTH_TOKEN=secrets.token_hex(32),
            # No report of tasks and no figures: nobody would look at them.
            RAY_task_events_report_interval_ms="0",
            RAY_enable_metrics_collection="0",
            # A busy machine is no reason to take its only node, or a worker that imports torch, for dead.
            RAY_health_check_timeout_ms="120000",
            RAY_worker_register_timeout_seconds="600",
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)),
        )
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))
        import ray

        try:
            ray.init(
                num_cpus=workers,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _temp_dir=str(rays),
                _node_ip_address="127.0.0.1",
            )
        except Exception as error:
            hint = "the machine may be too busy: try again, or leave --cluster away"
            raise MedUSISError(ErrorCode.DEVICE_NOT_AVAILABLE, NOT_STARTED, hint) from error
        try:
            yield RaySession(ray, _servers())
        finally:
            ray.shutdown()
    finally:
        with suppress(OSError):
            tempfile.tempdir = str(folder.path / "t")
            remove_abandoned()  # what workers wrote down and could not remove themselves
        tempfile.tempdir = before
        folder.close()


@contextmanager
def _remote_session(url: str) -> Iterator[RaySession]:
    """A cluster that is there. Its key, if it wants one, comes from RAY_AUTH_TOKEN or ~/.ray/auth_token as always."""
    place = urlsplit(url)
    try:
        # Ray takes half a minute to find out.
        socket.create_connection((place.hostname, place.port), timeout=_ANSWER_S).close()
    except OSError as error:
        raise MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE,
            f"nobody answers at {url}",
            "see that the head of the cluster runs (ray start --head) and that its port for clients can be reached",
        ) from error
    import ray

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(url, logging_level=logging.ERROR, log_to_driver=False)
            break
        except ConnectionError as error:
            # A busy head may need longer to start its end of the connection than Ray waits for it.
            if attempt == _ATTEMPTS:
                raise _not_let_in(url, error) from error
        except Exception as error:
            raise _not_let_in(url, error) from error
    try:
        yield RaySession(ray, [])
    finally:
        with suppress(Exception):
            ray.shutdown()


def short_temporary_folder() -> str:
    """The temporary folder, or another one when paths of sockets below it would be too long.

    Raises
    ------
    MedUSISError
        BAD_SETTING when there is none.
    """
    for folder in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp")):
        short = sys.platform == "win32" or len(os.fsencode(folder)) + _BELOW_THE_FOLDER <= _LONGEST_SOCKET
        if short and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise MedUSISError(
        ErrorCode.BAD_SETTING,
        "no temporary folder has a path that is short enough for the sockets of Ray",
        f"set TMPDIR to a folder of at most {_LONGEST_SOCKET - _BELOW_THE_FOLDER} characters",
    )


def _servers() -> list[psutil.Process]:
    """The processes without which a local cluster is none."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if process.name().removesuffix(".exe") in _SERVERS:
                found.append(process)
    return found


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _not_let_in(url: str, error: Exception) -> MedUSISError:
    """Ray's reasons in words of ours; its own name machines and users, and run over pages."""
    if "version" in str(error).lower():
        import ray

        mine = f"Python {sys.version_info[0]}.{sys.version_info[1]} and Ray {ray.__version__}"
        return MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE,
            f"the cluster runs another version of Python or of Ray than this batch ({mine})",
            "use the same versions of both on every node and here",
        )
    return MedUSISError(
        ErrorCode.DEVICE_NOT_AVAILABLE,
        f"the Ray cluster at {url} does not let this batch in",
        "give the cluster's key (RAY_AUTH_MODE=token, RAY_AUTH_TOKEN); see that this is its port for clients (10001), "
        "that its head has ray[client], and that it is not overloaded",
    )
