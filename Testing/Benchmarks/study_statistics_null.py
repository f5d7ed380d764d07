"""False positives, coverage and power of the statistics of reader studies, by simulation with known truth.

Prints the tables of docs/study-statistics.md. ``--studies 4000`` (default) takes some minutes on one core.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from MedUSISLib.study.statistics.against_chance import compare_with_chance
from MedUSISLib.study.statistics.covariances import CovarianceMethod
from MedUSISLib.study.statistics.detection import BalancedAccuracy
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.mrmc import analyse_mrmc
from MedUSISLib.study.statistics.obuchowski_rockette import Generalisation
from MedUSISLib.study.statistics.planning import AreaGuess, power, simulated_power
from MedUSISLib.study.statistics.simulation import STRUCTURES, RoeMetzModel, TuringModel
from MedUSISLib.study.statistics.turing_planning import TuringGuess, equivalence_power
from MedUSISLib.study.statistics.turing_planning import simulated_power as simulated_turing

BOTH = Generalisation.READERS_AND_CASES


def mrmc_null(model: RoeMetzModel, auc: float, readers: int, cases: int, studies: int, seed: int) -> tuple[float, ...]:
    """Shares: p < 0.05 of equal tests; interval of the difference holds 0; those of a test hold its area."""
    generator = np.random.default_rng(seed)
    rejected = holds_difference = holds_area = holds_logit = 0
    for _ in range(studies):
        table = model.sample(generator, (auc, auc), readers, cases // 2, cases // 2)
        analysis = analyse_mrmc(EmpiricalAuc(table), CovarianceMethod.DELONG).analysis(BOTH)
        assert analysis is not None and analysis.p_value is not None
        rejected += analysis.p_value < 0.05
        difference = analysis.differences[0].estimate
        holds_difference += difference.low <= 0 <= difference.high
        area = analysis.tests[0].estimate
        holds_area += area.low <= auc <= area.high
        logit = analysis.tests[0].logit
        holds_logit += logit is not None and logit[0] <= auc <= logit[1]
    return rejected / studies, holds_difference / studies, holds_area / studies, holds_logit / studies


def turing_null(model: TuringModel, readers: int, cases: int, studies: int, seed: int) -> tuple[float, ...]:
    """Shares: p < 0.05 against chance; interval holds the truth; binomial test of all answers p < 0.05."""
    generator = np.random.default_rng(seed)
    rejected = covered = pooled = 0
    for _ in range(studies):
        table = model.sample_table(generator, readers, cases // 2, cases // 2)
        test, _ = compare_with_chance(BalancedAccuracy(table, table.ratings))
        rejected += test.p_value < 0.05
        covered += test.estimate.low <= model.accuracy <= test.estimate.high
        answers = table.ratings.size
        pooled += abs(table.ratings.sum() - answers / 2) > 1.96 * math.sqrt(answers) / 2
    return rejected / studies, covered / studies, pooled / studies


def equivalence_size(at: float, margin: float, readers: int, cases: int, studies: int, seed: int) -> float:
    """Share of studies that show equivalence although the truth lies exactly on the margin."""
    generator = np.random.default_rng(seed)
    model = TuringModel(at, reader_sd=0.1, case_sd=0.4)
    shown = 0
    for _ in range(studies):
        table = model.sample_table(generator, readers, cases // 2, cases // 2)
        test, _ = compare_with_chance(BalancedAccuracy(table, table.ratings), margin)
        shown += test.equivalence is not None and test.equivalence.shown
    return shown / studies


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=20261120)
    given = parser.parse_args()
    start = time.perf_counter()
    error = 100 * math.sqrt(0.05 * 0.95 / given.studies)
    print(f"{given.studies} studies a row; standard error of 5 % and of 95 %: {error:.2f} %\n")
    print("| structure | AUC | readers | cases | false positives | coverage: difference | one test | one test, logit |")
    print("|---|---|---|---|---|---|---|---|")
    for name, model in STRUCTURES.items():
        for auc, readers, cases in ((0.70, 5, 100), (0.85, 5, 100), (0.85, 3, 60), (0.85, 10, 100), (0.95, 5, 100)):
            shares = mrmc_null(model, auc, readers, cases, given.studies, given.seed)
            columns = " | ".join(f"{100 * x:.1f} %" for x in shares)
            print(f"| {name} | {auc:.2f} | {readers} | {cases} | {columns} |", flush=True)
    print("\n| readers' SD | pictures' SD | readers | pictures | false positives | coverage | binomial test of all |")
    print("|---|---|---|---|---|---|---|")
    for reader_sd, case_sd, readers, cases in (
        (0.0, 0.0, 5, 60),
        (0.15, 0.0, 5, 60),
        (0.0, 0.5, 5, 60),
        (0.15, 0.5, 5, 60),
        (0.15, 0.5, 3, 60),
        (0.15, 0.5, 10, 100),
        (0.3, 0.8, 6, 100),
    ):
        shares = turing_null(TuringModel(0.5, reader_sd, case_sd), readers, cases, given.studies, given.seed)
        columns = " | ".join(f"{100 * x:.1f} %" for x in shares)
        print(f"| {reader_sd:g} | {case_sd:g} | {readers} | {cases} | {columns} |", flush=True)
    print("\n| true share right | margin | readers | pictures | equivalence shown |\n|---|---|---|---|---|")
    for at, readers, cases in ((0.6, 4, 60), (0.6, 6, 100), (0.4, 6, 100), (0.6, 10, 200)):
        share = equivalence_size(at, 0.1, readers, cases, given.studies, given.seed)
        print(f"| {at:g} | 0.1 | {readers} | {cases} | {100 * share:.1f} % |", flush=True)
    fewer = given.studies // 4
    print(f"\nPower, {fewer} studies a row\n\n| study | planned | simulated |\n|---|---|---|")
    guess = AreaGuess()
    for difference, readers, cases in ((0.05, 5, 120), (0.07, 5, 100), (0.05, 8, 200), (0.05, 10, 120)):
        found = simulated_power(guess, difference, readers, cases, fewer, given.seed)
        planned = power(guess.components(), difference, readers, cases)
        print(f"| areas {difference:g} apart, {readers} readers, {cases} cases | {planned:.2f} | {found.power:.2f} |")
    for readers, cases in ((5, 100), (6, 112), (8, 71), (12, 48)):
        turing = TuringGuess()
        found = simulated_turing(turing, 0.1, readers, cases, fewer, given.seed)
        planned = equivalence_power(turing, 0.1, readers, cases)
        print(f"| equivalence within 0.1, {readers} readers, {cases} pictures | {planned:.2f} | {found.power:.2f} |")
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
