"""What a prepared case depends on, as a key: the content of its files and the settings, never a name or a date."""

from __future__ import annotations

import hashlib
from pathlib import Path

from MedUSISLib.anatomy.mapping import load_mapping
from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.imaging.grid import GridSpec
from MedUSISLib.imaging.source_files import source_files
from MedUSISLib.training.data_configuration import ImageSource, LabelSource

#: Of the preparation: another one when it gives other arrays for the same files.
_VERSION = 3
#: 1 mm in the plane, slices as they are.
IN_PLANE = GridSpec(size_ij=None)


def image_key(source: ImageSource, schema: LabelSchema, spec: GridSpec = IN_PLANE) -> str:
    """Of an MR with its labels and lesions.

    Raises
    ------
    MedUSISError
        ``INPUT_NOT_READABLE`` for a file that is not there.
    """
    key = _Key()
    key.file(source.image, "a training MR", source.series_uid)
    if source.labels is None:
        key.text("")
        key.text(_meaning(None, schema))
        key.text(_network_hash())
    else:
        key.file(source.labels, "a training label map")
        key.text(_meaning(source.mapping, schema))
        key.text("")
    if source.lesions is not None:
        key.text("lesions")
        key.file(source.lesions, "a lesion mask")
    return key.of_grid(spec)


def labels_key(source: LabelSource, schema: LabelSchema, spec: GridSpec = IN_PLANE) -> str:
    """Of labels without an image; see `image_key`."""
    file = source.labels or source.ct
    assert file is not None
    network = _network_hash() if source.labels is None else ""
    whole_head = source.mapping == "synthseg"
    key = _Key()
    key.file(file, "training labels or a training CT", source.series_uid)
    key.text(_meaning(None if network or whole_head else source.mapping, schema))
    key.text(str(whole_head))
    key.text(network)
    return key.of_grid(spec)


class _Key:
    def __init__(self) -> None:
        self._digest = hashlib.sha256(f"v{_VERSION}".encode())

    def text(self, text: str) -> None:
        self._digest.update(text.encode() + b"\0")

    def file(self, path: Path, role: str, series_uid: str = "") -> None:
        """Content of a file, or of all files of a series in an order that does not depend on their names."""
        try:
            files = source_files(path, series_uid)
            if not all(one.is_file() for one in files):  # a pipe would be waited for, a device read without end
                raise OSError
            if len(files) == 1:
                self._content(files[0])
            else:
                self.text(" ".join(sorted(_hash_of(one) for one in files)))
        except OSError:
            raise MedUSISError(
                ErrorCode.INPUT_NOT_READABLE,
                f"{role} cannot be read",
                "is the file where the configuration says?",
                path,
            ) from None
        self._digest.update(b"\0")

    def _content(self, path: Path) -> None:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                self._digest.update(block)

    def of_grid(self, spec: GridSpec) -> str:
        if spec != IN_PLANE:
            self.text(repr(spec))
        return self._digest.hexdigest()[:20]


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _meaning(mapping: str | None, schema: LabelSchema) -> str:
    """What label values become: an edited table or schema makes the prepared case another one."""
    table = "" if mapping is None else repr(load_mapping(mapping, schema).entries)
    return schema.model_dump_json() + table


def _network_hash() -> str:
    """Of the weights alone: a corrected model card is no reason to label everything again."""
    from MedUSISLib.generators.bundle import load_bundle
    from MedUSISLib.segmentation.segment import HEAD_SEG

    return "".join(hash for name, hash in load_bundle(HEAD_SEG).manifest.files.items() if name.startswith("weights"))
