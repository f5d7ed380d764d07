"""Made-up reader studies with known truth, to check tests and intervals and to plan.

References
----------
Roe, Metz, Acad. Radiol. 4 (1997) 298-303: the linear model of latent ratings.
Hillis, Acad. Radiol. 19 (2012) 1518-1528 and Stat. Med. 37 (2018) 2067-2093: its relation to Obuchowski-Rockette.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from MedUSISLib.study.statistics.lesion_table import UNMARKED, LesionTable
from MedUSISLib.study.statistics.rating_table import RatingTable
from MedUSISLib.study.statistics.turing import Said, TuringAnswer


@dataclass(frozen=True)
class RoeMetzModel:
    """Variances of latent ratings; the case terms sum to 1.

    ``X_ijk = mu_i t + R_jt + (tau R)_ijt + C_kt + (tau C)_ikt + (R C)_jkt + e_ijkt`` for test i, reader j, case k and
    truth t in {0, 1}; all terms normal, independent and drawn anew for each truth.
    """

    case: float
    test_case: float
    reader_case: float
    error: float
    reader: float = 0.0
    test_reader: float = 0.0

    def __post_init__(self) -> None:
        if min(vars(self).values()) < 0 or abs(self.case + self.test_case + self.reader_case + self.error - 1) > 1e-9:
            raise ValueError("variances must not be negative, and those of cases must sum to 1")

    def separation(self, auc: float) -> float:
        """mu for a mean area over readers: ``auc = Phi(mu / sqrt(2 + 2 (Var R + Var TR)))``."""
        return float(stats.norm.ppf(auc)) * math.sqrt(2 + 2 * (self.reader + self.test_reader))

    def sample(
        self, generator: np.random.Generator, areas: tuple[float, ...], readers: int, negatives: int, positives: int
    ) -> RatingTable:
        """One study with the given true areas of its tests."""
        tests = len(areas)
        parts = []
        for truth, cases in ((0, negatives), (1, positives)):

            def normal(variance: float, *shape: int) -> np.ndarray:
                return math.sqrt(variance) * generator.standard_normal(shape)

            x = normal(self.error, tests, readers, cases)
            x += normal(self.reader, 1, readers, 1) + normal(self.test_reader, tests, readers, 1)
            x += normal(self.case, 1, 1, cases) + normal(self.test_case, tests, 1, cases)
            x += normal(self.reader_case, 1, readers, cases)
            if truth:
                x += np.array([self.separation(auc) for auc in areas])[:, None, None]
            parts.append(x)
        return RatingTable(
            tuple(f"reader{j + 1}" for j in range(readers)),
            tuple(f"test{i + 1}" for i in range(tests)),
            tuple(f"case{k + 1}" for k in range(negatives + positives)),
            np.arange(negatives + positives) >= negatives,
            np.concatenate(parts, axis=2),
        )


STRUCTURES = {
    "HL": RoeMetzModel(case=0.3, test_case=0.3, reader_case=0.2, error=0.2, reader=0.0055, test_reader=0.0055),
    "LL": RoeMetzModel(case=0.1, test_case=0.1, reader_case=0.2, error=0.6, reader=0.0055, test_reader=0.0055),
    "HH": RoeMetzModel(case=0.3, test_case=0.3, reader_case=0.2, error=0.2, reader=0.03, test_reader=0.03),
    "LH": RoeMetzModel(case=0.1, test_case=0.1, reader_case=0.2, error=0.6, reader=0.03, test_reader=0.03),
}
"""High or low correlation between cases, then high or low variance of readers, in the manner of Roe and Metz."""


@dataclass(frozen=True)
class TuringModel:
    """Readers who guess, more or less: ``P(right) = Phi(skill + R_j + C_k)`` with a bias towards saying "synthetic".

    Attributes
    ----------
    accuracy : float
        Share right of an average reader on average pictures, averaged over readers and pictures.
    reader_sd, case_sd : float
        Of R and C, in standard deviations of the decision.
    bias : float
        Added where "synthetic" is right, subtracted where "real" is right.
    """

    accuracy: float = 0.5
    reader_sd: float = 0.0
    case_sd: float = 0.0
    bias: float = 0.0

    @property
    def skill(self) -> float:
        """Mean of the latent value, so that the average share right is ``accuracy`` when there is no bias."""
        return float(stats.norm.ppf(self.accuracy)) * math.sqrt(1 + self.reader_sd**2 + self.case_sd**2)

    def sample_table(self, generator: np.random.Generator, readers: int, real: int, synthetic: int) -> RatingTable:
        """One study; the ratings [1, R, C] are 1 for a right answer and 0 for a wrong one."""
        truth = np.arange(real + synthetic) >= real
        latent = self.skill + self.bias * np.where(truth, 1, -1)
        latent = latent + self.reader_sd * generator.standard_normal((readers, 1))
        latent = latent + self.case_sd * generator.standard_normal(len(truth))
        right = latent + generator.standard_normal(latent.shape) > 0
        return RatingTable(
            tuple(f"reader{j + 1}" for j in range(readers)),
            ("turing",),
            tuple(f"case{k + 1}" for k in range(len(truth))),
            truth,
            right[None].astype(float),
        )

    def sample(self, generator: np.random.Generator, readers: int, real: int, synthetic: int) -> list[TuringAnswer]:
        """One study as answers."""
        table = self.sample_table(generator, readers, real, synthetic)
        said = (table.ratings[0] == 1) == table.truth
        return [
            TuringAnswer(reader, case, bool(table.truth[k]), Said.SYNTHETIC if said[j, k] else Said.REAL)
            for j, reader in enumerate(table.readers)
            for k, case in enumerate(table.cases)
        ]


@dataclass(frozen=True)
class FreeResponseModel:
    """Marks of lesions: found or not, rated around a mean, with false marks among them.

    A lesion is found with the probability ``Phi(z(found) + shift + R_j + (tau R)_ij + C_k + (tau C)_ik)`` and rated
    ``separation + `` the same terms ``+ N(0, 1)``; every case has ``Poisson(false)`` false marks rated ``N(0, 1)``.

    Attributes
    ----------
    found, separation, false : float
        Of an average reader on an average case of the first test.
    reader_sd, test_reader_sd, case_sd, test_case_sd : float
        Of R, tau R, C, tau C; lesions of one case share C and tau C, which is what makes them dependent.
    most_lesions : int
        A diseased case has 1 to so many, all equally often.
    """

    found: float = 0.7
    separation: float = 1.0
    false: float = 0.6
    reader_sd: float = 0.2
    test_reader_sd: float = 0.1
    case_sd: float = 0.6
    test_case_sd: float = 0.3
    most_lesions: int = 3

    def sample(
        self, generator: np.random.Generator, shifts: tuple[float, ...], readers: int, normal: int, diseased: int
    ) -> LesionTable:
        """One study; ``shifts`` are what each test adds for every lesion."""
        tests, cases = len(shifts), normal + diseased
        numbers = generator.integers(1, self.most_lesions + 1, diseased)
        lesion_case = np.repeat(np.arange(normal, cases), numbers)

        def terms(sd: float, *shape: int) -> np.ndarray:
            return sd * generator.standard_normal(shape)

        case_terms = terms(self.case_sd, 1, 1, cases) + terms(self.test_case_sd, tests, 1, cases)
        reader_terms = terms(self.reader_sd, 1, readers, 1) + terms(self.test_reader_sd, tests, readers, 1)
        ease = np.array(shifts)[:, None, None] + reader_terms + case_terms[:, :, lesion_case]
        seen = stats.norm.ppf(self.found) + ease + generator.standard_normal(ease.shape) > 0
        ratings = np.where(seen, self.separation + ease + generator.standard_normal(ease.shape), UNMARKED)
        counts = generator.poisson(self.false, (tests, readers, cases))
        most = max(int(counts.max()), 1)
        false = np.where(
            np.arange(most) < counts[..., None], generator.standard_normal((*counts.shape, most)), UNMARKED
        )
        return LesionTable(
            readers=tuple(f"reader{j + 1}" for j in range(readers)),
            tests=tuple(f"test{i + 1}" for i in range(tests)),
            cases=tuple(f"case{k + 1}" for k in range(cases)),
            lesion_case=lesion_case,
            lesion_weight=np.repeat(1 / numbers, numbers),
            lesion_ratings=ratings,
            false_ratings=false.max(axis=3),
            false_marks=tuple(
                tuple(false[i, j][np.isfinite(false[i, j])] for j in range(readers)) for i in range(tests)
            ),
            false_counts=counts.astype(float),
        )
