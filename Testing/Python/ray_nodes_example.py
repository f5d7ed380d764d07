"""A Ray cluster as an administrator starts it, with several nodes that are all this machine."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from MedUSISLib.jobs.process_tree import kill_processes

RAY = Path(sys.executable).with_name("ray")


@dataclass
class Nodes:
    """The sessions of the processes of each node; the first is the head.

    Ray does not join nodes of the loopback address. They listen on this machine's own address, and want a key.
    """

    folder: Path
    environment: dict[str, str]
    port: int
    client_port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ray://127.0.0.1:{self.client_port}"

    def start(self, *options: str, before: Sequence[str] = ()) -> None:
        """Start a node in a session of its own, and wait until it says that it runs."""
        log = self.folder / f"node{len(self.started)}.log"
        command = [*before, str(RAY), "start", "--block", "--num-cpus=1", *options]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, start_new_session=True
            )
        self.started.append(process)
        end = time.monotonic() + 240
        while b"Ray runtime started" not in log.read_bytes():
            assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")
            time.sleep(0.2)

    def add(self, before: Sequence[str] = ()) -> None:
        """One more node."""
        found = re.search(rb"Local node IP: \S*?([0-9a-f.:]+)\s", (self.folder / "node0.log").read_bytes())
        assert found is not None
        self.start(f"--address={found[1].decode()}:{self.port}", before=before)

    def kill(self, number: int, only: str = "") -> None:
        """End a node at once, or the one process of it that has this name."""
        session, found = self.started[number].pid, []
        for pid in psutil.pids():
            with suppress(OSError, psutil.Error):
                if os.getsid(pid) == session and (not only or psutil.Process(pid).name() == only):
                    found.append(psutil.Process(pid))
        assert found
        kill_processes(found)


@contextmanager
def ray_nodes() -> Iterator[Nodes]:
    """A head with one processor that clients can reach; everything of it is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mrn-"))  # a short path: Ray's sockets lie below it
    port, client_port = free_port(), free_port()
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "OMP_NUM_THREADS": "1",
        "TMPDIR": str(folder),
    }
    nodes = Nodes(folder, environment, port, client_port)
    try:
        nodes.start(
            "--head",
            f"--port={port}",
            f"--ray-client-server-port={client_port}",
            "--include-dashboard=false",
            f"--temp-dir={folder / 'r'}",
            "--object-store-memory=80000000",
        )
        yield nodes
    finally:
        for number, process in enumerate(nodes.started):
            process.send_signal(signal.SIGTERM)
            with suppress(AssertionError):
                nodes.kill(number)
            process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
