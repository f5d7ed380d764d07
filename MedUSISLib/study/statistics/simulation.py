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
