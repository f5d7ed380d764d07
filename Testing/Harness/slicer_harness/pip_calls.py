"""What the module asked pip for, and what the test wants pip to find. Nothing is ever installed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PipCall:
    """One call: `function` is "pip_install", "pip_ensure", "pip_uninstall" or "python -m pip"."""

    function: str
    requirements: Any
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class PipCalls:
    """calls: in order. missing: names that `pip_check` reports as not installed, whatever is there; a pip_install of
    such a package takes it off. error: raised by the next pip_install (then forgotten)."""

    calls: list[PipCall] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    error: Exception | None = None

    def record(self, function: str, requirements: Any, **options: Any) -> None:
        self.calls.append(PipCall(function, requirements, options))

    def functions(self) -> list[str]:
        return [call.function for call in self.calls]

    def clear(self) -> None:
        self.calls.clear()
        self.missing.clear()
        self.error = None


pip_calls = PipCalls()
