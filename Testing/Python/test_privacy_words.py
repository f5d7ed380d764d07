"""What libraries print while a job runs: who said it and where, never what they quote."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from dicom_example import SECRETS

from MedUSISLib.library_words import FULL_VARIABLE, error_lines

SCRIPT = """
import logging, sys, threading, warnings
from MedUSISLib.library_words import keep_library_words_out, print_error
keep_library_words_out()
import pydicom, numpy
file = pydicom.Dataset()
file.PatientSex, file.PatientID, file.PatientBirthDate = "Mueller", "4711" * 40, "1961.02.03 Wuerzburg"
logging.getLogger("pydicom").warning("reading 4711")
logging.getLogger().info("Mueller is read")
logging.getLogger("MedUSISLib.runs").info("ours")
logging.getLogger("torch.cuda").warning("about arrays")
try:
    {"Mueller": 1}["4711"]
except KeyError as error:
    try:
        raise OSError(2, "no such file", "/data/Mueller/ct.nii") from error
    except OSError as error:
        logging.getLogger("MedUSISLib.runs").exception("it failed")
        print_error(error)
def fail():
    float("Mueller")
thread = threading.Thread(target=fail)
thread.start(); thread.join()
numpy.array([1.0]) / numpy.array([0.0])
int("Mueller 4711")
"""


def run(**variables: str) -> str:
    command, environment = [sys.executable, "-c", SCRIPT], {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stderr


@pytest.fixture(scope="module")
def said() -> str:
    return run()


@pytest.mark.fault
@pytest.mark.parametrize("secret", [*SECRETS, "is read", "/data", "no such file"])
def test_nothing_that_a_library_quotes_is_printed(said: str, secret: str) -> None:
    assert secret not in said


def test_who_said_it_and_where_is_printed(said: str) -> None:
    assert "UserWarning in pydicom/" in said and "(its text is left out)" in said
    assert "WARNING pydicom: (in " in said
    assert "INFO MedUSISLib.runs: ours" in said and "about arrays" in said
    assert "KeyError (its text is left out)" in said and "FileNotFoundError (its text is left out)" in said
    assert said.count("ValueError (its text is left out)") == 2, "in a thread, and at the end of the process"


def test_who_looks_for_a_fault_can_have_it_all() -> None:
    assert "invalid literal" in run(**{FULL_VARIABLE: "1"})


def test_an_error_of_arrays_keeps_its_text() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.nn.functional.conv2d(torch.zeros(1, 3, 8, 8), torch.zeros(1, 4, 3, 3))
    assert error_lines(caught.value)[-1].startswith("RuntimeError")
    with pytest.raises(RuntimeError) as caught:
        torch.nn.Linear(2, 2)(torch.zeros(3))
    assert "shape" in error_lines(caught.value)[-1] or "size" in error_lines(caught.value)[-1]
