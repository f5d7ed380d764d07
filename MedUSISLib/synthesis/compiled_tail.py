"""What each pass repeats, compiled by torch: on the command line, for those who ask for it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import torch

from MedUSISLib.networks.keep_masks import GivenMasks, MaskSource
from MedUSISLib.private_folder import PrivateFolder
from MedUSISLib.progress import Progress
from MedUSISLib.trouble import is_out_of_memory

if TYPE_CHECKING:
    from MedUSISLib.networks.prepared_wavelet import PreparedState, PreparedWavelet

Result = TypeVar("Result")


class CompiledTail:
    """`PreparedWavelet.tail` with dropout, by ``torch.compile``; on an accelerator as CUDA graphs.

    Life of one: the first batch of images of a size is compiled for, which is a stage of its own ("compiling").
    Batches with fewer images (the last one) are none of its business, because compiling again would take longer than
    drawing them. When compiling fails - there is no compiler, say - a warning says so once and all goes on without.

    Parameters
    ----------
    network : PreparedWavelet
    progress : Progress
        Hears of stages and trouble; set it anew for each volume.
    """

    def __init__(self, network: PreparedWavelet, progress: Progress) -> None:
        self.progress = progress
        self._network = network
        self._function: Callable[[PreparedState, list[torch.Tensor]], torch.Tensor] | None = None
        self._images: dict[torch.Size, int] = {}
        self._failed = False

    def __call__(self, state: PreparedState, sources: Sequence[MaskSource]) -> torch.Tensor:
        """As `PreparedWavelet.tail`; only inside of `attempt`."""
        assert self._function is not None
        masks = self._network.masks(state, sources)
        if state.activated.is_cuda:
            torch.compiler.cudagraph_mark_step_begin()
        return self._function(state, masks)

    def attempt(self, states: Sequence[PreparedState], draw: Callable[[], Result]) -> Result | None:
        """What ``draw`` gives, which calls this object; None where the images must be drawn uncompiled.

        Raises
        ------
        RuntimeError, MemoryError
            When memory does not suffice.
        """
        size, images = states[0].activated.shape[1:], sum(len(state.activated) for state in states)
        new = size not in self._images
        if self._failed or images != self._images.setdefault(size, images):
            return None
        if new:
            self.progress.stage("compiling")
        try:
            if self._function is None:
                self._function = self._compiled(states[0].activated.device)
            return draw()
        except Exception as error:
            if is_out_of_memory(error):
                raise
            self._failed = True
            self.progress.warning("NOT_COMPILED", f"the network runs uncompiled: {_reason(error)}")
            return None
        finally:
            if new:
                self.progress.stage("synthesizing")

    def _compiled(self, device: torch.device) -> Callable[[PreparedState, list[torch.Tensor]], torch.Tensor]:
        prepare_compiler()
        network = self._network

        def drawn(state: PreparedState, masks: list[torch.Tensor]) -> torch.Tensor:
            return network.tail(state, GivenMasks(masks))

        mode = "reduce-overhead" if device.type == "cuda" else None
        return torch.compile(drawn, fullgraph=True, dynamic=False, mode=mode)


@cache
def prepare_compiler() -> PrivateFolder:
    """Give torch's compiler a folder (0700) that is gone with this process, and no pool of processes.

    By itself it writes code that is loaded later into a folder in the system's temporary one, whose name anybody can
    guess, and starts a process with a torch of its own for each core.
    """
    folder = PrivateFolder("compiled")
    atexit.register(folder.close)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder.path)
    os.environ["TRITON_CACHE_DIR"] = str(folder.path / "triton")
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    return folder


def _reason(error: BaseException) -> str:
    """In words that name no file."""
    if "InvalidCxxCompiler" in f"{type(error).__name__} {error}" or "C++ compiler" in str(error):
        return "there is no C++ compiler that torch can use (g++, clang or Visual C++)"
    return f"torch could not compile it ({type(error).__name__})"
