"""Why torch does not load, in words: from the child's last words to a sentence and what to do about it.

The text of the exception itself is never shown: it holds folders, and those hold user names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from MedUSISLib.errors import ErrorCode, MedUSISError

OLDEST_TORCH = (2, 6)
"""The first whose weights-only loading is the default."""

REINSTALL = (
    "In Slicer: open the module PyTorch Utils, choose Uninstall PyTorch, restart Slicer, and install it again. "
    "Elsewhere: pip uninstall torch, then install it again."
)
NO_CUDA_WARNING = "TORCH_WITHOUT_GPU"
DRIVER_WARNING = "GPU_DRIVER_TOO_OLD"
DEVICE_WARNING = "GPU_DOES_NOT_ANSWER"

_ILLEGAL_INSTRUCTION = (-4, 132, 0xC000001D, 0xC000001D - (1 << 32))
_KILLED_FOR_MEMORY = (-9, 137)


@dataclass(frozen=True)
class _Trouble:
    """A pattern in what the import said, what it means and what helps."""

    pattern: str
    meaning: str
    hint: str = REINSTALL


_TROUBLES = (
    _Trouble(
        r"WinError (126|127|193|1114)|DLL load failed",
        "PyTorch is installed, but one of its libraries (DLL) is missing or does not start",
        "Install the Microsoft Visual C++ Redistributable (x64), restart, and try again. If that does not help: "
        + REINSTALL,
    ),
    _Trouble(
        r"lib(cu|nv)\w*[-.\w]*\.so[.\d]*: (cannot open|undefined)|lib(cudart|cublas|cudnn|nccl)",
        "PyTorch was made for NVIDIA cards, but the CUDA libraries that it needs are missing or do not fit",
    ),
    _Trouble(
        r"undefined symbol|version `?GLIBC|symbol not found|incompatible architecture|wrong ELF class|invalid ELF",
        "the parts of PyTorch do not fit together or do not fit this computer",
    ),
    _Trouble(
        r"cannot allocate memory|paging file|WinError 1455",
        "there is not enough memory to load PyTorch",
        "Close other programs and try again; on Windows, enlarge the paging file.",
    ),
    _Trouble(
        r"partially initialized|has no attribute|circular import|No module named 'torch\.|cannot import name",
        "PyTorch is installed only in part, as after an installation that was interrupted",
    ),
    _Trouble(r"cannot open shared object|no such file|image not found|not loaded", "files of PyTorch are missing"),
)


def trouble_of_import(error: Mapping[str, Any]) -> MedUSISError:
    """DEPENDENCY_MISSING for an import that failed.

    Parameters
    ----------
    error : mapping
        ``type``, ``text`` and ``module`` as ``torch_report`` prints them.

    Examples
    --------
    >>> trouble_of_import({"type": "OSError", "text": "[WinError 126] ... c10.dll", "module": None}).message
    'PyTorch is installed, but one of its libraries (DLL) is missing or does not start'
    """
    module = str(error.get("module") or "").partition(".")[0]
    text = str(error.get("text") or "")
    if error.get("type") == "ModuleNotFoundError" and error.get("module") == "torch":
        return _missing("PyTorch is not installed", "In Slicer: install it with MedUSIS. Elsewhere: pip install torch.")
    if error.get("type") == "ModuleNotFoundError" and module.isidentifier() and module != "torch":
        return _missing(f"PyTorch is installed, but the package '{module}' that it needs is missing", REINSTALL)
    for trouble in _TROUBLES:
        if re.search(trouble.pattern, text, re.IGNORECASE):
            return _missing(trouble.meaning, trouble.hint)
    kind = str(error.get("type") or "an error")
    return _missing(f"PyTorch is installed but does not load ({kind})", REINSTALL)


def trouble_of_exit(exit_code: int) -> MedUSISError:
    """DEPENDENCY_MISSING for an import that ended its process.

    Examples
    --------
    >>> "processor" in trouble_of_exit(-4).message
    True
    """
    if exit_code in _ILLEGAL_INSTRUCTION:
        return _missing(
            "this PyTorch uses instructions that the processor of this computer does not have",
            "Install an older PyTorch (2.6), or use a computer whose processor has AVX2.",
        )
    if exit_code in _KILLED_FOR_MEMORY:
        return _missing(
            "the system ended PyTorch while it was loading, most often for lack of memory",
            "Close other programs and try again.",
        )
    return _missing(f"PyTorch is installed, but loading it ends the process (exit code {exit_code})", REINSTALL)


def check_version(version: str) -> None:
    """Raise DEPENDENCY_MISSING when torch is older than 2.6.

    Examples
    --------
    >>> check_version("2.13.0+cpu")
    """
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST_TORCH:
        wanted = ".".join(str(part) for part in OLDEST_TORCH)
        raise _missing(f"PyTorch {version} is too old: {wanted} or newer is needed", REINSTALL)


def warning_of(text: str, driver_present: bool) -> tuple[str, str] | None:
    """Code and words for a warning of torch that explains why a GPU is not used; None for any other.

    Parameters
    ----------
    text : str
        What torch warned of.
    driver_present : bool
        Whether the computer has an NVIDIA driver at all: without one, its absence is no news.
    """
    if re.search(r"driver.*too old", text, re.IGNORECASE | re.DOTALL):
        return DRIVER_WARNING, (
            "The driver of the NVIDIA card is too old for this PyTorch, so the CPU is used. Update the driver, "
            "or install a PyTorch for an older CUDA."
        )
    if re.search(r"does not answer", text):
        return DEVICE_WARNING, "An NVIDIA card was found but does not answer; it is left out. Restarting may help."
    if driver_present and re.search(r"CUDA|NVIDIA|NVML", text):
        return DEVICE_WARNING, "The NVIDIA card cannot be used by PyTorch, so the CPU is used. Restarting may help."
    return None


def without_cuda() -> tuple[str, str]:
    """Code and words when the computer has an NVIDIA driver but torch was built for the CPU alone."""
    return NO_CUDA_WARNING, (
        "This computer has an NVIDIA card, but the installed PyTorch is the one without GPU support, so the CPU is "
        "used. The module PyTorch Utils of Slicer can replace it (about 2 to 3 GB)."
    )


def _missing(message: str, hint: str) -> MedUSISError:
    return MedUSISError(ErrorCode.DEPENDENCY_MISSING, message, hint)
