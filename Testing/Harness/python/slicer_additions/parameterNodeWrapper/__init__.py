"""`slicer.parameterNodeWrapper`: typed access to a parameter node, and widgets bound to it (own code, same behaviour).

What Slicer's has and this has not: fields of type list, tuple, dict, Any, FloatRange, QColor, parameter packs,
`createGui`. Such a field raises NotImplementedError when the class is decorated.

annotations.py   Default, WithinRange, Minimum, Maximum, Choice, NotNone, Decimals, SingleStep
fields.py        how a value of a type is written to a node and read back
connectors.py    which widget shows which type
wrapper.py       the decorator
"""

from .annotations import (
    Choice,
    Decimals,
    Default,
    Exclude,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    Validator,
    WithinRange,
)
from .wrapper import (
    SlicerParameterNamePropertyName,
    findChildWidgetForParameter,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "findChildWidgetForParameter",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
]
