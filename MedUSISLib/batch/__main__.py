"""``python -m MedUSISLib.batch work``: a worker that does the cases it is told on standard input (see `local_pool`).

``... cluster``: the same for the workers of a Ray cluster (see `ray_pool`).
"""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Entrance of the worker process; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m MedUSISLib.batch", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("work", help="settings, then one task a line, on standard input; events on standard output")
    verbs.add_parser("cluster", help="the same, done by the workers of a Ray cluster")
    verb = parser.parse_args(arguments).verb

    from MedUSISLib.jobs.run import take_standard_output

    stream = take_standard_output()
    if verb == "cluster":
        from MedUSISLib.batch.cluster_child import ClusterChild

        return ClusterChild(sys.stdin, stream).work()
    from MedUSISLib.batch.worker import Worker

    return Worker(sys.stdin, stream).work()


if __name__ == "__main__":
    sys.exit(main())
