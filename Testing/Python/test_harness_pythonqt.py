"""The stand-in for Slicer is as strict about Qt as PythonQt is, or stricter where PythonQt says nothing."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def qt(slicer_window):
    import qt

    return qt


@pytest.fixture
def ctk(slicer_window):
    import ctk

    return ctk


def load_ui(qt, text, tmp_path):
    import slicer

    path = tmp_path / "panel.ui"
    path.write_text(text)
    return slicer.util.loadUI(str(path))


def test_properties_are_attributes(qt):
    label, spin, timer = qt.QLabel("a"), qt.QSpinBox(), qt.QTimer()
    label.text = "b"
    label.visible = False
    spin.value = 7
    timer.interval = 20
    label.name = "title"
    assert (label.text, spin.value, timer.interval, label.objectName) == ("b", 7, 20, "title")
    with pytest.raises(TypeError, match="not callable"):
        label.text()
    with pytest.raises(AttributeError, match="not writable"):
        qt.QComboBox().count = 3


def test_methods_stay_methods(qt):
    item = qt.QTableWidgetItem("cell")
    table = qt.QTableWidget(2, 3)
    table.setItem(0, 0, item)
    assert table.item(0, 0).text() == "cell"
    assert (table.rowCount, table.columnCount) == (2, 3)
    tree = qt.QTreeWidget()
    qt.QTreeWidgetItem(tree, ["a", "b"])
    assert tree.topLevelItemCount == 1 and tree.topLevelItem(0).text(1) == "b"
    assert qt.QPixmap(4, 5).width() == 4


def test_no_new_attributes_on_cpp_objects(qt, ctk):
    import slicer

    for widget in (qt.QLabel(), ctk.ctkSliderWidget(), slicer.qMRMLNodeComboBox(), qt.QTimer()):
        with pytest.raises(AttributeError, match="creation of new attributes"):
            widget.note = 1
    with pytest.raises(AttributeError, match="can not be overwritten"):
        qt.QLabel().setText = print

    class Subclass(qt.QLabel):
        pass

    label = Subclass()
    label.note = 1  # a Python class has room for it
    assert label.note == 1


def test_dynamic_properties_can_be_read_and_written(qt):
    label = qt.QLabel()
    label.setProperty("SlicerParameterName", "seed")
    assert label.property("SlicerParameterName") == "seed"
    label.SlicerParameterName = "passes"
    assert label.property("SlicerParameterName") == "passes"


def test_keyword_arguments_to_cpp_methods_raise(qt):
    with pytest.raises(TypeError, match="keyword"):
        qt.QLabel().setText(text="x")
    with pytest.raises(TypeError, match="keyword"):
        qt.QVBoxLayout().addWidget(qt.QLabel(), stretch=1)


def test_signals_connect_by_signature_and_by_name(qt):
    button, seen = qt.QPushButton(), []
    button.connect("clicked()", lambda: seen.append("no argument"))
    button.connect("clicked(bool)", lambda checked: seen.append(checked))
    button.clicked.connect(lambda: seen.append("name"))
    button.click()
    assert seen == ["no argument", False, "name"]


def test_disconnected_callable_hears_no_more(qt):
    spin, seen = qt.QSpinBox(), []
    spin.connect("valueChanged(int)", seen.append)
    spin.value = 1
    assert spin.disconnect("valueChanged(int)", seen.append)
    assert not spin.disconnect("valueChanged(int)", seen.append)
    spin.value = 2
    assert seen == [1]


@pytest.mark.parametrize("signature", ["klicked()", "clicked(int)", "text()", "setText(QString)"])
def test_unknown_signal_raises(qt, signature):
    with pytest.raises(RuntimeError, match="No such signal"):
        qt.QPushButton().connect(signature, print)


def test_unknown_signal_of_a_stand_in_raises(slicer_window):
    with pytest.raises(RuntimeError, match="No such signal"):
        slicer_window.slicer.qMRMLNodeComboBox().connect("currentNodeChanged(vtkMRMLScene*)", print)


def test_children_are_found_by_name(qt):
    parent = qt.QWidget()
    child = qt.QLabel("x", parent)
    child.objectName = "first"
    assert parent.first is child
    assert parent.findChildren("QLabel") == [child]
    assert parent.findChild(qt.QLabel, "first") is child
    with pytest.raises(AttributeError):
        parent.second  # noqa: B018


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ('<widget class="qMRMLNodeComboBx" name="x"/>', "qMRMLNodeComboBx"),
        (
            '<widget class="ctkSliderWidget" name="x"><property name="maximun"><double>1</double></property></widget>',
            "max",
        ),
    ],
)
def test_ui_file_with_a_typo_is_refused(qt, tmp_path, xml, message):
    name = xml.split('"')[1]
    text = f"""<ui version="4.0"><class>P</class><widget class="QWidget" name="P"><layout class="QVBoxLayout" name="l">
        <item>{xml}</item></layout></widget>
        <customwidgets><customwidget><class>{name}</class><extends>QWidget</extends></customwidget></customwidgets></ui>"""
    with pytest.raises(RuntimeError, match=message):
        load_ui(qt, text, tmp_path)


def test_process_reports_its_output_and_its_end(slicer_window, qt):
    process, finished = qt.QProcess(), []
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: finished.append((code, status)))
    process.start(sys.executable, ["-c", "print('hello'); raise SystemExit(3)"])
    slicer_window.wait_until(lambda: finished)
    assert finished == [(3, qt.QProcess.NormalExit)]
    assert process.readAllStandardOutput().data().decode().strip() == "hello"
    assert process.state() == qt.QProcess.NotRunning


def test_timer_and_wait_until(slicer_window, qt):
    fired = []
    qt.QTimer.singleShot(10, lambda: fired.append(1))
    slicer_window.wait_until(lambda: fired)
    with pytest.raises(TimeoutError):
        slicer_window.wait_until(lambda: False, timeout_s=0.05)


def test_exception_in_a_timer_is_kept(slicer_window, qt, capsys):
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    slicer_window.process_events()
    assert [type(error) for error in slicer_window.uncaught] == [ZeroDivisionError]
    slicer_window.uncaught.clear()


def test_settings_are_shared_and_temporary(slicer_window, qt):
    slicer_window.slicer.app.settings().setValue("MedUSIS/Device", "cpu")
    assert qt.QSettings().value("MedUSIS/Device") == "cpu"
    assert slicer_window.slicer.util.settingsValue("MedUSIS/Device", "") == "cpu"
    slicer_window.reset()
    assert qt.QSettings().value("MedUSIS/Device") is None


def test_number_widgets_keep_to_their_limits(ctk):
    import slicer

    for kind in (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget, ctk.ctkDoubleSpinBox):
        widget, seen = kind(), []
        widget.minimum, widget.maximum, widget.singleStep, widget.decimals = 0, 4, 0.25, 2
        widget.connect("valueChanged(double)", seen.append)
        widget.value = 9
        widget.value = 4
        assert widget.value == 4 and seen == [4]


def test_path_takes_text_only(ctk, tmp_path):
    edit, seen = ctk.ctkPathLineEdit(), []
    edit.connect("currentPathChanged(QString)", seen.append)
    edit.currentPath = str(tmp_path)
    assert edit.currentPath == str(tmp_path) and seen == [str(tmp_path)]
    with pytest.raises(TypeError):
        edit.setCurrentPath(tmp_path)
