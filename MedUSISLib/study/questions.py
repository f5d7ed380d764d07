"""What a reader is asked, and whether an answer answers it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.versioned import Identifier, Part

LONGEST_TEXT = 10_000
MOST_MARKS = 500


class _Question(Part):
    id: Identifier
    text: str = Field(min_length=1, max_length=500)
    required: bool = True


class Choice(_Question):
    """One of a few options, answered by a button or its number key."""

    kind: Literal["choice"] = "choice"
    options: tuple[Identifier, ...] = Field(min_length=2, max_length=9)
    labels: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_label_each(self) -> Choice:
        if len(set(self.options)) != len(self.options):
            raise ValueError("options must differ")
        if self.labels and len(self.labels) != len(self.options):
            raise ValueError("labels must be as many as options")
        return self


class Confidence(_Question):
    """A slider; 0 to 100 unless told otherwise."""

    kind: Literal["confidence"] = "confidence"
    low: float = 0.0
    high: float = 100.0

    @model_validator(mode="after")
    def _ordered(self) -> Confidence:
        if not self.low < self.high:
            raise ValueError("high must exceed low")
        return self


class Scale(_Question):
    """An ordinal scale of ``points`` steps, 1 being the lowest."""

    kind: Literal["scale"] = "scale"
    points: int = Field(default=5, ge=2, le=11)
    lowest: str = ""
    highest: str = ""


class Number(_Question):
    """A number, such as years of experience."""

    kind: Literal["number"] = "number"
    low: float | None = None
    high: float | None = None


class Text(_Question):
    """Free text."""

    kind: Literal["text"] = "text"
    required: bool = False


class Marks(_Question):
    """A point for every lesion, with confidence and category; an empty list is an answer."""

    kind: Literal["marks"] = "marks"
    categories: tuple[Identifier, ...] = ("juxtacortical", "periventricular", "infratentorial", "subcortical")
    ask_size: bool = False

    @field_validator("categories")
    @classmethod
    def _different(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(categories)) != len(categories):
            raise ValueError("categories must differ")
        return categories


Question = Annotated[Choice | Confidence | Scale | Number | Text | Marks, Field(discriminator="kind")]


class Mark(Part):
    """A lesion as a reader marked it.

    Attributes
    ----------
    position_lps_mm : (float, float, float)
        In the space of the trial's image (left, posterior, superior).
    confidence : float
        0 to 100.
    category : str
        One of the question's; "" where it has none.
    size_mm : float, optional
        Diameter, when the protocol asks for it.
    """

    position_lps_mm: tuple[float, float, float]
    confidence: float = Field(default=100.0, ge=0.0, le=100.0)
    category: str = ""
    size_mm: float | None = Field(default=None, gt=0.0, le=500.0)

    @field_validator("position_lps_mm")
    @classmethod
    def _finite(cls, position: tuple[float, float, float]) -> tuple[float, float, float]:
        if not all(math.isfinite(x) and abs(x) < 1e5 for x in position):
            raise ValueError("a position must be finite")
        return position


def checked_values(questions: Sequence[Question], values: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to these questions as they are stored, in the order of the questions.

    Parameters
    ----------
    questions : sequence
    values : mapping
        Question id to answer: the option's id, a number, a text, or a list of ``Mark`` (or of what makes one).

    Raises
    ------
    MedUSISError
        BAD_SETTING for a missing answer, one that is not allowed, or one to a question that was not asked.

    Examples
    --------
    >>> asked = [Choice(id="source", text="?", options=("real", "synthetic")), Text(id="remark", text="Remark")]
    >>> checked_values(asked, {"source": "real"})
    {'source': 'real'}
    """
    known = {question.id for question in questions}
    if not set(values) <= known:
        raise _refused("an answer belongs to no question of this trial")
    checked: dict[str, Any] = {}
    for question in questions:
        value = values.get(question.id)
        if value is None or value == "":
            if question.required:
                raise _refused(f"question '{question.id}' has no answer")
            continue
        checked[question.id] = _checked(question, value)
    return checked


def _checked(question: Question, value: Any) -> Any:
    if isinstance(question, Choice):
        if value not in question.options:
            raise _refused(f"the answer to '{question.id}' is none of its options")
        return value
    if isinstance(question, Text):
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise _refused(f"the answer to '{question.id}' must be a text of up to {LONGEST_TEXT} characters")
        return value
    if isinstance(question, Marks):
        return _checked_marks(question, value)
    return _checked_number(question, value)


def _checked_number(question: Confidence | Scale | Number, value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise _refused(f"the answer to '{question.id}' must be a number")
    low, high = (1, question.points) if isinstance(question, Scale) else (question.low, question.high)
    if (low is not None and value < low) or (high is not None and value > high):
        raise _refused(f"the answer to '{question.id}' is out of its range")
    if isinstance(question, Scale) and value != int(value):
        raise _refused(f"the answer to '{question.id}' must be a whole number")
    return int(value) if isinstance(question, Scale) else float(value)


def _checked_marks(question: Marks, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, (list, tuple)) or len(value) > MOST_MARKS:
        raise _refused(f"the answer to '{question.id}' must be a list of up to {MOST_MARKS} marks")
    checked = []
    for item in value:
        try:
            mark = item if isinstance(item, Mark) else Mark.model_validate(item)
        except ValidationError:
            raise _refused(f"a mark of '{question.id}' is not complete") from None
        if question.categories and mark.category not in question.categories:
            raise _refused(f"a mark of '{question.id}' has no category of the protocol")
        checked.append(mark.model_dump(mode="json"))
    return checked


def _refused(message: str) -> MedUSISError:
    return MedUSISError(ErrorCode.BAD_SETTING, message, "answer it again")
