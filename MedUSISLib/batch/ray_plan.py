"""How many workers a cluster takes, and what each of them is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from MedUSISLib.batch.ray_session import Node
from MedUSISLib.batch.sizing import CORES_EACH
from MedUSISLib.errors import ErrorCode, MedUSISError

MEMORY_EACH = 4 * 2**30
"""Bytes for a worker when nobody could say what the largest case takes."""


@dataclass(frozen=True)
class ActorPlan:
    """``count`` workers with so many processors and (parts of) GPUs each."""

    count: int
    cpus: float
    gpus: float

    @property
    def device(self) -> str:
        """What a worker is told; Ray shows it no other GPU than its own."""
        return "cuda" if self.gpus else "cpu"


def plan_actors(
    nodes: Sequence[Node], device: str, workers: int | None, worker_bytes: int | None = None
) -> ActorPlan:
    """One worker per GPU; without GPUs one per `CORES_EACH` cores as far as memory allows; or the number asked for.

    Raises
    ------
    MedUSISError
        DEVICE_NOT_AVAILABLE, BAD_SETTING.

    Examples
    --------
    >>> plan_actors([Node("a", "a", 16, 2, 64e9), Node("b", "b", 16, 0, 64e9)], "auto", None)
    ActorPlan(count=2, cpus=4.0, gpus=1.0)
    >>> plan_actors([Node("a", "a", 16, 0, 64e9)], "auto", 2)
    ActorPlan(count=2, cpus=8.0, gpus=0.0)
    """
    if device.startswith("cuda:"):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "on a cluster Ray gives each worker its GPU", "give --device cuda, auto or cpu"
        )
    if not nodes:
        raise MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE, "the cluster has no node with processors", "start workers: ray start"
        )
    with_gpu = [node for node in nodes if node.gpus >= 1]
    if device != "cpu" and with_gpu:
        return _on_gpus(with_gpu, workers)
    if device == "cuda":
        raise MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE, "no node of the cluster has a GPU", "give --device auto or --device cpu"
        )
    return _on_processors(nodes, workers, worker_bytes or MEMORY_EACH)


def _on_gpus(nodes: Sequence[Node], workers: int | None) -> ActorPlan:
    total = sum(math.floor(node.gpus) for node in nodes)
    count = workers or total
    sharing = math.ceil(count / total)
    cpus = min(float(CORES_EACH), *(node.cpus / (math.floor(node.gpus) * sharing) for node in nodes))
    return ActorPlan(count, _handy(cpus), 1.0 / sharing)


def _on_processors(nodes: Sequence[Node], workers: int | None, memory_each: int) -> ActorPlan:
    if workers is None:
        cpus = min(float(CORES_EACH), max(node.cpus for node in nodes))
        count = sum(min(int(node.cpus // cpus), int(node.memory // memory_each)) for node in nodes)
        return ActorPlan(max(1, count), cpus, 0.0)
    most = int(max(node.cpus for node in nodes))
    for cpus in range(most, 0, -1):
        if sum(int(node.cpus // cpus) for node in nodes) >= workers:
            return ActorPlan(workers, float(cpus), 0.0)
    total = sum(node.cpus for node in nodes)
    return ActorPlan(workers, _handy(total / workers / 2), 0.0)  # parts of one; halved, for they must fit the nodes


def _handy(cpus: float) -> float:
    """Ray counts parts of a processor in ten thousandths and takes whole numbers above one."""
    return float(math.floor(cpus)) if cpus >= 1 else max(0.01, math.floor(cpus * 100) / 100)
