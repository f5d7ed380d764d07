"""Which of several processes this one is, as torchrun or SLURM's srun say it in the environment. No torch here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ANOTHER_ENDED = "another process of this training has ended"
"""What a process says that cannot go on without the others; why is in the words of the one that ended first."""

MEETING_VARIABLE = "MEDUSIS_MEETING"
"""A file through which processes of one machine find each other: no port is chosen that another program may take."""

Starter = Literal["torchrun", "srun"]


@dataclass(frozen=True)
class Launched:
    """This process's place among those that were started together.

    Attributes
    ----------
    by : {"torchrun", "srun"}
    rank, world : int
        Of all processes.
    per_node, nodes : int
        Processes on each machine, and machines.
    """

    by: Starter
    rank: int
    world: int
    per_node: int
    nodes: int

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0


def launched(environment: Mapping[str, str] | None = None) -> Launched | None:
    """What the environment says; None for a process that is alone.

    A batch script of SLURM that does not use ``srun`` is one process, whatever its allocation: only the steps that
    ``srun`` starts have ``SLURM_STEP_NUM_TASKS``.

    Examples
    --------
    >>> launched({"TORCHELASTIC_RUN_ID": "x", "RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"})
    Launched(by='torchrun', rank=1, world=4, per_node=2, nodes=2)
    >>> launched({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None
    True
    """
    said = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in said and int(said.get("WORLD_SIZE", 1)) > 1:
        world = int(said["WORLD_SIZE"])
        per_node = int(said.get("LOCAL_WORLD_SIZE", world))
        return Launched("torchrun", int(said["RANK"]), world, per_node, max(1, world // per_node))
    if int(said.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in said:
        world = int(said["SLURM_STEP_NUM_TASKS"])
        nodes = int(said.get("SLURM_STEP_NUM_NODES", said.get("SLURM_NNODES", 1)))
        return Launched("srun", int(said["SLURM_PROCID"]), world, max(1, world // nodes), nodes)
    return None
