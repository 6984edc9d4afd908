"""What can be found out about a loss without Keras."""

from lossdsl.checks.finding import Finding, Known, Row
from lossdsl.checks.run import Report, check
from lossdsl.checks.table import FAMILIES, FINDINGS

__all__ = ["FAMILIES", "FINDINGS", "Finding", "Known", "Report", "Row", "check"]
