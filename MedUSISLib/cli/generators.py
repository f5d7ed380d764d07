"""``medusis generators``: which trained generators there are; verify, install and remove them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from MedUSISLib.cli.options import JSON_EVENTS, OVERWRITE, VERBOSE, absolute, name_or_path

if TYPE_CHECKING:
    from MedUSISLib.generators.catalogue import CatalogueEntry
    from MedUSISLib.generators.terms import Terms

app = typer.Typer(no_args_is_help=True, help="Trained generators: list, show, verify, install, export, remove.")
Generator = Annotated[str, typer.Argument(metavar="ID|FOLDER")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]


@app.command("list")
def list_generators(as_json: AsJson = False) -> None:
    """List the generators and segmentators that are shipped or installed."""
    from MedUSISLib.generators.catalogue import available_bundles

    rows = [_row(entry) for entry in available_bundles()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print("no generators; install one with: medusis generators install FOLDER|ZIP|URL")
    for row in rows:
        what = row["problem"] or f"{row['kind']}, {row['modality']}, {row['body_region']}, schema {row['schema']}"
        print(f"{row['id']:20} {row['version'] or '-':10} {row['origin']:8} {what}")


@app.command("show")
def show(
    generator: Generator,
    as_json: AsJson = False,
) -> None:
    """Print the model card of a generator, or its manifest as JSON."""
    from MedUSISLib.generators.bundle import load_bundle

    bundle = load_bundle(name_or_path(generator))
    print(bundle.manifest.to_json() if as_json else bundle.model_card or bundle.manifest.to_json(), end="")


@app.command("verify")
def verify(generator: Generator) -> None:
    """Check every file of a generator against its manifest, and that its weights fit its network."""
    from MedUSISLib.generators.bundle import load_bundle

    bundle = load_bundle(name_or_path(generator))
    bundle.load_network("cpu")
    print(f"{bundle.manifest.id} {bundle.manifest.version}: {len(bundle.manifest.files)} files verified, network loads")
    print(f"sha256 of the manifest: {bundle.sha256}")


@app.command("install")
def install(
    source: Annotated[str, typer.Argument(metavar="FOLDER|ZIP|URL")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace an installed one of the same id.")] = False,
    sha256: Annotated[str | None, typer.Option("--sha256", help="Expected hash of the zip file.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licence and agree; nothing is asked.")
    ] = False,
) -> None:
    """Verify a generator, show its licence and install it for this user. Only a URL goes to the network."""
    from MedUSISLib.generators.install import install_generator

    bundle = install_generator(source, replace=replace, sha256=sha256, accept=lambda terms: accept or _agreed(terms))
    print(f"{bundle.manifest.id} {bundle.manifest.version} installed")
    print(bundle.directory)


@app.command("export")
def export(
    source: Annotated[
        str, typer.Argument(metavar="ID|FOLDER|TRAINING", help="A generator, or a training's out folder.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.zip|FOLDER", help="What to write.")],
    state: Annotated[
        str | None,
        typer.Option("--from", metavar="best|last", help="Of a training: this checkpoint, and not what it ended with."),
    ] = None,
    overwrite: bool = OVERWRITE,
    device: Annotated[
        str | None, typer.Option("--device", metavar="auto|cpu|cuda[:N]", help="Where a checkpoint is measured.")
    ] = None,
    json_events: bool = JSON_EVENTS,
    verbose: bool = VERBOSE,
) -> None:
    """Write a generator to a zip file or a folder that can be installed elsewhere.

    A training that has not ended is measured first, which takes as long as at its end; it may go on meanwhile.
    """
    from MedUSISLib.generators.bundle import sha256_of_file, verify_bundle
    from MedUSISLib.generators.pack import pack_bundle
    from MedUSISLib.generators.source import bundle_to_export, chosen_state

    name, target = name_or_path(source), absolute(out)
    folder = bundle_to_export(name, state)
    if folder is None:
        from MedUSISLib.cli.running import run_and_report

        training = absolute(Path(source))
        parameters = {"training": training, "state": chosen_state(training, state), "out": target}
        more = {"overwrite": overwrite, "device": device}
        run_and_report("export-generator", {**parameters, **more}, json_events, verbose)
        return
    bundle = verify_bundle(folder)
    pack_bundle(bundle, target, overwrite)
    print(f"{bundle.manifest.id} {bundle.manifest.version} written")
    print(target)
    if target.is_file():
        print(f"sha256 of the file: {sha256_of_file(target)}")


@app.command("remove")
def remove(
    identifier: Annotated[str, typer.Argument(metavar="ID")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a generator that you installed; shipped ones stay."""
    from MedUSISLib.generators.install import installed_by_user, remove_generator

    installed_by_user(identifier)
    if not yes:
        typer.confirm(f"Remove the generator {identifier}?", abort=True)
    remove_generator(identifier)
    print(f"{identifier} removed")


def _agreed(terms: Terms) -> bool:
    """Show the terms and ask; nobody can agree where nobody sits."""
    print(terms.text(), file=sys.stderr)
    return sys.stdin.isatty() and typer.confirm("Do you accept this licence?", err=True)


def _row(entry: CatalogueEntry) -> dict[str, Any]:
    manifest = entry.manifest
    return {
        "id": entry.id,
        "version": manifest.version if manifest else None,
        "kind": manifest.kind if manifest else None,
        "modality": manifest.modality if manifest else None,
        "body_region": manifest.body_region if manifest else None,
        "schema": manifest.schema_id if manifest else None,
        "licence": manifest.licence if manifest else None,
        "origin": entry.origin,
        "folder": str(Path(entry.directory)),
        "problem": entry.problem,
    }
