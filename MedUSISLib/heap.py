"""Memory that the C library keeps for later: free, but still this process's."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def trim_heap() -> None:
    """Give the free pages of the C library's heap back to the system; where it is another one than glibc, nothing.

    Tensors of many sizes, some short-lived and some not, leave gaps that the next ones do not fit into. Pages that are
    given back and needed again cost a page fault each, some 0.3 s for a gigabyte.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
