"""Faults of settings: JSON and YAML with other types, keys, depths, numbers and encodings."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

from faults.byte_faults import spoil_bytes


@dataclass(frozen=True)
class Raw:
    """Text that goes into the file as it is."""

    text: str


_DEEP = 100_000
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.0, 2**31, 2**63, 2**64, -(2**63), Raw("1e999"), Raw("-1e999"), Raw("NaN"),
    Raw("Infinity"), Raw("1" * 400), Raw("1" * 5000), Raw("0x10"), Raw("1e-400"), "", " ", "0", "1", "true", "null",
    "x" * 5000, "a\nb", "a\0b", "\x1b[31mred", "\u202eevil", "ü", Raw('"\\ud800"'), "../../etc/passwd", "/dev/zero",
    "C:\\con", "$HOME/x", "~nobody/x", "%s%n", "{0}", "<script>", "1e5", "-1", "nan", [], {}, [[]], [None],
    [1, 2, 3, 4], ["a"] * 1000, {"a": 1}, {"": ""}, Raw("[" * _DEEP + "]" * _DEEP),
    Raw('{"a":' * 2000 + "1" + "}" * 2000), 1e308,
)  # fmt: skip


def spoil_json(random: Random, content: bytes) -> tuple[bytes, str]:
    """One or two places of a JSON file changed, its text, or its bytes."""
    how = random.random()
    if how < 0.7:
        tree = json.loads(content)
        done = [_spoil_tree(random, tree) for _ in range(random.choice((1, 1, 1, 2)))]
        return _text(tree).encode("utf-8", "surrogatepass"), ", ".join(done)
    return spoil_text(random, content) if how < 0.85 else spoil_bytes(random, content, 300)


def spoil_text(random: Random, content: bytes) -> tuple[bytes, str]:
    """The text in another encoding, cut, twice, or with foreign characters in it."""
    text = content.decode("utf-8")
    at = random.randrange(len(text))
    done = random.choice(("utf-16", "utf-32", "utf-7", "latin-1", "mark", "cut", "twice", "foreign", "lines", "empty"))
    if done in ("utf-16", "utf-32", "utf-7"):
        return text.encode(done), done
    if done == "latin-1":
        return (text[:at] + "ü" + text[at:]).encode("latin-1", "replace"), done
    if done == "mark":
        return b"\xef\xbb\xbf" + content, "byte order mark"
    if done == "cut":
        return text[:at].encode(), done
    if done == "twice":
        return content + content, done
    if done == "foreign":
        foreign = random.choice(
            ("\0", "\x1b", ",", "}", "]", '"', "'", "#", "\\", "\u2028", "\ufeff", "\t", "//", "!!")
        )
        return (text[:at] + foreign + text[at:]).encode(), f"{foreign!r} at {at}"
    if done == "lines":
        return text.replace("\n", random.choice(("\r", "\r\n", "", "\n\n"))).encode(), "other line ends"
    return random.choice((b"", b" ", b"\n", b"{}", b"[]", b"null", b"0", b'""')), done


def foreign_value(random: Random) -> Any:
    """One of `VALUES`, which a further fault in the same tree may change."""
    return deepcopy(random.choice(VALUES))


def _spoil_tree(random: Random, tree: Any) -> str:
    """A key or a value somewhere in a tree, in place; every place is as likely."""
    places = list(_places(tree))
    if not places:
        return "nothing"
    holder, key = random.choice(places)
    done = random.choice(("value", "value", "value", "value", "lost", "twice", "renamed", "extra", "repeated", "like"))
    if done == "lost":
        del holder[key]
    elif done == "repeated" and isinstance(holder[key], list):
        holder[key] = holder[key] * random.choice((2, 50))
    elif isinstance(holder, dict) and done == "twice":
        holder[key] = Raw(f"{_text(holder[key])}, {json.dumps(key)}: {_text(foreign_value(random))}")
    elif isinstance(holder, dict) and done == "renamed":
        holder[random.choice((str(key).upper(), f"{key} ", "", "__class__", f"{key}s"))] = holder.pop(key)
    elif isinstance(holder, dict) and done == "extra":
        holder[random.choice(("extra", "__proto__", "", "ü\n"))] = foreign_value(random)
    elif done == "like":  # of the same type
        holder[key] = _like(random, holder[key])
    else:
        holder[key] = foreign_value(random)
    return f"{key}: {done} {str(holder.get(key) if isinstance(holder, dict) else '')[:40]!r}"


def _like(random: Random, value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return random.choice((-value, value + 1, value * 1000, 0, -1, 1e30, 1e-30, 2**31, 2**53 + 1))
    if isinstance(value, str):
        return random.choice((value.upper(), value + "x", value[:-1], "é" + value, value * 100, value + "\n"))
    if isinstance(value, list):
        return random.choice((value[::-1], value[:-1], value + value[-1:], [value]))
    return [value]


def _places(tree: Any) -> Any:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(inner):
        yield tree, key
        yield from _places(value)


def _text(tree: Any) -> str:
    """As JSON, with ``Raw`` text as it is."""
    if isinstance(tree, Raw):
        return tree.text
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_text(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(_text, tree)) + "]"
    return json.dumps(tree, ensure_ascii=False)
