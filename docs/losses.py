"""Writes docs/losses.md, and a picture of each loss that has a curve, from the catalogue.

    python docs/losses.py            write both
    python docs/losses.py --check    exit 1 if docs/losses.md is out of date
"""

from __future__ import annotations

import sys
from pathlib import Path

import lossdsl
from lossdsl import catalog, plot
from lossdsl.runtime.spec import LoadedLoss

HERE = Path(__file__).resolve().parent
PAGE = HERE / "losses.md"
PICTURES = HERE / "pictures"
GIVEN: dict[str, dict[str, object]] = {}
"""Values for parameters that have no default."""


def section(loss: LoadedLoss) -> str:
    """One loss: title, formula, what its inputs and parameters are, references, picture."""
    title, _, rest = loss.doc.partition("\n")
    lines = [f"## {loss.name}", "", title, "", "$$", loss.latex, "$$", ""]
    picture = PICTURES / f"{loss.name}.png"
    if picture.exists():
        lines += [f"![{loss.name} and its gradient](pictures/{picture.name})", ""]
    lines += ["| input | values | layout |", "|---|---|---|"]
    for spec in loss.program.loss.inputs:
        lines.append(f"| `{spec.name}` | {spec.domain} | {spec.layout or 'element'} |")
    parameters = loss.program.loss.parameters
    if parameters:
        lines += ["", "| parameter | kind | default |", "|---|---|---|"]
        lines += [f"| `{p.name}` | {p.kind} | {p.default} |" for p in parameters]
    required = [requirement.span.text for requirement in loss.program.loss.requirements]
    if required:
        lines += ["", f"Required: {', '.join(f'`{text}`' for text in required)}."]
    promised = [expectation.text for expectation in loss.program.loss.expectations]
    if promised:
        lines += ["", f"Expected of it: {', '.join(promised)}."]
    return "\n".join([*lines, "", rest.strip(), ""])


def page() -> str:
    """The whole page."""
    names = catalog.names()
    head = [
        "# The built-in losses",
        "",
        "Written by `python docs/losses.py` from the files in `lossdsl/catalog/`.",
        "",
        " · ".join(f"[{name}](#{name})" for name in names),
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(section(lossdsl.load(name, **GIVEN.get(name, {}))) for name in names)


def draw_pictures() -> None:
    """A picture for each loss that is a curve in one number."""
    PICTURES.mkdir(exist_ok=True)
    for name in catalog.names():
        loss = lossdsl.load(name, **GIVEN.get(name, {}))
        if _is_curve(loss):
            plot.draw(loss, path=PICTURES / f"{name}.png")


def _is_curve(loss: LoadedLoss) -> bool:
    """Whether a curve shows the loss: that of a number or of two classes, not that of a vector of one element."""
    try:
        found = plot.curve(loss)
    except lossdsl.LossTypeError:
        return False
    return "one element" not in found.along


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page() else 1
    draw_pictures()
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
