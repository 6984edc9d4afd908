"""What `pytest` finds no doctests in: modules that need a library that is not installed; `make test-all` has all."""

import re
from pathlib import Path

from lossdsl.extras import is_installed

ROOT = Path(__file__).parent


def needs(path: Path, library: str) -> bool:
    """Whether a module imports the library at once, or is the part of the package that is named after it."""
    return path.stem == library or re.search(rf"^(import|from) {library}\b", path.read_text("utf-8"), re.M) is not None


collect_ignore = [
    str(path.relative_to(ROOT))
    for library in ("jax", "torch")
    if not is_installed(library)
    for folder in ("lossdsl", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if needs(path, library)
]
