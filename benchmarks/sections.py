"""Sections of a page of documentation, each written by the script that measures it: the others stay."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, title: str, lines: list[str]) -> None:
    """Writes a section with a title, in the place where it is or at the end; "" is what stands before the first."""
    found = split(page.read_text(encoding="utf-8"))
    found[title] = lines
    text = "\n\n".join(_shown(each, body) for each, body in found.items())
    page.write_text(text + "\n", encoding="utf-8")


def kept(page: Path, title: str) -> tuple[list[str], list[str]]:
    """What a person wrote between the first paragraph of a section and its table, and the rows of that table."""
    body = split(page.read_text(encoding="utf-8")).get(title, [])
    at = [place for place, line in enumerate(body) if line.startswith("|")]
    parts = "\n".join(body[: at[0]] if at else body).strip("\n").split("\n\n")
    return "\n\n".join(parts[1:]).splitlines(), [body[place] for place in at[2:]]


def split(text: str) -> dict[str, list[str]]:
    """The sections of a page by title, each without it; what stands before the first is that of ""."""
    found: dict[str, list[str]] = {"": []}
    lines = found[""]
    for line in text.splitlines():
        if line.startswith("## "):
            lines = found[line.removeprefix("## ")] = []
        else:
            lines.append(line)
    return found


def _shown(title: str, lines: list[str]) -> str:
    body = "\n".join(lines).strip("\n")
    return f"## {title}\n\n{body}" if title else body
