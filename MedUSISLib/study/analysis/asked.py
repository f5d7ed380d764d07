"""Which questions of a protocol carry the analysis."""

from __future__ import annotations

from MedUSISLib.study.protocol import Protocol
from MedUSISLib.study.questions import Choice, Confidence, Marks

_SINGLE = {"real", "synthetic", "unsure"}
_PAIR = {"left", "right"}


def source_question(protocol: Protocol) -> Choice | None:
    """The question whether an image is real, or which of two is; None where there is none."""
    wanted, least = (_PAIR, _PAIR) if protocol.design == "forced-choice" else (_SINGLE, {"real", "synthetic"})
    for question in protocol.questions:
        if isinstance(question, Choice) and least <= set(question.options) <= wanted:
            return question
    return None


def presence_question(protocol: Protocol) -> Choice | None:
    """The question whether there is a lesion: a choice between yes and no."""
    for question in protocol.questions:
        if isinstance(question, Choice) and {"yes", "no"} <= set(question.options):
            return question
    return None


def confidence_question(protocol: Protocol) -> Confidence | None:
    """The first slider."""
    return next((question for question in protocol.questions if isinstance(question, Confidence)), None)


def marks_question(protocol: Protocol) -> Marks | None:
    """The question for marks."""
    return next((question for question in protocol.questions if isinstance(question, Marks)), None)
