"""Which segmentation belongs to which CT. Nobody is guessed for: what fits equally well is told, and left alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from MedUSISLib.batch.bids import belongs
from MedUSISLib.batch.candidates import Ct, OtherImage, Segmentation
from MedUSISLib.batch.case import CaseProblem
from MedUSISLib.batch.grids import Grids, is_copy
from MedUSISLib.batch.name_words import Words, is_part_of, own_words, shorter, without_sequences
from MedUSISLib.batch.problems import problem
from MedUSISLib.batch.voxel_owners import VoxelOwners
from MedUSISLib.dataset.grid_partners import partners_by_grid
from MedUSISLib.progress import Progress


class Fit(IntEnum):
    """How well a segmentation fits a CT."""

    GRID = 1
    """Only its grid says so."""
    PART_OF_NAME = 2
    """One's name is a part of the other's, and they lie in the same place."""
    FRAME = 3
    """A DICOM object in the CT's frame of reference."""
    NAME = 4
    """The same names and folders, but for the words for CT and labels."""
    REFERENCE = 5
    """A DICOM object that was made for this very series."""


@dataclass(frozen=True)
class _Offer:
    fit: Fit
    segmentation: Segmentation

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """What is plainly better than something else; names alone (`Fit`) do not make one better."""
        one = self.segmentation
        return self.fit is Fit.REFERENCE, self.fit > Fit.GRID, not (one.partial or one.other_modality)


