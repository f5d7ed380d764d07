"""Every kind of input, a few times spoiled: refused by name or read as it is; `make faults` tries many more."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.kinds import KINDS
from faults.verdict import judge, require_sound

pytest.importorskip("highdicom")

DEAR = {"network arguments", "safetensors", "generator folder", "generator zip", "ratings (mrmc)", "marks and lesions"}
"""Kinds of which one input takes more than a few hundredths of a second."""
TOLERANT = {"results of a batch"}
"""A case whose quality.json is damaged stands in the summary without figures."""


@pytest.mark.fault("spoiled input")
@pytest.mark.parametrize("name", KINDS)
def test_spoiled_input_is_refused_by_name_or_read_as_it_is(tmp_path: Path, name: str) -> None:
    kind, sound = KINDS[name], tmp_path / "sound"
    sound.mkdir()
    kind.make(sound)
    require_sound(kind, sound, tmp_path / "work")
    verdicts = [judge(kind, number, sound, tmp_path / "work") for number in range(6 if name in DEAR else 16)]
    failures = [verdict for verdict in verdicts if verdict.outcome == "failure"]
    assert not failures, failures[0]
    assert name in TOLERANT or any(verdict.outcome == "refused" for verdict in verdicts)
