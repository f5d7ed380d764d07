"""One segmentation, from a file to a file: what ``medusis segment`` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from MedUSISLib.anatomy.schema import load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.bias_field import n4
from MedUSISLib.imaging.body import body_mask
from MedUSISLib.imaging.conform import conform, restore
from MedUSISLib.imaging.grid import GridSpec, plan_grid
from MedUSISLib.imaging.modality import clean_ct
from MedUSISLib.imaging.reading import read_volume
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.imaging.writing import write_volume
from MedUSISLib.progress import Progress
from MedUSISLib.segmentation.network_scores import Kind
from MedUSISLib.segmentation.request import SegmentationRequest

if TYPE_CHECKING:
    from MedUSISLib.generators.loaded_bundles import LoadedBundles

HEAD_SEG = "head-seg"

#: What a reader of the labels has to know, and where it is shown: the events, the NIfTI description, the docs.
PRIOR_ONLY = (
    "grey and white matter, and the border of deep grey matter, are a shape prior on a CT and not this patient's"
    " anatomy"
)


@dataclass(frozen=True)
class SegmentationResult:
    """Where the label map was written and what has to be said about it."""

    path: Path
    schema_id: str
    warnings: tuple[str, ...]


def mr_head_mask(mr: Volume) -> np.ndarray:
    """The head in an MR: what stands out of the background, as one filled piece.

    Returns
    -------
    bool ndarray [k, j, i]
    """
    values = mr.array_kji
    threshold = 0.12 * np.percentile(values[values > 0], 97) if (values > 0).any() else 0.0
    solid = ndimage.binary_opening(values > threshold, iterations=1)
    components, count = ndimage.label(solid)
    if count == 0:
        return values > threshold
    largest = components == 1 + int(np.argmax(np.bincount(components.reshape(-1))[1:]))
    return ndimage.binary_fill_holes(largest)


def segment_volume(
    volume: Volume,
    kind: Kind,
    *,
    device: str = "auto",
    progress: Progress | None = None,
    bundles: LoadedBundles | None = None,
) -> Volume:
    """Labels of the ``head`` schema for a head CT or T1, on the volume's own grid.

    Parameters
    ----------
    volume : Volume
        CT in HU, or a T1-weighted MR in any unit.
    kind : {"ct", "mr"}
    device : str
    progress : Progress, optional
    bundles : LoadedBundles, optional
        Keeps the network for the next time.

    Returns
    -------
    Volume of uint8
        Class indices of the ``head`` schema.

    Raises
    ------
    MedUSISError
        ``NOT_A_CT``, ``GENERATOR_NOT_FOUND`` without the bundled network.

    Notes
    -----
    On a CT grey and white matter are a prior, not anatomy: the network knows where they usually lie, and the CT
    shows hardly more than the outline of the brain and its fluid.
    """
    from MedUSISLib.generators.devices import choose_device
    from MedUSISLib.generators.loaded_bundles import LoadedBundles
    from MedUSISLib.segmentation.head import ct_labels, mr_labels
    from MedUSISLib.segmentation.network_scores import class_scores

    progress = progress or Progress()
    schema = load_schema("head")
    target = volume.geometry
    progress.stage("finding the head")
    if kind == "ct":
        volume = clean_ct(volume)
        head = body_mask(volume)
    else:
        # At 1 mm in the plane from here on: nothing finer is known, and N4 on 512x512x400 voxels would take 3 GB.
        volume = conform(volume, plan_grid(target, GridSpec(size_ij=None)), "linear", fill=0.0)
        head = mr_head_mask(volume)
        volume = n4(volume, head)
    bundles = bundles or LoadedBundles(keep=0)
    chosen = choose_device(device)
    network = bundles.network(bundles.verified(HEAD_SEG, kind="segmentator"), chosen).to(chosen)
    progress.stage("segmenting")
    scores = class_scores(network, volume, head, kind, progress, white_matter=schema.index_of("white_matter"))
    progress.stage("applying the intensity rules")
    if kind == "ct":
        return Volume(ct_labels(scores, volume, head, schema), target)
    labels = Volume(mr_labels(scores, volume, schema), volume.geometry)
    return restore(labels, target, "nearest", fill=0)


def segment(
    request: SegmentationRequest, progress: Progress, bundles: LoadedBundles | None = None
) -> SegmentationResult:
    """Read, segment and write; nothing is written unless all went well.

    ``bundles`` keeps the network for the next time.

    Raises
    ------
    MedUSISError
        See ``segment_volume``; also those of reading and writing.
    """
    kind: Kind = "ct" if request.ct is not None else "mr"
    if request.out.exists() and not request.overwrite:
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "the output file exists already",
            "choose another name, or allow it with --overwrite",
            request.out,
        )
    progress.stage("reading")
    image = read_volume(request.image, "the CT" if kind == "ct" else "the MR", request.ct_series or "")
    warnings: tuple[str, ...] = ()
    if request.tool == "totalsegmentator":
        from MedUSISLib.segmentation.totalsegmentator import run_totalsegmentator

        labels = run_totalsegmentator(image, kind, request.device, progress)
        schema_id = "totalsegmentator"
    else:
        labels = segment_volume(image, kind, device=request.device, progress=progress, bundles=bundles)
        schema_id, warnings = "head", (PRIOR_ONLY,) if kind == "ct" else ()
    for text in warnings:
        progress.warning("PRIOR_ONLY", text)
    progress.stage("writing")
    write_volume(labels, request.out, description=f"MedUSIS {schema_id} labels; not for diagnosis")
    return SegmentationResult(request.out, schema_id, warnings)
