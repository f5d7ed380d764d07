"""Nothing listens on a network and nothing is sent: what the code can do at all, and processes that train together."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from MedUSISLib.jobs.training_job import place

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(REPOSITORY / "MedUSISLib").rglob("*.py"), *(REPOSITORY / "MedUSIS").rglob("*.py")])
SPEAK = {
    "socket", "ssl", "http", "urllib.request", "urllib3", "requests", "httpx", "aiohttp", "ftplib", "smtplib",
    "telnetlib", "xmlrpc", "socketserver", "asyncio", "websockets", "paramiko", "wandb", "mlflow", "sentry_sdk", "ray",
}  # fmt: skip
MAY = {
    "MedUSISLib/batch/node_probe.py": "whether a computer of the cluster has what a worker needs",
    "MedUSISLib/generators/addresses.py": "redirects of such a download",
    "MedUSISLib/generators/download.py": "a generator, from an address that the user gave",
    "MedUSISLib/jobs/training_job.py": "the name of the interface that leads to this machine alone",
    "MedUSISLib/runs/identity.py": "the name of this computer, in a claim that stays on it",
}
"""Files that may import something that can speak to a network, and what for; beside the cluster of a batch (Ray)."""


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.fault
def test_only_few_files_can_speak_to_a_network_at_all() -> None:
    speaking = {
        path.relative_to(REPOSITORY).as_posix()
        for path in SOURCES
        for name in imported(path)
        if any(name == root or name.startswith(f"{root}.") for root in SPEAK)
    }
    unexpected = {name for name in speaking if name not in MAY and not name.startswith("MedUSISLib/batch/ray_")}
    assert unexpected == set()


LISTENING = """
import os, sys, tempfile, psutil, torch
store = torch.distributed.FileStore(os.path.join(tempfile.mkdtemp(), "store"), 1)
torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
print({c.laddr.ip for c in psutil.Process().net_connections(kind="inet")})
"""


@pytest.mark.fault
def test_processes_that_train_together_listen_inside_the_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a computer whose name leads to its address in the house, as it does in hospitals."""
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    addresses = [a.address for many in psutil.net_if_addrs().values() for a in many if a.family == 2]
    outside = next((address for address in addresses if not address.startswith("127.")), None)
    variables = place(0, 1, tmp_path / "store", object())  # type: ignore[arg-type]
    assert variables["GLOO_SOCKET_IFNAME"].startswith("lo") and variables["NCCL_SOCKET_IFNAME"].startswith("lo")
    if outside is None or shutil.which("unshare") is None:
        pytest.skip("no address but 127.0.0.1, or no unshare (Linux) to give this computer another name")
    words = " ".join(f"{name}={value}" for name, value in variables.items() if name.endswith("IFNAME"))
    shell = f"hostname {outside} && {words} exec {sys.executable} -c '{LISTENING}'"
    done = subprocess.run(["unshare", "-ru", "sh", "-c", shell], capture_output=True, text=True, check=False)
    if "unshare" in done.stderr or "hostname" in done.stderr:
        pytest.skip("this system lets nobody have another name")
    assert done.stdout.strip() == "{'127.0.0.1'}", done.stderr
