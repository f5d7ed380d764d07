"""The whole room - window, views, images, answers - is killed at random moments, and goes on where it was."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from reading_studies import make_study

from MedUSISLib.mrml.reading_start import answers_beside
from MedUSISLib.study.answers import AnswerStore
from MedUSISLib.study.key import load_study

KILLS = int(os.environ.get("MEDUSIS_WINDOW_KILLS", "20"))
CHILD = Path(__file__).with_name("reading_window_child.py")


@pytest.mark.long
def test_what_the_screen_showed_as_confirmed_survives_kills_of_the_room(slicer_window_session, tmp_path):
    study = make_study(tmp_path, "pairs", heads=40)
    order = [f"{trial.id} 0" for trial in load_study(study.folder)[1].trials_of("R1")]
    moments = random.Random(11)
    confirmed: list[str] = []
    openings: list[str] = []
    for _ in range(KILLS):
        child = subprocess.Popen([sys.executable, str(CHILD), str(study.package)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        heard = [child.stdout.readline().strip() for _ in range(moments.randint(1, 3))]
        time.sleep(moments.uniform(0.0, 0.5))
        child.kill()
        heard += [line.strip() for line in child.stdout]
        child.wait()
        openings += [line for line in heard if line.startswith("open")]
        confirmed += [line for line in heard if line and not line.startswith("open")]
        with AnswerStore(answers_beside(study.package)) as store:
            store.check()
            stored = [f"{row.trial} {row.stage}" for row in store.rows("R1") if row.kind == "answer"]
        assert [one for one in stored if one in set(confirmed)] == confirmed
        assert stored == order[: len(stored)] and len(stored) <= len(confirmed) + KILLS
    assert len(openings) == KILLS and "open interrupted" in openings
    assert confirmed
