"""The quality of a result in the scene: a table to read, and sentences in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from MedUSISLib.mrml.result_nodes import SynthesisNodes
from MedUSISLib.mrml.text_nodes import fill_text
from MedUSISLib.synthesis.quality_flags import POOR_CLASS_DICE, POOR_CLASS_ML, limit_of
from MedUSISLib.synthesis.quality_guide import Level, Measure, measures_of, number_at

COLUMNS = ("Measure", "Value", "Unit", "Limit", "Judgement", "What it means")
_WORDS = {
    Level.OK: "in order",
    Level.LOOK: "have a look",
    Level.WORRY: "worrying",
    Level.UNKNOWN: "not measured",
}
_UNITS = {"%": "%", "mm": "mm", "mm2": "mm²", "variance": "squared intensity", "": ""}
_VERDICTS = {
    "worry": "Do not rely on this image before you have checked the points below.",
    "look": "Have a look at the points below before you use this image.",
    "ok": "No measure is beyond its limit. That does not make the image fit for diagnosis.",
    "unknown": "Nothing is known about the quality of this image.",
}


def fill_quality(table: Any, data: Any, quality: Mapping[str, Any]) -> None:
    """Put quality.json into a table for people and, whole, into a text node for ``quality_sentences``."""
    fill_table(table, list(quality_rows(quality)))
    fill_text(data, json.dumps(quality, ensure_ascii=False) + "\n", "json")


def quality_rows(quality: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Rows of the table, in the order of the report: the measures, then the Dice of each class."""
    for measure in measures_of(quality):
        value = measure.value(quality)
        limit = limit_of(measure.key, quality)
        limit = measure.look if limit is None else limit
        yield (
            measure.title,
            _number(measure, value),
            _UNITS[measure.unit],
            _limit_text(measure, limit),
            _WORDS[measure.level(value, limit)] if limit is not None or value is None else "no limit",
            f"{measure.meaning} {measure.worrying}".strip(),
        )
    again = quality.get("resegmentation")
    classes = again.get("classes") if isinstance(again, Mapping) else None
    for row in classes if isinstance(classes, list) else ():
        if not isinstance(row, Mapping):
            continue
        dice, volume = number_at(row, "dice"), number_at(row, "volume_ml") or 0.0
        yield (
            f"Found again: {row.get('title', 'a class')}",
            "" if dice is None else f"{dice:.2f}",
            "",
            f"at least {POOR_CLASS_DICE:.2f}" if volume >= POOR_CLASS_ML else "",
            _class_word(dice, volume),
            f"Dice of this class in the synthetic MR with the labels; it has {volume:.1f} ml.",
        )


def quality_sentences(nodes: SynthesisNodes) -> list[tuple[str, str]]:
    """What is remarkable about a result, the worrying first.

    Returns
    -------
    list of (level, text)
        ``level`` is "worry", "look", "unknown" or "ok".
    """
    quality = quality_of(nodes)
    if not quality:
        return [("unknown", "The quality report of this image is not in the scene.")]
    return sentences_of(quality)


def sentences_of(quality: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The sentences of a quality.json; see ``quality_sentences``."""
    found = quality.get("flags")
    whole = [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
    flags = [(str(one.get("level", "unknown")), str(one.get("message", ""))) for one in whole]
    return flags or [("ok", "Nothing remarkable was found.")]


def verdict(nodes: SynthesisNodes) -> tuple[str, str]:
    """The whole in one sentence: ``(level, sentence)``."""
    quality = quality_of(nodes)
    level = str(quality.get("verdict", "unknown")) if quality else "unknown"
    level = level if level in _VERDICTS else "unknown"
    return level, _VERDICTS[level]


def quality_of(nodes: SynthesisNodes) -> dict[str, Any]:
    """quality.json again; empty when its node is gone."""
    if nodes.quality_data is None:
        return {}
    try:
        value = json.loads(nodes.quality_data.GetText())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def fill_table(table: Any, rows: list[tuple[str, ...]]) -> None:
    """Write rows of text under the column titles of this module."""
    import vtk

    content = vtk.vtkTable()
    for number, title in enumerate(COLUMNS):
        column = vtk.vtkStringArray()
        column.SetName(title)
        for row in rows:
            column.InsertNextValue(row[number])
        content.AddColumn(column)
    table.SetAndObserveTable(content)
    table.SetUseColumnTitleAsColumnHeader(True)
    table.SetLocked(True)


def _number(measure: Measure, value: float | None) -> str:
    if value is None:
        return ""
    if measure.unit == "%":
        return f"{100 * value:.1f}"
    if measure.unit == "mm":
        return f"{value:.1f}"
    if measure.unit == "mm2":
        return f"{value:.0f}"
    return measure.text(value)


def _limit_text(measure: Measure, limit: float | None) -> str:
    if limit is None:
        return ""
    return f"at {'least' if measure.more_is_better else 'most'} {_number(measure, limit)}"


def _class_word(dice: float | None, volume_ml: float) -> str:
    if dice is None:
        return _WORDS[Level.UNKNOWN]
    if volume_ml < POOR_CLASS_ML:
        return "too small to judge"
    return _WORDS[Level.LOOK if dice < POOR_CLASS_DICE else Level.OK]
