"""Planning: published powers, and formula against simulation."""

from __future__ import annotations

import json

import pytest
from study_ratings import VAN_DYKE_COV1, VAN_DYKE_COV3
from typer.testing import CliRunner

from MedUSISLib.cli.main import app
from MedUSISLib.errors import MedUSISError
from MedUSISLib.study.statistics.covariances import ErrorCovariances
from MedUSISLib.study.statistics.obuchowski_rockette import Generalisation
from MedUSISLib.study.statistics.planning import (
    AreaGuess,
    PlanningComponents,
    binormal_variance,
    cases_for_power,
    power,
    simulated_power,
)
from MedUSISLib.study.statistics.turing_planning import (
    TuringGuess,
    cases_for_equivalence,
    difference_power,
    equivalence_power,
)
from MedUSISLib.study.statistics.turing_planning import simulated_power as simulated_turing

BOTH, CASES, READERS = Generalisation
VAN_DYKE = PlanningComponents(0.00020040, ErrorCovariances(0.00080229, VAN_DYKE_COV1, 0.00034407, VAN_DYKE_COV3), 114)


@pytest.mark.parametrize(
    ("readers", "cases", "generalisation", "published"),
    [
        (10, 165, BOTH, 0.80541995),
        (10, 131, CASES, 0.80091813),
        (10, 53, READERS, 0.80496663),
        (6, 111, BOTH, 0.5526116),
    ],
)
def test_powers_for_van_dykes_components_are_those_of_rjafroc(
    readers: int, cases: int, generalisation: Generalisation, published: float
) -> None:
    # Effect 0.043800322; the components are known to five figures here.
    assert power(VAN_DYKE, 0.043800322, readers, cases, generalisation) == pytest.approx(published, abs=3e-5)


def test_cases_for_six_readers_are_those_of_rjafroc() -> None:
    assert cases_for_power(VAN_DYKE, 0.043800322, 6) == 251


def test_more_of_anything_gives_more_power_and_no_difference_gives_alpha() -> None:
    base = power(VAN_DYKE, 0.04, 5, 100)
    assert power(VAN_DYKE, 0.05, 5, 100) > base
    assert power(VAN_DYKE, 0.04, 8, 100) > base
    assert power(VAN_DYKE, 0.04, 5, 200) > base
    assert power(VAN_DYKE, 1e-9, 5, 100) == pytest.approx(0.05, abs=1e-6)
    for generalisation in Generalisation:
        assert power(VAN_DYKE, 0.0, 5, 100, generalisation) == 0.05


def test_readers_who_differ_too_much_cannot_be_outweighed_by_cases() -> None:
    components = AreaGuess(test_reader_sd=0.1).components()
    assert cases_for_power(components, 0.03, 4) is None
    assert cases_for_equivalence(TuringGuess(reader_sd=0.2), 0.05, 4) is None


def test_variance_of_an_area_is_what_simulation_gives() -> None:
    import numpy as np

    from MedUSISLib.study.statistics.figures import EmpiricalAuc

    model = AreaGuess(test_reader_sd=0).latent_model()
    generator = np.random.default_rng(0)
    areas = [EmpiricalAuc(model.sample(generator, (0.85,), 1, 40, 25)).values()[0, 0] for _ in range(3000)]
    assert np.mean(areas) == pytest.approx(0.85, abs=0.003)
    assert np.var(areas) == pytest.approx(binormal_variance(0.85, 25, 40), rel=0.08)


def test_planned_power_is_reached_in_simulated_comparisons() -> None:
    guess = AreaGuess()
    planned = power(guess.components(), 0.07, 5, 100)
    found = simulated_power(guess, 0.07, 5, 100, studies=400, seed=1)
    assert found.power == pytest.approx(planned, abs=0.08)


def test_planned_power_is_reached_in_simulated_turing_tests() -> None:
    guess = TuringGuess()
    found = simulated_turing(guess, 0.1, 8, 100, studies=400, seed=1)
    assert found.power == pytest.approx(equivalence_power(guess, 0.1, 8, 100), abs=0.08)
    skilled = TuringGuess(accuracy=0.62)
    detected = simulated_turing(skilled, None, 6, 80, studies=400, seed=2)
    assert detected.power == pytest.approx(difference_power(skilled, 6, 80), abs=0.08)


def test_contradictory_guesses_are_refused() -> None:
    for wrong in ({"auc": 1.2}, {"neither": 0.5}, {"same_reader": 0.9, "same_test": 0.9, "neither": 0.1}):
        with pytest.raises(MedUSISError):
            AreaGuess(**wrong)
    with pytest.raises(MedUSISError):
        TuringGuess(case_correlation=1.0)


def test_the_command_plans_all_designs() -> None:
    runner = CliRunner()
    for design, more in (("compare", []), ("equivalence", []), ("detect", ["--accuracy", "0.65"])):
        text = runner.invoke(app, ["study", "plan", design, *more])
        assert text.exit_code == 0 and "cases, power 0.8" in text.output, text.output
        found = json.loads(runner.invoke(app, ["study", "plan", design, *more, "--json", "--cases", "80"]).output)
        assert [row["readers"] for row in found["rows"]] == [3, 4, 5, 6, 8, 10, 12]
    seeded = ["study", "plan", "equivalence", "--readers", "4", "--cases", "40", "--simulate", "20", "--json"]
    assert runner.invoke(app, seeded).output == runner.invoke(app, seeded).output
    for wrong in (
        ["detect"],
        ["compare", "--difference", "0"],
        ["compare", "--difference", "nan"],
        ["compare", "--difference", "0.3", "--auc", "0.85"],
        ["equivalence", "--margin", "0"],
        ["equivalence", "--margin", "0.5"],
    ):
        assert isinstance(runner.invoke(app, ["study", "plan", *wrong]).exception, MedUSISError), wrong
    assert isinstance(runner.invoke(app, ["study", "plan", "compare", "--readers", "x"]).exception, MedUSISError)
