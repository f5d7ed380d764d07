"""A synthesis in Slicer without a window: files or a scene in, files and a scene out, progress in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.file_export import check_scene_path, export_results, save_scene
from MedUSISLib.mrml.installation_status import dependency_status
from MedUSISLib.mrml.loading import load_scene, load_segmentation, load_volume
from MedUSISLib.mrml.settings import OutputChoice, SynthesisInputs, SynthesisSettings

if TYPE_CHECKING:
    from MedUSISLib.jobs.events import Failure
    from MedUSISLib.mrml.synthesis_logic import SynthesisLogic

CT_NAME, SEGMENTATION_NAME = "CT", "Segmentation"
_SEGMENTATION_CLASSES = ("vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode")


@dataclass(frozen=True)
class HeadlessOptions:
    """What ``MedUSIS/Scripts/synthesize.py`` was asked for.

    Parameters
    ----------
    out : Path
        Folder for the results; appears when everything is done.
    ct, segmentation : Path, optional
        Files, or a folder of DICOM slices for the CT.
    scene : Path, optional
        An ``.mrb`` or ``.mrml`` that holds what is not given as a file; its transforms are honoured.
    ct_node, segmentation_node : str, optional
        Names or ids in the scene; needed when it holds several.
    labels : str, optional
        Name of a mapping or a CSV file; by names, terminology and values when absent.
    unmapped : str, optional
        Class for segments that nobody knows; an error without it.
    settings : SynthesisSettings
    save_scene : Path, optional
        An ``.mrb`` with everything.
    overwrite : bool
    """

    out: Path
    ct: Path | None = None
    segmentation: Path | None = None
    scene: Path | None = None
    ct_node: str | None = None
    segmentation_node: str | None = None
    labels: str | None = None
    unmapped: str | None = None
    settings: SynthesisSettings = field(default_factory=SynthesisSettings)
    save_scene: Path | None = None
    overwrite: bool = False


def synthesize(
    options: HeadlessOptions,
    say: Callable[[str], None],
    idle: Callable[[], object] | None = None,
    logic: SynthesisLogic | None = None,
) -> list[Path]:
    """Do what was asked for.

    Parameters
    ----------
    options : HeadlessOptions
    say : callable
        Receives lines of progress, without names and paths.
    idle : callable, optional
        Called while the job runs, for example ``slicer.app.processEvents``.
    logic : SynthesisLogic, optional
        Tests give their own.

    Returns
    -------
    list of Path
        The files in ``options.out``.

    Raises
    ------
    MedUSISError
        Whatever is wrong, CANCELLED too; nothing is left in ``options.out`` then.
    KeyboardInterrupt
        Ctrl-C; the job has ended then.
    """
    status = dependency_status()
    if not status.complete:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING,
            status.sentence,
            status.torch_hint or "start Slicer with its window, open the module MedUSIS and let it install them",
        )
    from MedUSISLib.mrml.synthesis_logic import SynthesisLogic, schema_of
    from MedUSISLib.output_directory import atomic_output_directory

    if options.save_scene is not None:
        check_scene_path(options.save_scene, options.overwrite)
    schema = schema_of(options.settings.generator)
    with atomic_output_directory(options.out, options.overwrite) as folder:
        say("Reading the inputs")
        ct, segmentation = load_inputs(options)
        inputs = SynthesisInputs(ct, segmentation, classes_of(segmentation, schema, options))
        nodes = _run(logic or SynthesisLogic(), inputs, options, say, idle)
        say("Writing the results")
        names = [path.name for path in export_results(nodes, folder)]
        if options.save_scene is not None:
            save_scene(options.save_scene, options.overwrite)
    return [options.out / name for name in names]


def load_inputs(options: HeadlessOptions) -> tuple[Any, Any]:
    """The CT's and the segmentation's node, from files or from the scene."""
    if options.scene is not None:
        load_scene(options.scene)
    if options.ct is not None:
        ct = load_volume(options.ct, CT_NAME)
    else:
        ct = _in_scene(("vtkMRMLScalarVolumeNode",), options.ct_node, "CT", "--ct-node")
    if options.segmentation is not None:
        return ct, load_segmentation(options.segmentation, SEGMENTATION_NAME)
    return ct, _in_scene(_SEGMENTATION_CLASSES, options.segmentation_node, "segmentation", "--seg-node")


def classes_of(segmentation: Any, schema: Any, options: HeadlessOptions) -> dict[str, str]:
    """A class for each segment; what nobody knows is left out, and named by the error that follows."""
    from MedUSISLib.mrml.segment_classes import rows_from_mapping, segment_rows

    rows = segment_rows(segmentation, schema)
    if options.labels is not None:
        rows = rows_from_mapping(rows, options.labels, schema)
    if options.unmapped is not None:
        schema.index_of(options.unmapped)  # a class that the schema does not have is an error
        rows = [row if row.class_name else replace(row, class_name=options.unmapped) for row in rows]
    return {row.key: row.class_name for row in rows if row.class_name}


def _run(
    logic: SynthesisLogic,
    inputs: SynthesisInputs,
    options: HeadlessOptions,
    say: Callable[[str], None],
    idle: Callable[[], object] | None,
) -> Any:
    outcome: list[Any] = []
    told = {"tenth": 0}

    def advanced(fraction: float, seconds_left: float | None) -> None:
        tenth = int(10 * fraction)
        if tenth > told["tenth"]:
            told["tenth"] = tenth
            left = "" if seconds_left is None or tenth >= 10 else f", about {round(seconds_left)} s left"
            say(f"{10 * tenth} %{left}")

    logic.stage.connect(say)
    logic.advanced.connect(advanced)
    logic.warned.connect(lambda code, message: say(f"{code}: {message}"))
    logic.finished.connect(outcome.append)
    logic.failed.connect(lambda failure: outcome.append(_error_of(failure)))
    logic.cancelled.connect(lambda: outcome.append(MedUSISError(ErrorCode.CANCELLED, "the job was cancelled")))
    try:
        logic.start(inputs, options.settings, OutputChoice())
        try:
            logic.wait(idle=idle)
        except KeyboardInterrupt:
            logic.cancel()
            logic.wait(timeout_s=5.0)
            raise
    finally:
        logic.close()
    (result,) = outcome
    if isinstance(result, MedUSISError):
        raise result
    return result


def _error_of(failure: Failure) -> MedUSISError:
    return failure.error()


def _in_scene(class_names: tuple[str, ...], wanted: str | None, what: str, option: str) -> Any:
    import slicer

    scene = slicer.mrmlScene
    found = []
    for class_name in class_names:
        for index in range(scene.GetNumberOfNodesByClass(class_name)):
            node = scene.GetNthNodeByClass(index, class_name)
            if node.GetClassName() in class_names and wanted in (None, node.GetName(), node.GetID()):
                found.append(node)
    if len(found) == 1:
        return found[0]
    if not found:
        message = f"the scene holds no {what}" + ("" if wanted is None else " of that name")
        raise MedUSISError(ErrorCode.BAD_SETTING, message, f"give a file, or the name of a node with {option}")
    raise MedUSISError(
        ErrorCode.BAD_SETTING, f"the scene holds {len(found)} nodes that could be the {what}", f"name one with {option}"
    )
