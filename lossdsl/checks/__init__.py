"""What can be found out about a loss without Keras."""

from lossdsl.checks.finding import Finding, Row
from lossdsl.checks.run import Report, check
from lossdsl.checks.table import FINDINGS

__all__ = ["FINDINGS", "Finding", "Report", "Row", "check"]
