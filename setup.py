"""The one thing that pyproject.toml cannot say: a wheel holds ``Resources`` as ``MedUSISLib/_resources``.

An editable install reads them where they are (see ``MedUSISLib/resources.py``).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("Generators", "SampleData", "Schemas", "Training")


class BuildWithResources(build_py):
    """Copy the data files after the modules."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / "MedUSISLib" / "_resources"
        shutil.rmtree(target, ignore_errors=True)
        for folder in SHIPPED:
            if Path("Resources", folder).is_dir():
                shutil.copytree(Path("Resources", folder), target / folder)


setup(cmdclass={"build_py": BuildWithResources})
