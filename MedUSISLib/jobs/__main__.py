"""``python -m MedUSISLib.jobs run JOB.json`` does a job, ``serve`` many, ``schema`` prints what one is."""

from __future__ import annotations

import argparse
import json
import sys


def main(arguments: list[str] | None = None) -> int:
    """Entrance of the child process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m MedUSISLib.jobs", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="do the job in a file; events are JSON lines on standard output")
    run.add_argument("job", help="a job file")
    stay = verbs.add_parser("serve", help="do the jobs whose files are named on standard input, one line each")
    stay.add_argument("--idle-s", type=float, default=None, help="end when nothing has come for so many seconds")
    verbs.add_parser("schema", help="print the JSON schema of a job file")
    chosen = parser.parse_args(arguments)
    if chosen.verb == "schema":
        from MedUSISLib.jobs.specification import json_schema

        print(json.dumps(json_schema(), indent=2))
        return 0

    from MedUSISLib.jobs.run import run_job, take_standard_output

    stream = take_standard_output()
    if chosen.verb == "serve":
        from MedUSISLib.jobs.serve import IDLE_S, serve

        return serve(stream, IDLE_S if chosen.idle_s is None else chosen.idle_s)
    return run_job(chosen.job, stream)


if __name__ == "__main__":
    sys.exit(main())
