"""The clone as a whole: its size with history, licence, line ends, pictures, and nothing that could run unseen."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .checkout import Checkout, Finding, judge
from .pictures import png_size

LIMIT_MB = 100
TEXT = {".py", ".md", ".txt", ".json", ".csv", ".yaml", ".ui", ".toml", ".cff", ".ctbl", ".cmake", ".in"}
FORBIDDEN = {".exe", ".dll", ".so", ".dylib", ".pyd", ".jar", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".whl"}


def check(checkout: Checkout) -> Iterator[Finding]:
    """Size of a clean clone, licence, files."""
    size_mb = clone_size_mb(checkout.root)
    yield judge(f"a clone with history is below {LIMIT_MB} MB", [f"{size_mb:.0f} MB"] if size_mb > LIMIT_MB else [])
    licence = checkout.root / "LICENSE"
    text = licence.read_text(encoding="utf-8") if licence.is_file() else ""
    yield judge("the licence lies in the root", [] if text.strip() else ["no LICENSE"])
    yield judge("the licence is permissive", [] if "Apache License" in text else ["not Apache"])

    paths = [checkout.root / name for name in checkout.tracked]
    texts = [p for p in paths if p.suffix.lower() in TEXT]
    yield judge("text files have LF line ends", [_name(checkout, p) for p in texts if b"\r" in p.read_bytes()])
    pictures = [p for p in paths if p.suffix.lower() == ".png"]
    yield judge("every .png is a PNG", [_name(checkout, p) for p in pictures if png_size(p) is None])
    yield judge(
        "no executables, archives of code or pickles",
        [_name(checkout, p) for p in paths if p.suffix.lower() in FORBIDDEN],
    )
    yield Finding(
        "release",
        "on GitHub: the topic 3d-slicer-extension, no unused features",
        "set the topic; switch off Wiki, Projects, Discussions, Releases and Packages where they are not used",
    )


def clone_size_mb(root: Path) -> float:
    """Everything in a fresh clone with its whole history, in MB of 2^20 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(root), str(clone)], check=True)
        return sum(p.stat().st_size for p in clone.rglob("*") if p.is_file() and not p.is_symlink()) / 2**20


def _name(checkout: Checkout, path: Path) -> str:
    return path.relative_to(checkout.root).as_posix()
