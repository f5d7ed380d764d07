"""``medusis``: puts the verbs together and turns a named error into a message and an exit code."""

from __future__ import annotations

import os
import sys

import typer
from typer.core import TyperGroup

from MedUSISLib.cli import (
    batch,
    dataset,
    devices,
    dicom,
    generators,
    networks,
    runs,
    schemas,
    segment,
    study,
    synthesize,
    train,
    version,
)
from MedUSISLib.errors import ErrorCode, MedUSISError


class InOrderOfUse(TyperGroup):
    """Lists the verbs as one needs them, not those with verbs of their own last."""

    def list_commands(self, ctx: object) -> list[str]:
        """Images, training, studies, what else there is."""
        images, others = ("synthesize", "batch", "segment", "dicom"), ("generators", "study", "schemas")
        order = (*images, "dataset", "train", "runs", *others)
        return sorted(self.commands, key=lambda name: order.index(name) if name in order else len(order))


app = typer.Typer(
    name="medusis",
    cls=InOrderOfUse,
    help="Synthetic MR from a CT and its segmentation. SYNTHETIC images are not for diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("synthesize")(synthesize.synthesize)
app.command("batch")(batch.batch)
app.command("segment")(segment.segment)
app.command("train")(train.train)
app.command("networks")(networks.networks)
app.command("devices")(devices.devices)
app.add_typer(dataset.app, name="dataset")
app.add_typer(dicom.app, name="dicom")
app.add_typer(generators.app, name="generators")
app.add_typer(runs.app, name="runs")
app.add_typer(schemas.app, name="schemas")
app.add_typer(study.app, name="study")
app.command("version")(version.version)


@app.callback()
def _options(
    show_version: bool = typer.Option(
        False, "--version", callback=version.print_and_exit, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Entrance of the console script; exits with 0 or with the exit code of the named error."""
    try:
        app()
    except MedUSISError as error:
        from MedUSISLib.cli.reporting import report_error
        from MedUSISLib.jobs.failures import exit_code_of

        report_error(error)
        sys.exit(exit_code_of(error))
    except BrokenPipeError:  # the reader of our output went away, as in `medusis ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from MedUSISLib.cli.reporting import report_error
        from MedUSISLib.jobs.failures import exit_code_of, named_error
        from MedUSISLib.library_words import print_error

        named = named_error(error)
        if named.code is ErrorCode.INTERNAL:
            print_error(error)
        report_error(named)
        sys.exit(exit_code_of(named))


if __name__ == "__main__":
    main()
