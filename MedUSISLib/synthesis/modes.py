"""How a volume is put together from images of the network: slices, the mean of three views, windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch

from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.batches import BatchRunner
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.passes import Blend, PassSampler
from MedUSISLib.synthesis.windows import WindowLayout, gaussian_weights, total_weights, window_layout

OnSlice = Callable[[int, int, np.ndarray], None]
"""Told of each finished slice: array axis, number, network intensities [rows, columns]."""

RunnerOfSize = Callable[[int], BatchRunner]
"""Makes a batch runner for images of so many pixels."""


class SynthesisMode(Protocol):
    """One way to fill the maps of a volume from its labels."""

    def __call__(
        self,
        labels_kji: np.ndarray,
        sampler: PassSampler,
        runner_of_size: RunnerOfSize,
        maps: GridMaps,
        progress: Progress,
        on_slice: OnSlice,
    ) -> None: ...


class SliceViews:
    """Slices along one axis, or the mean of the slices along several (three-view).

    Slices without anatomy are skipped.

    Parameters
    ----------
    axes : sequence of int
        Array axes along which slices are stacked: 0 axial, 1 coronal, 2 sagittal.
    """

    def __init__(self, axes: Sequence[int]) -> None:
        self.axes = tuple(axes)

    def __call__(
        self,
        labels_kji: np.ndarray,
        sampler: PassSampler,
        runner_of_size: RunnerOfSize,
        maps: GridMaps,
        progress: Progress,
        on_slice: OnSlice,
    ) -> None:
        occupied = [occupied_slices(labels_kji, axis) for axis in self.axes]
        total, before = sum(map(len, occupied)), 0
        weight = 1.0 / len(self.axes)
        for axis, numbers in zip(self.axes, occupied, strict=True):
            stack = np.moveaxis(labels_kji, axis, 0)

            def work(part: Sequence[int], axis: int = axis, stack: np.ndarray = stack) -> None:
                images = sampler.maps(stack[list(part)], keys=[(axis, number) for number in part])
                maps.add_slices(axis, part, images, weight)
                for position, number in enumerate(part):
                    on_slice(axis, number, images.mean[position])

            runner = runner_of_size(stack[0].size)
            for done in runner.run(numbers, work):
                progress.step(before + done, total)
            before += len(numbers)


class WindowedSlices:
    """Slices larger than the training crop, from overlapping windows with Gaussian weights.

    The windows of a slice are blended within each pass, so that mean and variance are those of the whole slice.

    Parameters
    ----------
    axis : int
        Array axis along which slices are stacked.
    window : (int, int)
        Rows and columns of a window: the generator's training crop.
    """

    def __init__(self, axis: int, window: tuple[int, int]) -> None:
        self.axis = axis
        self.window = window

    def __call__(
        self,
        labels_kji: np.ndarray,
        sampler: PassSampler,
        runner_of_size: RunnerOfSize,
        maps: GridMaps,
        progress: Progress,
        on_slice: OnSlice,
    ) -> None:
        stack = np.moveaxis(labels_kji, self.axis, 0)
        numbers = occupied_slices(labels_kji, self.axis)
        layout = window_layout(stack.shape[1:], self.window)
        weights = gaussian_weights(self.window)
        divisor = total_weights(layout, weights)
        runner = runner_of_size(int(np.prod(self.window)))
        rows, columns = stack.shape[1:]
        for done, number in enumerate(numbers, start=1):
            padded = np.zeros(layout.shape, stack.dtype)
            padded[:rows, :columns] = stack[number]
            cuts = [padded[layout.slices(w)] for w in range(len(layout.corners))]
            full = [w for w, cut in enumerate(cuts) if cut.any()]
            blend = _slice_blend(layout, full, weights, divisor)
            windows = np.stack([cuts[w] for w in full])
            keys = [(self.axis, number, w) for w in full]
            images = runner.attempt(partial(sampler.maps, windows, keys, blend))
            mean, variance = images.mean[:rows, :columns], images.variance[:rows, :columns]
            spread = None if images.spread is None else images.spread[:rows, :columns]
            place = tuple(number if other == self.axis else slice(None) for other in range(3))
            maps.add_at(place, mean, variance, spread)
            on_slice(self.axis, number, mean)
            progress.step(done, len(numbers))


class VolumeWindows:
    """For 3D networks: overlapping boxes with Gaussian weights.

    The variance at a voxel is the weighted mean of the variances of the boxes that cover it.

    Parameters
    ----------
    window_kji : (int, int, int)
        Shape of a box: the generator's training crop.
    """

    def __init__(self, window_kji: tuple[int, int, int]) -> None:
        self.window = window_kji

    def __call__(
        self,
        labels_kji: np.ndarray,
        sampler: PassSampler,
        runner_of_size: RunnerOfSize,
        maps: GridMaps,
        progress: Progress,
        on_slice: OnSlice,
    ) -> None:
        shape = labels_kji.shape
        layout = window_layout(shape, self.window)
        weights = gaussian_weights(self.window)
        divisor = total_weights(layout, weights)
        full = [n for n in range(len(layout.corners)) if labels_kji[layout.slices(n)].any()]

        def work(part: Sequence[int]) -> None:
            boxes = np.zeros((len(part), *self.window), labels_kji.dtype)
            for box, number in zip(boxes, part, strict=True):
                cut = labels_kji[layout.slices(number)]
                box[tuple(slice(0, size) for size in cut.shape)] = cut
            images = sampler.maps(boxes, keys=list(part))
            for position, number in enumerate(part):
                place = layout.slices(number)
                inside = tuple(slice(0, min(p.stop, size) - p.start) for p, size in zip(place, shape, strict=True))
                maps.add_at(
                    place,
                    images.mean[position][inside],
                    images.variance[position][inside],
                    None if images.spread is None else images.spread[position][inside],
                    (weights / divisor[place])[inside],
                )

        runner = runner_of_size(int(np.prod(self.window)))
        for done in runner.run(full, work):
            progress.step(done, len(full))


def occupied_slices(labels_kji: np.ndarray, axis: int) -> list[int]:
    """Numbers of the slices along an array axis that hold any anatomy."""
    others = tuple(other for other in range(labels_kji.ndim) if other != axis)
    return [int(number) for number in np.flatnonzero(labels_kji.any(axis=others))]


def _slice_blend(layout: WindowLayout, numbers: Sequence[int], weights: np.ndarray, divisor: np.ndarray) -> Blend:
    """Blends the windows of one slice; windows left out (no anatomy) count as background, -1."""

    def blend(images: torch.Tensor) -> torch.Tensor:
        weight = torch.from_numpy(weights).to(images.device)
        blended = torch.zeros(layout.shape, device=images.device)
        for image, number in zip(images, numbers, strict=True):
            blended[layout.slices(number)] += (image + 1) * weight
        return blended / torch.from_numpy(divisor).to(images.device) - 1

    return blend
