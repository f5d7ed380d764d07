"""The engine: from a request to a result folder.

``synthesize`` reads, computes and writes, in three stages that a batch overlaps; ``synthesize_case`` is the middle one,
on volumes in memory. The way of the data:
CT and segmentation -> class indices and body on the CT's grid -> the generator's grid -> the network, slice by slice ->
mean, variance, spread -> mask consistency -> everything back on the CT's own grid.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.evaluation.mask_consistency import tissue_threshold
from MedUSISLib.evaluation.seam_index import seam_index
from MedUSISLib.evaluation.uncertainty import review_needed
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.devices import choose_device
from MedUSISLib.generators.loaded_bundles import LoadedBundles
from MedUSISLib.imaging.conform import restore
from MedUSISLib.imaging.geometry import Geometry
from MedUSISLib.imaging.volume import Volume
from MedUSISLib.output_directory import atomic_output_directory, check_output_directory
from MedUSISLib.progress import Progress, Silent
from MedUSISLib.synthesis.batches import BatchRunner, default_batch_size
from MedUSISLib.synthesis.bookkeeping import RecordingProgress, peak_memory_bytes
from MedUSISLib.synthesis.grid_maps import GridMaps
from MedUSISLib.synthesis.inputs import Case, read_case
from MedUSISLib.synthesis.label_grid import labels_on_ct, labels_on_grid, warn_of_absent_classes
from MedUSISLib.synthesis.loaded_generators import LoadedGenerators
from MedUSISLib.synthesis.map_measures import consistency_on_grid, global_uncertainty
from MedUSISLib.synthesis.passes import PassSampler, PassSettings
from MedUSISLib.synthesis.plan import fitting_mode, plan_synthesis
from MedUSISLib.synthesis.previews import Previews, preview_folder
from MedUSISLib.synthesis.provenance import provenance
from MedUSISLib.synthesis.request import SynthesisRequest
from MedUSISLib.synthesis.result import SynthesisResult, SynthesisWarning
from MedUSISLib.synthesis.second_look import look_again
from MedUSISLib.synthesis.writing import write_json, write_maps

if TYPE_CHECKING:
    from MedUSISLib.synthesis.pass_networks import PassNetwork


@dataclass
class ReadCase:
    """A case that is ready for the network: what `read_stage` gives to `compute_stage`, once.

    Attributes
    ----------
    request : SynthesisRequest
    case : Case
    bundle : Bundle
    schema : LabelSchema
    network : PassNetwork
        Taken out by `compute_stage`, so that it does not outlive its use; None: the bundle is asked for it.
    bundles : LoadedBundles
        Where the segmentation of the MR finds its network.
    timings : dict of str to float
        Seconds per stage so far.
    warnings : list of SynthesisWarning
    """

    request: SynthesisRequest
    case: Case
    bundle: Bundle
    schema: LabelSchema
    network: PassNetwork | None
    bundles: LoadedBundles
    timings: dict[str, float]
    warnings: list[SynthesisWarning]


def synthesize(
    request: SynthesisRequest, progress: Progress | None = None, generators: LoadedGenerators | None = None
) -> SynthesisResult:
    """Make a synthetic MR, its maps and its report, and write them to ``request.out``: all of them, or nothing.

    Parameters
    ----------
    request : SynthesisRequest
    progress : Progress, optional
        Hears stages, steps, previews and warnings, and may cancel.
    generators : LoadedGenerators, optional
        Keeps the generator in memory for the next run; by default it is gone after this one.

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
    listener = progress or Progress()
    # the folder is locked from the beginning: two runs into the same one must not both compute
    with atomic_output_directory(request.out, request.overwrite) as folder:
        read = read_stage(request, listener, generators or LoadedGenerators(keep=0))
        result = compute_stage(read, listener)
        del read
        _write_into(folder, result, listener)
    return result


def read_stage(request: SynthesisRequest, progress: Progress, generators: LoadedGenerators) -> ReadCase:
    """From files to a case and a loaded generator; what can fail early fails here.

    The stages may run in different threads, each on another case at the same time: this one and `write_stage` use the
    disk and a core, `compute_stage` the device. A single `compute_stage` runs at a time.

    Raises
    ------
    MedUSISError
        BAD_SETTING (the output folder too), DEVICE_NOT_AVAILABLE, GENERATOR_NOT_FOUND, GENERATOR_CORRUPT, and those
        of `inputs.read_case`.
    """
    recorder = RecordingProgress(progress)
    check_output_directory(request.out, request.overwrite)
    bundle, schema = generators.verified(request.generator)
    fitting_mode(bundle.manifest, request.mode)
    device = choose_device(request.device)
    with ThreadPoolExecutor(1, "medusis-load") as beside:  # 0.4 s for 54 M weights, while files are unpacked
        loading = beside.submit(generators.network, bundle, device)
        case = read_case(request, schema, recorder)
        network = loading.result()
    recorder.finish()
    return ReadCase(request, case, bundle, schema, network, generators.bundles, recorder.timings, recorder.warnings)


