"""``manifest.json``: everything about a generator that its user and the engine need to know, validated."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.small_files import read_small_file
from MedUSISLib.strict_json import parse_json

MANIFEST_NAME = "manifest.json"
MAXIMUM_MANIFEST_BYTES = 4 * 1024 * 1024

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PositiveFloat = Annotated[float, Field(gt=0.0)]
PositiveInt = Annotated[int, Field(gt=0)]
View = Literal["axial", "coronal", "sagittal"]

_WINDOWS_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GridDescription(_Part):
    """The grid that the network was trained on.

    Attributes
    ----------
    spacing_mm : (float, float, float)
        Of the axes i (right to left), j (anterior to posterior) and k (inferior to superior).
    size : (int, int) or (int, int, int)
        Training crop in voxels: the two in-plane axes in the order of ``spacing_mm`` (2D), or i, j, k (3D).
    slice_axis : str
        Which slices a 2D network was trained on. An axial slice is an array [j, i], a coronal one [k, i], a sagittal
        one [k, j]; nothing is flipped.
    views : tuple of str
        Views that three-view mode may average; at least the slice axis.
    """

    spacing_mm: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)
    size: tuple[PositiveInt, PositiveInt] | tuple[PositiveInt, PositiveInt, PositiveInt] = (256, 256)
    orientation: Literal["LPS"] = "LPS"
    slice_axis: View = "axial"
    views: tuple[View, ...] = ("axial",)

    @model_validator(mode="after")
    def _own_axis_is_a_view(self) -> GridDescription:
        if self.slice_axis not in self.views:
            raise ValueError("views must name the slice axis")
        return self


class IntensityDescription(_Part):
    """What the network's [-1, 1] means: -1 is ``minimum``, 1 is ``maximum``, linear between."""

    minimum: float = 0.0
    maximum: float = 1.0
    unit: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> IntensityDescription:
        if not self.maximum > self.minimum:
            raise ValueError("maximum must exceed minimum")
        return self


class NetworkDescription(_Part):
    """Name and arguments for ``MedUSISLib.networks.factory.build_network``."""

    name: Identifier
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class NoiseDescription(_Part):
    """Noise of the generator; ``channels`` 0 is the deterministic variant. ``truncation`` is the recommended bound."""

    channels: int = Field(default=64, ge=0)
    truncation: PositiveFloat = 2.0


class DropoutDescription(_Part):
    """Dropout for the uncertainty passes: its rate, and in how many of the last blocks it sits."""

    rate: float = Field(default=0.0, ge=0.0, lt=1.0)
    blocks: int = Field(default=0, ge=0)


class ReviewThresholds(_Part):
    """Bounds taken from validation; a volume beyond one of them is flagged for review.

    Attributes
    ----------
    uncertainty : float or None
        Highest unremarkable global uncertainty (mean variance inside the body, in the squared intensity unit).
    passes : int or None
        Number of passes that the bound was measured with.
    body_dice : float or None
        Lowest unremarkable Dice between the body of the labels and of the MR.
    """

    uncertainty: PositiveFloat | None = None
    passes: PositiveInt | None = None
    body_dice: float | None = Field(default=None, ge=0.0, le=1.0)


class TrainingData(_Part):
    """One source of training data and by what licence it was used."""

    name: str
    licence: str
    source: str = ""
    use: str = ""
    subjects: int | None = None


class Manifest(_Part):
    """Contents of ``manifest.json``.

    ``settings`` takes what a kind of its own needs (a segmentator's HU rules, the training's iteration count); nothing
    in it changes how a generator is run. ``files`` holds the SHA-256 of every other file of the bundle.

    Examples
    --------
    >>> manifest = Manifest(id="tiny", version="1.0.0", licence="Apache-2.0", modality="T1w MR", body_region="head",
    ...                     schema_id="head", network=NetworkDescription(name="wavelet_generator"))
    >>> manifest.kind, manifest.grid.size, manifest.precision
    ('generator', (256, 256), 'float32')
    """

    format: Literal[1] = 1
    kind: Literal["generator", "segmentator"] = "generator"
    id: Identifier
    version: str = Field(pattern=r"^\d+\.\d+\.\d+([.+-][0-9A-Za-z.+-]+)?$")
    title: str = ""
    created: str = ""
    licence: str
    modality: str
    body_region: str
    schema_id: str
    spatial_dims: Literal[2, 3] = 2
    grid: GridDescription = Field(default_factory=GridDescription)
    intensity: IntensityDescription = Field(default_factory=IntensityDescription)
    network: NetworkDescription
    precision: Literal["float32", "bfloat16"] = "float32"
    noise: NoiseDescription = Field(default_factory=NoiseDescription)
    dropout: DropoutDescription = Field(default_factory=DropoutDescription)
    review: ReviewThresholds = Field(default_factory=ReviewThresholds)
    training_data: tuple[TrainingData, ...] = ()
    results: dict[str, Any] = Field(default_factory=dict)
    intended_use: str = ""
    known_limits: tuple[str, ...] = ()
    settings: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, Sha256] = Field(default_factory=dict)

    @field_validator("files")
    @classmethod
    def _safe_names(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            check_file_name(name)
            if name == MANIFEST_NAME:
                raise ValueError("the manifest cannot hold its own hash")
        return files

    @model_validator(mode="after")
    def _grid_fits_dimensions(self) -> Manifest:
        if len(self.grid.size) != self.spatial_dims:
            raise ValueError("grid.size must have as many numbers as spatial_dims")
        return self

    def to_json(self) -> str:
        """The manifest as readable JSON, ending in a newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def check_file_name(name: str) -> None:
    """Refuse a file name that could leave its folder, on any operating system.

    Raises
    ------
    ValueError
        For absolute names, drive letters, backslashes, ``..``, control characters and names reserved by Windows.
    """
    path = PurePosixPath(name)
    bad = (
        not name
        or name.startswith("/")
        or "\\" in name
        or ":" in name
        or any(ord(character) < 32 for character in name)
        or any(part in ("", ".", "..") or _WINDOWS_RESERVED.match(part) for part in name.split("/"))
        or len(path.parts) > 4
        or len(name) > 200
    )
    if bad:
        raise ValueError("a file name in the bundle is not allowed")


def read_manifest(directory: Path) -> Manifest:
    """Read and validate the manifest of a bundle folder.

    Raises
    ------
    MedUSISError
        GENERATOR_NOT_FOUND without a manifest, GENERATOR_CORRUPT when it is not valid.
    """
    path = Path(directory) / MANIFEST_NAME
    if not path.is_file():
        raise MedUSISError(
            ErrorCode.GENERATOR_NOT_FOUND,
            "the generator has no manifest.json",
            "give the folder of a generator bundle, or the id of an installed one",
            path=path,
        )
    try:
        return Manifest.model_validate(parse_json(read_small_file(path, MAXIMUM_MANIFEST_BYTES)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "manifest"
        reason = f"{where}: {first['msg']}"
    except json.JSONDecodeError:
        reason = "it is no JSON"
    except ValueError as error:
        reason = str(error)
    except OSError as error:
        reason = "larger than 4 MB" if error.errno == errno.EFBIG else "it cannot be read"
    raise MedUSISError(
        ErrorCode.GENERATOR_CORRUPT,
        f"the generator's manifest is not valid ({reason})",
        "install the generator again",
        path=path,
    )
