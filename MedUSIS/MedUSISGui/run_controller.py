"""A run, as the panel sees it: from the button to the nodes, or to an error in words."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from MedUSISLib.errors import MedUSISError
from MedUSISLib.signal import Signal

from .parameters import outputs_of, settings_of, store_settings


class RunController:
    """Starts synthesis and segmentation, and shows what they tell.

    The life of a run: ``synthesize`` or ``derive_segmentation`` -> the run section shows stage, progress and slices ->
    one of ``finished`` (nodes), ``segmented`` (node), an error in the error panel, or cancelled. Only one run at a
    time.

    Parameters
    ----------
    synthesis : MedUSISLib.mrml.synthesis_logic.SynthesisLogicProtocol
    segmentation : MedUSISLib.mrml.segmentation_logic.SegmentationLogic or one like it
    section : RunSection
    errors : ErrorPanel
    inputs : InputsSection

    Attributes
    ----------
    changed : Signal
        Without arguments: a run has begun or ended.
    finished : Signal
        With the ``SynthesisNodes`` of a finished synthesis.
    segmented : Signal
        With the segmentation node that was derived.
    """

    def __init__(self, synthesis, segmentation, section, errors, inputs) -> None:
        self._synthesis = synthesis
        self._segmentation = segmentation
        self._section = section
        self._errors = errors
        self._inputs = inputs
        self._parameters = None
        self._settings = None
        self.changed = Signal()
        self.finished = Signal()
        self.segmented = Signal()
        for logic in (synthesis, segmentation):
            logic.stage.connect(section.set_stage)
            logic.advanced.connect(section.set_progress)
            logic.previewed.connect(section.show_preview)
            logic.warned.connect(self._on_warned)
            logic.logged.connect(section.add_log)
            logic.cancelled.connect(self._on_cancelled)
        synthesis.finished.connect(self._on_finished)
        synthesis.failed.connect(self._on_synthesis_failed)
        segmentation.finished.connect(self._on_segmented)
        segmentation.failed.connect(self._on_segmentation_failed)

    @property
    def running(self) -> bool:
        """Whether a run is going on, or just being started or ended."""
        return self._section.busy or self._synthesis.running or self._segmentation.running

    def set_parameters(self, parameters) -> None:
        """Use another parameter node, or none."""
        self._parameters = parameters

    def synthesize(self) -> None:
        """Start a synthesis with what is chosen in the panel."""
        if self._parameters is not None and not self.running:
            self._synthesize_with(settings_of(self._parameters))

    def derive_segmentation(self) -> None:
        """Start a segmentation of the chosen CT."""
        if self._parameters is None or self._parameters.ct is None or self.running:
            return
        ct = self._parameters.ct
        self._begin(_("Segmenting the CT"), lambda: self._segmentation.start(ct))

    def cancel(self) -> None:
        """End the run that is going on."""
        if self.running:
            self._section.set_stopping()
            self._synthesis.cancel()
            self._segmentation.cancel()

    def _synthesize_with(self, settings) -> None:
        from MedUSISLib.mrml.settings import SynthesisInputs

        parameters = self._parameters
        self._settings = settings
        inputs = SynthesisInputs(parameters.ct, parameters.segmentation, dict(self._inputs.classes))
        outputs = outputs_of(parameters)
        self._begin(_("Preparing the inputs"), lambda: self._synthesis.start(inputs, settings, outputs))

    def _begin(self, title: str, start: Callable[[], None]) -> None:
        self._errors.hide()
        self._section.begin(title)
        self.changed()
        try:
            start()
        except MedUSISError as error:
            self._end(_("The run could not be started."))
            self._errors.show(error)

    def _end(self, text: str) -> None:
        self._section.end(text)
        self.changed()

    def _on_warned(self, code: str, message: str) -> None:
        self._section.add_note(message)
        self._section.add_log(_("Note ({code}): {message}").format(code=code, message=message))

    def _on_cancelled(self) -> None:
        self._end(_("Cancelled. Nothing was loaded."))

    def _on_finished(self, nodes) -> None:
        self._end(_("Finished."))
        self.finished(nodes)

    def _on_segmented(self, node) -> None:
        self._end(_("Finished."))
        self.segmented(node)

    def _on_synthesis_failed(self, failure) -> None:
        from MedUSISLib.mrml.retry import suggestions

        actions = []
        if self._settings is not None:
            actions = [(text, self._again_with(settings)) for text, settings in suggestions(failure, self._settings)]
        self._fail(failure, self._synthesis.log_text(), actions)

    def _on_segmentation_failed(self, failure) -> None:
        self._fail(failure, self._segmentation.log_text(), [])

    def _fail(self, failure, log: str, actions) -> None:
        self._end(_("The run has failed: {message}").format(message=failure.message))
        self._errors.show(failure, log, actions)

    def _again_with(self, settings) -> Callable[[], None]:
        def again() -> None:
            if self._parameters is None or self.running:
                return
            store_settings(self._parameters, settings)
            self._synthesize_with(settings)

        return again
