"""``python -m MedUSISLib.generators.torch_report``: import torch in a process of its own and say what it finds.

A process of its own, because the import of a torch that was built for another processor, or that is half-installed,
can end the process without a word. Prints one line of JSON on standard output, the last one.
"""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any


def report() -> dict[str, Any]:
    """What torch says about itself.

    Returns
    -------
    dict
        ``version``, ``cuda`` (CUDA version that torch was built for, or None), ``devices`` (``id``, ``title``,
        ``free_bytes``, ``total_bytes``) and ``warnings`` (texts); or ``error`` (``type``, ``text``, ``module``).
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            import torch

            version = str(torch.__version__)
            cuda = torch.version.cuda
            devices = _cuda_devices(torch)
        except Exception as error:
            return {"error": {"type": type(error).__name__, "text": str(error), "module": getattr(error, "name", None)}}
    return {"version": version, "cuda": cuda, "devices": devices, "warnings": [str(item.message) for item in caught]}


def _cuda_devices(torch: Any) -> list[dict[str, Any]]:
    """The CUDA devices that answer; one that does not is left out with a warning."""
    found: list[dict[str, Any]] = []
    if not torch.cuda.is_available():
        return found
    for number in range(torch.cuda.device_count()):
        try:
            free, total = torch.cuda.mem_get_info(number)
            title = torch.cuda.get_device_name(number)
        except RuntimeError as error:
            warnings.warn(f"cuda:{number} does not answer: {error}", stacklevel=1)
            continue
        found.append({"id": f"cuda:{number}", "title": title, "free_bytes": int(free), "total_bytes": int(total)})
    return found


if __name__ == "__main__":
    answer = json.dumps(report())
    sys.stdout.write("\n" + answer + "\n")
    sys.stdout.flush()
