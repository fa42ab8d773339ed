"""Pictures of decompositions by Matplotlib (extra ``fastla[plot]``); nothing is shown or saved unasked."""

from ._components import ComponentsDisplay
from ._projection import ProjectionDisplay
from ._scree import ScreeDisplay

__all__ = ["ComponentsDisplay", "ProjectionDisplay", "ScreeDisplay"]
