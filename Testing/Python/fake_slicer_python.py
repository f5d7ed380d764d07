"""Doubles of ``slicer.util``, ``slicer.packaging`` and ``PyTorchUtils`` that note what they are asked.

They "install" by writing records and files into a folder, and differ from Slicer in nothing that the installation uses:
``pip_ensure`` installs only what has no record, and raises what pip's failure raises.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CalledProcessError
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from fake_site_packages import add_package, add_torch

from MedUSISLib.mrml.installed_packages import installed_version
from MedUSISLib.mrml.requirements import NEEDED


@dataclass
class FakeSlicer:
    """What the doubles do and what they were asked."""

    site: Path
    answer: bool = True
    testing: bool = False
    no_main_window: bool = False
    in_progress: bool = False
    pip_fails: bool = False
    torch_fails: bool = False
    torch_import_fails: bool = False
    torch_version: str = "2.13.0+cpu"
    installs_only: tuple[str, ...] | None = None
    questions: list[str] = field(default_factory=list)
    calls: list[tuple[str, list[str]]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    constraints: list[list[str]] = field(default_factory=list)
    pip_constraint: str | None = None

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch, packaging: bool = True, extension: bool = True) -> None:
        """Put the doubles where ``import`` finds them; without ``packaging`` it is Slicer 5.10."""
        slicer = ModuleType("slicer")
        slicer.__path__ = []  # type: ignore[attr-defined]
        options = SimpleNamespace(noMainWindow=self.no_main_window, testingEnabled=self.testing)
        slicer.app = SimpleNamespace(  # type: ignore[attr-defined]
            testingEnabled=lambda: self.testing, commandOptions=lambda: options
        )
        util = ModuleType("slicer.util")
        util.confirmOkCancelDisplay = self.confirm  # type: ignore[attr-defined]
        util.pip_install = self.util_pip_install  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "slicer", slicer)
        monkeypatch.setitem(sys.modules, "slicer.util", util)
        monkeypatch.delitem(sys.modules, "slicer.packaging", raising=False)
        if packaging:
            module = ModuleType("slicer.packaging")
            module.pip_ensure = self.pip_ensure  # type: ignore[attr-defined]
            module.pip_install = self.pip_install  # type: ignore[attr-defined]
            module.isPipInstallInProgress = lambda: self.in_progress  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, "slicer.packaging", module)
        monkeypatch.delitem(sys.modules, "PyTorchUtils", raising=False)
        if extension:
            utils = ModuleType("PyTorchUtils")
            utils.PyTorchUtilsLogic = lambda: SimpleNamespace(installTorch=self.install_torch)  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, "PyTorchUtils", utils)

    def confirm(self, text: str, windowTitle: str | None = None) -> bool:
        self.questions.append(text)
        return self.answer

    def pip_ensure(
        self,
        requirements: list[str],
        constraints: str | None = None,
        prompt_install: bool = True,
        prompt_restart: bool = True,
        requester: str | None = None,
    ) -> None:
        self.options = {"prompt_install": prompt_install, "prompt_restart": prompt_restart, "requester": requester}
        names = [text.split(">")[0] for text in requirements]
        missing = [name for name in names if installed_version(name, [str(self.site)]) is None]
        self._pip("pip_ensure", missing, constraints)

    def pip_install(
        self, requirements: list[str], constraints: str | None = None, requester: str | None = None
    ) -> None:
        self._pip("pip_install", requirements, constraints)

    def util_pip_install(self, requirements: list[str]) -> None:
        position = requirements.index("-c")
        self._pip("util.pip_install", requirements[:position], requirements[position + 1])

    def install_torch(self, askConfirmation: bool = False, torchVersionRequirement: str | None = None) -> None:
        self.calls.append(("installTorch", [str(askConfirmation), str(torchVersionRequirement)]))
        address = os.environ["PIP_CONSTRAINT"]
        assert " " not in address  # pip would take it for two
        self.pip_constraint = Path(url2pathname(urlsplit(address).path)).read_text()
        if self.torch_fails:
            raise CalledProcessError(1, "light_the_torch")
        add_torch(self.site, self.torch_version)
        if self.torch_import_fails:
            raise OSError("[WinError 126] The specified module could not be found")

    def _pip(self, caller: str, arguments: list[str], constraints: str | None) -> None:
        self.calls.append((caller, list(arguments)))
        self.constraints.append(Path(str(constraints)).read_text().split())
        if self.pip_fails:
            raise CalledProcessError(1, "pip install")
        modules = {package.name: package.module for package in NEEDED}
        for text in arguments:
            name = text.split(">")[0]
            if self.installs_only is not None and name not in self.installs_only:
                continue
            if name == "torch":
                add_torch(self.site, self.torch_version)
            elif name in modules:
                add_package(self.site, name, "9.1", modules[name])
