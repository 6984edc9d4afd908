"""`python -m lossdsl` is `lossdsl`."""

import sys

from lossdsl.cli import console

if __name__ == "__main__":
    sys.exit(console())
