"""Writes docs/words.md from the tables of words of other libraries, `foreign_words` and `foreign_signs`.

python docs/words.py            write it
python docs/words.py --check    exit 1 if it is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

from lossdsl.frontend import foreign_signs as signs
from lossdsl.frontend import foreign_words as words

PAGE = Path(__file__).resolve().parent / "words.md"

HEAD = """\
# What other libraries, papers and configurations write

Written by `python docs/words.py` from the tables in `lossdsl/frontend/foreign_words.py` and `foreign_signs.py`,
which the messages read, too.
"""

TABLES = (
    ("Functions and methods of numpy, TensorFlow, JAX, torch, Keras and mathematics", words.FUNCTIONS),
    ("Names", words.CONSTANTS),
    ("Arguments with names", words.KEYWORDS),
    ("Kinds of inputs", words.INPUT_KINDS),
    ("Kinds of parameters", words.PARAMETER_KINDS),
    ("LaTeX", signs.LATEX),
    ("Characters", signs.CHARACTERS),
    ("Axes", words.AXES),
)


def page() -> str:
    """The whole page: a table for each kind of words."""
    parts = [HEAD]
    for title, rows in TABLES:
        parts.append(f"\n## {title}\n\n| elsewhere | here | |\n|---|---|---|")
        parts += map(line, rows)
    return "\n".join(parts) + "\n"


def line(row: words.ForeignWord) -> str:
    """A row of a table."""
    words = " ".join(code(word) for word in row.words.split())
    return f"| {words} | {code(row.here) if row.here else ''} | {row.more.replace('|', chr(92) + '|')} |"


def code(text: str) -> str:
    """Code in a table."""
    fence = "``" if "`" in text else "`"
    inner = text.replace("|", "\\|")
    return f"{fence} {inner} {fence}" if "`" in text else f"{fence}{inner}{fence}"


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.read_text(encoding="utf-8") == text else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
