"""The window in which the licence of a generator is shown before it is installed."""

from __future__ import annotations

import pytest
import window_doubles  # noqa: F401  (puts the module's folder on the path)


@pytest.mark.parametrize("answer", [True, False])
def test_the_licence_is_shown_as_text_with_its_words_behind(slicer_window, answer: bool) -> None:
    from MedUSISGui.dialogs import Dialogs

    slicer_window.messages.answer(answer)
    assert Dialogs().accept_licence("Head <img src=x>\nLicence: CC-BY-4.0", "You may ...") is answer
    (shown,) = slicer_window.messages.shown
    assert "CC-BY-4.0" in shown.text and shown.details == "You may ..."
    assert "<" not in shown.text, "a box would take it for a page of the generator's author"
