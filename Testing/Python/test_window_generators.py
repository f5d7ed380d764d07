"""Generators and devices in the panel: model card, installing, licence, removing, free memory."""

from __future__ import annotations

import pytest
from window_doubles import (
    FakeBackground,
    FakeLogic,
    open_panel,
    panel_with_inputs,
)

from MedUSISLib.jobs.events import Failure


@pytest.fixture
def slicer(slicer_window):
    return slicer_window.slicer


@pytest.fixture
def opened(slicer):
    with panel_with_inputs(slicer) as window:
        yield window


class TestGenerator:
    def test_the_model_card_is_shown(self, opened):
        ui = opened.ui
        assert "T1" in ui.generatorSummaryLabel.text and "MB" in ui.generatorSummaryLabel.text
        assert "Apache-2.0" in ui.generatorSummaryLabel.text
        assert "not for diagnosis" in ui.modelCardBrowser.plainText
        assert not ui.generatorPictureLabel.isHidden()
        assert not ui.generatorRemoveButton.enabled

    def test_installing_from_a_folder_a_zip_and_an_address(self, opened, tmp_path):
        background, dialogs, ui = opened.logic.background, opened.dialogs, opened.ui
        installer = opened.panel.generator.installer
        dialogs.answers.update(folder=tmp_path, open_file=tmp_path / "generator.zip")
        installer.from_folder()
        installer.from_zip()
        installer.show_address_fields()
        ui.generatorUrlEdit.text = "https://example.org/generator.zip"
        ui.generatorChecksumEdit.text = "ab" * 32
        ui.generatorUrlInstallButton.click()
        assert background.sources == [
            (str(tmp_path), None),
            (str(tmp_path / "generator.zip"), None),
            ("https://example.org/generator.zip", "ab" * 32),
        ]
        assert "installed" in ui.generatorStateLabel.text
        assert dialogs.asked.count("accept_licence") == 3 and background.accepted == ["5" * 64] * 3

    def test_nothing_is_installed_before_its_licence_was_accepted(self, opened):
        background, ui = opened.logic.background, opened.ui
        opened.dialogs.answers["accept_licence"] = False
        ui.generatorUrlEdit.text = "https://example.org/generator.zip"
        ui.generatorUrlInstallButton.click()
        assert background.sources == [] and background.forgotten == ["https://example.org/generator.zip"]
        assert "not accepted" in ui.generatorStateLabel.text and ui.generatorInstallButton.enabled

    def test_an_address_without_https_is_refused(self, opened):
        opened.ui.generatorUrlEdit.text = "http://example.org/generator.zip"
        opened.ui.generatorUrlInstallButton.click()
        assert opened.logic.background.sources == []
        assert opened.panel.errors.shown

    def test_a_generator_that_cannot_be_installed_is_explained(self, opened, tmp_path):
        failure = Failure("GENERATOR_CORRUPT", "a file of the generator is damaged", "download it again")
        opened.logic.background.answer = lambda done, error: error(failure)
        opened.dialogs.answers["folder"] = tmp_path
        opened.panel.generator.installer.from_folder()
        assert "damaged" in opened.ui.errorTextLabel.text
        assert opened.ui.generatorInstallButton.enabled

    def test_only_the_users_own_generators_are_removed_and_only_after_asking(self, slicer, tmp_path, monkeypatch):
        import shutil

        from MedUSISLib.resources import resource_path

        monkeypatch.setenv("MEDUSIS_GENERATORS", str(tmp_path))
        shutil.copytree(resource_path("Generators", "head-t1w"), tmp_path / "head-t1w")
        window = open_panel(slicer)
        assert "installed by you" in window.ui.generatorSummaryLabel.text
        window.dialogs.answers["confirm"] = False
        window.ui.generatorRemoveButton.click()
        assert (tmp_path / "head-t1w").is_dir()
        window.dialogs.answers["confirm"] = True
        window.ui.generatorRemoveButton.click()
        assert not (tmp_path / "head-t1w").exists()
        assert "comes with MedUSIS" in window.ui.generatorSummaryLabel.text
        window.panel.close()


class TestDevices:
    def test_devices_are_listed_with_their_free_memory(self, slicer):
        devices = [
            {"id": "cpu", "title": "CPU (2 cores)", "free_bytes": 6_100_000_000, "total_bytes": 8_000_000_000},
            {"id": "cuda:0", "title": "NVIDIA X", "free_bytes": 20_000_000_000, "total_bytes": 24_000_000_000},
        ]
        window = open_panel(slicer, FakeLogic(background=FakeBackground(devices)))
        combo = window.ui.deviceComboBox
        assert [combo.itemText(index) for index in range(combo.count)] == [
            "automatic",
            "CPU (2 cores), 6.1 GB free",
            "NVIDIA X, 20.0 GB free",
        ]
        combo.setCurrentIndex(2)
        assert window.panel.parameters.device == "cuda:0"
        assert window.ui.allowCpuCheckBox.enabled
        window.ui.deviceRefreshButton.click()
        assert window.logic.background.searches == 2
        window.panel.close()

    def test_a_broken_torch_is_explained(self, slicer):
        background = FakeBackground()
        failure = Failure("DEPENDENCY_MISSING", "torch does not load", "install it again")
        background.find_devices = lambda on_done, on_error: on_error(failure)
        window = open_panel(slicer, FakeLogic(background=background))
        assert "Torch does not load." in window.ui.errorTextLabel.text
        assert window.ui.deviceRefreshButton.enabled
        window.panel.close()
