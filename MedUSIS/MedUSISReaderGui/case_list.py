"""The cases of a new study in a table: from a CSV file or from folders, and changed by hand."""

from __future__ import annotations

from pathlib import Path

import qt
from slicer.i18n import tr as _

from MedUSISLib.signal import Signal


class CaseList:
    """Rows of cells as text, in the columns of the table of cases.

    Parameters
    ----------
    ui : widgets of the panel
    dialogs : Dialogs

    Attributes
    ----------
    changed, failed : Signal
    """

    def __init__(self, ui, dialogs) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self.changed, self.failed = Signal(), Signal()
        self._columns: tuple = ()
        ui.casesTableButton.connect("clicked(bool)", self._on_table)
        ui.casesFolderButton.connect("clicked(bool)", self._on_folder)
        ui.casesClearButton.connect("clicked(bool)", lambda _on=False: self.show([]))
        ui.casesTable.connect("itemChanged(QTableWidgetItem*)", self._on_item_changed)
        self._silent = False

    @property
    def cells(self) -> list[dict[str, str]]:
        """What stands in the table."""
        table = self._ui.casesTable
        rows = []
        for row in range(table.rowCount):
            cells = {}
            for column, name in enumerate(self._columns):
                item = table.item(row, column)
                text = item.text().strip() if item is not None else ""
                path = item.data(qt.Qt.UserRole) if item is not None else None
                cells[name] = str(path) if path and Path(str(path)).name == text else text
            rows.append(cells)
        return rows

    def show(self, cells: list[dict[str, str]]) -> None:
        """Replace all rows; files are shown by their names, their places as tool tips."""
        from MedUSISLib.study.case_folders import FILE_COLUMNS
        from MedUSISLib.study.case_table import COLUMNS

        table = self._ui.casesTable
        self._silent = True
        self._columns = COLUMNS
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.setRowCount(len(cells))
        for row, values in enumerate(cells):
            for column, name in enumerate(COLUMNS):
                value = values.get(name, "")
                is_file = name in FILE_COLUMNS and value
                item = qt.QTableWidgetItem(Path(value).name if is_file else value)
                if is_file:
                    item.setData(qt.Qt.UserRole, value)
                    item.setToolTip(value)
                table.setItem(row, column, item)
        table.resizeColumnsToContents()
        self._silent = False
        self._say()
        self.changed()

    def load(self, table: Path) -> None:
        """Show the cases of a CSV table."""
        from MedUSISLib.study.case_folders import read_cells

        self._add(lambda: read_cells(table), replace=True)

    def add_folder(self, folder: Path) -> None:
        """Add the cases of a folder."""
        from MedUSISLib.study.case_folders import find_cases

        self._add(lambda: find_cases(folder), replace=False)

    def _add(self, read, replace: bool) -> None:
        from MedUSISLib.errors import MedUSISError

        try:
            found = read()
        except MedUSISError as error:
            self.failed(error)
            return
        self.show(found if replace else [*self.cells, *found])

    def _say(self) -> None:
        from MedUSISLib.study.case_folders import FILE_COLUMNS

        cells = self.cells
        counts = [f"{count} {name}" for name in FILE_COLUMNS if (count := sum(bool(row[name]) for row in cells))]
        text = _("{count} cases: {counts}.").format(count=len(cells), counts=", ".join(counts))
        self._ui.casesStateLabel.text = text if cells else _("No cases yet.")

    def _on_table(self, _checked: bool = False) -> None:
        path = self._dialogs.open_file(_("Table of cases"), _("Tables (*.csv *.tsv *.txt)"))
        if path is not None:
            self.load(path)

    def _on_folder(self, _checked: bool = False) -> None:
        path = self._dialogs.folder(_("A folder with a folder for each case"))
        if path is not None:
            self.add_folder(path)

    def _on_item_changed(self, _item=None) -> None:
        if not self._silent:
            self._say()
            self.changed()
