"""A training configuration as text: YAML in which no key is there twice, and its paths made absolute."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.small_files import read_small_text

_LARGEST_BYTES = 4 * 1024 * 1024
_LARGEST = 1_000_000
"""Values of a configuration, every alias written out; a billion of them fit into a kilobyte."""
_PATHS = ("image", "labels", "lesions", "ct", "out", "cache", "dataset")
#: Names, unless they end like a file.
_FILES: dict[str, tuple[str, ...]] = {"label_schema": (".json",), "mapping": (".csv", ".tsv", ".txt")}
#: Ids, unless they have a separator.
_FOLDERS = ("anchor_segmentator",)


class _Loader(yaml.SafeLoader):
    """YAML's own loader takes the last of two equal keys without a word, and follows aliases without end."""

    def get_single_node(self) -> yaml.Node | None:
        node: yaml.Node | None = super().get_single_node()
        if node is not None and _size_in_full(node, {}) > _LARGEST:
            raise yaml.constructor.ConstructorError(None, None, "it refers to itself, or is far too large")
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{str(key.value)[:40]!r} is there twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def _size_in_full(node: yaml.Node, known: dict[int, float]) -> float:
    """Number of values when every alias is written out; infinite for what holds itself."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = math.inf
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_size_in_full(part, known) for part in parts)
    return known[id(node)]


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE``, with the line.
    """
    what, hint = "cannot be read", ""
    try:
        return yaml.load(read_small_text(path, _LARGEST_BYTES), _Loader)
    except OSError as error:
        what += f": {error.strerror}"
        hint = "give a file of YAML text"
    except UnicodeDecodeError:
        what += ": it is not text in UTF-8"
        hint = "save it as UTF-8"
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        what += f" as YAML: {line}{error.problem}"
        hint = "indent with spaces, and write a space after each colon"
        if "twice" in str(error.problem):
            hint = "keep one of them"
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):  # wrong tags, too
        what += " as YAML"
        hint = "write settings as `name: value`; docs/training.md explains them"
    raise MedUSISError(ErrorCode.INPUT_NOT_READABLE, f"the training configuration {what}", hint, path) from None


def absolute_path(value: str, folder: Path) -> str:
    """A path as the configuration in a folder means it; ``$NAME`` is an environment variable, ``~`` the home folder.

    Raises
    ------
    MedUSISError
        ``BAD_SETTING`` when a variable is not set.
    """
    expanded = os.path.expandvars(value)
    if "$" in expanded:
        name = expanded[expanded.index("$") :].split("/")[0]
        raise MedUSISError(
            ErrorCode.BAD_SETTING,
            f"the training configuration uses the environment variable {name}, which is not set",
            "set it to the folder that is meant",
        )
    return str(folder / Path(expanded).expanduser())


def with_absolute_paths(content: Any, folder: Path) -> Any:
    """The same settings, in which all that is a path is absolute."""
    if isinstance(content, dict):
        return {
            key: absolute_path(value, folder)
            if isinstance(value, str) and _is_path(key, value)
            else with_absolute_paths(value, folder)
            for key, value in content.items()
        }
    if isinstance(content, list):
        return [with_absolute_paths(value, folder) for value in content]
    return content


def _is_path(key: str, value: str) -> bool:
    return key in _PATHS or value.endswith(_FILES.get(key, ())) or (key in _FOLDERS and ("/" in value or "$" in value))
