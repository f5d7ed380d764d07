"""One slider from the CT to the synthetic MR: what lies where in both."""

from __future__ import annotations

from MedUSISLib.mrml import slice_views
from MedUSISLib.mrml.overlays import target_slices
from MedUSISLib.mrml.result_nodes import SynthesisNodes, ct_of


def set_blend(nodes: SynthesisNodes, fraction: float) -> None:
    """Fade between the CT (0) and the synthetic MR (1) in the review's MR views, or in the user's own outside it."""
    ct = ct_of(nodes)
    if ct is None:
        return
    for view in target_slices(nodes.mr.GetScene(), (slice_views.MR,)):
        slice_views.show_blend(view, ct, nodes.mr, float(fraction))
