"""The engine: from a request to a result folder.

``synthesize`` reads, computes and writes; ``synthesize_case`` is its middle, on volumes in memory. The way of the data:
CT and segmentation -> class indices and body on the CT's grid -> the generator's grid -> the network, slice by slice ->
mean, variance, spread -> mask consistency -> everything back on the CT's own grid.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema, load_schema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.evaluation.mask_consistency import mask_consistency, tissue_threshold
from MedUSISLib.evaluation.seam_index import seam_index
from MedUSISLib.evaluation.uncertainty import review_needed
from MedUSISLib.generators.bundle import Bundle, load_bundle
from MedUSISLib.generators.devices import choose_device
from MedUSISLib.imaging.conform import conform, restore
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.output_directory import atomic_output_directory
from MedUSISLib.progress import Progress
from MedUSISLib.synthesis.absent_classes import CLASSES_ABSENT, absent_classes, absent_in_words
from MedUSISLib.synthesis.batches import BatchRunner, default_batch_size
from MedUSISLib.synthesis.bookkeeping import RecordingProgress, peak_memory_bytes
from MedUSISLib.synthesis.filling import FillReport, fill_unlabelled
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.inputs import Case, read_case
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.plan import SynthesisPlan, plan_synthesis
from MedUSISLib.synthesis.previews import Previews, preview_folder
from MedUSISLib.synthesis.provenance import provenance
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.result import SynthesisResult
from MedUSISLib.synthesis.second_look import look_again
from MedUSISLib.synthesis.writing import write_json, write_maps


def synthesize(request: SynthesisRequest, progress: Progress | None = None) -> SynthesisResult:
    """Make a synthetic MR, its maps and its report, and write them to ``request.out``: all of them, or nothing.

    Parameters
    ----------
    request : SynthesisRequest
    progress : Progress, optional
        Hears stages, steps, previews and warnings, and may cancel.

    Returns
    -------
    SynthesisResult
        What was written, in memory.

    Raises
    ------
    MedUSISError
        Any of the named errors; nothing is left behind then.

    Examples
    --------
    >>> synthesize(SynthesisRequest(ct="ct.nii.gz", segmentation="seg.nii.gz", out="out"))  # doctest: +SKIP
    """
    from MedUSISLib.synthesis.quality import quality_report
    from MedUSISLib.synthesis.report import write_report

    recorder = RecordingProgress(progress)
    with atomic_output_directory(request.out, request.overwrite) as folder:
        # what can fail at once fails before the CT is read
        bundle, schema = load_generator(request.generator)
        choose_device(request.device)
        case = read_case(request, schema, recorder)
        result = synthesize_case(case, bundle, schema, request, recorder, segment_again=True)
        recorder.stage("measuring")
        segmentator = None if result.second_look is None else result.second_look.segmentator()
        result.quality = quality_report(result, segmentator, recorder)
        recorder.checkpoint()
        recorder.stage("writing")
        write_maps(result, folder, recorder)
        write_json(result.provenance, folder / "provenance.json")
        write_report(result, folder / "report.html")
        recorder.finish()
        result.timings = recorder.timings
        result.peak_memory_bytes = peak_memory_bytes()
        result.quality["timings_s"] = {**result.quality["timings_s"], **result.timings}
        result.quality["peak_memory_mb"] = result.peak_memory_bytes / 2**20
        write_json(result.quality, folder / "quality.json")
        recorder.checkpoint()
    return result


def load_generator(path_or_id: str) -> tuple[Bundle, LabelSchema]:
    """A verified generator and its label schema.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND, GENERATOR_CORRUPT (also when it does not fit its schema).
    """
    bundle = load_bundle(path_or_id, kind="generator")
    schema = load_schema(bundle.manifest.schema_id)
    classes = bundle.manifest.network.arguments.get("number_of_classes")
    if classes != schema.number_of_classes:
        raise MedUSISError(
            ErrorCode.GENERATOR_CORRUPT,
            f"the generator takes {classes} classes, its label schema '{schema.id}' has {schema.number_of_classes}",
            "install a version of the generator that fits this MedUSIS",
        )
    return bundle, schema


def synthesize_case(
    case: Case,
    bundle: Bundle,
    schema: LabelSchema,
    request: SynthesisRequest,
    progress: RecordingProgress,
    segment_again: bool = False,
) -> SynthesisResult:
    """Synthesize a case in memory; ``quality`` stays empty.

    ``segment_again`` prepares what the quality report needs for its Dice per class (``second_look``).

    At its peak it holds the CT, labels and body, the maps on the generator's grid, and one finished map: each map is
    freed on the generator's grid as soon as it is back on the CT's.
    """
    manifest = bundle.manifest
    plan = plan_synthesis(manifest, request.mode, case.body, progress)
    labels_on_grid, filled = _labels_on_grid(case, schema, plan)
    _warn_of_absent_classes(labels_on_grid, schema, progress)
    labels = _labels_on_ct(case, labels_on_grid)
    settings = PassSettings(request.passes, request.noise_samples, request.truncation, request.seed)
    sampler = PassSampler(bundle.load_network(), manifest, settings, choose_device(request.device))
    _warn_of_settings(request, sampler, progress)
    progress.checkpoint()
    maps = GridMaps.empty(plan.grid.shape_kji, manifest.intensity, with_spread=request.noise_samples > 0)
    progress.stage("synthesizing")
    with preview_folder() as folder:
        previews = Previews(folder, progress, plan.slice_axis, plan.grid.shape_kji[plan.slice_axis])
        plan.mode(labels_on_grid.array_kji, sampler, _runners(request, sampler, progress), maps, progress, previews)
    device = sampler.device.type
    passes = request.passes if sampler.has_dropout else 1
    del sampler
    seams = seam_index(maps.mean, plan.mode.borders(labels_on_grid.array_kji), labels_on_grid.array_kji)
    second_look = None
    if segment_again:
        on_grid = Volume(maps.mean, plan.grid)
        second_look = look_again(on_grid, plan.slice_axis, schema, device, progress)
        del on_grid

    progress.stage("restoring")
    minimum, maximum = manifest.intensity.minimum, manifest.intensity.maximum
    consistency = _consistency(maps.mean, labels_on_grid, schema, tissue_threshold(minimum, maximum), plan)
    del labels_on_grid
    target = case.ct.geometry
    mask = restore(consistency, target, "nearest", fill=0)
    del consistency
    mr = restore(Volume(maps.mean, plan.grid), target, fill=minimum)
    maps.mean = _freed(maps.mean)
    progress.checkpoint()
    uncertainty = restore(Volume(maps.variance, plan.grid), target)
    maps.variance = _freed(maps.variance)
    progress.checkpoint()
    spread = None if maps.spread is None else restore(Volume(maps.spread, plan.grid), target)
    maps.spread = None
    measured = global_uncertainty(uncertainty.array_kji, case.body.array_kji) if passes > 1 else None
    progress.finish()
    return SynthesisResult(
        mr=mr,
        uncertainty=uncertainty,
        noise_spread=spread,
        mask_consistency=mask,
        labels=labels,
        ct=case.ct,
        body=case.body,
        schema=schema,
        manifest=manifest,
        # passes that cannot differ count as one, so that nobody reads a zero uncertainty as certainty
        request=request.model_copy(update={"passes": passes}),
        timings=dict(progress.timings),
        peak_memory_bytes=peak_memory_bytes(),
        warnings=progress.warnings,
        provenance=provenance(request, bundle, case, plan, device, passes),
        second_look=second_look,
        statistics={
            "unlabelled_body_fraction": 1.0 - case.coverage,
            "filled_body_fraction": filled.filled_fraction,
            "filled_by_class": filled.by_class,
            "segmentation_coverage": case.coverage,
            "segmentation_was_resampled": case.was_resampled,
            "seam_index": seams,
            "global_uncertainty": measured,
            "review": None if measured is None else review_needed(measured, manifest.review.uncertainty),
        },
    )


def global_uncertainty(variance: np.ndarray, body: np.ndarray) -> float | None:
    """Mean variance inside the body, the number that is compared with the bundle's threshold; None without a body."""
    total, count = 0.0, 0
    for plane, inside in zip(variance, body, strict=True):
        total += float(plane[inside].sum(dtype=np.float64))
        count += int(np.count_nonzero(inside))
    return total / count if count else None


