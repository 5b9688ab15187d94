"""What was measured, to be compared, queried, plotted and kept: `from zeroipc_results import load`."""

from .places import ResultsError
from .table import load

__all__ = ["ResultsError", "load"]
