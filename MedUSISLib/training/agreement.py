"""What the processes of a training decide together: to go on, to end, and what the first one has found out."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.training.launched import ANOTHER_ENDED

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Value = TypeVar("Value")
#: Preparing hundreds of volumes is work of the first process alone, and the others wait for it.
_LONGEST = timedelta(days=30)
_POLL_S = 0.02


class Agreement:
    """A channel of the processes beside the one for tensors, on the CPU (gloo) whatever the device is.

    Waiting here is polling: a process that waits for the first one to validate still hears Ctrl-C and the death of
    another process, and is not bound to the time limit of the channel for tensors.

    Parameters
    ----------
    fabric : Fabric
        Every process makes its own at the same point.

    Attributes
    ----------
    leads : bool
        Whether this process writes files, speaks, and decides.
    """

    def __init__(self, fabric: Fabric) -> None:
        self.leads, self._world = fabric.global_rank == 0, fabric.world_size
        self._group = None
        if self._world > 1:
            self._group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST)

    def checkpoint(self, progress: Progress) -> None:
        """``progress.checkpoint`` of all processes: where one has been cancelled, all end.

        Raises
        ------
        MedUSISError
            ``CANCELLED``; ``INTERNAL`` when another process has died.
        """
        if self._world == 1:
            progress.checkpoint()
            return
        own: MedUSISError | None = None
        try:
            progress.checkpoint()
        except MedUSISError as error:
            own = error
        anybody = self._sum(own is not None)
        if own is not None:
            raise own
        if anybody:
            raise MedUSISError(ErrorCode.CANCELLED, "another process of this training was cancelled")

    def from_lead(self, value: Value) -> Value:
        """The first process's value, in all of them."""
        if self._world == 1:
            return value
        self.meet()
        box = [value]
        torch.distributed.broadcast_object_list(box, 0, self._group)
        return box[0]

    def meet(self) -> None:
        """Wait until every process is here."""
        if self._world > 1:
            self._sum(False)

    def _sum(self, flag: bool) -> int:
        number = torch.tensor([int(flag)])
        try:
            work = torch.distributed.all_reduce(number, group=self._group, async_op=True)
            pause = 0.0005
            while not work.is_completed():
                time.sleep(pause)
                pause = min(2 * pause, _POLL_S)
            work.wait()
        except RuntimeError:
            raise MedUSISError(
                ErrorCode.INTERNAL,
                ANOTHER_ENDED,
                "its own message says why; the training can be continued with --resume",
            ) from None
        return int(number)
