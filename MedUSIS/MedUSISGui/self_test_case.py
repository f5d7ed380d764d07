"""What the tests of both modules share: a fresh scene for each, and the names of those that were left out."""

from __future__ import annotations

import logging
import unittest

_logger = logging.getLogger(__name__)


class SelfTestCase:
    """Test methods for a ``unittest.TestCase`` to inherit, each with a fresh scene.

    Attributes
    ----------
    module_title : str
        As messages name the module.

    Examples
    --------
    In the module, with a ``SelfTest`` that inherits from this::

        class MedUSISTest(SelfTest, ScriptedLoadableModuleTest):
            pass
    """

    module_title = "MedUSIS"

    def setUp(self) -> None:
        import slicer

        from MedUSISGui.library import make_library_importable

        make_library_importable()
        slicer.mrmlScene.Clear(0)

    def tearDown(self) -> None:
        import slicer

        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """All tests, one after the other; what was left out is named at the end ("Reload and Test")."""
        left_out = []
        for name in unittest.TestLoader().getTestCaseNames(type(self)):  # type: ignore[arg-type]
            _logger.info("%s test: %s", self.module_title, name)
            self.setUp()
            try:
                getattr(self, name)()
            except unittest.SkipTest as reason:
                left_out.append(f"{name} ({reason})")
            finally:
                self.tearDown()
        for text in left_out:
            print(f"{self.module_title} test left out: {text}")
