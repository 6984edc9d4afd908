"""Built-in losses of which `published/` has no values, written once more in plain numpy from their sources."""

from .boxes import BOXES
from .classes import CLASSES
from .errors import ERRORS
from .models import MODELS
from .preferences import PREFERENCES
from .rankings import RANKINGS
from .table import Row

REFERENCES: dict[str, Row] = BOXES | CLASSES | ERRORS | MODELS | PREFERENCES | RANKINGS

__all__ = ["REFERENCES"]
