"""One case of a batch in the scene: its CT, and the synthetic MR with its maps beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.mrml.node_removal import remove_nodes
from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.settings import OutputChoice


@dataclass(frozen=True)
class LoadedCase:
    """What came into the scene."""

    ct: Any
    nodes: SynthesisNodes


def load_case(folder: Path, number: int, outputs: OutputChoice | None = None) -> LoadedCase:
    """Bring a case that is done into the scene: all of it, or nothing.

    The CT is read as the batch read it (DICOM series included), so that it has the grid of its result. Its node is
    named after the case, "Case 12 CT": the names of files can be names of patients.

    Parameters
    ----------
    folder : Path
        Of the batch.
    number : int
        Of the case.
    outputs : OutputChoice, optional
        Which maps to bring.

    Raises
    ------
    MedUSISError
        INPUT_NOT_READABLE when the CT or the result is not where it was; BAD_SETTING when another CT lies there now;
        DEPENDENCY_MISSING. The scene is as before then.
    """
    from MedUSISLib.batch.folder import case_folder
    from MedUSISLib.batch.manifest import Manifest
    from MedUSISLib.mrml.results import load_results

    with Manifest.open(folder, read_only=True) as manifest:
        try:
            case = manifest.case(number)
        except KeyError:
            raise _gone("the case is not in this batch any more", folder) from None
    result = case_folder(folder, number)
    if not result.is_dir():
        raise _gone("the case has no result", result)
    if not case.ct.exists():
        raise MedUSISError(
            ErrorCode.INPUT_NOT_READABLE,
            "the CT of this case is not where it was when the batch was made",
            "connect its drive, or put it back",
            case.ct,
        )
    ct = _add_ct(case.ct, case.ct_series, f"Case {number} CT", result)
    try:
        nodes = load_results(result, ct, outputs)
    except BaseException:
        remove_nodes([ct])
        raise
    return LoadedCase(ct, nodes)


def report_of(folder: Path, number: int) -> Path | None:
    """The report of a case; None where there is none."""
    from MedUSISLib.batch.folder import case_folder

    path = case_folder(folder, number) / "report.html"
    return path if path.is_file() else None


def _add_ct(path: Path, series_uid: str | None, name: str, result: Path) -> Any:
    from MedUSISLib.imaging.reading import read_volume
    from MedUSISLib.mrml.loading import volume_node
    from MedUSISLib.mrml.result_files import read_json
    from MedUSISLib.synthesis.inputs import value_sha256

    ct = read_volume(path, "the CT", series_uid or "")
    inputs = read_json(result, "provenance.json").get("inputs") or {}
    # Another patient's may lie under the same name by now, on a grid that fits.
    if (inputs.get("ct") or {}).get("values_sha256") not in (None, value_sha256(ct)):
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            "another CT lies where the CT of this case was: its values are others than those the result was made from",
            "put the right one back; or remove the folder of this case and go on with the batch",
            path,
        )
    return volume_node(ct, name)


def _gone(message: str, path: Path) -> MedUSISError:
    return MedUSISError(ErrorCode.INPUT_NOT_READABLE, message, "look at the state of the case in the table", path)
