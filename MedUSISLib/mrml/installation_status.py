"""What is missing in Slicer's Python, why it is needed and how large it is: quick, nothing is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from MedUSISLib.mrml.installed_packages import missing_packages
from MedUSISLib.mrml.requirements import NEEDED, TORCH_CPU_MEGABYTES, TORCH_SIZE, NeededPackage
from MedUSISLib.mrml.torch_state import TorchState, torch_state

RESTART = "Packages that were in use have been updated: please restart Slicer before you go on."


@dataclass(frozen=True)
class DependencyStatus:
    """What is installed of what the jobs need.

    Parameters
    ----------
    missing : tuple of str
        Requirements as pip takes them, without torch.
    torch : str
        ``present``, ``absent``, ``broken`` or ``too old``.
    torch_detail : str
        Why torch is broken or too old, in words.
    complete : bool
        Whether a job can be started.
    download_mb : int
        Download of what is missing, in MB, with the smallest torch (``sentence`` gives the range).
    sentence : str
        What is missing, what for and how large, for the user.
    restart_needed : bool
        Packages that are in memory were replaced: Slicer is to be restarted.
    torch_hint : str
        What to do about a torch that is broken or too old.
    """

    missing: tuple[str, ...]
    torch: str
    torch_detail: str
    complete: bool
    download_mb: int
    sentence: str
    restart_needed: bool = False
    torch_hint: str = ""


def dependency_status(
    search_path: Sequence[str] | None = None,
    restart_needed: bool = False,
    needed: Sequence[NeededPackage] = NEEDED,
    with_torch: bool = True,
) -> DependencyStatus:
    """Look at what is installed; takes some milliseconds.

    Parameters
    ----------
    search_path : sequence of str, optional
        ``sys.path`` by default.
    restart_needed : bool
        Passed on.
    needed : sequence of NeededPackage
        What the jobs need beside torch.
    with_torch : bool
        Whether torch is needed; if not, it counts as present.
    """
    packages = missing_packages(search_path, needed)
    torch = torch_state(search_path) if with_torch else TorchState("present")
    megabytes = sum(package.megabytes for package in packages)
    if torch.state == "absent":
        megabytes += TORCH_CPU_MEGABYTES
    return DependencyStatus(
        missing=tuple(package.requirement for package in packages),
        torch=torch.state,
        torch_detail=torch.detail,
        complete=not packages and torch.state == "present",
        download_mb=math.ceil(megabytes),
        sentence=_sentence(packages, torch, restart_needed),
        restart_needed=restart_needed,
        torch_hint=torch.hint,
    )


def _sentence(packages: Sequence[NeededPackage], torch: TorchState, restart_needed: bool) -> str:
    """For the user: what, why, how large."""
    if torch.state in ("broken", "too old"):
        return f"PyTorch cannot be used: {torch.detail}."
    if torch.state == "present" and not packages:
        return RESTART if restart_needed else "Everything that MedUSIS needs is installed."
    parts = []
    if torch.state == "absent":
        parts.append(f"PyTorch, which computes the images (download {TORCH_SIZE})")
    if packages:
        listed = ", ".join(f"{package.name} ({package.reason})" for package in packages)
        megabytes = math.ceil(sum(package.megabytes for package in packages))
        count = "one Python package" if len(packages) == 1 else f"{len(packages)} Python packages"
        parts.append(f"{count} (download about {megabytes} MB): {listed}")
    return f"MedUSIS needs {' and '.join(parts)}."
