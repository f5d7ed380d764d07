"""Before the first case: does every node have the same MedUSIS and see the same files?"""

from __future__ import annotations

import secrets
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from MedUSISLib import __version__
from MedUSISLib.batch import node_probe
from MedUSISLib.batch.ray_session import INSTALL, Node, RaySession
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.leftovers import temporary

_ANSWER_S = 120.0
_FILES = 16


def look_at_nodes(session: RaySession, nodes: Sequence[Node], inputs: Sequence[Path], out: Path) -> None:
    """Ask every node what it is and what it sees.

    Parameters
    ----------
    session : RaySession
    nodes : sequence of Node
    inputs : sequence of Path
        Files and folders; a few of them are looked for.
    out : Path
        Folder of the results; a small file is written there for the time of the question.

    Raises
    ------
    MedUSISError
        Of the first node that does not fit, named by its host: DEPENDENCY_MISSING, DEVICE_NOT_AVAILABLE,
        INPUT_NOT_READABLE, BAD_SETTING.
    """
    ray = session.ray
    ray.cloudpickle.register_pickle_by_value(node_probe)  # a node without MedUSIS must be able to say so
    token, name = secrets.token_hex(16), f".medusis-seen-{uuid.uuid4().hex[:12]}"
    files = {str(path): size for path in inputs[:_FILES] if (size := _size(path)) is not None}
    with temporary(out / name) as file:
        file.touch(0o600)
        file.write_text(token, encoding="ascii")
        asked = {_ask(ray, node).remote(files, str(out), name, token): node for node in nodes}
        answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_S)
        answers = [(asked[reference], _answer(ray, reference)) for reference in answered]
    for node, answer in answers:
        trouble = trouble_of(answer, node.host)
        if trouble is not None:
            raise trouble
    for reference in silent:
        raise _on(asked[reference].host, ErrorCode.DEVICE_NOT_AVAILABLE, "it does not answer", "end Ray on that node")


def trouble_of(answer: dict[str, Any] | None, host: str) -> MedUSISError | None:
    """What is wrong with a node that said this (`node_probe.look`); None: nothing."""
    if answer is None:
        return _on(host, ErrorCode.DEVICE_NOT_AVAILABLE, "it cannot be asked", "see Ray's logs on that node")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if answer["python"] != python:
        found = f"it runs Python {answer['python']}, this batch {python}"
        return _on(host, ErrorCode.DEPENDENCY_MISSING, found, f"start Ray there with Python {python}")
    if not answer["medusis"]:
        return _on(host, ErrorCode.DEPENDENCY_MISSING, "it has no MedUSIS", f"install it there: {INSTALL}")
    if answer["medusis"] != __version__:
        found = f"it has MedUSIS {answer['medusis']}, this batch {__version__}"
        return _on(host, ErrorCode.DEPENDENCY_MISSING, found, "install the same version on every node")
    if answer["missing"]:
        found = f"it lacks Python packages: {', '.join(answer['missing'])}"
        return _on(host, ErrorCode.DEPENDENCY_MISSING, found, "install them there")
    if answer["unseen"]:
        found = "it does not see the input, or other files in its place"
        return _on(host, ErrorCode.INPUT_NOT_READABLE, found, "keep it on a disk that all nodes share, same path")
    if answer["out"]:
        found = {
            "absent": "it does not see the output folder",
            "other": "it sees another folder in the place of the output folder",
            "read-only": "it cannot write into the output folder",
        }[answer["out"]]
        return _on(host, ErrorCode.BAD_SETTING, found, "give a folder on a disk that all nodes share, same path")
    return None


def _on(host: str, code: ErrorCode, message: str, hint: str) -> MedUSISError:
    return MedUSISError(code, f"node {host} of the cluster: {message}", hint)


def _ask(ray: Any, node: Node) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(node.id, soft=False)
    return ray.remote(num_cpus=0, max_retries=1)(node_probe.look).options(scheduling_strategy=here)


def _answer(ray: Any, reference: Any) -> dict[str, Any] | None:
    with suppress(Exception):
        answer = ray.get(reference)
        return answer if isinstance(answer, dict) else None
    return None


def _size(path: Path) -> int | None:
    with suppress(OSError):
        return node_probe.size_of(str(path))
    return None
