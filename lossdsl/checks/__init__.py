"""What can be found out about a loss without Keras."""

from lossdsl.checks.findings import FINDINGS, Finding, Row
from lossdsl.checks.run import Report, check

__all__ = ["FINDINGS", "Finding", "Report", "Row", "check"]
