"""The tools that agents may use: kinds, what is offered to a model, and using one."""

from leitstand.agents.tools.offering import Offered, checked_arguments, offered
from leitstand.agents.tools.passages import Given
from leitstand.agents.tools.using import use

__all__ = ["Given", "Offered", "checked_arguments", "offered", "use"]
