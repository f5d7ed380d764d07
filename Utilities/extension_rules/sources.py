"""What the modules' Python does when Slicer starts: import what is there, and nothing else."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from .checkout import Checkout, Finding, judge

SHIPPED = {
    "slicer", "vtk", "vtkmodules", "qt", "ctk", "mrml", "logic", "SimpleITK", "sitkUtils", "numpy", "scipy", "pydicom",
    "requests", "SampleData", "DICOMLib",
}  # fmt: skip
"""What Slicer 5.12 has without installing anything, beside the standard library."""

OURS = ("MedUSIS", "MedUSISGui", "MedUSISLib", "MedUSISReaderGui")
INSTALLERS = {"pip_install", "pip_ensure", "pip_check", "installTorch"}
REMOVED = ("QTextCodec", "QRegExp", "setMargin(", "import imp\n", "from imp ")
NETWORK = {"urllib", "requests", "http", "socket", "ftplib", "smtplib"}
MAY_SPEAK = {
    "MedUSISLib/generators/download.py": "a generator, from an address that the user gave",
    "MedUSISLib/generators/addresses.py": "where such a download may be sent on to",
    "MedUSISLib/batch/node_probe.py": "the name of a computer of the user's cluster",
    "MedUSISLib/batch/ray_session.py": "the cluster that the user named, or one inside this computer",
    "MedUSISLib/jobs/training_job.py": "the name of the interface that leads to this computer alone",
}
"""The files that may, and what for."""


def check(checkout: Checkout) -> Iterator[Finding]:
    """Imports, file scope, installing, network, removed interfaces, styling."""
    window = {p: _tree(p) for module in checkout.modules for p in sorted((checkout.root / module).rglob("*.py"))}
    library = {p: _tree(p) for p in sorted((checkout.root / "MedUSISLib").rglob("*.py"))}
    mrml = {p: t for p, t in library.items() if "mrml" in p.parts}
    ours = {**window, **mrml}

    def name(path: Path) -> str:
        return path.relative_to(checkout.root).as_posix()

    yield judge("file scope imports only what Slicer ships", _strangers(checkout, list(ours)))
    yield judge(
        "nothing runs at file scope",
        # Scripts are run and never imported.
        [f"{name(p)}:{line}" for p, tree in ours.items() if "Scripts" not in p.parts for line in _running_lines(tree)],
    )
    yield judge(
        "torch is not imported in Slicer's process",
        [name(p) for p, tree in ours.items() if "torch" in {m.split(".")[0] for m in _imports(tree, everywhere=True)}],
    )
    yield judge(
        "nothing is installed at file scope, and torch never by pip",
        [f"{name(p)}:{line}" for p, tree in ours.items() for line in _wrong_installs(tree)],
    )
    yield judge(
        "only few files can reach the network",
        [
            name(p)
            for p, tree in {**window, **library}.items()
            if name(p) not in MAY_SPEAK and _opens_network(tree, p.read_text(encoding="utf-8"))
        ],
    )
    yield judge(
        "nothing that newer Slicers removed",
        [f"{name(p)}: {word}" for p in ours for word in REMOVED if word in p.read_text(encoding="utf-8")],
    )
    forms = [p for module in checkout.modules for p in sorted((checkout.root / module).rglob("*.ui"))]
    styled = [p for p in [*window, *forms] if re.search(r"styleSheet|setStyleSheet", p.read_text(encoding="utf-8"))]
    yield judge("no styling of its own", [name(p) for p in styled])
    yield judge("the sample data is registered", _without(checkout, "register_sample_data"))
    yield judge("module, widget and test are classes of the module's file", _missing_classes(checkout))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _file_scope(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run on import, those inside if, try and class too."""
    for node in body:
        if _is_type_checking(node) or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        yield node
        for field in ("body", "orelse", "finalbody"):
            yield from _file_scope(getattr(node, field, []))
        for handler in getattr(node, "handlers", []):
            yield from _file_scope(handler.body)


def _imports(tree: ast.Module, everywhere: bool = False) -> set[str]:
    nodes = ast.walk(tree) if everywhere else _file_scope(tree.body)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def _strangers(checkout: Checkout, starts: list[Path]) -> Iterator[str]:
    """What is imported at file scope, directly or through our own files, that Slicer does not ship."""
    allowed = set(sys.stdlib_module_names) | SHIPPED | set(OURS)
    waiting, seen = [p for p in starts if p.is_file()], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for module in sorted(_imports(_tree(path))):
            if module.split(".")[0] not in allowed:
                yield f"{path.relative_to(checkout.root).as_posix()} imports {module}"
            waiting += _our_files(checkout.root, module)


def _our_files(root: Path, module: str) -> Iterator[Path]:
    """The files that importing one of our modules runs: the packages above it and itself."""
    parts = module.split(".")
    if parts[0] not in OURS:
        return
    base = root if parts[0] == "MedUSISLib" else root / "MedUSIS"
    for count in range(1, len(parts) + 1):
        stem = base.joinpath(*parts[:count])
        for candidate in (stem / "__init__.py", stem.with_suffix(".py")):
            if candidate.is_file():
                yield candidate


def _running_lines(tree: ast.Module) -> Iterator[int]:
    """Loops, ``with`` and bare calls on import; ``if __name__ == "__main__"`` is for files that are run."""
    body = [n for n in tree.body if not (isinstance(n, ast.If) and "__main__" in ast.dump(n.test))]
    for node in _file_scope(body):
        bare_call = isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Await))
        if bare_call or isinstance(node, (ast.For, ast.While, ast.With)):
            yield node.lineno


def _wrong_installs(tree: ast.Module) -> Iterator[int]:
    at_file_scope = {id(n) for top in _file_scope(tree.body) if isinstance(top, (ast.Expr, ast.Assign))
                     for n in ast.walk(top)}  # fmt: skip
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called not in INSTALLERS:
            continue
        texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if id(node) in at_file_scope or any(re.match(r"torch\b", text) for text in texts):
            yield node.lineno


def _opens_network(tree: ast.Module, text: str) -> bool:
    harmless = {"urllib.parse", "urllib.error", "http.client"}
    imported = {m for m in _imports(tree, everywhere=True) if m.split(".")[0] in NETWORK}
    imported = {m for m in imported if not any(m == h or m.startswith(h + ".") for h in harmless) and m != "urllib"}
    return bool(imported) or "urlopen(" in text


def _without(checkout: Checkout, word: str) -> list[str]:
    files = [f"{m}/{m}.py" for m in checkout.modules]
    return [name for name in files if not (checkout.root / name).is_file() or word not in checkout.text(name)]


def _missing_classes(checkout: Checkout) -> Iterator[str]:
    for module in checkout.modules:
        file = checkout.root / module / f"{module}.py"
        tree = _tree(file) if file.is_file() else ast.parse("")
        classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        yield from sorted({module, f"{module}Widget", f"{module}Test"} - classes)
