"""Simulated readers, who see nothing of the study's files but answer through the room's keys and mouse.

What they say is made up: they know the truth (from the key, by the name of the trial) and tell it with a given skill.
They show that what is pressed in the room is what the study finds, and nothing about a generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from reading_studies import Reader

from MedUSISLib.mrml.reading_layout import view_name
from MedUSISLib.study.key import Key, KeyTrial

_OTHER = {"real": "synthetic", "synthetic": "real"}
_STEP = 5.0
_MIDDLE = 50.0


@dataclass(frozen=True)
class Skill:
    """How good a reader is.

    Attributes
    ----------
    right : float
        Chance to tell real from synthetic.
    unsure : float
        Chance to say "unsure".
    finds : dict
        Chance to find a lesion, by arm.
    false_marks : float
        Mean number of them per trial.
    """

    right: float
    unsure: float
    finds: dict[str, float]
    false_marks: float


@dataclass
class SimulatedReader(Reader):
    """``Reader`` presses keys at random; this one has an opinion.

    Attributes
    ----------
    key : Key
    skill : Skill
    pictures : dict
        Number of a trial to the file that its picture is written to.
    """

    key: Key | None = None
    skill: Skill | None = None
    pictures: dict[int, Any] = field(default_factory=dict)

    def answer(self) -> None:
        """One trial: choose, say how sure, mark, confirm; nothing is set that a key or the mouse could not set."""
        assert self.key is not None and self.skill is not None
        now = self.room.flow.now()
        trial = self.key.trial_of[now.trial.id]
        given: dict[str, Any] = {}
        marks = self._marks_of(trial) if self.room.trial.marks is not None else []
        for asked in self.room.trial.fields:
            if asked.question.kind == "choice":
                value = self._source(trial) if trial.right_answer else ("yes" if marks else "no")
                self._choose(asked, asked.question.options.index(value))
                given[asked.question.id] = value
        sure = self._sureness(trial, given, marks)
        for asked in self.room.trial.fields:
            if asked.sliding:
                self.press("Right" if sure >= _MIDDLE else "Left", max(1, round(abs(sure - _MIDDLE) / _STEP)))
                given[asked.question.id] = asked.value
        if self.room.trial.marks is not None:
            given[self.room.trial.marks.question.id] = [self._set(place, how) for place, how in marks]
        if now.number in self.pictures:
            self.window.screenshot(None, self.pictures.pop(now.number))
        self.confirm()
        self.said[now.trial.id, now.stage_number] = given

    def _source(self, trial: KeyTrial) -> str:
        draw = self._random.random()
        if draw < self.skill.unsure:
            return "unsure"
        right = draw < self.skill.unsure + self.skill.right * (1 - self.skill.unsure)
        return trial.right_answer if right else _OTHER[trial.right_answer]

    def _sureness(self, trial: KeyTrial, given: dict[str, Any], marks: list) -> float:
        if not trial.right_answer:  # how likely a lesion is
            return max((how for _, how in marks), default=_STEP * self._random.randint(1, 6))
        if "unsure" in given.values():
            return _STEP * self._random.randint(1, 6)
        return _STEP * self._random.randint(11, 19 if trial.right_answer in given.values() else 14)

    def _marks_of(self, trial: KeyTrial) -> list[tuple[np.ndarray, float]]:
        """Places (RAS, mm) and how sure."""
        case = self.key.case_of[trial.case]
        chance = self.skill.finds[trial.stages[0].arm]
        marks = [
            (np.array(lesion.centre_lps_mm) * (-1, -1, 1), _STEP * self._random.randint(11, 19))
            for lesion in case.lesions
            if self._random.random() < chance
        ]
        while self._random.random() < self.skill.false_marks / (1 + self.skill.false_marks):
            place = np.array(
                [self._random.uniform(-40, 40), self._random.uniform(-50, 50), self._random.uniform(-9, 9)]
            )
            marks.append((place, _STEP * self._random.randint(7, 13)))
        return marks

    def _set(self, place: np.ndarray, how: float) -> dict[str, Any]:
        """Scroll to a place, click there, say what it is and how sure."""
        node = self.window.slicer.app.layoutManager().sliceWidget(view_name(1)).mrmlSliceNode()
        self._scroll_to(node, float(place[2]))
        to_xy = np.linalg.inv(_matrix(node.GetXYToRAS()))
        column, row = (to_xy @ np.append(place, 1.0))[:2]
        width, height = node.GetDimensions()[:2]
        self.window.click_view(view_name(1), column / width, 1 - row / height)
        marks = self.room.trial.marks
        chosen = next(row for row in self.room._marks.rows() if row.key == marks.chosen)
        category = self._random.randrange(len(marks.question.categories))
        self.press(str(category + 1))
        self.press("Right" if how >= _MIDDLE else "Left", max(1, round(abs(how - _MIDDLE) / _STEP)))
        chosen = next(row for row in self.room._marks.rows() if row.key == marks.chosen)
        x, y, z = chosen.place_ras_mm
        return {
            "position_lps_mm": [-x, -y, z],
            "confidence": chosen.confidence,
            "category": marks.question.categories[category],
            "size_mm": None,
        }

    def _scroll_to(self, node: Any, height: float) -> None:
        """Up and down as long as it comes nearer."""
        for key in ("Up", "Down"):
            while True:
                before = abs(node.GetSliceOffset() - height)
                self.press(key)
                if abs(node.GetSliceOffset() - height) >= before - 1e-6:
                    self.press("Down" if key == "Up" else "Up")
                    break


def _matrix(of: Any) -> np.ndarray:
    return np.array([[of.GetElement(row, column) for column in range(4)] for row in range(4)])
