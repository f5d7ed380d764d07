"""Reads images and segmentations with 400 MB more than the process has, and says how each ended: for tests of bombs.

Reads a list of ``[kind, path]`` from standard input; kind is "CT" or the folder of the CT that a segmentation is for.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from MedUSISLib.errors import MedUSISError
from MedUSISLib.imaging.dicom_regions import read_regions, segmentation_object
from MedUSISLib.imaging.reading import read_volume

ROOM = 400 * 1024 * 1024


def main() -> None:
    steps = [(kind, Path(path)) for kind, path in json.load(sys.stdin)]
    import highdicom  # noqa: F401  (what is loaded later would count)
    import SimpleITK  # noqa: F401

    cts = {kind: read_volume(kind) for kind, _ in steps if kind != "CT"}
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    told = []
    for kind, path in steps:
        try:
            if kind == "CT":
                read_volume(path)
            else:
                found = segmentation_object(path)
                assert found is not None
                read_regions(*found, cts[kind])
            told.append("read")
        except MedUSISError as error:
            told.append(f"{error.code.value}: {error.message}")
        except MemoryError:
            told.append("no memory")
    os.write(1, json.dumps(told).encode())


if __name__ == "__main__":
    main()
