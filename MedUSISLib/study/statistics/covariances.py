"""How the figures of readers and tests vary together because they come from the same cases.

The result is always the whole matrix [T, R, T, R]; the Obuchowski-Rockette model needs four means of it
(`ErrorCovariances`).

References
----------
DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988): covariance of areas by structural components.
Efron, Stein, Ann. Stat. 9 (1981): the jackknife estimate of variance.
Hillis, Obuchowski, Schartz, Berbaum, Stat. Med. 24 (2005): these covariances in the Obuchowski-Rockette model.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

import numpy as np

from MedUSISLib.study.statistics.figures import EmpiricalAuc, Figure


class CovarianceMethod(StrEnum):
    """Ways to estimate the covariance of figures that share their cases."""

    JACKKNIFE = "jackknife"
    DELONG = "delong"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True)
class ErrorCovariances:
    """The Obuchowski-Rockette error variance and covariances, means over the entries of each kind.

    Attributes
    ----------
    variance : float
        Of one reader's figure in one test.
    cov1 : float or None
        Same reader, different tests. None where there is one test only.
    cov2 : float or None
        Different readers, same test. None where there is one reader only.
    cov3 : float or None
        Different readers and tests.
    """

    variance: float
    cov1: float | None
    cov2: float | None
    cov3: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, matrix: np.ndarray) -> ErrorCovariances:
        """Means of a covariance matrix [T, R, T, R]."""
        tests, readers = matrix.shape[:2]
        same_test = np.eye(tests, dtype=bool)[:, None, :, None]
        same_reader = np.eye(readers, dtype=bool)[None, :, None, :]
        kinds = (same_test & same_reader, ~same_test & same_reader, same_test & ~same_reader, ~same_test & ~same_reader)
        means = [float(matrix[kind].mean()) if kind.any() else None for kind in kinds]
        assert means[0] is not None
        return cls(means[0], *means[1:])


def covariance_of(
    figure: Figure, method: CovarianceMethod = CovarianceMethod.JACKKNIFE, samples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Covariance of the figures over samples of cases, float [T, R, T, R].

    Parameters
    ----------
    figure : Figure
    method : CovarianceMethod
    samples, seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        If DeLong's method is asked for another figure than the empirical area, or for clustered cases.
    """
    if method is CovarianceMethod.DELONG:
        if not isinstance(figure, EmpiricalAuc):
            raise ValueError("DeLong's covariance exists for the empirical area alone; use the jackknife")
        return delong_covariance(figure)
    if method is CovarianceMethod.BOOTSTRAP:
        return bootstrap_covariance(figure, samples, seed)
    return jackknife_covariance(figure)


def delong_covariance(figure: EmpiricalAuc) -> np.ndarray:
    """DeLong's covariance of empirical areas, [T, R, T, R].

    With V10(p), the share of negative cases below a positive one, V01(n), that of positive cases above a negative one,
    and S their sample covariances over cases: ``S10 / P + S01 / N``.

    Raises
    ------
    ValueError
        If cases are clustered: the components are then not independent.
    """
    if len(np.unique(figure.units)) != len(figure.units):
        raise ValueError("DeLong's covariance takes cases for independent; use the jackknife with clustered cases")
    below, above = figure.placements()
    tests, readers, negatives = above.shape
    positives = below.shape[2]
    v10 = below.reshape(tests * readers, positives) / negatives
    v01 = above.reshape(tests * readers, negatives) / positives
    matrix = np.atleast_2d(np.cov(v10)) / positives + np.atleast_2d(np.cov(v01)) / negatives
    return matrix.reshape(tests, readers, tests, readers)


def jackknife_values(figure: Figure) -> np.ndarray:
    """The figure without each sampling unit in turn, float [U, T, R]; units that it does not look at are left out."""
    fast = getattr(figure, "without_each_case", None)
    if fast is not None and len(np.unique(figure.units)) == len(figure.units):
        return fast()
    units = [u for u in np.unique(figure.units) if figure.relevant[figure.units == u].any()]
    return np.stack([figure.values((figure.units != u).astype(float)) for u in units])


def jackknife_covariance(figure: Figure) -> np.ndarray:
    """``(U - 1) / U * sum_u (theta_(u) - mean)(theta_(u) - mean)'``, [T, R, T, R], over sampling units u."""
    left_out = jackknife_values(figure)
    count, tests, readers = left_out.shape
    deviations = (left_out - left_out.mean(axis=0)).reshape(count, tests * readers)
    matrix = deviations.T @ deviations * (count - 1) / count
    return matrix.reshape(tests, readers, tests, readers)


def bootstrap_values(figure: Figure, samples: int, seed: int) -> np.ndarray:
    """The figure of ``samples`` bootstrap samples of units, float [B, T, R].

    Units are drawn within strata (only positive, only negative, mixed), so that the study's numbers are kept.
    """
    generator = np.random.default_rng(seed)
    _, index = np.unique(figure.units, return_inverse=True)
    number = int(index.max()) + 1
    positive = np.bincount(index, figure.truth, number) / np.bincount(index, minlength=number)
    strata = [np.flatnonzero(positive == 0), np.flatnonzero(positive == 1), np.flatnonzero((positive % 1) != 0)]
    values: list[np.ndarray] = []
    while len(values) < samples:
        counts = np.zeros(number)
        for members in strata:
            if len(members):
                counts += np.bincount(generator.choice(members, len(members)), minlength=number)
        drawn = figure.values(counts[index])
        if np.isfinite(drawn).all():
            values.append(drawn)
    return np.stack(values)


def bootstrap_covariance(figure: Figure, samples: int = 2000, seed: int = 0) -> np.ndarray:
    """Sample covariance of `bootstrap_values`, [T, R, T, R]."""
    drawn = bootstrap_values(figure, samples, seed)
    tests, readers = drawn.shape[1:]
    matrix = np.atleast_2d(np.cov(drawn.reshape(samples, tests * readers), rowvar=False))
    return matrix.reshape(tests, readers, tests, readers)
