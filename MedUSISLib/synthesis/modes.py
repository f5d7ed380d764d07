"""How a volume is put together from images of the network: slices, the mean of three views, windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch

from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.batches import BatchRunner
from MedUSISLib.synthesis.boxes import BoxLayout
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.passes import Blend, PassSampler
from MedUSISLib.synthesis.slice_order import nearest_first, outward
from MedUSISLib.synthesis.windows import (
    NO_BORDERS,
    Borders,
    WindowLayout,
    gaussian_weights,
    total_weights,
    window_layout,
)

OnSlice = Callable[[int, int, np.ndarray], None]
"""Told of each finished slice: array axis, number, network intensities [rows, columns]."""

RunnerOfSize = Callable[[int], BatchRunner]
"""Makes a batch runner for images of so many pixels."""


class SynthesisMode(Protocol):
    """One way to fill the maps of a volume from its labels.

    ``borders`` says where windows begin and end inside the volume, so that the seams there can be measured: for each
    array axis the first voxel behind each border.
    """

    def borders(self, labels_kji: np.ndarray) -> Borders: ...

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
    first_kji : three floats, optional
        The slices through this place come first.
    """

    def __init__(self, axes: Sequence[int], first_kji: Sequence[float] | None = None) -> None:
        self.axes = tuple(axes)
        self.first_kji = first_kji

    def borders(self, labels_kji: np.ndarray) -> Borders:  # noqa: ARG002
        """There are none: each slice is drawn as a whole."""
        return NO_BORDERS

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
            first = None if self.first_kji is None else self.first_kji[axis]

            def work(
                part: Sequence[int], axis: int = axis, stack: np.ndarray = stack, first: float | None = first
            ) -> None:
                images = sampler.maps(stack[list(part)], keys=[(axis, number) for number in part])
                maps.add_slices(axis, part, images, weight)
                for position in nearest_first(part, first):
                    on_slice(axis, part[position], images.mean[position])

            runner = runner_of_size(stack[0].size)
            for done in runner.run(outward(numbers, first, runner.size), work):
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
    first_kji : three floats, optional
        The slice through this place comes first.
    """

    def __init__(self, axis: int, window: tuple[int, int], first_kji: Sequence[float] | None = None) -> None:
        self.axis = axis
        self.window = window
        self.first = None if first_kji is None else first_kji[axis]

    def borders(self, labels_kji: np.ndarray) -> Borders:
        """See `SynthesisMode`."""
        across = [axis for axis in range(3) if axis != self.axis]
        shape = [labels_kji.shape[axis] for axis in across]
        inner = iter(window_layout(shape, self.window).borders(shape))
        first, second, third = (() if axis == self.axis else next(inner) for axis in range(3))
        return first, second, third

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
        numbers = outward(occupied_slices(labels_kji, self.axis), self.first)
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

    The boxes are laid over the anatomy and a rim of background around it, not over the whole grid; what hangs out of
    the grid is background. The variance at a voxel is the weighted mean of the variances of the boxes that cover it.

    Parameters
    ----------
    window_kji : (int, int, int)
        Shape of a box.
    """

    def __init__(self, window_kji: tuple[int, int, int]) -> None:
        self.window = window_kji

    def borders(self, labels_kji: np.ndarray) -> Borders:
        """See `SynthesisMode`."""
        boxes = BoxLayout.around(labels_kji, self.window)
        return boxes.borders(labels_kji) if boxes is not None else NO_BORDERS

    def __call__(
        self,
        labels_kji: np.ndarray,
        sampler: PassSampler,
        runner_of_size: RunnerOfSize,
        maps: GridMaps,
        progress: Progress,
        on_slice: OnSlice,
    ) -> None:
        boxes = BoxLayout.around(labels_kji, self.window)
        if boxes is None:
            return
        weights = gaussian_weights(self.window)
        divisor = total_weights(boxes.layout, weights)
        full = boxes.occupied(labels_kji)

        def work(part: Sequence[int]) -> None:
            images = sampler.maps(np.stack([boxes.cut(labels_kji, number) for number in part]), keys=list(part))
            for position, number in enumerate(part):
                place, inside = boxes.place(number, labels_kji.shape)
                maps.add_at(
                    place,
                    images.mean[position][inside],
                    images.variance[position][inside],
                    None if images.spread is None else images.spread[position][inside],
                    (weights / divisor[boxes.layout.slices(number)])[inside],
                )

        runner = runner_of_size(int(np.prod(self.window)))
        shown = 0
        for done in runner.run(full, work):
            progress.step(done, len(full))
            # Boxes come from the bottom up: below the next one all axial slices are finished.
            until = boxes.place(full[done], labels_kji.shape)[0][0].start if done < len(full) else len(labels_kji)
            for number in range(shown, until):
                if labels_kji[number].any():
                    on_slice(0, number, maps.network_intensities(number))
            shown = max(shown, until)


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
