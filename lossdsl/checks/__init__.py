"""What can be found out about a loss without Keras."""

from lossdsl.checks.finding import Edit, Finding, Known, Row
from lossdsl.checks.judgement import Properties, properties
from lossdsl.checks.run import Report, check
from lossdsl.checks.table import FAMILIES, FINDINGS

__all__ = ["FAMILIES", "FINDINGS", "Edit", "Finding", "Known", "Properties", "Report", "Row", "check", "properties"]
