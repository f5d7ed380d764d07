"""Which Python packages the jobs need that Slicer does not bring, why, and how large their download is.

The same lists are the files ``requirements.txt``, ``requirements-training.txt`` and ``requirements-studies.txt`` at the
top of the repository; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NeededPackage:
    """One package.

    Parameters
    ----------
    requirement : str
        As pip takes it.
    module : str
        What is imported; its folder must be there, too.
    reason : str
        What it is for, for the question that the user is asked.
    megabytes : float
        Download of the package and of what it needs in its turn beside Slicer's own packages; the largest of Windows,
        macOS and Linux.
    """

    requirement: str
    module: str
    reason: str
    megabytes: float

    @property
    def name(self) -> str:
        """The bare name, as in ``pip list``.

        Examples
        --------
        >>> NeededPackage("pydantic>=2", "pydantic", "", 1.0).name
        'pydantic'
        """
        return self.requirement.partition(">")[0].partition("=")[0].partition("<")[0].strip()


# Sizes of the wheels for Python 3.12 on 2026-11-20, beside the packages of Slicer 5.12: together 23.7 MB on Linux,
# 18.5 MB on Windows, 19.1 MB on macOS, and MONAI 1.7 MB.
NEEDED: tuple[NeededPackage, ...] = (
    NeededPackage("matplotlib", "matplotlib", "the pictures of the report", 17.2),
    NeededPackage("monai", "monai", "the network that checks the anatomy of the result", 1.7),
    NeededPackage("nibabel", "nibabel", "image files", 3.3),
    NeededPackage("psutil", "psutil", "free memory, and ending a job cleanly", 0.3),
    NeededPackage("pydantic>=2", "pydantic", "checked settings and generators", 2.6),
    NeededPackage("safetensors", "safetensors", "the weights of the generators", 0.5),
)

# Asked for when somebody opens the part "Fine-tune a generator", and not before. Wheels for Python 3.12 on 2026-11-20:
# together 15.3 MB on Linux, 13.0 MB on Windows, 13.1 MB on macOS.
TRAINING: tuple[NeededPackage, ...] = (
    NeededPackage("lightning-fabric", "lightning_fabric", "training on any device", 0.3),
    NeededPackage("PyYAML", "yaml", "configuration files of trainings", 0.8),
    NeededPackage("scikit-image", "skimage", "measuring how good a generator is", 14.2),
)
"""What a training needs beside ``NEEDED``."""

# The reading room and its administrator's pages need no PyTorch. SQLAlchemy 2.1.9 for Python 3.12 on 2026-11-20: 4.8 MB
# on Linux, 2.5 MB on Windows and macOS; the others as above.
READING: tuple[NeededPackage, ...] = (
    NeededPackage("nibabel", "nibabel", "image files", 3.3),
    NeededPackage("pydantic>=2", "pydantic", "checked questions and answers", 2.6),
    NeededPackage("SQLAlchemy>=2", "sqlalchemy", "the file of answers, which survives a power cut", 4.8),
)
"""What a reader of a study needs, without torch."""

STUDIES: tuple[NeededPackage, ...] = (
    *READING,
    NeededPackage("matplotlib", "matplotlib", "the figures of the results", 17.2),
    NeededPackage("openpyxl", "openpyxl", "the Excel file for RJafroc", 0.3),
    NeededPackage("psutil", "psutil", "ending a job cleanly", 0.3),
    NeededPackage("scikit-image", "skimage", "finding the body in an MR", 14.2),
)
"""What whoever makes and analyses studies needs, without torch."""

TORCH_REQUIREMENT = ">=2.6"
TORCH_CPU_MEGABYTES = 150
TORCH_SIZE = "130 to 200 MB without an NVIDIA card, 2 to 3 GB with one"
"""Measured on 2026-11-20. Without CUDA 127 MB on Windows and 139 MB on macOS (2.15.0), 192 MB on Linux (2.13.0), and
10 MB for what it needs; with CUDA 13 and its libraries 3.0 GB on Linux (2.15.0)."""

SHIPPED_WITH_SLICER: tuple[str, ...] = (
    "cffi",
    "certifi",
    "chardet",
    "charset-normalizer",
    "couchdb",
    "cryptography",
    "dcmqi",
    "deprecated",
    "dicomweb-client",
    "gitdb",
    "gitpython",
    "highdicom",
    "idna",
    "numpy",
    "packaging",
    "pillow",
    "pycparser",
    "pydicom",
    "pygithub",
    "pyjpegls",
    "pyjwt",
    "pynacl",
    "pyparsing",
    "python-dateutil",
    "requests",
    "retrying",
    "scipy",
    "simpleitk",
    "six",
    "smmap",
    "typing-extensions",
    "urllib3",
    "vtk",
    "wrapt",
)
"""Packages of Slicer 5.12 (its SuperBuild): what is installed of them stays at its version, others may rely on it.

Without pip, setuptools and wheel, which run nothing in Slicer: torch 2.11 wants setuptools < 82, Slicer has 82.
"""

STAY_WHEN_PRESENT: tuple[str, ...] = ("torch", "torchvision", "torchaudio")
"""Not Slicer's, but too large and too easily broken to be replaced on the way."""
