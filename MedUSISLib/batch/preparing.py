"""Before the first case: the generator fits the settings, and the folder is a new batch or the same one as before."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from MedUSISLib import __version__
from MedUSISLib.batch.case import FoundCases
from MedUSISLib.batch.folder import (
    CASES_NAME,
    KEY_NAME,
    LOG_NAME,
    MANIFEST_NAME,
    OWNER_NAME,
    PROBLEMS_NAME,
    case_folder,
)
from MedUSISLib.batch.manifest import Manifest
from MedUSISLib.batch.request import BatchRequest
from MedUSISLib.batch.settling import INPUT_CHANGED, named_cases
from MedUSISLib.batch.standing import stands
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.progress import Progress
from MedUSISLib.runs.files import write_whole


def checked_generator(request: BatchRequest) -> Bundle:
    """The verified generator of a batch, when it and the label mapping fit the settings; torch is not loaded.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND, GENERATOR_CORRUPT, BAD_SETTING, UNKNOWN_LABELS: what every single case would say.
    """
    from MedUSISLib.anatomy.mapping import load_mapping
    from MedUSISLib.synthesis.loaded_generators import load_generator
    from MedUSISLib.synthesis.plan import fitting_mode

    bundle, schema = load_generator(request.generator)
    fitting_mode(bundle.manifest, request.mode)
    if request.labels is not None:
        load_mapping(request.labels, schema)
    if request.segment is not None:
        load_mapping("head" if request.segment == "head-seg" else request.segment, schema)
    if request.segment == "totalsegmentator" and find_spec("totalsegmentator") is None:
        raise MedUSISError(
            ErrorCode.DEPENDENCY_MISSING, "TotalSegmentator is not installed", "pip install TotalSegmentator"
        )
    return bundle


def require_cases(found: FoundCases, source: Path) -> None:
    """Raise BAD_SETTING when there is nothing to do."""
    if not found.cases:
        what = f"; {len(found.problems)} thing(s) in it became no case" if found.problems else ""
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"no CT was found in the input{what}",
            "look at it with --dry-run, or give a table of cases",
            source,
        )


def require_folder(out: Path) -> None:
    """Make the folder of a batch; BAD_SETTING when it holds other things than a batch."""
    ours = {MANIFEST_NAME, KEY_NAME, LOG_NAME, OWNER_NAME, PROBLEMS_NAME, CASES_NAME}
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / CASES_NAME).mkdir(exist_ok=True)
        foreign = [path.name for path in out.iterdir() if path.name not in ours and not path.name.startswith(".")]
        empty = not any((out / CASES_NAME).glob("[!.]*"))
    except OSError as error:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the output folder cannot be made or read", "give a folder of your own", out
        ) from error
    if not (out / MANIFEST_NAME).is_file() and (foreign or not empty):
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "the output folder holds other things than a batch", "give a new folder", out
        )


def begin_or_go_on(request: BatchRequest, found: FoundCases, generator_sha256: str, progress: Progress) -> Manifest:
    """The manifest of the batch in ``request.out``: new, or the one that is there, with what was found since added.

    Raises
    ------
    MedUSISError
        BAD_SETTING, naming each setting that makes other voxels than those of the batch that is there.
    """
    about = {"generator_sha256": generator_sha256, "version": __version__}
    if not (request.out / MANIFEST_NAME).is_file():
        return Manifest.create(request.out, request, found, about)
    manifest = Manifest.open(request.out)
    try:
        other = differences(manifest.request, request)
        if manifest.fact("generator_sha256") != generator_sha256 and "generator" not in " ".join(other):
            other.append("generator (another version, or changed)")
        if other:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"the folder holds a batch with other settings: {'; '.join(other)}",
                "give the same settings to go on with it, or another output folder",
                request.out,
            )
        if manifest.fact("version") != __version__:
            progress.warning(
                "ANOTHER_VERSION",
                f"the batch was begun with MedUSIS {manifest.fact('version')}: the other cases are made with "
                f"{__version__}",
            )
        taken = manifest.take_over(found, lambda number: stands(case_folder(request.out, number)))
        if taken.new:
            progress.warning("NEW_CASES", f"{taken.new} case(s) were added to the input since the batch was begun")
        if taken.kept:
            progress.warning(
                INPUT_CHANGED,
                f"the input names other files now for {named_cases(taken.kept)}, whose results are of those in "
                f"{KEY_NAME} and stay: remove the folder of a case to have it made again",
            )
        # What says how the work is done, and the tool for cases that had none, may have changed.
        manifest.remember(request=request.model_dump(mode="json"))
    except BaseException:
        manifest.close()
        raise
    return manifest


def differences(before: BatchRequest, now: BatchRequest) -> list[str]:
    """Settings by which the two would make different results, in words; places of files are not shown.

    Examples
    --------
    >>> one = BatchRequest(input="a", out="b")
    >>> differences(one, one.model_copy(update={"passes": 4, "seed": 1}))
    ['passes was 8, is 4', 'seed was 0, is 1']
    """
    found = []
    if before.input != now.input:
        found.append("input (another folder or table)")
    then, given = before.settings(), now.settings()
    for name in then:
        if then[name] == given[name] or (name == "segment" and then[name] is None):
            continue  # a tool may be named later: nothing was segmented so far
        texts = [value for value in (then[name], given[name]) if isinstance(value, str) and name != "part"]
        if any("/" in text or "\\" in text for text in texts):
            found.append(f"{name} (another file)")
        else:
            found.append(f"{name} was {then[name]}, is {given[name]}")
    return found


def write_key(manifest: Manifest, out: Path) -> None:
    """Write which case is which, and what became none, for this user alone."""
    rows = [("case", "input", "ct", "segmentation")]
    for row in manifest.rows():
        case = manifest.case(row.number)
        rows.append((row.name, row.key, str(case.ct), str(case.segmentation or "")))
    write_whole(out / KEY_NAME, _as_csv(rows))
    problems = [(problem.code, problem.where, problem.what, problem.remedy) for problem in manifest.problems()]
    if problems:
        write_whole(out / PROBLEMS_NAME, _as_csv([("code", "where", "what", "remedy"), *problems]))
    else:
        (out / PROBLEMS_NAME).unlink(missing_ok=True)


def _as_csv(rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().rstrip("\n")
