"""``medusis study plan``: how many readers and cases, by formula and, if asked for, by simulation."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from MedUSISLib.errors import ErrorCode, MedUSISError

if TYPE_CHECKING:
    from MedUSISLib.study.statistics.planning import AreaGuess, PlanningComponents


class Design(StrEnum):
    """What a study is to show."""

    COMPARE = "compare"
    EQUIVALENCE = "equivalence"
    DETECT = "detect"


def plan(
    design: Annotated[
        Design,
        typer.Argument(
            help="compare: two tests differ. equivalence: readers guess (visual Turing test). detect: they do not."
        ),
    ],
    readers: Annotated[str, typer.Option("--readers", help="Numbers to look at, with commas.")] = "3,4,5,6,8,10,12",
    cases: Annotated[int | None, typer.Option("--cases", help="Give the power for so many, not the number.")] = None,
    wanted: Annotated[float, typer.Option("--power", help="Wanted power.")] = 0.8,
    alpha: Annotated[float, typer.Option("--alpha", help="Level of the test.")] = 0.05,
    difference: Annotated[float, typer.Option("--difference", help="compare: true difference of the areas.")] = 0.05,
    pilot: Annotated[
        Path | None, typer.Option("--pilot", help="compare: CSV of a pilot study, instead of the guesses below.")
    ] = None,
    auc: Annotated[float, typer.Option("--auc", help="compare: mean area of the two tests.")] = 0.85,
    positive_share: Annotated[float, typer.Option("--positive-share", help="compare: share of positive cases.")] = 0.5,
    correlations: Annotated[
        str,
        typer.Option(
            "--correlations",
            help="compare: same reader in two tests, two readers in one test, two readers in two tests.",
        ),
    ] = "0.43,0.43,0.30",
    test_reader_sd: Annotated[
        float, typer.Option("--test-reader-sd", help="compare: how differently readers profit, SD of the area.")
    ] = 0.0142,
    margin: Annotated[float, typer.Option("--margin", help="equivalence: of the share right around one half.")] = 0.1,
    accuracy: Annotated[float, typer.Option("--accuracy", help="equivalence, detect: true share right.")] = 0.5,
    reader_sd: Annotated[
        float, typer.Option("--reader-sd", help="equivalence, detect: SD of true shares right over readers.")
    ] = 0.05,
    case_correlation: Annotated[
        float, typer.Option("--case-correlation", help="equivalence, detect: of two readers' answers to a picture.")
    ] = 0.1,
    simulate: Annotated[int, typer.Option("--simulate", help="Check each row with so many simulated studies.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the simulation.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Power, or the number of cases, for numbers of readers.

    Formulas: Hillis, Obuchowski and Berbaum 2011 for the comparison of areas; noncentral t for shares right.
    docs/study-statistics.md says what each number means and where guesses come from.
    """
    counts = _numbers(readers, int, "readers")
    if not 0 < wanted < 1 or not 0 < alpha < 0.5:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the power must lie between 0 and 1, the level between 0 and 0.5")
    if min(counts) < 1 or (cases is not None and cases < 4) or simulate < 0:
        raise MedUSISError(ErrorCode.BAD_SETTING, "at least one reader and four cases are needed")
    if design is Design.COMPARE:
        from MedUSISLib.study.statistics.planning import AreaGuess

        r1, r2, r3 = _three(correlations)
        guess = AreaGuess(auc, positive_share, r1, r2, r3, test_reader_sd)
        components = _pilot(pilot) if pilot is not None else guess.components()
        # Half of it lies above the mean area, which an area cannot leave.
        room = 1 - auc if pilot is None else 0.5
        if not abs(difference) / 2 < room - 1e-9 or (difference == 0 and cases is None):
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "there are no two areas that differ so"
                if difference
                else "no number of cases shows that nothing differs",
                "give a difference that fits the area, such as 0.05" if difference else "give --cases, or a difference",
            )
        if pilot is not None and simulate:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "with a pilot study nothing is simulated", "leave one of them out"
            )
        rows = [_compare(components, guess, r, cases, difference, wanted, alpha, simulate, seed) for r in counts]
    else:
        from MedUSISLib.study.statistics.turing_planning import TuringGuess

        if design is Design.DETECT and accuracy == 0.5:
            raise MedUSISError(ErrorCode.BAD_SETTING, "a share right of one half cannot be detected", "give --accuracy")
        if design is Design.EQUIVALENCE and not 0 < margin < 0.5:
            raise MedUSISError(ErrorCode.BAD_SETTING, "the margin must lie between 0 and 0.5", "give one such as 0.1")
        turing = TuringGuess(accuracy, reader_sd, case_correlation)
        rows = [_turing(turing, design, r, cases, margin, wanted, alpha, simulate, seed) for r in counts]
    if as_json:
        print(json.dumps({"design": design.value, "wanted_power": wanted, "alpha": alpha, "rows": rows}, indent=2))
        return
    _print(rows)