def _labels_on_grid(case: Case, schema: LabelSchema, plan: SynthesisPlan) -> tuple[Volume, FillReport]:
    """Class indices on the generator's grid, unlabelled body filled by HU."""
    labels = conform(case.labels, plan.grid, "nearest")
    hu = conform(case.ct, plan.grid, "linear", fill=-1024, dtype=np.int16)
    body = conform(case.body, plan.grid, "nearest")
    # a volume of ones that takes no memory: where the CT has voxels at all
    ones = Volume(np.broadcast_to(np.True_, case.ct.geometry.shape_kji), case.ct.geometry)
    measured = conform(ones, plan.grid, "nearest")
    i, j, k = plan.grid.spacing_mm
    report = fill_unlabelled(
        labels.array_kji, hu.array_kji, body.array_kji, schema, (k, j, i), measured=measured.array_kji
    )
    _continue_beyond_the_end(labels.array_kji, measured.array_kji)
    return labels, report


def _continue_beyond_the_end(labels_kji: np.ndarray, measured_kji: np.ndarray) -> None:
    """Where the last plane of the grid lies just outside of the CT, it is as the one before it.

    Spacings that do not divide the CT's extent leave such a plane; as background it would darken the CT's last slice,
    which is brought back as the mean of the planes that it covers.
    """
    for axis, size in enumerate(labels_kji.shape):
        for last, before in ((0, 1), (size - 1, size - 2)) if size > 1 else ():
            planes, seen = np.moveaxis(labels_kji, axis, 0), np.moveaxis(measured_kji, axis, 0)
            if not seen[last].any():
                planes[last][seen[before]] = planes[before][seen[before]]


