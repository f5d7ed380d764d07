"""As much of Ray as `ray_workers` uses, in this process: actors answer what a test tells them to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """Stands for all of Ray's."""


class ActorUnavailableError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class Actor:
    """What the pool sees of a worker on a node; ``answers`` are given to its polls, exceptions are raised.

    A poll that nobody has an answer for is not answered. Actors that are killed answer that they are dead.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.answers: list[Any] = []
        self.fed: list[str] = []
        self.polls: list[tuple[int, list[tuple[int, int]]]] = []
        self.killed = False
        self.begins: Any = {"pid": 1, "broken": ""}
        self.ready = SimpleNamespace(remote=lambda: lambda: self.begins)
        self.feed = SimpleNamespace(remote=self.fed.append)
        self.poll = SimpleNamespace(remote=self._poll)

    def _poll(self, after: int, given: list[tuple[int, int]], timeout_s: float) -> Callable[[], Any]:
        self.polls.append((after, given))

        def answer() -> Any:
            if self.killed:
                return RayError("it was killed by `ray.kill`")
            return self.answers.pop(0) if self.answers else None

        return answer


class FakeRay:
    """The module."""

    exceptions = SimpleNamespace(
        RayError=RayError, ActorUnavailableError=ActorUnavailableError, OutOfMemoryError=OutOfMemoryError
    )

    def __init__(self, begins: Any = None) -> None:
        self.actors: list[Actor] = []
        self._begins = begins

    def remote(self, kind: type) -> Any:
        def make(options: dict[str, Any]) -> Actor:
            actor = Actor(options)
            if self._begins is not None:
                actor.begins = self._begins
            self.actors.append(actor)
            return actor

        return SimpleNamespace(options=lambda **given: SimpleNamespace(remote=lambda *arguments: make(given)))

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        for reference in references:
            answer = reference()
            if answer is not None:
                self._answer = answer
                return [reference], []
        return [], references

    def get(self, reference: Any, timeout: float | None = None) -> Any:
        if timeout is not None:
            return None
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def kill(self, actor: Actor, no_restart: bool) -> None:
        actor.killed = True
