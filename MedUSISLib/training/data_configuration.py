"""Where the data of a training is: images, label maps, or a dataset, and how slices are drawn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from MedUSISLib.imaging.grid import GridSpec

Split = Literal["train", "validation"]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Size = Annotated[int, Field(gt=0)]
Crop = tuple[Size, Size] | tuple[Size, Size, Size]
FROM_DATASET = "from_dataset"


class Part(BaseModel):
    """A part of a training configuration: no unknown fields, not changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ImageSource(Part):
    """A real MR.

    Attributes
    ----------
    image : Path
        A file, or a folder with a DICOM series.
    person : str
        Pseudonym; images of one person never fall on both sides of the split.
    split : {"train", "validation"}
    weight : float
        How often its person is drawn, relative to others.
    labels, mapping : optional
        Its own label map in its own grid, and what its values mean (``paired``). Without one the image is labelled by
        `head-seg` (``pseudo``) or used without labels (``unpaired``).
    series_uid : str
        Which series, when ``image`` is a folder that holds several DICOM series.
    lesions : Path, optional
        A mask in its own grid, not 0 in lesions: where the lesion-targeting loss looks.
    """

    image: Path
    person: str
    split: Split = "train"
    weight: float = Field(default=1.0, gt=0)
    labels: Path | None = None
    mapping: str = "head"
    series_uid: str = ""
    lesions: Path | None = None


class LabelSource(Part):
    """Labels without an image: a label map, or a head CT (a file, or a folder of DICOM) that `head-seg` labels."""

    person: str
    labels: Path | None = None
    ct: Path | None = None
    mapping: str = "synthseg"
    series_uid: str = ""
    split: Split = "train"

    @model_validator(mode="after")
    def _one_source(self) -> LabelSource:
        if self.labels is None and self.ct is None:
            raise ValueError("give a label map or a CT")
        return self


class DataConfiguration(Part):
    """Where the data is and how slices are drawn from it.

    Attributes
    ----------
    dataset : Path, optional
        A ``dataset.json``, or the folder that holds it, in place of ``images`` and ``label_maps``; it also says
        ``label_schema`` and ``pairing`` where they are not given.
    sequence : str, optional
        Only MRs of this sequence of the dataset ("T1w").
    pairing : {"paired", "pseudo", "unpaired"}
        Whether real images come with labels of their own, with labels by `head-seg`, or with none.
    crop : (int, int) or (int, int, int)
        Rows and columns of a training slice, in voxels of 1 mm; or slices, rows and columns of a box: three numbers
        choose a generator of three dimensions.
    spacing_mm : (float, float, float)
        Of the grid that boxes are cut from: left to right, front to back, bottom to top. Slices are always of 1 mm.
    field_of_view : like ``crop``, optional
        What the finished generator is given in one piece, if more than the crop; the network is fully convolutional,
        and what a head leaves over is background.
    views : dict
        Share of axial, coronal and sagittal slices; the latter two only from volumes with thin slices.
    merge_classes : float
        Probability with which each class of a slice is replaced by its coarser one.
    public : bool
        Whether the finished bundle may name the people (their pseudonyms) and show their real slices.
    """

    dataset: Path | None = None
    sequence: str | None = None
    label_schema: str = "head"
    pairing: Literal["paired", "pseudo", "unpaired", "from_dataset"] = "pseudo"
    images: tuple[ImageSource, ...] = ()
    label_maps: tuple[LabelSource, ...] = ()
    crop: Crop = (256, 256)
    spacing_mm: tuple[Positive, Positive, Positive] = (1.0, 1.0, 1.0)
    field_of_view: Crop | None = None
    views: dict[Literal["axial", "coronal", "sagittal"], NonNegative] = {"axial": 1.0}
    merge_classes: float = Field(default=0.15, ge=0, le=1)
    public: bool = False
    bottom_mm: float = Field(default=200.0, description="slices further below the vertex than this are not used")

    @property
    def sources(self) -> tuple[ImageSource | LabelSource, ...]:
        """Images and label maps."""
        return (*self.images, *self.label_maps)

    @property
    def spatial_dims(self) -> int:
        """2 for slices, 3 for boxes."""
        return len(self.crop)

    @property
    def window(self) -> Crop:
        """What the finished generator is given in one piece."""
        return self.field_of_view or self.crop

    @property
    def grid_spec(self) -> GridSpec:
        """The grid that cases are prepared on: 1 mm in the plane and slices as they are, or that of the boxes."""
        return GridSpec(spacing_mm=self.spacing_mm, size_ij=None, isotropic=self.spatial_dims == 3)

    @model_validator(mode="after")
    def _one_dimension(self) -> DataConfiguration:
        if self.field_of_view is not None and len(self.field_of_view) != len(self.crop):
            raise ValueError("field_of_view has as many numbers as crop")
        if self.spatial_dims == 2 and self.spacing_mm != (1.0, 1.0, 1.0):
            raise ValueError("spacing_mm is for boxes (three numbers in crop); slices are of 1 mm")
        if self.field_of_view is not None and any(a < b for a, b in zip(self.field_of_view, self.crop, strict=True)):
            raise ValueError("field_of_view is smaller than crop")
        if not any(self.views.values()):
            raise ValueError("views needs a share above 0")
        return self

    @model_validator(mode="before")
    @classmethod
    def _said_by_the_dataset(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("dataset"):
            return {"label_schema": FROM_DATASET, "pairing": FROM_DATASET, **content}
        return content

    @model_validator(mode="after")
    def _one_origin(self) -> DataConfiguration:
        if self.dataset is not None and (self.images or self.label_maps):
            raise ValueError("give a dataset, or images and label maps, not both")
        if self.dataset is None and (self.sequence or FROM_DATASET in (self.label_schema, self.pairing)):
            raise ValueError("sequence and from_dataset need a dataset")
        return self

    @model_validator(mode="after")
    def _split_by_person(self) -> DataConfiguration:
        split_of: dict[str, str] = {}
        for source in self.sources:  # labels of somebody who is judged on are his anatomy
            if split_of.setdefault(source.person, source.split) != source.split:
                raise ValueError("images and label_maps: one person is in both train and validation; split by person")
        return self
