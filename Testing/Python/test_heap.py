"""Free memory in the gaps of the heap goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
from pathlib import Path
from MedUSISLib.heap import trim_heap

def megabytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

blocks = [bytearray(64 * 1024) for _ in range(2048)]  # small enough for the heap; 128 MB
del blocks[:-1]  # the last one keeps the heap from shrinking from its end
before = megabytes()
trim_heap()
print(before - megabytes())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps less, or cannot be told")
def test_gaps_of_the_heap_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True)
    assert float(done.stdout) > 64
