"""What a person reads for each stage of the work; the names are those that the engine emits."""

from __future__ import annotations

PREPARING_INPUTS = "preparing the inputs"
LOADING_RESULT = "loading the result"

_TITLES = {
    PREPARING_INPUTS: "Preparing the inputs",
    "reading": "Reading the images",
    "preparing": "Checking the CT and the segmentation",
    "compiling": "Compiling what each pass repeats",
    "synthesizing": "Making the synthetic MR",
    "segmenting": "Segmenting the synthetic MR again, to check it",
    "restoring": "Bringing everything onto the grid of the CT",
    "measuring": "Measuring the quality",
    "reporting": "Making the report",
    "writing": "Writing the result",
    LOADING_RESULT: "Loading the result into the scene",
    "downloading": "Downloading",
    "unpacking": "Unpacking",
    "copying": "Copying",
    "verifying": "Checking every file",
    "finding the head": "Finding the head",
    "applying the intensity rules": "Applying the intensity rules",
    "looking for devices": "Looking for devices",
    "running TotalSegmentator": "Running TotalSegmentator",
}
_SEGMENTATION_TITLES = {"segmenting": "Segmenting the CT"}
_SCAN_TITLES = {
    "finding files": "Looking for files",
    "reading files": "Reading each file",
    "comparing labels and images": "Comparing labels and images",
    "writing": "Writing the table",
}
_TRAINING_TITLES = {
    "preparing the data": "Preparing the data",
    "estimating memory and time": "Estimating memory and time",
    "training": "Training",
    "training: l1": "First phase: the brightness of each tissue",
    "training: discriminator": "First phase: the discriminator looks at your MRs",
    "training: adversarial": "Second phase: towards your MRs",
}
_BATCH_TITLES = {
    "finding cases": "Looking for CTs and their segmentations",
    "reading files": "Reading files whose names say nothing",
    "matching segmentations": "Matching CTs and segmentations",
    "comparing images": "Looking for images that are there twice",
    "synthesizing": "Making the synthetic MRs",
}
_OF_KIND = {
    "segment": _SEGMENTATION_TITLES,
    "scan-dataset": _SCAN_TITLES,
    "train": _TRAINING_TITLES,
    "batch": _BATCH_TITLES,
}


def stage_title(name: str, kind: str = "synthesize") -> str:
    """The title of a stage of a job of that kind; a stage that nobody wrote a title for keeps its name.

    Examples
    --------
    >>> stage_title("synthesizing")
    'Making the synthetic MR'
    >>> stage_title("counting sheep")
    'Counting sheep'
    """
    own = _OF_KIND.get(kind, {})
    if name in own:
        return own[name]
    return _TITLES.get(name) or name[:1].upper() + name[1:]
