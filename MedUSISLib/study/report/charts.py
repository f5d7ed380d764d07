"""Figures of the report: curves, forests, agreement and times. Colours differ in lightness, too (Okabe and Ito)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from MedUSISLib.study.analysis.result_statistics import ALL, Agreement, Comparison, Curve, Share, TimeSummary
from MedUSISLib.synthesis.report_figure import new_figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_SOFT = "#868e96"
_TITLES = {"roc": "ROC", "froc": "FROC", "afroc": "AFROC"}
_AXES = {
    "roc": ("false positive fraction", "true positive fraction"),
    "froc": ("false marks per case", "share of lesions found"),
    "afroc": ("share of cases with a false mark", "share of lesions found"),
}


def curves_figure(curves: Sequence[Curve], kind: str) -> Figure | None:
    """All curves of a kind: thin for single readers, thick for all readers; one colour for each arm."""
    shown = [curve for curve in curves if curve.kind == kind]
    if not shown:
        return None
    arms = list(dict.fromkeys(curve.arm for curve in shown))
    readers = list(dict.fromkeys(curve.reader for curve in shown if curve.reader != ALL))
    by_arm = len(arms) > 1
    figure = new_figure((4.6, 4.5), "white")
    axes = figure.add_axes((0.13, 0.12, 0.83, 0.81))
    for curve in shown:
        whole = curve.reader == ALL or len(readers) == 1
        colour = COLOURS[arms.index(curve.arm) % len(COLOURS)] if by_arm else (
            COLOURS[-1] if curve.reader == ALL else COLOURS[readers.index(curve.reader) % (len(COLOURS) - 1)]
        )  # fmt: skip
        label = _curve_label(curve, by_arm) if whole or not by_arm else None
        width, alpha = (2.2, 1.0) if whole else (1.0, 0.45 if by_arm else 0.9)
        if kind == "froc":
            axes.step(curve.x, curve.y, where="post", color=colour, linewidth=width, alpha=alpha, label=label)
        else:
            axes.plot(curve.x, curve.y, color=colour, linewidth=width, alpha=alpha, label=label)
    if kind == "froc":
        axes.set_xlim(0, max(0.2, 1.05 * max(max(curve.x) for curve in shown)))
    else:
        axes.plot([0, 1], [0, 1], color=_SOFT, linewidth=0.8, linestyle=":")
        axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(_AXES[kind][0], fontsize=9)
    axes.set_ylabel(_AXES[kind][1], fontsize=9)
    axes.set_title(_TITLES[kind], fontsize=10, loc="left", fontweight="bold")
    axes.legend(fontsize=7.5, loc="lower right", framealpha=0.9, edgecolor="none")
    return _finished(figure, axes)


def shares_figure(rows: Sequence[tuple[str, Share]], chance: float, band: float | None, title: str) -> Figure | None:
    """A forest of shares with exact intervals, one row each; ``band`` is the margin of equivalence around chance."""
    rows = [(name, share) for name, share in rows if share.value is not None and share.exact is not None]
    if not rows:
        return None
    figure, axes = _forest(len(rows), title)
    if band is not None:
        axes.axvspan(chance - band, chance + band, color="#e7f5ff", zorder=0)
    axes.axvline(chance, color=_SOFT, linewidth=0.9, linestyle="--", zorder=1)
    for place, (name, share) in enumerate(reversed(rows)):
        assert share.value is not None and share.exact is not None
        _bar(axes, place, share.value, share.exact, name == ALL)
        axes.text(1.02, place, f"{share.count}/{share.total}", fontsize=8, va="center", clip_on=False)
    axes.set_yticks(range(len(rows)), [name for name, _ in reversed(rows)], fontsize=8.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share right, with exact interval", fontsize=9)
    return _finished(figure, axes)


def differences_figure(found: Comparison, title: str) -> Figure | None:
    """A forest of one pair of tests at a time: every reader's difference, then that over readers and cases."""
    overall = {(d.first, d.second): d for d in found.main.differences}
    rows: list[tuple[str, float, tuple[float, float], bool]] = []
    for (first, second), whole in overall.items():
        pair = f"{first} − {second}"
        for one in (d for d in found.reader_differences if (d.first, d.second) == (first, second)):
            if one.value is not None and one.low is not None and one.high is not None:
                rows.append((f"{pair}: {one.reader}", one.value, (one.low, one.high), False))
        if whole.value is not None and whole.low is not None and whole.high is not None:
            rows.append((f"{pair}: {ALL}", whole.value, (whole.low, whole.high), True))
    if not rows:
        return None
    figure, axes = _forest(len(rows), title, left=0.36)
    axes.axvline(0, color=_SOFT, linewidth=0.9, linestyle="--", zorder=1)
    for place, (_, value, ends, whole_row) in enumerate(reversed(rows)):
        _bar(axes, place, value, ends, whole_row)
    axes.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)], fontsize=8.5)
    axes.set_xlabel("difference, with interval", fontsize=9)
    return _finished(figure, axes)


