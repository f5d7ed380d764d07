"""The methods paragraph: what was done with which formula, for the paper and for those who check it."""

from __future__ import annotations

from collections.abc import Callable

from MedUSISLib.study.analysis.contrast import GAP_MM, SHELL_MM
from MedUSISLib.study.analysis.results import StudyResults

REFERENCES = {
    "clopper": "Clopper, Pearson. Biometrika 26 (1934) 404-413.",
    "or": "Obuchowski, Rockette. Commun. Stat. Simul. Comput. 24 (1995) 285-308.",
    "hillis": "Hillis. Stat. Med. 26 (2007) 596-619.",
    "chen": "Chen, Gong, Gallas. J. Med. Imaging 5 (2018) 031410.",
    "tost": "Schuirmann. J. Pharmacokinet. Biopharm. 15 (1987) 657-680.",
    "hautus": "Hautus. Behav. Res. Methods 27 (1995) 46-51.",
    "green": "Green, Swets. Signal Detection Theory and Psychophysics (1966).",
    "bamber": "Bamber. J. Math. Psychol. 12 (1975) 387-415.",
    "chakraborty": "Chakraborty, Berbaum. Med. Phys. 31 (2004) 2313-2330.",
    "zhai": "Chakraborty, Zhai. Med. Phys. 43 (2016) 2548-2557.",
    "bunch": "Bunch, Hamilton, Sanderson, Simmons. Proc. SPIE 127 (1977) 124-135.",
    "mcnemar": "McNemar. Psychometrika 12 (1947) 153-157.",
    "wilcoxon": "Wilcoxon. Biometrics Bull. 1 (1945) 80-83.",
    "fleiss": "Fleiss. Psychol. Bull. 76 (1971) 378-382.",
    "cohen": "Cohen. Educ. Psychol. Meas. 20 (1960) 37-46.",
    "gwet": "Gwet. Br. J. Math. Stat. Psychol. 61 (2008) 29-48.",
    "krippendorff": "Krippendorff. Content Analysis, 3rd ed. (2013), ch. 12.",
    "icc": "McGraw, Wong. Psychol. Methods 1 (1996) 30-46.",
}


def methods(results: StudyResults) -> tuple[list[str], list[str]]:
    """Paragraphs, and the references that they name."""
    used: list[str] = []

    def cite(*names: str) -> str:
        for name in names:
            if name not in used:
                used.append(name)
        return " [" + ", ".join(str(used.index(name) + 1) for name in names) + "]"

    paragraphs = [_design(results)]
    percent = f"{100 * results.confidence:g} %"
    if results.visual_turing is not None or results.forced_choice is not None:
        paragraphs.append(
            f"Shares right of single readers have exact Clopper-Pearson {percent} intervals and two-sided exact "
            f"binomial tests{cite('clopper')}. Over readers and cases "
            + (
                "the balanced accuracy, (share of real called real + share of synthetic called synthetic) / 2, "
                if results.visual_turing is not None
                else "the share right "
            )
            + "was analysed as the mean over readers with the single-test standard error and degrees of freedom of "
            f"Obuchowski, Rockette and Hillis, random readers and random cases{cite('or', 'hillis', 'chen')}; the "
            "covariance over cases by the jackknife, images of one patient being left out together. It was tested "
            f"against 1/2, and by two one-sided tests for equivalence with 1/2 within ±{results.margin:g}, a margin "
            f"fixed in the protocol before the first reading{cite('tost')}: equivalence is shown when the "
            f"{100 * (2 * results.confidence - 1):g} % interval lies within the margin."
        )
    if results.visual_turing is not None:
        paragraphs.append(
            'An answer "unsure" counts half over readers and cases and is left out of the counts of single readers, '
            f"where it is told apart. d' = z(hits) - z(false alarms), counts + 0.5 over totals + 1{cite('hautus')}. "
            'The ROC curve is that of the confidence, negative for the answer "real", 0 for "unsure"; its area is the '
            f"Wilcoxon statistic{cite('bamber')}."
        )
    if results.forced_choice is not None:
        paragraphs.append(f"Forced choice: d' = sqrt(2) z(share right){cite('green')}.")
    if results.lesion_reading is not None:
        paragraphs += _lesion_methods(results, percent, cite)
    if results.agreement:
        paragraphs.append(
            f"Agreement between readers: Fleiss's kappa{cite('fleiss')}, Gwet's AC1, which does not fall when nearly "
            f"all cases are of one kind{cite('gwet')}, and Krippendorff's alpha with a bootstrap interval"
            f"{cite('krippendorff')}; of two readers, and of a reader with his own earlier answer to the same trial, "
            f"Cohen's kappa{cite('cohen')}; of numbers the intraclass correlation for absolute agreement{cite('icc')}."
        )
    paragraphs.append(
        "Training trials are not analysed; of trials that were shown twice the first answer is. Of an answer that was "
        "corrected the newest counts. The analysis over readers and cases takes the readers who answered everything; "
        "the others are in the tables of single readers. p-values are two-sided and not corrected for their number."
    )
    return paragraphs, [REFERENCES[name] for name in used]


