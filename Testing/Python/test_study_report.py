"""A whole study by the command line, its report, leaks that are accepted, and readers who join."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from study_example import SECRET, lesion_protocol, turing_protocol, write_cases
from study_readers import CLOSING, lesion_reader, read, run, turing_reader

from MedUSISLib.errors import MedUSISError
from MedUSISLib.jobs.specification import JobSpecification
from MedUSISLib.progress import Progress
from MedUSISLib.study.analysis.analyse import analyse
from MedUSISLib.study.analysis.results import StudyResults, load_results
from MedUSISLib.study.building import new_study
from MedUSISLib.study.key import load_study
from MedUSISLib.study.leaks import check_study
from MedUSISLib.study.package import write_package
from MedUSISLib.study.protocol import Arm
from MedUSISLib.study.record import load_record
from MedUSISLib.study.report.report import report_html, write_report
from MedUSISLib.study.versioned import to_json

pytestmark = pytest.mark.usefixtures("same_secrets")
ARMS = (Arm(id="ct", panels=("ct",)), Arm(id="ct-synthetic", panels=("ct", "synthetic")))


class Page(HTMLParser):
    """What a browser would load, and the text that a person reads."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.tables = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "data", "action")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cases(tmp_path_factory.mktemp("hospital"), 7)


@pytest.fixture(scope="module")
def study(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("turing") / "study"
    new_study(table, turing_protocol(), out, secret=SECRET)
    return out


@pytest.fixture(scope="module")
def answers(study: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, key = tmp_path_factory.mktemp("answers"), load_study(study)[1]
    return [read(study, r, folder / f"{r}.sqlite", turing_reader(key, n, 0.7)) for n, r in enumerate(("R1", "R2"))]


@pytest.fixture(scope="module")
def results(study: Path, answers: list[Path]) -> StudyResults:
    return analyse(study, answers)


def checked(html: str) -> Page:
    """Self-contained, without a name, an identity of a case, or a path."""
    page = Page(html)
    assert all(value.startswith("data:image/png;base64,") for value in page.loaded) and page.loaded
    assert "script" not in page.tags and "link" not in page.tags and "default-src 'none'" in html
    for word in ("Doe", "Jane", SECRET, "/tmp", ".sqlite", "nan", "None"):
        assert word not in page.text, word
    assert not re.search(r"\bC\d{3}\b", page.text)
    return page


def test_the_report_of_a_visual_turing_test(results: StudyResults, tmp_path: Path) -> None:
    path = write_report(results, tmp_path / "new")
    page = checked(path.read_text(encoding="utf-8"))
    found = results.visual_turing
    assert found is not None and found.accuracy is not None
    for part in ("Main result", "Over readers and cases", "Each reader", "Strata", "Agreement", "Response times",
                 "Closing form", "Blinding", "Methods", "References"):  # fmt: skip
        assert part in page.text, part
    counts = found.readers[0].correct
    assert f"{counts.count} of {counts.total} ({100 * counts.count / counts.total:.0f} %)" in page.text
    assert results.protocol_sha256 in page.text and results.software["scipy"] in page.text
    assert found.accuracy.sentence[1:] in page.text
    assert CLOSING["remarks"] in page.text and "<b>here</b>" not in path.read_text(encoding="utf-8")
    assert page.text.count("Clopper") >= 2 and "not for readers who are not done" in page.text
    assert sum(tag == "img" for tag in page.tags) == 4  # readers, ROC, agreement, times


def test_the_report_of_a_lesion_reading(table: Path, tmp_path: Path) -> None:
    new_study(table, lesion_protocol(arms=ARMS), tmp_path / "study", secret=SECRET)
    key = load_study(tmp_path / "study")[1]
    find = {"ct": 0.4, "ct-synthetic": 0.8}
    paths = [
        read(tmp_path / "study", r, tmp_path / f"{r}.sqlite", lesion_reader(key, n, find, 0.5))
        for n, r in enumerate(("R1", "R2"))
    ]
    page = checked(report_html(analyse(tmp_path / "study", paths)))
    for part in ("The arms compared", "Operating characteristics", "Each reader in each arm", "Marks by category",
                 "Contrast of what was marked", "McNemar", "FROC", "JAFROC"):  # fmt: skip
        assert part in page.text, part
    assert sum(tag == "img" for tag in page.tags) >= 8

    def nothing(now: object) -> dict[str, object]:
        return {"present": "no", "confidence": 0.0, "marks": []}

    empty = analyse(tmp_path / "study", [read(tmp_path / "study", "R1", tmp_path / "q.sqlite", nothing)])
    assert "Nobody marked anything" in checked(report_html(empty)).text


def test_the_report_says_how_much_the_leak_check_could_find(results: StudyResults) -> None:
    def blinding(**images: int) -> str:
        looked = results.leak_check.model_copy(update={"images": images})
        return Page(report_html(results.model_copy(update={"leak_check": looked}))).text

    assert "With fewer than 12 images of an arm" in blinding(real=40, synthetic=7)
    assert "With fewer than" not in blinding(real=40, synthetic=40)
    assert "are not compared in this study" in blinding(real=40, ct=40)


def test_an_interim_report_says_so(study: Path, answers: list[Path]) -> None:
    text = Page(report_html(analyse(study, answers[:1]))).text
    assert (
        "this is an interim result" in text and "Reader R2 answered nothing" in text and "1 of 2 readers done" in text
    )


def test_a_whole_study_by_the_command_line(table: Path, tmp_path: Path) -> None:
    protocol = tmp_path / "protocol.json"
    protocol.write_text(to_json(turing_protocol(readers=("R1",))), encoding="utf-8")
    study = tmp_path / "study"
    assert "no leak was found" in run("new", table, "--protocol", protocol, "--out", study)
    key = load_study(study)[1]
    read(study, "R1", tmp_path / "R1.sqlite", turing_reader(key, 0, 0.8))
    out = tmp_path / "results"
    said = run("analyse", study, "--answers", tmp_path / "R1.sqlite", "--out", out)
    assert "balanced accuracy" in said and "ONE_READER" in said
    assert sorted(p.name for p in out.iterdir() if p.name[0] != ".") == ["figures", "report.html", "results.json"]
    assert load_results(out).materials.analysed == 12
    names = {path.name for path in (out / "figures").iterdir()}
    assert names == {f"{name}.{kind}" for name in ("readers", "roc", "agreement", "times") for kind in ("png", "svg")}
    assert "share right" in (out / "figures" / "readers.svg").read_text(encoding="utf-8")
    checked((out / "report.html").read_text(encoding="utf-8"))


def test_the_jobs_of_the_administrator(table: Path, tmp_path: Path) -> None:
    class Listener(Progress):
        stages: list[str] = []

        def stage(self, name: str) -> None:
            self.stages.append(name)

    def do(kind: str, **parameters: object) -> dict[str, object]:
        job = JobSpecification(kind=kind, parameters=json.loads(json.dumps(parameters, default=str)))
        summary: dict[str, object] = job.job_kind().implementation()(job.request(), Listener()).summary()
        return summary

    (tmp_path / "p.json").write_text(to_json(turing_protocol()), encoding="utf-8")
    made = do("new-study", table=table, protocol=str(tmp_path / "p.json"), out=tmp_path / "study")
    assert made["trials"] == 32 and Path(str(made["key"])).is_file()
    key = load_study(tmp_path / "study")[1]
    answers = [read(tmp_path / "study", "R1", tmp_path / "R1.sqlite", turing_reader(key, 1, 0.6))]
    done = do("analyse-study", study=tmp_path / "study", answers=[str(a) for a in answers], out=tmp_path / "out")
    assert Path(str(done["report"])).is_file() and done["complete_readers"] == 1 and done["headline"]
    assert {"write the trials", "check for leaks", "read the answers", "analyse"} <= set(Listener.stages)
    with pytest.raises(MedUSISError, match="with a reason only"):
        JobSpecification(
            kind="new-study",
            parameters={"table": "t.csv", "protocol": "visual-turing", "out": "o", "accept": ["RANGE"]},
        ).request()


def order_leak(study: Path) -> None:
    """Other rights for the images of one arm: a leak that leaves the images as they are."""
    key = load_study(study)[1]
    for image in key.images:
        if image.role == "real":
            (study / "trials" / f"{image.name}.nii").chmod(0o600)


def test_a_leak_can_be_accepted_with_a_reason_and_is_in_the_report(
    study: Path, answers: list[Path], tmp_path: Path
) -> None:
    copy = shutil.copytree(study, tmp_path / "study")
    order_leak(copy)
    assert [leak.code for leak in check_study(copy).leaks] == ["FILE_RIGHTS"]
    with pytest.raises(MedUSISError, match="leaks"):
        write_package(copy, "R1", tmp_path / "R1.zip")
    assert "with a reason only" in run("check", copy, "--accept", "FILE_RIGHTS", code=2)
    assert "no leak of the code RANGE" in run("check", copy, "--accept", "RANGE", "--reason", "x", code=2)
    reason = "readers work on a server that sets rights itself"
    said = run("check", copy, "--accept", "FILE_RIGHTS", "--reason", reason)
    assert "accepted: FILE_RIGHTS" in said and reason in said and "0 leak(s), 1 accepted" in said
    assert write_package(copy, "R1", tmp_path / "R1.zip").reader == "R1"
    text = Page(report_html(analyse(copy, answers))).text
    assert reason in text and "no leak but 1 that somebody accepted" in text
    # It holds for this finding only: when it changes, it is a leak again.
    key = load_study(copy)[1]
    synthetic = next(image for image in key.images if image.role == "synthetic")
    (copy / "trials" / f"{synthetic.name}.nii").chmod(0o600)
    assert [leak.code for leak in check_study(copy).leaks] == ["FILE_RIGHTS"]
    assert len(load_record(copy).acceptances) == 1
    assert "can be told apart without the picture" in Page(report_html(analyse(copy, answers))).text


def test_damage_cannot_be_accepted(study: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study, tmp_path / "study")
    victim = next((copy / "trials").iterdir())
    victim.write_bytes(victim.read_bytes() + b"\0")
    assert "damage" in run("check", copy, "--accept", "FILE_CHANGED", "--reason", "it is fine", code=2)
    assert not load_record(copy).acceptances


def test_a_new_study_can_begin_with_an_accepted_leak(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import MedUSISLib.study.building as building

    def leaking(study: Path, progress: Progress | None = None):  # type: ignore[no-untyped-def]
        order_leak(Path(study))
        return check_study(study, progress)

    monkeypatch.setattr(building, "check_study", leaking)
    out = tmp_path / "study"
    with pytest.raises(MedUSISError, match="leaks"):
        new_study(table, turing_protocol(), out, secret=SECRET)
    assert not out.exists()
    new_study(table, turing_protocol(), out, secret=SECRET, accept=["FILE_RIGHTS"], reason="a test")
    assert [a.reason for a in load_record(out).acceptances] == ["a test"] and not check_study(out).leaks
    # Made again in the same folder, the acceptance is gone: it was for the other study.
    monkeypatch.undo()
    new_study(table, turing_protocol(), out, overwrite=True)
    assert not load_record(out).acceptances


def test_readers_join_by_the_command_line(study: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study, tmp_path / "study")
    said = run("amend", copy, "--add-readers", "R3,R4", "--title", "Real?")
    assert "R3: 16 trials" in said and "R4: 16 trials" in said and "changed: title" in said
    protocol, key = load_study(copy)
    assert protocol.readers == ("R1", "R2", "R3", "R4") and protocol.title == "Real?" and key.trials_of("R4")
    assert "readers must differ" in run("amend", copy, "--add-readers", "r1", code=2)
    assert "nothing to change" in run("amend", copy, code=2)
    changed = protocol.model_dump(mode="json") | {"allow_back": True}
    (tmp_path / "p.json").write_text(json.dumps(changed), encoding="utf-8")
    assert "allow_back" in run("amend", copy, "--protocol", tmp_path / "p.json", code=2)