def _compare(
    components: PlanningComponents,
    guess: AreaGuess,
    readers: int,
    cases: int | None,
    difference: float,
    wanted: float,
    alpha: float,
    simulate: int,
    seed: int,
) -> dict[str, Any]:
    from MedUSISLib.study.statistics.obuchowski_rockette import Generalisation
    from MedUSISLib.study.statistics.planning import cases_for_power, power, simulated_power

    row: dict[str, Any] = {"readers": readers}
    for generalisation in Generalisation:
        possible = readers > 1 or generalisation is Generalisation.CASES
        needed = cases
        if possible and cases is None:
            needed = cases_for_power(components, difference, readers, wanted, generalisation, alpha)
        reached = possible and needed is not None
        row[generalisation.value] = {
            "cases": needed if possible else None,
            "power": power(components, difference, readers, needed, generalisation, alpha)
            if reached and needed is not None
            else None,
        }
        if simulate and reached and needed is not None and generalisation is not Generalisation.READERS:
            found = simulated_power(guess, difference, readers, needed, simulate, seed, generalisation, alpha)
            row[generalisation.value]["simulated"] = found.as_dict()
    return row


def _turing(
    guess: Any,
    design: Design,
    readers: int,
    cases: int | None,
    margin: float,
    wanted: float,
    alpha: float,
    simulate: int,
    seed: int,
) -> dict[str, Any]:
    from MedUSISLib.study.statistics import turing_planning as turing

    if design is Design.EQUIVALENCE:
        needed = cases or turing.cases_for_equivalence(guess, margin, readers, wanted, alpha)
        power = turing.equivalence_power(guess, margin, readers, needed, alpha) if needed else None
    else:
        needed = cases or turing.cases_for_difference(guess, readers, wanted, alpha)
        power = turing.difference_power(guess, readers, needed, alpha) if needed else None
    found: dict[str, Any] = {"cases": needed, "power": power}
    if needed:
        found["interval_half_width"] = turing.half_width(guess, readers, needed, 1 - alpha)
    if needed and simulate:
        simulated = turing.simulated_power(
            guess, margin if design is Design.EQUIVALENCE else None, readers, needed, simulate, seed, alpha
        )
        found["simulated"] = simulated.as_dict()
    return {"readers": readers, design.value: found}


def _pilot(path: Path) -> PlanningComponents:
    from MedUSISLib.study.statistics.figures import EmpiricalAuc
    from MedUSISLib.study.statistics.mrmc import analyse_mrmc
    from MedUSISLib.study.statistics.planning import PlanningComponents
    from MedUSISLib.study.statistics.rating_table import RatingTable

    return PlanningComponents.from_pilot(analyse_mrmc(EmpiricalAuc(RatingTable.from_csv(path))))


def _print(rows: list[dict[str, Any]]) -> None:
    parts = [name for name in rows[0] if name != "readers"]
    print(f"{'readers':>8}" + "".join(f"  {name:>32}" for name in parts))
    for row in rows:
        print(f"{row['readers']:>8}" + "".join(f"  {_cell(row[name]):>32}" for name in parts))


def _cell(found: dict[str, Any]) -> str:
    if found["power"] is None:
        return "not reached"
    text = f"{found['cases']} cases, power {found['power']:.2f}"
    if "simulated" in found:
        text += f" (sim {found['simulated']['power']:.2f})"
    return text


def _numbers(text: str, kind: type, name: str) -> list[Any]:
    try:
        found = [kind(part) for part in text.split(",") if part.strip()]
    except ValueError:
        found = []
    if not found:
        raise MedUSISError(ErrorCode.BAD_SETTING, f"the {name} must be numbers with commas between them")
    return found


def _three(text: str) -> tuple[float, float, float]:
    found = _numbers(text, float, "correlations")
    if len(found) != 3:
        raise MedUSISError(ErrorCode.BAD_SETTING, "three correlations are needed")
    return found[0], found[1], found[2]