def _design(results: StudyResults) -> str:
    design = {
        "single": "single images, each answered real, synthetic or unsure",
        "forced-choice": "pairs of a real and a synthetic image of one patient, the side drawn by lot",
        "crossed": "lesion reading, every case in every arm",
        "sequential": "lesion reading, sequential: the answer without aid was locked before the aid appeared",
        "crossover": "lesion reading, crossover with washout between sessions",
    }[results.design]
    display = results.protocol["display"]
    rule, hit = results.protocol["lesion_rule"], results.protocol["hit_rule"]
    text = (
        f"Design: {design}; {display['mode']}s, {display['plane']} plane. All images were brought to one grid, grey "
        "scale, floor, background and file form; a check looked for differences between real and synthetic other than "
        "the picture. The order was drawn for each reader, balanced over arms, lesion status and strata."
    )
    if results.kind == "lesion-reading":
        where = "inside the lesion" if hit["kind"] == "inside" else f"within {hit['radius_mm']:g} mm of the lesion"
        text += (
            f" A lesion is a component of the mask ({rule['connectivity']} neighbours, at least "
            f"{rule['smallest_mm3']:g} mm³). A mark hits when it is {where}; each mark hits at most one lesion and "
            "each lesion is hit at most once, by the pairing with most hits, then the surest marks, then the nearest; "
            "a second mark on a lesion is neither hit nor false mark."
        )
    return text


def _lesion_methods(results: StudyResults, percent: str, cite: Callable[..., str]) -> list[str]:
    found = results.lesion_reading
    assert found is not None
    jafroc = found.comparisons.get("jafroc")
    figure = jafroc.title if jafroc is not None else "area under the weighted AFROC curve"
    return [
        f"Shares of lesions and cases have exact {percent} intervals, which take lesions of one case for independent"
        f"{cite('clopper')}. Figures of merit: the area under the empirical ROC curve of the confidence"
        f"{cite('bamber')}; JAFROC's, the {figure}{cite('chakraborty', 'zhai')}; the share of lesions "
        "found; false marks per case; cases called right; marks "
        "per case. Arms were compared by the analysis of Obuchowski and Rockette with Hillis's degrees of freedom for "
        f"random readers and random cases, covariances by the jackknife over cases{cite('or', 'hillis')}. FROC curves"
        f"{cite('bunch')} of all readers together count every reader's cases. Within readers: McNemar's exact test on "
        f"lesions{cite('mcnemar')}, Wilcoxon's exact signed rank test on marks per case{cite('wilcoxon')}.",
        "Contrast: CNR = |mean(lesion) - mean(background)| / SD(background), background being a shell from "
        f"{GAP_MM:g} to {SHELL_MM:g} mm around the lesion within the body; the ratio is mean(lesion) / "
        "mean(background). Both are of the trial images, whose grey scale runs between percentiles of the body: they "
        "compare images of this study only. CT is in HU and has no ratio.",
    ]
