"""`python -m lossdsl` is `lossdsl`."""

import sys

from lossdsl.cli import main

if __name__ == "__main__":
    sys.exit(main())
