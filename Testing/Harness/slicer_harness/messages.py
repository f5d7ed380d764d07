"""What the module said to the user, and what the user answers: the only place where a test meets message boxes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Message:
    """One box, dialog or status line that the user would have seen.

    kind is the function that showed it: "errorDisplay", "warningDisplay", "infoDisplay", "confirmOkCancelDisplay",
    "confirmYesNoDisplay", "confirmRetryCloseDisplay", "messageBox", "delayDisplay", "dialog", "question", "openUrl",
    "getOpenFileName", ...
    """

    kind: str
    text: str
    title: str = ""
    details: str = ""
    answer: Any = None


@dataclass
class Messages:
    """Everything shown since the last `clear()`, and the answers that a test has queued.

    Examples
    --------
    >>> messages = Messages()
    >>> messages.answer(False)
    >>> messages.show("confirmOkCancelDisplay", "Install torch?", default=True)
    False
    >>> [(m.kind, m.text) for m in messages.shown]
    [('confirmOkCancelDisplay', 'Install torch?')]
    """

    shown: list[Message] = field(default_factory=list)
    _answers: deque[Any] = field(default_factory=deque)

    def answer(self, *answers: Any) -> None:
        """Queue the answers to the next questions (in order); statements such as errorDisplay use none up."""
        self._answers.extend(answers)

    def show(self, kind: str, text: str, title: str = "", default: Any = None, details: str = "") -> Any:
        """Record a message. With a default it is a question: the next queued answer, else the default, comes back."""
        asks = default is not None and kind not in ("openUrl", "information", "warning", "critical")
        answer = self._answers.popleft() if asks and self._answers else default
        self.shown.append(Message(kind, text, title, details, answer))
        return answer

    def texts(self, kind: str | None = None) -> list[str]:
        """The texts of one kind, or of all."""
        return [message.text for message in self.shown if kind in (None, message.kind)]

    def clear(self) -> None:
        self.shown.clear()
        self._answers.clear()


messages = Messages()
