"""Device, precision, threads and processes of a training, as its configuration and its surroundings ask for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.devices import choose_device
from MedUSISLib.training.configuration import GeneratorTraining, SegmentatorTraining
from MedUSISLib.training.launched import MEETING_VARIABLE, Launched, launched

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(configuration: GeneratorTraining | SegmentatorTraining) -> Fabric:
    """Lightning Fabric for this process; sets torch's threads and seeds torch's own random numbers.

    One process alone, unless torchrun, srun or ``medusis train`` with ``devices`` started several: then the processes
    have found each other when this returns.

    Raises
    ------
    MedUSISError
        ``DEVICE_NOT_AVAILABLE`` when a device that was asked for is not there; ``BAD_SETTING`` when several processes
        are asked for and nobody started them, or when there are more of them than samples in a batch.
    """
    from lightning_fabric import Fabric

    several = launched()
    _check(configuration, several)
    device = choose_device(configuration.device)
    if configuration.threads:
        torch.set_num_threads(configuration.threads)
    torch.manual_seed(configuration.seed)
    if several is None:
        return Fabric(
            accelerator=device.type,
            devices=[device.index or 0] if device.type == "cuda" else 1,
            precision=configuration.precision,
        )
    if device.type == "cuda" and torch.cuda.device_count() < several.per_node:
        raise MedUSISError(
            ErrorCode.DEVICE_NOT_AVAILABLE,
            f"{several.per_node} processes on this machine, but torch finds {torch.cuda.device_count()} CUDA device(s)",
            "start as many processes as there are GPUs, and let each see all of them (srun --gpus-per-node)",
        )
    fabric = Fabric(
        accelerator=device.type,
        devices=several.per_node,
        num_nodes=several.nodes,
        strategy=_unwrapped(),
        precision=configuration.precision,
        plugins=[_environment(several)],
    )
    _meet(several, device.type)
    fabric.launch()
    return fabric


def _meet(several: Launched, kind: str) -> None:
    """Find the other processes in the file that `medusis train` named; torchrun's and srun's are found by Fabric."""
    meeting = os.environ.get(MEETING_VARIABLE)
    if meeting:
        place: dict[str, Any] = {"device_id": torch.device("cuda", several.rank)} if kind == "cuda" else {}
        torch.distributed.init_process_group(
            "nccl" if kind == "cuda" else "gloo",
            store=torch.distributed.FileStore(meeting, several.world),
            rank=several.rank,
            world_size=several.world,
            **place,
        )


def leave(fabric: Fabric) -> None:
    """Part from the other processes, so that this one may train again."""
    if fabric.world_size > 1 and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def lost_another(error: Exception, fabric: Fabric) -> bool:
    """Whether an error of torch means that another process of the training is gone."""
    if fabric.world_size == 1:
        return False
    # gloo raises plain errors that name its own source files
    return isinstance(error, torch.distributed.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def _check(configuration: GeneratorTraining | SegmentatorTraining, several: Launched | None) -> None:
    if isinstance(configuration, SegmentatorTraining):
        if several is not None:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "a segmentator is trained by one process", "start it without torchrun or srun"
            )
        return
    asked = configuration.devices * configuration.nodes
    if several is None and asked > 1:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the configuration asks for {asked} processes, and only one was started",
            "`medusis train` starts those of one machine itself; for several nodes use srun or torchrun",
        )
    world = several.world if several is not None else 1
    if configuration.batch_size < world:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"batch_size: {configuration.batch_size} samples cannot be shared by {world} processes",
            "batch_size is that of all processes together: give at least one for each",
        )


def _environment(several: Launched) -> Any:
    from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    if several.by == "torchrun":
        return TorchElasticEnvironment()
    try:
        return SLURMEnvironment(auto_requeue=False)
    except RuntimeError:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "srun was told how many tasks there are, not how many on each node",
            "give srun --ntasks-per-node (and --nodes)",
        ) from None


def _unwrapped() -> Any:
    """Fabric's strategy for several processes, without wrapping the networks in DistributedDataParallel.

    That wrapper averages gradients while a backward pass runs, and counts on each network having one forward and one
    backward pass a step. Here two players share passes: one backward serves generator and segmentator, the
    discriminator is frozen in it, R1 differentiates twice, and a step may come in parts of uneven size. So
    `train_step` sums the gradients itself, once before each optimiser step, see `processes`.
    """
    from lightning_fabric.strategies import DDPStrategy

    class UnwrappedStrategy(DDPStrategy):
        def setup_module(self, module: torch.nn.Module) -> Any:
            return module

    return UnwrappedStrategy()
