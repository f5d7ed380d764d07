"""Views of the scene, rendered off-screen by the real displayable managers of slicer-core.

vtk_view.py        a render window painted into a Qt widget
slice_view.py      qMRMLSliceView: one slice of the volumes, with segmentations, markups, crosshair
slice_widget.py    qMRMLSliceWidget: the view with its coloured bar and slider
threed_view.py     qMRMLThreeDView, qMRMLThreeDWidget
table_widget.py    qMRMLTableWidget
layout_manager.py  qSlicerLayoutManager: builds what the layout node describes
"""