def _warn_of_absent_classes(labels: Volume, schema: LabelSchema, progress: RecordingProgress) -> None:
    found = np.zeros(schema.number_of_classes, dtype=bool)
    for part in labels.array_kji:
        found[np.unique(part)] = True
    absent = absent_classes([schema.names[index] for index in np.flatnonzero(found)], schema)
    if absent:
        progress.warning(
            CLASSES_ABSENT,
            f"the segmentation holds none of these classes of the generator ({schema.body_region}), so they are not "
            f"painted: {absent_in_words(absent)}",
        )


def _labels_on_ct(case: Case, labels_on_grid: Volume) -> Volume:
    """What the generator was given, on the CT's grid: the segmentation, and the filling where it says nothing."""
    result = restore(labels_on_grid, case.ct.geometry, "nearest", fill=0)
    for ours, given, body in zip(result.array_kji, case.labels.array_kji, case.body.array_kji, strict=True):
        keep = (given != 0) | ~body
        ours[keep] = given[keep]
    return result


def _consistency(
    mean: np.ndarray, labels: Volume, schema: LabelSchema, threshold: float, plan: SynthesisPlan
) -> Volume:
    """Mask consistency on the generator's grid, in its own slices."""
    i, j, k = plan.grid.spacing_mm
    order = [plan.slice_axis, *(axis for axis in range(3) if axis != plan.slice_axis)]
    found = mask_consistency(
        mean.transpose(order),
        labels.array_kji.transpose(order),
        schema,
        threshold,
        [(k, j, i)[axis] for axis in order],
    )
    return Volume(np.moveaxis(found.map, 0, plan.slice_axis), labels.geometry)


def _runners(
    request: SynthesisRequest, sampler: PassSampler, progress: Progress
) -> Callable[[int], BatchRunner]:
    to_cpu = (lambda: sampler.move_to("cpu")) if request.allow_cpu else None

    def runner_of_size(pixels: int) -> BatchRunner:
        size = request.batch_size or default_batch_size(sampler.device, pixels)
        return BatchRunner(size, sampler.device, progress, to_cpu)

    return runner_of_size


def _warn_of_settings(request: SynthesisRequest, sampler: PassSampler, progress: Progress) -> None:
    if request.passes > 1 and not sampler.has_dropout:
        progress.warning("NO_DROPOUT", "the generator has no dropout: one pass is made, the uncertainty is zero")
    if request.noise_samples and sampler.manifest.noise.channels == 0:
        progress.warning("NO_NOISE", "the generator has no noise: the noise spread is zero")
    elif request.noise_samples == 1:
        progress.warning("NO_NOISE", "one noise sample has no spread: ask for at least two")


def _freed(array: np.ndarray) -> np.ndarray:
    return np.empty((0,) * array.ndim, array.dtype)


