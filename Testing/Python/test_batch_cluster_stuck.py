"""A worker on a real Ray cluster that answers and does nothing is ended; the next one does the other cases."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from MedUSISLib.batch.pool import Began, Died, Failed, Finished
from MedUSISLib.batch.wire import from_line
from MedUSISLib.stillness import LIMIT_VARIABLE

pytest.importorskip("ray", reason="the extra 'cluster' is not installed")


@pytest.mark.long
@pytest.mark.fault("a worker of a cluster does nothing at all for a quarter of an hour")
def test_a_worker_that_does_nothing_is_ended_and_another_one_goes_on(tmp_path: Path) -> None:
    child = Path(__file__).with_name("stuck_actor_child.py")
    environment = {**os.environ, LIMIT_VARIABLE: "10"}
    done = subprocess.run(
        [sys.executable, str(child), str(tmp_path)], capture_output=True, text=True, env=environment, timeout=900
    )
    assert done.returncode == 0, done.stderr
    said = [from_line(line) for line in done.stdout.splitlines()]
    kinds = [(type(event), event.number) for event in said if event is not None and not isinstance(event, Died)]
    assert kinds == [(Began, 1), (Failed, 1), (Began, 2), (Finished, 2)]
    assert isinstance(said[1], Failed) and said[1].failure.code == "TIMED_OUT"
