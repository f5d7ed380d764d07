"""``medusis version``"""

from __future__ import annotations

import json

import typer

from MedUSISLib import __version__


def version(as_json: bool = typer.Option(False, "--json", help="Versions of what it runs on too, as JSON.")) -> None:
    """Print the version."""
    if not as_json:
        print(f"medusis {__version__}")
        return
    import platform
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    versions: dict[str, str | None] = {"medusis": __version__, "python": platform.python_version()}
    for name in ("torch", "monai", "SimpleITK", "numpy", "scikit-image", "safetensors", "pydicom"):
        try:
            versions[name] = installed(name)
        except PackageNotFoundError:
            versions[name] = None
    print(json.dumps(versions, indent=2))


def print_and_exit(wanted: bool) -> None:
    """For ``medusis --version``."""
    if wanted:
        print(f"medusis {__version__}")
        raise typer.Exit
