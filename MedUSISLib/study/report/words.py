"""Numbers as a report prints them: counts before percentages, intervals in brackets, p-values never 0."""

from __future__ import annotations

from MedUSISLib.study.analysis.result_statistics import AgainstChance, CoefficientOf, DifferenceOf, EstimateOf, Share

NONE = "–"


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash.

    Examples
    --------
    >>> number(0.12345), number(None)
    ('0.123', '–')
    """
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference, with its sign."""
    return NONE if value is None else f"{value:+.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Both ends in brackets, or a dash; an interval without width is none: of a figure that does not vary, such as an
    area of 1 of all readers, the error is not known, and it is not 0.

    Examples
    --------
    >>> interval(0.5, 0.75), interval(1.0, 1.0)
    ('[0.500, 0.750]', '–')
    """
    return NONE if low is None or high is None or low == high else f"[{low:.{digits}f}, {high:.{digits}f}]"


def count(share: Share) -> str:
    """ "12 of 24 (50 %)"; the exact interval is for `exact`."""
    if share.value is None:
        return "0 of 0"
    return f"{share.count} of {share.total} ({100 * share.value:.0f} %)"


def exact(share: Share) -> str:
    """The Clopper-Pearson interval in percent."""
    return NONE if share.exact is None else f"[{100 * share.exact[0]:.0f}, {100 * share.exact[1]:.0f}] %"


def p(value: float | None) -> str:
    """A p-value, or a dash where there is none."""
    return NONE if value is None else "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def estimate(found: EstimateOf | AgainstChance | DifferenceOf) -> str:
    """Value and interval."""
    return f"{number(found.value)} {interval(found.low, found.high)}"


def within(found: AgainstChance) -> str:
    """Value and interval; where a share's symmetric interval leaves 0..1, the one on the logit scale beside it."""
    text = estimate(found)
    outside = found.low is not None and found.high is not None and (found.low < 0 or found.high > 1)
    if outside and found.logit_low is not None:
        text += f"; logit {interval(found.logit_low, found.logit_high)}"
    return text


def coefficient(found: CoefficientOf | None) -> str:
    """A coefficient of agreement with its interval; a dash where it is not defined."""
    if found is None or found.value is None:
        return "not defined"
    return f"{found.value:.2f} {interval(found.low, found.high, 2)}"


def seconds(value: float) -> str:
    """Time as people say it.

    Examples
    --------
    >>> seconds(4.25), seconds(754)
    ('4.2 s', '12 min 34 s')
    """
    if value < 120:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
