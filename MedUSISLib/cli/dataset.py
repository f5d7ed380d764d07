"""``medusis dataset``: a hospital's folders as training data - scan, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from MedUSISLib.cli.options import JSON_EVENTS, OVERWRITE, VERBOSE, absolute, name_or_path

if TYPE_CHECKING:
    from MedUSISLib.dataset.model import Dataset

app = typer.Typer(no_args_is_help=True, help="Training data: scan folders, show and check what was found.")
DatasetFile = Annotated[Path, typer.Argument(metavar="dataset.json", help="The file, or the folder that holds it.")]


@app.command("scan")
def scan(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders; all that is below is read.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for dataset.json and dataset.html.")],
    schema: Annotated[
        str, typer.Option("--schema", metavar="ID|FILE.json", help="Classes that labels are to become.")
    ] = "head",
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="NAME|FILE.csv",
            help="What the values of all label maps mean; guessed for each when not given.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of the split by person; 0, or that of the last scan.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="TRAIN,VALIDATION,TEST", help="Shares; 0.7,0.15,0.15 when not given."),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes that read; one a core.")] = None,
    overwrite: bool = OVERWRITE,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Find out which files are CT, MR and labels, whose they are, which belong together, and what is wrong with them.

    Writes dataset.json, which may be edited by hand (edits are kept by the next scan of the same folders), and
    dataset.html to look at. Both hold patient data and must not leave the hospital.
    """
    from MedUSISLib.cli.running import run_and_report

    parameters: dict[str, object] = {
        "folders": [str(absolute(folder)) for folder in folders],
        "out": absolute(out),
        "label_schema": name_or_path(schema),
        "labels": name_or_path(labels) if labels is not None else None,
        "seed": seed,
        "split": _shares(split) if split is not None else None,
        "jobs": jobs,
        "overwrite": overwrite,
    }
    try:
        run_and_report("scan-dataset", parameters, json_events, verbose)
    except typer.Exit as ending:
        if ending.exit_code == 0 and not json_events:
            from MedUSISLib.dataset.model import load_dataset

            _print_summary(load_dataset(absolute(out)))
        raise


@app.command("show")
def show(
    dataset: DatasetFile,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON instead of tables; no names.")] = False,
    as_training: Annotated[
        bool, typer.Option("--as-training", help="The data part of a configuration for `medusis train`, in YAML.")
    ] = False,
    sequence: Annotated[
        str | None, typer.Option("--sequence", metavar="T1w|T2w|FLAIR|...", help="With --as-training: only these MRs.")
    ] = None,
) -> None:
    """Print the cases of a dataset, and how many problems of which kind there are."""
    from MedUSISLib.dataset.model import load_dataset

    loaded = load_dataset(dataset)
    if as_training:
        import yaml

        from MedUSISLib.dataset.training_sources import training_sources

        print(yaml.safe_dump({"data": training_sources(loaded, sequence=sequence)}, sort_keys=False), end="")
        return
    if as_json:
        import json

        from MedUSISLib.dataset.scan import ScanResult

        print(json.dumps(ScanResult(loaded, loaded.folder).summary(), indent=2))
        return
    _print_cases(loaded)
    _print_summary(loaded)


@app.command("check")
def check(
    dataset: DatasetFile,
    content: Annotated[
        bool, typer.Option("--content", help="Read all voxels again and compare them with those scanned.")
    ] = False,
) -> None:
    """Check an edited dataset.json: exit code 0, or that of the named error."""
    from MedUSISLib.dataset.checking import check_dataset

    report = check_dataset(dataset, content)
    print(f"{report.cases} cases of {report.people} people with {report.files} files can be used")
    for remark in report.remarks:
        print(f"remark: {remark}")


def _shares(split: str) -> dict[str, float]:
    from MedUSISLib.errors import ErrorCode, MedUSISError

    try:
        train, validation, test = (float(share) for share in split.split(","))
    except ValueError:
        raise MedUSISError(
            ErrorCode.BAD_SETTING, "--split needs three numbers with commas between", "for example 0.7,0.15,0.15"
        ) from None
    return {"train": train, "validation": validation, "test": test}


def _print_cases(dataset: Dataset) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    used = {case.id for case in dataset.used_cases()}
    worst: dict[str | None, str] = {}
    for problem in dataset.problems:  # sorted, errors first
        worst.setdefault(problem.case, problem.code)
    table = Table("person", "side", "CT", "MR", "labels", "used", "first problem")
    for case in dataset.cases:
        names = [
            escape(dataset.file(file).path.rpartition("/")[2]) if file else "-"
            for file in (case.ct, case.mr, case.labels)
        ]
        table.add_row(
            escape(case.person),
            dataset.split_of(case.person),
            *names,
            "yes" if case.id in used else "[red]no[/]",
            worst.get(case.id, ""),
        )
    console = Console(highlight=False)
    # Into a file or a pipe, names are better long than cut.
    (console if console.is_terminal else Console(highlight=False, width=200)).print(table)


def _print_summary(dataset: Dataset) -> None:
    from collections import Counter

    from MedUSISLib.dataset.problems import PROBLEMS

    roles = Counter(file.role for file in dataset.files)
    used = sum(1 for _ in dataset.used_cases())
    print(
        f"{len(dataset.people)} people, {len(dataset.files)} files: {roles['ct']} CT, {roles['mr']} MR, "
        f"{roles['labels']} label maps, {roles['ignore']} not usable"
    )
    sides = Counter(person.split for person in dataset.people)
    print(
        f"{used} of {len(dataset.cases)} cases used; people: {sides['train']} training, "
        f"{sides['validation']} validation, {sides['test']} test"
    )
    counts = Counter(problem.code for problem in dataset.problems)
    for code, kind in PROBLEMS.items():
        if counts[code]:
            print(f"{kind.severity:8} {counts[code]:5}  {code:26} {kind.title}")
    for change in dataset.changes:
        print(f"since the last scan: {change}")