def agreement_figure(found: Sequence[Agreement]) -> Figure | None:
    """Every defined coefficient with its interval: between readers, pairs, and readers with themselves."""
    rows: list[tuple[str, float, tuple[float, float], bool]] = []
    for one in found:
        arm = f"{one.arm}, " if one.arm else ""
        for c in one.between:
            if c.value is not None and c.low is not None and c.high is not None:
                rows.append((f"{arm}{c.name.partition(',')[0]}", c.value, (c.low, c.high), True))
        for pair in (*one.pairs, *one.within):
            k = pair.kappa
            if k is not None and k.value is not None and k.low is not None and k.high is not None:
                who = f"{pair.first} again" if pair.first == pair.second else f"{pair.first} and {pair.second}"
                rows.append((f"{arm}kappa, {who}", k.value, (k.low, k.high), False))
    if not rows:
        return None
    figure, axes = _forest(len(rows), "Agreement", left=0.36)
    axes.axvline(0, color=_SOFT, linewidth=0.9, linestyle="--", zorder=1)
    for place, (_, value, ends, whole) in enumerate(reversed(rows)):
        _bar(axes, place, value, (max(ends[0], -1.0), ends[1]), whole)
    axes.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)], fontsize=8.5)
    axes.set_xlim(-1.02, 1.05)
    axes.set_xlabel("coefficient, 0 by chance, 1 perfect", fontsize=9)
    return _finished(figure, axes)


def times_figure(found: Sequence[TimeSummary]) -> Figure | None:
    """Median and quartiles of the seconds per answer."""
    if not found:
        return None
    figure, axes = _forest(len(found), "Time per answer", left=0.28)
    for place, one in enumerate(reversed(found)):
        _bar(axes, place, one.median_s, one.quartiles_s, one.kind == "arm")
    names = [f"{one.kind} {one.name}" for one in reversed(found)]
    axes.set_yticks(range(len(found)), names, fontsize=8.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds: median and quartiles", fontsize=9)
    return _finished(figure, axes)


def _curve_label(curve: Curve, by_arm: bool) -> str:
    area = f" ({curve.area:.2f})" if curve.area is not None else ""
    return f"{curve.arm if by_arm else curve.reader}{area}"


def _forest(rows: int, title: str, left: float = 0.24) -> tuple[Figure, Axes]:
    height = 0.95 + 0.27 * rows
    figure = new_figure((6.4, height), "white")
    axes = figure.add_axes((left, 0.5 / height, 0.88 - left, 1 - 0.85 / height))
    axes.set_ylim(-0.7, rows - 0.3)
    axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
    axes.grid(axis="x", color="#e9ecef", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _bar(axes: Axes, place: int, value: float, ends: tuple[float, float], whole: bool) -> None:
    colour = COLOURS[1] if whole else COLOURS[0]
    axes.plot(ends, [place, place], color=colour, linewidth=2.2 if whole else 1.4, zorder=2)
    axes.scatter([value], [place], s=44 if whole else 28, marker="D" if whole else "s", color=colour, zorder=3)


def _finished(figure: Figure, axes: Axes) -> Figure:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5)
    return figure
