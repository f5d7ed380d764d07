"""``medusis devices``: what a network can run on here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from MedUSISLib.progress import Progress


def devices(as_json: bool = typer.Option(False, "--json", help="JSON instead of text.")) -> None:
    """List the devices that a network can run on, with their memory, and say why a GPU is not used."""
    import json

    from MedUSISLib.generators.device_probe import list_devices

    found = list_devices(progress=_warnings_on_standard_error())
    if as_json:
        print(json.dumps(found.summary(), indent=2))
        return
    print(f"torch {found.torch}")
    for device in found.devices:
        free, total = device.free_bytes / 1e9, device.total_bytes / 1e9
        print(f"{device.id:8} {device.title:32} {free:6.1f} GB free of {total:.1f} GB")


def _warnings_on_standard_error() -> Progress:
    from MedUSISLib.progress import Progress

    class Warnings(Progress):
        def warning(self, code: str, message: str) -> None:
            typer.echo(f"{code}: {message}", err=True)

    return Warnings()