class Matcher:
    """Finds the segmentation of each CT.

    Parameters
    ----------
    cts, segmentations, others
        What lies in the tree.
    other_series : set of str
        DICOM series that are there and are no CT: their segmentations are not a CT's.
    grids : Grids
    problems : list of CaseProblem
        Gets everything that found no partner, or several.
    """

    def __init__(
        self,
        cts: Sequence[Ct],
        segmentations: Sequence[Segmentation],
        others: Sequence[OtherImage],
        other_series: set[str],
        grids: Grids,
        problems: list[CaseProblem],
    ) -> None:
        self._cts = cts
        self._segmentations = segmentations
        self._others = others
        self._other_series = other_series
        self._grids = grids
        self._problems = problems
        self._owners = VoxelOwners((ct.files for ct in cts), grids)
        self._by_words: dict[Words, list[Ct]] = defaultdict(list)
        self._by_word: dict[str, set[int]] = defaultdict(set)
        self._by_series = {ct.series: ct for ct in cts if ct.series}
        self._by_frame: dict[str, list[Ct]] = defaultdict(list)
        self._by_subject: dict[str, list[Ct]] = defaultdict(list)
        self._others_by_words: dict[Words, list[OtherImage]] = defaultdict(list)
        for number, ct in enumerate(cts):
            self._by_words[ct.words].append(ct)
            for word in ct.words:
                self._by_word[word].add(number)
            if ct.frame:
                self._by_frame[ct.frame].append(ct)
            if ct.entities:
                self._by_subject[ct.entities["sub"]].append(ct)
        for other in others:
            self._others_by_words[without_sequences(other.words)].append(other)

    def match(self, progress: Progress) -> dict[str, Segmentation | None]:
        """The segmentation of each CT by the CT's key, None where there is none; CTs with several are left out."""
        offers: dict[str, list[_Offer]] = defaultdict(list)
        lonely = []
        for number, one in enumerate(self._segmentations, start=1):
            progress.checkpoint()
            fitting = self._fitting(one)
            if fitting:
                best = max(fit for fit, _ in fitting)
                self._offer(one, best, [ct for fit, ct in fitting if fit is best], offers)
            elif fitting is not None:
                lonely.append(one)
            progress.step(number, len(self._segmentations))
        self._offer_by_grid(lonely, offers)
        chosen: dict[str, Segmentation | None] = {}
        for ct in self._cts:
            found = offers.get(ct.key, [])
            if not found:
                chosen[ct.key] = None
            elif (best_one := self._best(ct, found)) is not None:
                chosen[ct.key] = best_one
        return chosen

    def _fitting(self, one: Segmentation) -> list[tuple[Fit, Ct]] | None:
        """CTs that a segmentation may be of; None when it was told already that it is of none."""
        if one.is_object and (one.refers_to or one.frames):
            return self._fitting_object(one)
        if one.entities and self._by_subject:
            return self._fitting_bids(one)
        equal = [ct for ct in self._by_words.get(one.words, []) if self._not_of_another(one, ct)]
        if equal:
            return [(Fit.NAME, ct) for ct in equal]
        return [(Fit.PART_OF_NAME, ct) for ct in self._with_part_of_name(one) if self._not_of_another(one, ct)]

    def _fitting_object(self, one: Segmentation) -> list[tuple[Fit, Ct]] | None:
        named = [self._by_series[uid] for uid in sorted(one.refers_to) if uid in self._by_series]
        if named:
            return [(Fit.REFERENCE, ct) for ct in named]
        if one.refers_to & self._other_series:
            self._tell("OTHER_IMAGE", one, "a DICOM object that was made for a series that is no case")
            return None
        framed = [ct for uid in sorted(one.frames) for ct in self._by_frame.get(uid, [])]
        same_study = [ct for ct in framed if ct.study == one.study]
        if framed:
            return [(Fit.FRAME, ct) for ct in same_study or framed]
        files = [ct for ct in self._by_words.get(one.words, []) if not ct.series]
        if files:
            return [(Fit.NAME, ct) for ct in files]
        self._tell("OTHER_IMAGE", one, "a DICOM object that was made for a series that is not here")
        return None

    def _fitting_bids(self, one: Segmentation) -> list[tuple[Fit, Ct]]:
        found = [(belongs(one.entities, ct.entities), ct) for ct in self._by_subject.get(one.entities["sub"], [])]
        plain = [(Fit.NAME, ct) for degree, ct in found if degree == 2 and self._not_of_another(one, ct)]
        return plain or [
            (Fit.PART_OF_NAME, ct) for degree, ct in found if degree == 1 and self._grids.same(one.files, ct.files)
        ]

    def _not_of_another(self, one: Segmentation, ct: Ct) -> bool:
        """False when the grids say that it is the segmentation of an MR with the same name, or its name says so."""
        rivals = self._others_by_words.get(without_sequences(ct.words), [])
        if not one.other_modality and not rivals:
            return True
        if self._grids.same(one.files, ct.files):
            return True
        return not one.other_modality and not any(self._grids.same(one.files, rival.files) for rival in rivals)

    def _with_part_of_name(self, one: Segmentation) -> list[Ct]:
        numbers = set.intersection(*(self._by_word.get(word, set()) for word in one.words)) if one.words else set()
        longer = [self._cts[number] for number in sorted(numbers) if is_part_of(one.words, self._cts[number].words)]
        fewer = [ct for words in sorted(shorter(one.words)) for ct in self._by_words.get(words, [])]
        return [ct for ct in (*fewer, *longer) if self._is_near(one, ct)]

    def _is_near(self, one: Segmentation, ct: Ct) -> bool:
        """The same voxels of a scanner; or in one person's folder, without a number that only one has.

        ``Anna_ct`` and ``Anna_Maria_seg`` are two people, ``Anna/ct`` and ``Anna/Maria_seg`` are not.
        """
        if self._grids.proven(one.files, ct.files):
            return True
        fewer, more = sorted(
            ((one.words, _folder(one.name)), (ct.words, _folder_of(ct))), key=lambda pair: len(pair[0])
        )
        extra = [word for word in more[0] if word not in fewer[0]]
        if any(character.isdigit() for word in extra for character in word) or self._grids.apart(one.files, ct.files):
            return False
        return _nested(fewer[1], more[1]) and own_words(fewer[1], folder_only=True) == fewer[0]

    def _offer(self, one: Segmentation, fit: Fit, cts: Sequence[Ct], offers: dict[str, list[_Offer]]) -> None:
        if fit in (Fit.NAME, Fit.PART_OF_NAME) and self._owners.is_of_another(one.files, [ct.files for ct in cts]):
            # CTres.nii.gz beside CT.nii.gz, and SEG.nii.gz on its grid: as if nothing were called CT alone
            kin = [ct for ct in self._with_part_of_name(one) if self._grids.same(one.files, ct.files)]
            if len(kin) != 1:
                self._tell("NAME_AGAINST_VOXELS", one, "its name says one CT, but it lies on the voxels of another")
                return
            fit, cts = Fit.GRID, kin
        if len(cts) > 1 and fit is not Fit.REFERENCE:
            same = _of_one_person(one, [ct for ct in cts if self._grids.same(one.files, ct.files)])
            if not same:
                self._tell("SEVERAL_CTS", one, f"it fits {len(cts)} CTs")
                return
            if len(same) > 1:
                self._tell("SHARED_SEGMENTATION", one, f"it was taken for {len(same)} CTs")
            cts = same
        if fit in (Fit.GRID, Fit.FRAME):
            code = "PAIRED_BY_GRID" if fit is Fit.GRID else "PAIRED_BY_FRAME"
            self._tell(code, one, "nothing else says that it belongs to the CT that it was given to")
        for ct in cts:
            offers[ct.key].append(_Offer(fit, one))

    def _offer_by_grid(self, lonely: Sequence[Segmentation], offers: dict[str, list[_Offer]]) -> None:
        """What names do not settle: the one CT of exactly that grid, where the grid is a scanner's."""
        if not lonely:
            return
        roles = ["ct"] * len(self._cts) + ["mr"] * len(self._others) + ["labels"] * len(lonely)
        people = ["of images"] * (len(self._cts) + len(self._others)) + ["of labels"] * len(lonely)
        everything: list[Ct | OtherImage | Segmentation] = [*self._cts, *self._others, *lonely]
        partners = partners_by_grid(roles, people, [self._grids.of(one.files) for one in everything])
        silent_cts: dict[str, list[Ct]] = defaultdict(list)
        for ct in self._cts:
            if ct.silent:
                silent_cts[_folder(ct.name)].append(ct)
        first = len(self._cts) + len(self._others)
        for position, one in enumerate(lonely):
            partner = partners.get(first + position)
            beside = silent_cts[_folder(one.name)] if one.silent else []
            # Labels of the same grid in BIDS are told apart by their entities, and those said no.
            if partner is not None and partner < len(self._cts) and not one.entities:
                self._offer(one, Fit.GRID, [self._cts[partner]], offers)
            elif len(beside) == 1 and self._grids.same(one.files, beside[0].files):
                self._offer(one, Fit.GRID, beside, offers)
            elif one.entities and self._by_subject.get(one.entities["sub"]):
                self._tell("OTHER_IMAGE", one, "it belongs to another image of the same person")
            elif partner is not None or without_sequences(one.words) in self._others_by_words:
                self._tell("OTHER_IMAGE", one, "it belongs to an image that is no CT")
            else:
                self._tell("NO_CT", one, "no CT was found that it belongs to")

    def _best(self, ct: Ct, offers: Sequence[_Offer]) -> Segmentation | None:
        """The one that is plainly better than the others; None, and told, where there is none."""
        top = max(offer.rank for offer in offers)
        best = _without_copies([offer.segmentation for offer in offers if offer.rank == top])
        if len(best) > 1 and sum(one.approved for one in best) == 1:
            best = [one for one in best if one.approved]
        if len(best) > 1:
            self._problems.append(
                problem("SEVERAL_SEGMENTATIONS", ct.name, f"{len(best)} segmentations fit this CT equally well")
            )
            for one in best:
                self._tell("ONE_OF_SEVERAL", one, f"one of {len(best)} that fit the same CT equally well")
            return None
        for offer in offers:
            if offer.segmentation is not best[0]:
                self._tell("FURTHER_SEGMENTATION", offer.segmentation, "another one was taken for this CT")
        return best[0]

    def _tell(self, code: str, one: Segmentation, what: str) -> None:
        self._problems.append(problem(code, one.name, what))


def _without_copies(found: Sequence[Segmentation]) -> list[Segmentation]:
    """Files with the same bytes count once."""
    if len(found) < 2 or any(not one.path.is_file() for one in found):
        return list(found)
    kept: list[Segmentation] = []
    for one in found:
        if not any(is_copy(one.path, other.path) for other in kept):
            kept.append(one)
    return kept


def _of_one_person(one: Segmentation, cts: list[Ct]) -> list[Ct]:
    """CTs of the same voxels that may share a segmentation: a grid of a template is that of many people.

    All in one folder, or in folders within that of the segmentation; else only those beside it.
    """
    if len({_folder_of(ct) for ct in cts}) <= 1:
        return cts
    return [ct for ct in cts if _folder(one.name) and _nested(_folder(one.name), _folder_of(ct))]


def _nested(a: str, b: str) -> bool:
    """True when one folder is the other, or lies in it."""
    return a == b or a.startswith(b + "/") or b.startswith(a + "/")


def _folder_of(ct: Ct) -> str:
    return ct.name if ct.series else _folder(ct.name)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]
