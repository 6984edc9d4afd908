"""Writes docs/losses.md and a page for each family in docs/losses/ from the catalogue.

    python docs/losses.py            write them
    python docs/losses.py --check    exit 1 if one is out of date
    python docs/losses.py --pictures draw the pictures in docs/pictures/ anew
"""

from __future__ import annotations

import sys
import textwrap
from html import escape
from pathlib import Path

import lossdsl
from lossdsl import catalog, pipeline, plot

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"


def section(name: str) -> str:
    """One loss: title, formula, what its inputs and parameters are, references, picture."""
    file = pipeline.builtin(name)
    assert file is not None
    program = pipeline.program(file)
    loss = program.loss
    lines = [f"## {name}", "", catalog.title(name), "", "$$", program.latex, "$$", ""]
    picture = PICTURES / f"{name}.png"
    if picture.exists():
        lines += [f"![{name} and its gradient](../pictures/{picture.name})", ""]
    lines += ["| input | values | layout |", "|---|---|---|"]
    for spec in loss.inputs:
        lines.append(f"| `{spec.name}` | {spec.values} | {spec.layout or 'element'} |")
    if loss.parameters:
        lines += ["", "| parameter | kind | default |", "|---|---|---|"]
        lines += [f"| `{p.name}` | {p.kind} | {'' if p.default is None else p.default} |" for p in loss.parameters]
    required = list(dict.fromkeys(one.span.text for one in (*loss.requirements, *loss.orders)))
    if required:
        lines += ["", f"Required: {', '.join(f'`{text}`' for text in required)}."]
    promised = [expectation.text for expectation in loss.expectations]
    if promised:
        lines += ["", f"Expected of it: {', '.join(promised)}."]
    also = [part for part in catalog.documentation(name).split("\n\n") if part.startswith("Other names:")]
    every = catalog.paragraphs(name)
    parts = (textwrap.wrap(part, 120, break_on_hyphens=False, break_long_words=False) for part in every)
    rest = "\n\n".join([*map("\n".join, parts), *also])
    return "\n".join([*lines, "", escape(rest, quote=False), ""])


def family(name: str) -> str:
    """The page of a family."""
    members = catalog.names(name)
    head = [
        f"# The {name} losses",
        "",
        f"Written by `python docs/losses.py` from the files in `lossdsl/catalog/{name}/`.",
        "",
        " · ".join(f"[{one}](#{one})" for one in members),
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(map(section, members))


def contents() -> str:
    """The page that lists all losses."""
    lines = ["# The built-in losses", ""]
    lines += ["Written by `python docs/losses.py` from the files in `lossdsl/catalog/`.", ""]
    for name in catalog.families():
        lines += [f"## [{name}](losses/{name}.md)", "", "| name | what it is |", "|---|---|"]
        lines += [f"| [`{one}`](losses/{name}.md#{one}) | {catalog.title(one)} |" for one in catalog.names(name)]
        lines.append("")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    """The text of each page."""
    found = {HERE / "losses.md": contents()}
    return found | {HERE / "losses" / f"{name}.md": family(name) for name in catalog.families()}


def draw_pictures() -> None:
    """The pictures that there are, drawn anew."""
    for path in sorted(PICTURES.glob("*.png")):
        plot.draw(lossdsl.load(path.stem), path=path)


def main() -> int:
    if "--pictures" in sys.argv[1:]:
        draw_pictures()
        return 0
    written = pages()
    if "--check" in sys.argv[1:]:
        present = {HERE / "losses.md", *(HERE / "losses").glob("*.md")}
        fresh = {path: path.read_text(encoding="utf-8") for path in present if path.exists()}
        return int(fresh != written)
    (HERE / "losses").mkdir(exist_ok=True)
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
