"""Does jobs one after another as their child processes do, each with a file for its events; standard error is heard.

An argument is a job file, or ``answer=STUDY``: readers then answer the study into ``R1.sqlite`` and ``R2.sqlite``.
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from planted import HOST
from study_example import draw_the_same_secrets

from MedUSISLib.jobs.run import run_job, take_standard_output


def main() -> None:
    draw_the_same_secrets(pytest.MonkeyPatch())
    socket.gethostname = lambda: HOST
    take_standard_output()
    for argument in sys.argv[1:]:
        if argument.startswith("answer="):
            answer(Path(argument.removeprefix("answer=")))
            continue
        job = Path(argument)
        with job.with_suffix(".events").open("w", encoding="utf-8") as stream:
            code = run_job(job, stream)
        job.with_suffix(".code").write_text(str(code))


def answer(study: Path) -> None:
    from study_readers import read, turing_reader

    from MedUSISLib.study.key import load_study

    _, key = load_study(study)
    for number, reader in enumerate(("R1", "R2")):
        read(study, reader, study.with_name(f"{reader}.sqlite"), turing_reader(key, number, 0.7))


if __name__ == "__main__":
    main()
