"""Where MedUSISLib is, and how its modules are forgotten when a developer presses "Reload"."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_OURS = ("MedUSISLib", "MedUSISGui", "MedUSISReaderGui")


def make_library_importable() -> None:
    """Put the folder that holds MedUSISLib on the search path, where it is not importable anyway.

    In an installed extension MedUSISLib lies beside the module, and Slicer has that folder on the path. In a checkout
    of the sources it lies one folder further up.
    """
    if importlib.util.find_spec("MedUSISLib") is not None:
        return
    here = Path(__file__).resolve()
    for folder in here.parents[1:4]:
        if (folder / "MedUSISLib" / "__init__.py").is_file():
            sys.path.append(str(folder))
            importlib.invalidate_caches()
            return


def forget_modules() -> None:
    """Drop our modules from Python's cache: the next import reads them from their files again.

    Objects that exist keep the code that they were made with.
    """
    for name in list(sys.modules):
        if name.split(".")[0] in _OURS:
            del sys.modules[name]
