"""How a value of a type lies in a vtkMRMLScriptedModuleNode. The stored form is Slicer's, so scene files are alike."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from typing import Any

import slicer
import slicer.util

PATH_TYPES = (pathlib.Path, pathlib.PurePath, pathlib.PosixPath, pathlib.PurePosixPath)


class Field:
    """A value that is kept as text. Subclasses say how text and value become each other."""

    def __init__(self, kind: Any, accepted: type | tuple[type, ...], default: Any) -> None:
        self.kind, self.accepted, self.default = kind, accepted, default

    def check(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")
        if not isinstance(value, self.accepted):
            raise TypeError(f"Value must be of type '{self.accepted}', is type '{type(value)}' value '{value}'")

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        return self.kind(node.GetParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class BoolField(Field):
    def read(self, node: Any, name: str) -> bool:
        return node.GetParameter(name) == "True"


class EnumField(Field):
    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> Any:
        key = node.GetParameter(name)
        if key not in self.kind.__members__:
            raise ValueError(f"Found {key!r} in the parameter node, but it is no name in {self.kind!r}")
        return self.kind[key]


class NodeField(Field):
    """A node reference; an empty parameter of the same name says that it was set, to None perhaps."""

    def check(self, value: Any) -> None:
        if value is not None:
            super().check(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class NoneField(Field):
    def check(self, value: Any) -> None:
        if value is not None:
            raise ValueError("Value must be None")

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "True")

    def read(self, node: Any, name: str) -> None:
        return None


class UnionField(Field):
    """`A | B` or `Optional[A]`: the value lies under "name.<index of its type>"."""

    def __init__(self, kind: Any, members: list[Field]) -> None:
        optional = len(members) == 2 and isinstance(members[1], NoneField)
        super().__init__(kind, (), None if optional else members[0].default)
        self.members = members

    def _member_for(self, value: Any) -> int:
        for index, member in enumerate(self.members):
            fits = value is None if isinstance(member, NoneField) else isinstance(value, member.accepted)
            if fits:
                member.check(value)
                return index
        raise TypeError(f"Unable to write value '{value}' of type '{type(value)}'")

    def check(self, value: Any) -> None:
        self._member_for(value)

    def is_in(self, node: Any, name: str) -> bool:
        return any(member.is_in(node, f"{name}.{index}") for index, member in enumerate(self.members))

    def write(self, node: Any, name: str, value: Any) -> None:
        chosen = self._member_for(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self.members[chosen].write(node, f"{name}.{chosen}", value)

    def read(self, node: Any, name: str) -> Any:
        for index, member in enumerate(self.members):
            if member.is_in(node, f"{name}.{index}"):
                return member.read(node, f"{name}.{index}")
        raise KeyError(f"Unable to find value for name: {name}")

    def remove(self, node: Any, name: str) -> None:
        for index, member in enumerate(self.members):
            member.remove(node, f"{name}.{index}")


def field_for(kind: Any) -> Field:
    """The field for an unannotated type. Raises NotImplementedError for types that this stand-in does not store."""
    if kind is bool:
        return BoolField(bool, bool, False)
    if kind is int:
        return Field(int, int, 0)
    if kind is float:
        return Field(float, (int, float), 0)
    if kind is str:
        return Field(str, str, "")
    if kind in PATH_TYPES:
        return Field(kind, kind, kind())
    if kind is type(None):
        return NoneField(kind, (), None)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return EnumField(kind, kind, next(iter(kind)))
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeField(kind, kind, None)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return UnionField(kind, [field_for(member) for member in typing.get_args(kind)])
    raise NotImplementedError(f"parameter of type {kind} in this harness")
