"""False positives, coverage and power of the statistics of reader studies, by simulation with known truth.

Prints the tables of docs/study-statistics.md. ``--studies 4000`` (default) takes some minutes on one core; ``--only``
prints some of them.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace

import numpy as np
from scipy import stats

from MedUSISLib.study.statistics.against_chance import compare_with_chance
from MedUSISLib.study.statistics.covariances import CovarianceMethod
from MedUSISLib.study.statistics.detection import BalancedAccuracy
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.free_response import AfrocArea
from MedUSISLib.study.statistics.mrmc import analyse_mrmc
from MedUSISLib.study.statistics.obuchowski_rockette import Generalisation
from MedUSISLib.study.statistics.planning import AreaGuess, power, simulated_power
from MedUSISLib.study.statistics.proportions import mcnemar, proportion
from MedUSISLib.study.statistics.simulation import STRUCTURES, FreeResponseModel, RoeMetzModel, TuringModel
from MedUSISLib.study.statistics.turing_planning import TuringGuess, difference_power, equivalence_power
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


def free_response(
    model: FreeResponseModel, shift: float, readers: int, cases: int, studies: int, seed: int
) -> tuple[float, ...]:
    """Weighted AFROC areas of two tests: shares of studies with p < 0.05 and with an interval that holds the truth (of
    the difference; of one test, symmetric and logit); last McNemar's test of one reader, and the true difference.

    The truth is the mean over all studies, each of which is unbiased; its error is far below that of the shares.
    """
    generator = np.random.default_rng(seed)
    alone = replace(model, reader_sd=0.0, test_reader_sd=0.0)  # what a reader profits is a difference for McNemar
    rejected = mcnemar_rejected = 0
    rows = []
    for _ in range(studies):
        table = model.sample(generator, (0.0, shift), readers, cases // 2, cases // 2)
        result = analyse_mrmc(AfrocArea(table))
        analysis = result.analysis(BOTH)
        assert analysis is not None and analysis.p_value is not None
        rejected += analysis.p_value < 0.05
        d, one = analysis.differences[0].estimate, analysis.tests[0]
        logit = one.logit or (math.nan, math.nan)
        rows.append((d.value, d.low, d.high, one.estimate.value, one.estimate.low, one.estimate.high, *logit))
        found = np.isfinite(alone.sample(generator, (0.0, shift), 1, cases // 2, cases // 2).lesion_ratings[:, 0])
        mcnemar_rejected += mcnemar(int((found[0] & ~found[1]).sum()), int((found[1] & ~found[0]).sum())) < 0.05
    d, low, high, area, a_low, a_high, l_low, l_high = np.array(rows).T
    true_d, true_area = (d.mean() if shift else 0.0), area.mean()
    return (
        rejected / studies,
        float(np.mean((low <= true_d) & (true_d <= high))),
        float(np.mean((a_low <= true_area) & (true_area <= a_high))),
        float(np.mean((l_low <= true_area) & (true_area <= l_high))),
        mcnemar_rejected / studies,
        float(true_d),
    )


def difference_coverage(
    model: RoeMetzModel, areas: tuple[float, float], readers: int, cases: int, studies: int, seed: int
) -> tuple[float, ...]:
    """Shares of intervals that hold the true difference: random readers and cases, and these readers only.

    The second one's truth is that of the readers drawn, which only the mean over many cases would tell: it is left to
    the first; here it is counted against the same truth to show what happens when the wrong analysis is taken.
    """
    generator = np.random.default_rng(seed)
    held = wrong = 0
    truth = areas[0] - areas[1]
    for _ in range(studies):
        table = model.sample(generator, areas, readers, cases // 2, cases // 2)
        result = analyse_mrmc(EmpiricalAuc(table), CovarianceMethod.DELONG)
        for generalisation in (BOTH, Generalisation.CASES):
            analysis = result.analysis(generalisation)
            assert analysis is not None
            e = analysis.differences[0].estimate
            inside = e.low <= truth <= e.high
            if generalisation is BOTH:
                held += inside
            else:
                wrong += inside
    return held / studies, wrong / studies


def exact_coverage(share: float, answers: int) -> tuple[float, float]:
    """Clopper-Pearson and the exact test, computed and not drawn: coverage, and chance of p < 0.05 at one half."""
    counts = np.arange(answers + 1)
    chances = stats.binom.pmf(counts, answers, share)
    found = [proportion(int(k), answers, 0.5) for k in counts]
    held = sum(c for c, one in zip(chances, found, strict=True) if one.exact and one.exact[0] <= share <= one.exact[1])
    rejected = sum(c for c, one in zip(chances, found, strict=True) if one.p_chance is not None and one.p_chance < 0.05)
    return float(held), float(rejected)


def print_free_response(studies: int, seed: int) -> None:
    """Marks of lesions."""
    print(
        "| cases' SD | readers | cases | true difference | p < 0.05 | coverage: difference | one test | "
        "one test, logit | McNemar, one reader |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for case_sd, shift, readers, cases in (
        (0.0, 0.0, 5, 100),
        (0.6, 0.0, 5, 100),
        (0.6, 0.0, 3, 60),
        (0.6, 0.0, 10, 100),
        (1.2, 0.0, 5, 100),
        (0.6, 0.3, 5, 100),
        (0.6, 0.3, 10, 100),
    ):
        model = FreeResponseModel(case_sd=case_sd, test_case_sd=case_sd / 2)
        *shares, difference = free_response(model, shift, readers, cases, studies, seed)
        columns = " | ".join(f"{100 * x:.1f} %" for x in shares)
        print(f"| {case_sd:g} | {readers} | {cases} | {difference:+.3f} | {columns} |", flush=True)


def print_differences(studies: int, seed: int) -> None:
    """A true difference of areas, and what the wrong analysis does to it."""
    print(
        "| structure | areas | readers | cases | coverage | with these readers' interval |\n|---|---|---|---|---|---|"
    )
    for name, areas, readers, cases in (
        ("HL", (0.80, 0.87), 5, 100),
        ("LL", (0.80, 0.87), 5, 100),
        ("HH", (0.80, 0.87), 5, 100),
        ("LH", (0.80, 0.87), 5, 100),
        ("HL", (0.85, 0.95), 10, 100),
        ("LL", (0.80, 0.87), 3, 60),
    ):
        held, wrong = difference_coverage(STRUCTURES[name], areas, readers, cases, studies, seed)
        shown = f"{areas[0]:.2f}, {areas[1]:.2f}"
        print(f"| {name} | {shown} | {readers} | {cases} | {100 * held:.1f} % | {100 * wrong:.1f} % |", flush=True)


def print_exact() -> None:
    """One reader of a visual Turing test."""
    print("| answers | coverage at 0.5 | at 0.7 | at 0.9 | false positives |\n|---|---|---|---|---|")
    for answers in (12, 24, 60, 120):
        held = [exact_coverage(share, answers)[0] for share in (0.5, 0.7, 0.9)]
        columns = " | ".join(f"{100 * x:.1f} %" for x in (*held, exact_coverage(0.5, answers)[1]))
        print(f"| {answers} | {columns} |")


def print_power(studies: int, seed: int) -> None:
    """Planned by formula and found by simulation."""
    print("| study | planned | simulated |\n|---|---|---|")
    guess = AreaGuess()
    for difference, readers, cases, generalisation in (
        (0.05, 5, 120, BOTH),
        (0.07, 5, 100, BOTH),
        (0.05, 8, 200, BOTH),
        (0.05, 10, 120, BOTH),
        (0.05, 3, 150, Generalisation.CASES),
        (0.05, 5, 120, Generalisation.CASES),
        (0.0, 5, 120, BOTH),
    ):
        found = simulated_power(guess, difference, readers, cases, studies, seed, generalisation)
        planned = power(guess.components(), difference, readers, cases, generalisation)
        what = "" if generalisation is BOTH else ", these readers"
        print(f"| areas {difference:g} apart, {readers} readers, {cases} cases{what} | {planned:.2f} | "
              f"{found.power:.2f} |", flush=True)  # fmt: skip
    for readers, cases in ((5, 100), (6, 112), (8, 71), (12, 48)):
        turing = TuringGuess()
        found = simulated_turing(turing, 0.1, readers, cases, studies, seed)
        planned = equivalence_power(turing, 0.1, readers, cases)
        print(f"| equivalence within 0.1, {readers} readers, {cases} pictures | {planned:.2f} | {found.power:.2f} |")
    for accuracy, readers, cases in ((0.65, 4, 40), (0.6, 6, 60), (0.6, 10, 60)):
        turing = TuringGuess(accuracy)
        found = simulated_turing(turing, None, readers, cases, studies, seed)
        planned = difference_power(turing, readers, cases)
        print(f"| {accuracy:g} right told from guessing, {readers} readers, {cases} pictures | {planned:.2f} | "
              f"{found.power:.2f} |", flush=True)  # fmt: skip


def main() -> None:
    """Print the tables that were asked for."""
    parts = ("areas", "turing", "power", "marks", "differences", "exact")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=20261120)
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    given = parser.parse_args()
    start = time.perf_counter()
    error = 100 * math.sqrt(0.05 * 0.95 / given.studies)
    print(f"{given.studies} studies a row; standard error of 5 % and of 95 %: {error:.2f} %")
    tables = {
        "areas": lambda: print_areas(given.studies, given.seed),
        "turing": lambda: print_turing(given.studies, given.seed),
        "power": lambda: print_power(given.studies // 4, given.seed),
        "marks": lambda: print_free_response(given.studies, given.seed),
        "differences": lambda: print_differences(given.studies, given.seed),
        "exact": print_exact,
    }
    for name in given.only:
        print(f"\n{name}\n")
        tables[name]()
    print(f"\n{time.perf_counter() - start:.0f} s")


def print_areas(studies: int, seed: int) -> None:
    """Areas of two equal tests."""
    print("| structure | AUC | readers | cases | false positives | coverage: difference | one test | one test, logit |")
    print("|---|---|---|---|---|---|---|---|")
    for name, model in STRUCTURES.items():
        for auc, readers, cases in ((0.70, 5, 100), (0.85, 5, 100), (0.85, 3, 60), (0.85, 10, 100), (0.95, 5, 100)):
            shares = mrmc_null(model, auc, readers, cases, studies, seed)
            columns = " | ".join(f"{100 * x:.1f} %" for x in shares)
            print(f"| {name} | {auc:.2f} | {readers} | {cases} | {columns} |", flush=True)


def print_turing(studies: int, seed: int) -> None:
    """Readers who guess, and equivalence with the truth on the margin."""
    print("| readers' SD | pictures' SD | readers | pictures | false positives | coverage | binomial test of all |")
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
        shares = turing_null(TuringModel(0.5, reader_sd, case_sd), readers, cases, studies, seed)
        columns = " | ".join(f"{100 * x:.1f} %" for x in shares)
        print(f"| {reader_sd:g} | {case_sd:g} | {readers} | {cases} | {columns} |", flush=True)
    print("\n| true share right | margin | readers | pictures | equivalence shown |\n|---|---|---|---|---|")
    for at, readers, cases in ((0.6, 4, 60), (0.6, 6, 100), (0.4, 6, 100), (0.6, 10, 200)):
        share = equivalence_size(at, 0.1, readers, cases, studies, seed)
        print(f"| {at:g} | 0.1 | {readers} | {cases} | {100 * share:.1f} % |", flush=True)


if __name__ == "__main__":
    main()
