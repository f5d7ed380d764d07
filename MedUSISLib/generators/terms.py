"""On what terms a generator may be used: shown before it is installed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MedUSISLib.errors import ErrorCode
from MedUSISLib.generators.bundle import Bundle
from MedUSISLib.generators.download import KeepDownload

_LONGEST_TEXT = 20_000
_NAMES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "NOTICE", "NOTICE.txt")


@dataclass(frozen=True)
class Terms:
    """What somebody should have read before a generator is installed.

    Attributes
    ----------
    id, version, title : str
    sha256 : str
        Of the manifest: accepting these terms accepts exactly this generator.
    licence : str
    licence_text : str
        Of the bundle's own LICENSE and NOTICE, empty when it has none.
    training_data : tuple of str
        Name and licence of each source.
    intended_use : str
    known_limits : tuple of str
    """

    id: str
    version: str
    title: str
    sha256: str
    licence: str
    licence_text: str = ""
    training_data: tuple[str, ...] = ()
    intended_use: str = ""
    known_limits: tuple[str, ...] = ()

    @classmethod
    def of(cls, bundle: Bundle) -> Terms:
        """The terms of a verified bundle."""
        manifest = bundle.manifest
        texts = [_text(bundle.directory / name) for name in _NAMES if name in manifest.files]
        return cls(
            id=manifest.id,
            version=manifest.version,
            title=manifest.title,
            sha256=bundle.sha256,
            licence=manifest.licence,
            licence_text="\n\n".join(filter(None, texts)),
            training_data=tuple(f"{data.name}: {data.licence}" for data in manifest.training_data),
            intended_use=manifest.intended_use,
            known_limits=manifest.known_limits,
        )

    def text(self, with_licence_text: bool = True) -> str:
        """The terms for a person, without control characters.

        Examples
        --------
        >>> print(Terms("tiny", "1.0.0", "Tiny", "0" * 64, "Apache-2.0", training_data=("heads: CC-BY-4.0",)).text())
        Tiny (tiny 1.0.0)
        Licence: Apache-2.0
        Trained on: heads: CC-BY-4.0
        """
        lines = [f"{self.title} ({self.id} {self.version})" if self.title else f"{self.id} {self.version}"]
        lines.append(f"Licence: {self.licence}")
        if self.training_data:
            lines.append(f"Trained on: {'; '.join(self.training_data)}")
        if self.intended_use:
            lines.append(f"Intended use: {self.intended_use}")
        lines += [f"Limit: {limit}" for limit in self.known_limits]
        if with_licence_text and self.licence_text:
            lines += ["", self.licence_text]
        return "".join(c for c in "\n".join(lines) if c.isprintable() or c == "\n")

    def summary(self) -> dict[str, Any]:
        """As the job's result says it."""
        return {
            "terms": self.text(with_licence_text=False),
            "licence": self.licence,
            "licence_text": self.licence_text,
            "id": self.id,
            "version": self.version,
            "sha256": self.sha256,
        }


class TermsNotAccepted(KeepDownload):
    """Nobody has accepted the terms yet; what was downloaded is kept, for the answer may follow soon.

    Attributes
    ----------
    terms : Terms
    """

    def __init__(self, terms: Terms) -> None:
        super().__init__(
            ErrorCode.BAD_SETTING,
            f"the licence of the generator was not accepted ({terms.licence})",
            "read it, and say --accept-licence if you agree",
        )
        self.terms = terms

    def __reduce__(self) -> tuple[type, tuple]:
        return type(self), (self.terms,)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[:_LONGEST_TEXT].strip()
