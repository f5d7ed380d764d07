"""Which widget can show which type, and how: the same pairs as in Slicer, anything else raises RuntimeError."""

from __future__ import annotations

import enum
import logging
import math
import types
import typing
from collections.abc import Callable
from typing import Any

import ctk
import qt
import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange, first, split
from .fields import PATH_TYPES

LARGEST_INT = 2**31 - 1


class Connector:
    """A widget seen as one value: `read`, `write`, and the signal that says it changed."""

    def __init__(self, widget: Any, signal: str, read: Callable[[], Any], write: Callable[[Any], None]) -> None:
        self._widget, self._signal, self.read, self.write = widget, signal, read, write
        self._callback: Callable[[], None] | None = None

    def widget(self) -> Any:
        return self._widget

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        """Call this when the user changes the widget; None stops it."""
        self._callback = callback
        if not self._signal:
            return
        signal = getattr(self._widget, self._signal)
        if callback is None:
            signal.disconnect(self._changed)
        else:
            signal.connect(self._changed)

    def _changed(self, *_: Any) -> None:
        if self._callback is not None:
            self._callback()


def make_connector(widget: Any, datatype: Any) -> Connector:
    """Raises RuntimeError when Slicer, too, has no connector for this pair."""
    kind, annotations = split(datatype)
    widget_kind = type(widget)
    if kind is bool and widget_kind in (qt.QCheckBox, ctk.ctkCheckBox):
        return _by_property(widget, "stateChanged", "checked")
    if kind is bool and widget_kind in (qt.QPushButton, ctk.ctkCheckablePushButton):
        if not widget.checkable:
            logging.warning("Making push button checkable for conversion to bool")
            widget.checkable = True
        return _by_property(widget, "toggled", "checked")
    if kind is int and widget_kind in (qt.QSlider, qt.QSpinBox):
        _bound(widget, annotations, -LARGEST_INT - 1, LARGEST_INT, must_be_bounded=widget_kind is qt.QSlider)
        return _by_property(widget, "valueChanged", "value")
    if kind in (int, float) and widget_kind in _double_widgets():
        return _double(widget, kind, annotations)
    if kind in (int, float, str, bool) and widget_kind in (qt.QComboBox, ctk.ctkComboBox):
        choice = first(annotations, Choice)
        if choice is None:
            raise RuntimeError("A combo box requires the Choice annotation to be used.")
        return _combo_box(widget, {str(value): value for value in choice.choices})
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and widget_kind in (qt.QComboBox, ctk.ctkComboBox):
        label = getattr(kind, "label", lambda member: member.name)
        return _combo_box(widget, {label(member): member for member in kind})
    if kind is str:
        connector = _text(widget)
        if connector is not None:
            return connector
    if kind in PATH_TYPES and widget_kind is ctk.ctkPathLineEdit:
        return _path(widget, kind, "currentPathChanged", "currentPath")
    if kind in PATH_TYPES and widget_kind is ctk.ctkDirectoryButton:
        return _path(widget, kind, "directoryChanged", "directory")
    if widget_kind is slicer.qMRMLNodeComboBox and _node_classes(kind):
        widget.nodeTypes = _node_classes(kind)
        return Connector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{widget_kind}'.")


def _by_property(widget: Any, signal: str, name: str) -> Connector:
    return Connector(widget, signal, lambda: getattr(widget, name), lambda value: setattr(widget, name, value))


def _path(widget: Any, kind: type, signal: str, name: str) -> Connector:
    read: Callable[[], Any] = lambda: kind(getattr(widget, name))  # noqa: E731
    return Connector(widget, signal, read, lambda value: setattr(widget, name, str(value)))


def _double_widgets() -> tuple[type, ...]:
    return (
        qt.QDoubleSpinBox,
        ctk.ctkDoubleSlider,
        ctk.ctkDoubleSpinBox,
        ctk.ctkSliderWidget,
        slicer.qMRMLSliderWidget,
        slicer.qMRMLSpinBox,
    )


def _double(widget: Any, kind: type, annotations: tuple[Any, ...]) -> Connector:
    decimals = first(annotations, Decimals)
    if not isinstance(widget, ctk.ctkDoubleSlider):
        if kind is int:
            widget.decimals = 0
        elif decimals is not None:
            widget.decimals = decimals.value
    sliders = (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget)
    _bound(widget, annotations, -math.inf, math.inf, must_be_bounded=type(widget) in sliders)
    write: Callable[[Any], None] = lambda value: setattr(widget, "value", kind(value))  # noqa: E731
    return Connector(widget, "valueChanged", lambda: kind(widget.value), write)


def _bound(widget: Any, annotations: tuple[Any, ...], lowest: float, highest: float, must_be_bounded: bool) -> None:
    """Limits and step of the widget from the annotations of the parameter."""
    step = first(annotations, SingleStep)
    if step is not None:
        widget.singleStep = step.value
    within, minimum, maximum = (first(annotations, kind) for kind in (WithinRange, Minimum, Maximum))
    if within is None and (minimum is None or maximum is None) and must_be_bounded:
        raise RuntimeError(f"Cannot have a connection to {type(widget).__name__} where the parameter is unbounded.")
    if within is not None:
        widget.minimum, widget.maximum = within.minimum, within.maximum
        return
    widget.minimum = lowest if minimum is None else minimum.minimum
    widget.maximum = highest if maximum is None else maximum.maximum


def _combo_box(widget: Any, choices: dict[str, Any]) -> Connector:
    values = list(choices.values())
    widget.clear()
    for text in choices:
        widget.addItem(text)

    def write(value: Any) -> None:
        if value not in values:
            raise ValueError(f"Unable to find value {value} in choices {values}")
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged", lambda: values[widget.currentIndex], write)


def _text(widget: Any) -> Connector | None:
    if type(widget) is qt.QLineEdit:

        def write(value: str) -> None:
            if value != widget.text:  # writing moves the cursor to the end
                widget.text = value

        return Connector(widget, "textChanged", lambda: widget.text, write)
    if type(widget) is qt.QLabel:
        return _by_property(widget, "", "text")
    if type(widget) is qt.QTextEdit:
        return Connector(widget, "textChanged", widget.toPlainText, widget.setPlainText)
    return None


def _node_classes(kind: Any) -> tuple[str, ...]:
    """Class names of a node type, or of a union of node types and None; empty for anything else."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    members = [m for m in (typing.get_args(kind) if is_union else (kind,)) if m is not type(None)]
    if not all(isinstance(member, type) and issubclass(member, slicer.vtkMRMLNode) for member in members):
        return ()
    return tuple(member().GetClassName() for member in members)
