"""Which nodes of a scene a node selector offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class NodeFilter:
    """The rules of qMRMLSortFilterProxyModel that modules set.

    types: class names; child_types: subclasses count as well; hidden_types: subclasses that do not count;
    show_hidden: also nodes that hide from editors; attributes: (class name, attribute, value or None for any value).
    """

    types: list[str] = field(default_factory=list)
    child_types: bool = True
    hidden_types: list[str] = field(default_factory=list)
    show_hidden: bool = False
    attributes: list[tuple[str, str, str | None]] = field(default_factory=list)

    def accepts(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.show_hidden:
            return False
        if not any(node.IsA(t) if self.child_types else node.GetClassName() == t for t in self.types):
            return False
        if any(node.IsA(t) for t in self.hidden_types):
            return False
        return all(self._has(node, name, value) for kind, name, value in self.attributes if node.IsA(kind))

    @staticmethod
    def _has(node: Any, name: str, value: str | None) -> bool:
        present = node.GetAttribute(name)
        return present is not None and (value is None or present == value)

    def nodes(self, scene: Any) -> list[Any]:
        """The accepted nodes in the order of the scene."""
        if scene is None:
            return []
        nodes = (scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes()))
        return [node for node in nodes if self.accepts(node)]