def compute_stage(read: ReadCase, progress: Progress) -> SynthesisResult:
    """The network at work: from a case to its maps, in memory. A `ReadCase` can be computed once.

    Raises
    ------
    MedUSISError
        OUT_OF_MEMORY, CANCELLED, BAD_SETTING for a mode that the generator does not have.
    """
    return _computed(read, RecordingProgress(progress, read.timings, read.warnings), segment_again=True)


def write_stage(result: SynthesisResult, progress: Progress) -> None:
    """Measure a result and write its files and its report into ``result.request.out``: all of them, or nothing.

    Raises
    ------
    MedUSISError
        BAD_SETTING, DISK_FULL (as OSError), CANCELLED; nothing is left behind then.
    """
    with atomic_output_directory(result.request.out, result.request.overwrite) as folder:
        _write_into(folder, result, progress)


def _write_into(folder: Path, result: SynthesisResult, progress: Progress) -> None:
    recorder = RecordingProgress(progress, result.timings, result.warnings)
    with ThreadPoolExecutor(1, "medusis-write") as beside:  # packing needs no interpreter
        recorder.stage("measuring")
        maps = beside.submit(write_maps, result, folder, Silent(recorder))
        from MedUSISLib.synthesis.quality import quality_report

        segmentator = None if result.second_look is None else result.second_look.segmentator()
        result.quality = quality_report(result, segmentator, recorder)
        recorder.checkpoint()
        recorder.stage("reporting")
        from MedUSISLib.synthesis.report import write_report  # and matplotlib

        write_report(result, folder / "report.html")
        recorder.checkpoint()
        recorder.stage("writing")
        maps.result()
    write_json(result.provenance, folder / "provenance.json")
    recorder.finish()
    result.timings = recorder.timings
    result.peak_memory_bytes = peak_memory_bytes()
    result.quality["timings_s"] = {**result.quality["timings_s"], **result.timings}
    result.quality["peak_memory_mb"] = result.peak_memory_bytes / 2**20
    write_json(result.quality, folder / "quality.json")
    recorder.checkpoint()


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
    """
    read = ReadCase(request, case, bundle, schema, None, LoadedBundles(keep=0), {}, [])
    return _computed(read, progress, segment_again)


def _computed(read: ReadCase, progress: RecordingProgress, segment_again: bool) -> SynthesisResult:
    """At its peak it holds the CT, labels and body, the maps on the generator's grid, and one finished map: each map is
    freed on the generator's grid as soon as it is back on the CT's.
    """
    request, case, bundle, schema = read.request, read.case, read.bundle, read.schema
    manifest = bundle.manifest
    plan = plan_synthesis(manifest, request.mode, case.body, progress, request.first_voxel)
    on_grid, filled = labels_on_grid(case, schema, plan)
    warn_of_absent_classes(on_grid, schema, progress)
    settings = PassSettings(request.passes, request.noise_samples, request.truncation, request.seed)
    network, read.network = read.network, None
    chosen = choose_device(request.device)
    sampler = PassSampler(bundle.load_network() if network is None else network, manifest, settings, chosen)
    del network
    _warn_of_settings(request, sampler, progress)
    repeated = request.passes > 1 and sampler.has_dropout  # what is drawn once is drawn before it is compiled
    sampler.compile_passes(progress if request.compile_passes and repeated else None)
    progress.checkpoint()
    maps = GridMaps.empty(plan.grid.shape_kji, manifest.intensity, with_spread=request.noise_samples > 0)
    progress.stage("synthesizing")
    with preview_folder() as folder:
        previews = Previews(folder, progress, plan.slice_axis, plan.grid.shape_kji[plan.slice_axis])
        plan.mode(on_grid.array_kji, sampler, _runners(request, sampler, progress), maps, progress, previews)
    device = sampler.device.type
    passes = request.passes if sampler.has_dropout else 1
    del sampler
    seams = seam_index(maps.mean, plan.mode.borders(on_grid.array_kji), on_grid.array_kji)
    second_look = None
    if segment_again:
        drawn = Volume(maps.mean, plan.grid)
        second_look = look_again(drawn, plan.slice_axis, schema, device, progress, read.bundles)
        del drawn

    progress.stage("restoring")
    labels = labels_on_ct(case, on_grid)
    minimum, maximum = manifest.intensity.minimum, manifest.intensity.maximum
    consistency = consistency_on_grid(maps.mean, on_grid, schema, tissue_threshold(minimum, maximum), plan)
    del on_grid
    target = case.ct.geometry
    mask = restore(consistency, target, "nearest", fill=0)
    del consistency
    mr = restore(Volume(maps.mean, plan.grid), target, fill=minimum)
    maps.mean = _freed(maps.mean)
    progress.checkpoint()
    uncertainty = _restored_variance(maps.variance, plan.grid, target, passes)
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


def _runners(request: SynthesisRequest, sampler: PassSampler, progress: Progress) -> Callable[[int], BatchRunner]:
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


def _restored_variance(variance: np.ndarray, grid: Geometry, target: Geometry, passes: int) -> Volume:
    """The variance over the passes on the CT's grid; a single pass has none anywhere."""
    if passes == 1:
        return Volume(np.zeros(target.shape_kji, np.float32), target)
    return restore(Volume(variance, grid), target)


def _freed(array: np.ndarray) -> np.ndarray:
    return np.empty((0,) * array.ndim, array.dtype)
