"""Sections of a page of documentation, each written by the script that measures it: the others stay."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, title: str, lines: list[str]) -> None:
    """Writes a section with a title, in the place where it is or at the end; "" is what stands before the first."""
    found = split(page.read_text(encoding="utf-8"))
    found[title] = lines
    text = "\n\n".join(_shown(each, body) for each, body in found.items())
    page.write_text(text + "\n", encoding="utf-8")


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
