"""The leak check: can real and synthetic be told apart without looking at anatomy? If so, the study is refused."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.progress import Progress
from MedUSISLib.study.key import IMAGE_SUFFIX, TRIALS_FOLDER, Key, KeyImage, load_study
from MedUSISLib.study.leak_features import Measured, measure
from MedUSISLib.study.protocol import BLINDED_ROLES, Protocol
from MedUSISLib.study.record import load_record

LEVEL = 0.01
"""A figure that differs between the arms with a smaller p (Holm's correction) is a leak."""

_ORDER_LEVEL = 0.001
_PERMUTATIONS = 299
_NAME = re.compile(r"[0-9a-f]{16}")

# What a finding means, and what to do about it.
_KINDS: Mapping[str, tuple[str, str]] = {
    "FILE_TYPE": ("file type", "write all images in the same format"),
    "FILE_SIZE": ("file size", "give all images the same grid and data type, unpacked, with nothing appended"),
    "FILE_TIME": ("file time", "nothing after a copy: in packages all times are the same; else set them to the same"),
    "FILE_RIGHTS": ("file access rights", "set the rights of all files to the same"),
    "FILE_NAME": ("file names", "use random names of 16 hexadecimal digits"),
    "FILE_ORDER": ("order of the file names", "make the study again: names must be random"),
    "FILE_UNKNOWN": ("files that the key does not know", "remove them from the trials"),
    "FILE_MISSING": ("missing images", "make the study again"),
    "FILE_CHANGED": ("images changed after they were made", "make the study again"),
    "FILE_UNREADABLE": ("images that cannot be read", "make the study again"),
    "PACKING": ("packing of the files", "pack all images the same way, better not at all"),
    "HEADER": ("fields of the header", "write all headers with the same content"),
    "HEADER_TEXT": ("texts in the header", "empty every text field of the header"),
    "PLACE_CODES": ("orientation codes of the header", "write all headers with the same codes"),
    "PLACE": ("position and orientation", "give all images the same origin and axes"),
    "SPACING": ("voxel spacing", "resample all images to the same spacing"),
    "RAW_SPACING": ("voxel spacing in the header", "write the same spacing into all headers"),
    "SIZE": ("number of voxels", "pad or crop all images to the same size"),
    "VOXEL_TYPE": ("data type or scaling of the voxels", "store all images with the same data type, unscaled"),
    "BACKGROUND": ("background value", "set everything outside the body to the same value in all images"),
    "RANGE": ("range of values", "scale all images to the same range"),
    "AIR_NOISE": ("noise in the air around the body", "mask all images with the same rule"),
    "FOREGROUND": ("extent of what is not background", "mask all images with the same rule, for example from the CT"),
    "STEPS": ("steps between grey values", "quantise all images the same way, after spreading coarse steps"),
    "LOWEST": ("lowest grey value inside the body", "set values below a common floor to the background"),
    "HIGHEST": ("highest grey value", "nothing, if it is part of the picture that readers judge"),
    "COMBINED": ("several small differences together", "mask and scale all images with the same rules"),
    "TRIAL_ORDER": ("order of the trials", "make the study again with blocks or another seed"),
    "SIDES": ("side of the real image", "make the study again: sides must be random"),
    "SHARPNESS": ("sharpness", "nothing, if it is part of the picture that readers judge; else resample more coarsely"),
    "TEXTURE": ("texture", "nothing, if it is part of the picture that readers judge"),
    "CONTRAST": ("contrast", "nothing, if it is part of the picture that readers judge"),
}


@dataclass(frozen=True)
class Finding:
    """Something that differs between the arms.

    Attributes
    ----------
    code : str
        A key of the table of kinds, such as "BACKGROUND".
    severity : str
        "leak": the study is refused; "remark": the picture itself, worth knowing.
    what : str
        In which images, counted per arm.
    remedy : str
    """

    code: str
    severity: Literal["leak", "remark"]
    what: str

    @property
    def title(self) -> str:
        """In plain words."""
        return _KINDS[self.code][0]

    @property
    def remedy(self) -> str:
        """What to do."""
        return _KINDS[self.code][1]


@dataclass(frozen=True)
class LeakReport:
    """All findings, leaks first; ``images`` counts what was looked at, per role.

    ``accepted`` are leaks that somebody took responsibility for, with the reason (``record.py``).
    """

    findings: tuple[Finding, ...]
    images: Mapping[str, int]
    accepted: Mapping[Finding, str] = field(default_factory=dict)

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The findings for which the study is refused."""
        return tuple(f for f in self.findings if f.severity == "leak" and f not in self.accepted)

    def raise_if_leaking(self) -> None:
        """Refuse a leaking study.

        Raises
        ------
        MedUSISError
            BAD_SETTING with every leak and what to do about each.
        """
        if self.leaks:
            reasons = "; ".join(f"{leak.title}: {leak.what}" for leak in self.leaks)
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                f"the study leaks: real and synthetic can be told apart without looking ({reasons})",
                "; ".join(dict.fromkeys(leak.remedy for leak in self.leaks)),
            )

    def summary(self) -> dict[str, object]:
        """As plain values, for JSON."""
        rows = [
            {
                "code": f.code,
                "severity": "accepted" if f in self.accepted else f.severity,
                "title": f.title,
                "what": f.what,
                "remedy": f.remedy,
                "reason": self.accepted.get(f, ""),
            }
            for f in self.findings
        ]
        return {"leaking": bool(self.leaks), "images": dict(self.images), "findings": rows}


def check_study(study: str | Path, progress: Progress | None = None) -> LeakReport:
    """Look for everything but the picture that could tell real from synthetic.

    File by file: names, sizes, times, every header field, spacing, size, place, data type, background, range - all of
    which must be the same everywhere. Then, by rank tests with Holm's correction, figures that vary from image to image
    (noise in air, extent, grey steps), and a classifier on all of them together, with a permutation test. Last the
    orders of reading.

    Parameters
    ----------
    study : str or Path
        A study's folder.
    progress : Progress, optional

    Raises
    ------
    MedUSISError
        When the folder is no study.
    """
    study = Path(study)
    progress = progress or Progress()
    protocol, key = load_study(study)
    findings = _file_findings(study, key)
    blinded = [image for image in key.images if image.role in BLINDED_ROLES]
    measured: list[tuple[KeyImage, Measured]] = []
    for number, image in enumerate(blinded):
        progress.checkpoint()
        path = image_path(study, image.name)
        if path is not None:
            try:
                measured.append((image, measure(path)))
            except MedUSISError:
                findings.append(Finding("FILE_UNREADABLE", "leak", f"1 of {len(blinded)} images"))
        progress.step(number + 1, len(blinded))
    findings += _fixed_findings(measured)
    findings += _figure_findings(measured)
    findings += _order_findings(protocol, key)
    findings.sort(key=lambda f: f.severity != "leak")
    record = load_record(study)
    accepted = {f: reason for f in findings if f.severity == "leak" and (reason := record.reason_for(f))}
    return LeakReport(tuple(findings), dict(Counter(image.role for image in key.images)), accepted)


def image_path(study: Path, name: str) -> Path | None:
    """An image of the study, whatever its suffix; None when it is not there."""
    expected = study / TRIALS_FOLDER / f"{name}{IMAGE_SUFFIX}"
    if expected.is_file():
        return expected
    return next(iter(sorted((study / TRIALS_FOLDER).glob(f"{name}.*"))), None)


def _file_findings(study: Path, key: Key) -> list[Finding]:
    import hashlib

    findings = []
    present = {path.name.split(".")[0]: path for path in sorted((study / TRIALS_FOLDER).iterdir())}
    missing = [i for i in key.images if i.name not in present]
    unknown = [name for name in present if name not in key.image_of]
    changed = [
        i
        for i in key.images
        if i.name in present and hashlib.sha256(present[i.name].read_bytes()).hexdigest() != i.sha256
    ]
    for code, images in (("FILE_MISSING", missing), ("FILE_CHANGED", changed)):
        if images:
            findings.append(Finding(code, "leak", _counted(images, key.images)))
    if unknown:
        findings.append(Finding("FILE_UNKNOWN", "leak", f"{len(unknown)} file(s)"))
    if any(not _NAME.fullmatch(name) for name in present):
        findings.append(Finding("FILE_NAME", "leak", "names that are not 16 hexadecimal digits"))
    blinded = sorted((i for i in key.images if i.role in BLINDED_ROLES), key=lambda i: i.name)
    p = order_p([n for n, i in enumerate(blinded) if i.role == "real"], len(blinded))
    if p < _ORDER_LEVEL:
        findings.append(Finding("FILE_ORDER", "leak", f"sorted by name, the arms separate (p = {p:.2g})"))
    return findings


def _counted(images: Sequence[KeyImage], among: Sequence[KeyImage]) -> str:
    """ "3 of 12 real, 0 of 12 synthetic"."""
    whole, part = Counter(i.role for i in among), Counter(i.role for i in images)
    return ", ".join(f"{part[role]} of {whole[role]} {role}" for role in sorted(whole))


def _fixed_findings(measured: Sequence[tuple[KeyImage, Measured]]) -> list[Finding]:
    """Whatever is not the same in all images: even one that differs gives itself away."""
    findings = []
    images = [image for image, _ in measured]
    for code in dict.fromkeys(code for _, m in measured for code in m.fixed):
        groups: dict[object, list[KeyImage]] = defaultdict(list)
        for image, m in measured:
            groups[m.fixed.get(code)].append(image)
        if len(groups) < 2:
            continue
        usual = max(groups.values(), key=len)
        other = [image for image in images if image not in usual]
        values = _values_text(code, groups)
        harmless = code == "FILE_TIME" and not _times_tell(measured)
        findings.append(
            Finding(code, "remark" if harmless else "leak", f"{_counted(other, images)} differ from the others{values}")
        )
    texts = [image for image, m in measured if m.text]
    if texts:
        fields = sorted({name for _, m in measured for name in m.text})
        findings.append(Finding("HEADER_TEXT", "leak", f"{_counted(texts, images)} ({', '.join(fields)})"))
    return findings


def _times_tell(measured: Sequence[tuple[KeyImage, Measured]]) -> bool:
    """Whether the times of the files part the arms. A study that was copied has as many times as files, in an order
    that knows nothing of the arms, and readers never see it: their packages have one time."""
    from scipy.stats import rankdata

    real = np.array([image.role == "real" for image, _ in measured])
    if not 0 < real.sum() < real.size:
        return False
    ranks = rankdata(np.array([m.fixed["FILE_TIME"] for _, m in measured], dtype=np.int64))
    one_each = all(np.unique(ranks[side]).size == 1 for side in (real, ~real))
    return one_each or _separation(ranks, real)[0] < LEVEL


def _values_text(code: str, groups: Mapping[object, Sequence[KeyImage]]) -> str:
    """The values where they are short and harmless; never texts of a header."""
    if code not in ("BACKGROUND", "SPACING", "SIZE", "FILE_SIZE", "RANGE", "FILE_TYPE") or len(groups) > 4:
        return ""
    parts = []
    for value in sorted(groups, key=repr):
        numbers = value if isinstance(value, tuple) else (value,)
        text = " x ".join(f"{n:.6g}" if isinstance(n, float) else str(n) for n in numbers)
        counts = Counter(image.role for image in groups[value])
        parts.append(f"{text} in " + " and ".join(f"{counts[role]} {role}" for role in sorted(counts)))
    return f": {'; '.join(parts)}"


def _figure_findings(measured: Sequence[tuple[KeyImage, Measured]]) -> list[Finding]:
    real = np.array([image.role == "real" for image, _ in measured])
    if not 0 < real.sum() < real.size:
        return []
    findings = []
    names = list(measured[0][1].figures)
    table = np.array([[m.figures[n] for n in names] for _, m in measured], dtype=float)
    tests = sorted((*_separation(table[:, n], real), name) for n, name in enumerate(names))
    for place, (p, auc, name) in enumerate(tests):
        if p * (len(tests) - place) >= LEVEL:
            break
        findings.append(Finding(name, "leak", f"tells the arms apart (AUC {auc:.2f}, p = {p:.2g})"))
    if not findings:
        accuracy, p = _classifier(table, real, [image.case for image, _ in measured])
        if p <= LEVEL:
            findings.append(Finding("COMBINED", "leak", f"a simple rule is right in {accuracy:.0%} (p = {p:.2g})"))
    for name in measured[0][1].picture:
        p, auc = _separation(np.array([m.picture[name] for _, m in measured]), real)
        if p < LEVEL:
            what = f"the pictures themselves differ on the whole (AUC {auc:.2f}, p = {p:.2g})"
            findings.append(Finding(name, "remark", what))
    return findings


def _separation(values: np.ndarray, real: np.ndarray) -> tuple[float, float]:
    """Two-sided p of the Mann-Whitney test, and its AUC turned to .5 or more."""
    from scipy.stats import mannwhitneyu

    # Differences in the last digits of floats are no differences.
    values = np.round(values, 9)
    if np.all(values == values[0]):
        return 1.0, 0.5
    test = mannwhitneyu(values[real], values[~real], alternative="two-sided")
    auc = float(test.statistic) / (int(real.sum()) * int((~real).sum()))
    return float(test.pvalue), max(auc, 1 - auc)


def order_p(places: Sequence[int], count: int) -> float:
    """Two-sided p of the rank test that these places among ``count`` are not spread at random."""
    real = np.zeros(count, dtype=bool)
    real[list(places)] = True
    return _separation(np.arange(count, dtype=float), real)[0] if 0 < real.sum() < count else 1.0


def _classifier(table: np.ndarray, real: np.ndarray, cases: Sequence[str]) -> tuple[float, float]:
    """Balanced accuracy of the nearest class mean, whole cases left out in turn, and its permutation p.

    Figures are ranked first, so that one odd image does not decide the scale. A study of a few images cannot reach a
    small p; then this says nothing.
    """
    from scipy.stats import rankdata

    ranks = np.stack([rankdata(column) for column in table.T], axis=1)
    spread = ranks.std(axis=0)
    ranks = ranks[:, spread > 0] / spread[spread > 0]
    if ranks.shape[1] == 0:
        return 0.5, 1.0
    fold = np.unique(np.asarray(cases), return_inverse=True)[1]
    random = np.random.default_rng(0)
    found = _left_out_accuracy(ranks, real, fold)
    as_good = sum(
        _left_out_accuracy(ranks, random.permutation(real), fold) >= found - 1e-12 for _ in range(_PERMUTATIONS)
    )
    return found, (as_good + 1) / (_PERMUTATIONS + 1)


def _left_out_accuracy(ranks: np.ndarray, real: np.ndarray, fold: np.ndarray) -> float:
    right = np.zeros(real.size, dtype=bool)
    sums = {side: ranks[real == side].sum(axis=0) for side in (True, False)}
    counts = {side: int((real == side).sum()) for side in (True, False)}
    for number in range(int(fold.max()) + 1):
        out = fold == number
        distance = {}
        for side in (True, False):
            left = out & (real == side)
            remaining = counts[side] - int(left.sum())
            mean = (sums[side] - ranks[left].sum(axis=0)) / max(remaining, 1)
            distance[side] = ((ranks[out] - mean) ** 2).sum(axis=1) if remaining else np.full(int(out.sum()), np.inf)
        right[out] = (distance[True] < distance[False]) == real[out]
    return float((right[real].mean() + right[~real].mean()) / 2)


def _order_findings(protocol: Protocol, key: Key) -> list[Finding]:
    findings = []
    for reader in protocol.readers:
        trials = [t for t in key.trials_of(reader) if not t.training]
        if protocol.design == "forced-choice":
            sides = Counter(t.right_answer for t in trials)
            if len(trials) >= 6 and len(sides) == 1:
                findings.append(Finding("SIDES", "leak", f"the same in all trials of reader {reader}"))
            continue
        for session in sorted({t.session for t in trials}):
            mine = [t for t in trials if t.session == session]
            for arm in [a.id for a in protocol.arms]:
                p = order_p([n for n, t in enumerate(mine) if t.stages[0].arm == arm], len(mine))
                if p < _ORDER_LEVEL:
                    what = f"arm {arm} is not spread over session {session} of reader {reader} (p = {p:.2g})"
                    findings.append(Finding("TRIAL_ORDER", "leak", what))
    return findings
