"""A multi-reader analysis as text tables for a terminal."""

from __future__ import annotations

import math

from MedUSISLib.study.statistics.mrmc import MrmcResult
from MedUSISLib.study.statistics.obuchowski_rockette import Analysis, Difference, Generalisation

_MEANING = {
    Generalisation.READERS_AND_CASES: "holds for other readers and other cases",
    Generalisation.CASES: "holds for other cases, for these readers only",
    Generalisation.READERS: "holds for other readers, for these cases only",
}


def mrmc_text(result: MrmcResult) -> str:
    """The result as text; warnings come last, where they are read."""
    lines = [
        f"{result.title}: {len(result.tests)} tests, {len(result.readers)} readers, "
        f"{result.positives + result.negatives} cases ({result.positives} positive, {result.negatives} negative)",
        f"covariance: {result.covariance.value}; intervals: {result.confidence:.0%}",
        "",
        *_values(result),
    ]
    for analysis in result.analyses:
        lines += ["", *_analysis(analysis)]
    lines += ["", *_readers(result), "", *_components(result)]
    if result.warnings:
        lines += ["", "Be careful:"]
        lines += [f"  {w.code}: {w.message}" for w in result.warnings]
    return "\n".join(lines)


def _values(result: MrmcResult) -> list[str]:
    width = max(8, *(len(name) for name in (*result.readers, "reader")))
    columns = [max(10, len(test)) for test in result.tests]
    lines = ["reader".ljust(width) + "".join(f"  {t:>{c}}" for t, c in zip(result.tests, columns, strict=True))]
    for r, reader in enumerate(result.readers):
        row = "".join(f"  {result.values[t, r]:>{c}.4f}" for t, c in enumerate(columns))
        lines.append(reader.ljust(width) + row)
    means = result.values.mean(axis=1)
    return [*lines, "mean".ljust(width) + "".join(f"  {means[t]:>{c}.4f}" for t, c in enumerate(columns))]


def _analysis(analysis: Analysis) -> list[str]:
    title = analysis.generalisation.value.capitalize()
    lines = [f"{title} ({_MEANING[analysis.generalisation]})"]
    if analysis.statistic is not None and analysis.ndf is not None:
        ddf = f", {analysis.ddf:.2f}" if analysis.ddf is not None and math.isfinite(analysis.ddf) else ""
        lines.append(
            f"  equal tests: {analysis.statistic_name}({analysis.ndf:.0f}{ddf}) = {analysis.statistic:.3f}, "
            f"{p_equals(analysis.p_value)}"
        )
    lines += [f"  {_difference(d)}" for d in analysis.differences]
    for test in analysis.tests:
        e = test.estimate
        logit = f", logit scale [{test.logit[0]:.4f}, {test.logit[1]:.4f}]" if test.logit else ""
        lines.append(f"  {test.test}: {e.value:.4f} [{e.low:.4f}, {e.high:.4f}]{logit}, SE {e.standard_error:.4f}")
    return lines


def _difference(d: Difference) -> str:
    e = d.estimate
    return (
        f"{d.first} - {d.second}: {e.value:+.4f} [{e.low:+.4f}, {e.high:+.4f}], SE {e.standard_error:.4f}, "
        f"{p_equals(d.p_value)}"
    )


def _readers(result: MrmcResult) -> list[str]:
    if not result.reader_differences:
        return []
    lines = ["Each reader alone (random cases)"]
    return lines + [f"  {result.readers[j]}: {_difference(d)}" for j, d in result.reader_differences]


def _components(result: MrmcResult) -> list[str]:
    names = {
        "reader": "Var(reader)",
        "test_reader": "Var(test x reader)",
        "variance": "Var(error)",
        "cov1": "Cov1 (same reader, other test)",
        "cov2": "Cov2 (other reader, same test)",
        "cov3": "Cov3 (other reader, other test)",
    }
    values = result.components.as_dict()
    found = [f"  {title:32}{values[name]: .8f}" for name, title in names.items() if values[name] is not None]
    return ["Variance components (Obuchowski-Rockette; for planning)", *found]


def p_text(p: float | None) -> str:
    """A p-value as it is printed: four decimals, never "0"."""
    if p is None or math.isnan(p):
        return "not defined"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def p_equals(p: float | None) -> str:
    """A p-value in a sentence.

    Examples
    --------
    >>> p_equals(0.05166), p_equals(3e-9), p_equals(None)
    ('p = 0.0517', 'p < 0.0001', 'p not defined')
    """
    text = p_text(p)
    return f"p = {text}" if text[0].isdigit() else f"p {text}"
