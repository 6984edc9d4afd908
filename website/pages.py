"""The pages of the gallery as HTML, from the facts of losses."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

Facts = dict[str, Any]

_LINK = re.compile(
    r"doi:(10\.\d{4,9}/[^\s<>\"]*[^\s<>\".,;)])|arXiv:(\d{4}\.\d{4,5})"
    r"|(https?://[^\s<>\"]*[^\s<>\".,;)])|`([^`]+)`"
)
_PROPERTIES = {
    "continuous": "no jump in the prediction",
    "smooth": "no kink in the prediction",
    "convex": "in the prediction",
    "nonnegative": "never below 0",
    "bounded": "never above some number",
    "symmetric": "an error costs the same in either direction",
    "zero at t = x": "0 where the prediction is the target",
    "least at t = x": "nothing is less than at the target",
    "shift invariant": "one number added to all of the prediction changes nothing",
    "scale invariant": "only the direction of the prediction counts",
    "finite": "a value for every admissible input",
    "bounded below": "never below some number",
    "slope bounded": "robust: no error pulls without limit",
}
FILTERS = (
    "convex", "smooth", "slope bounded", "bounded", "nonnegative", "symmetric", "continuous", "least at t = x",
    "shift invariant", "scale invariant",
)  # fmt: skip
"""The properties by which the start page filters."""

_LANGUAGES = {
    "keras": "Keras", "tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch", "numpy": "NumPy",
    "javascript": "JavaScript",
}  # fmt: skip


def page(title: str, body: str, up: str, scripts: str = "", description: str = "") -> str:
    """A whole page; `up` leads to the folder of the start page."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<meta name="description" content="{escape(description, quote=True)}">
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{up}static/math.css">
<link rel="stylesheet" href="{up}static/site.css">
<script src="{up}static/theme.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="{up}index.html">lossdsl</a>
<nav aria-label="Site"><a href="{up}index.html">Losses</a> <a href="{up}docs/index.html">Documentation</a></nav>
<button type="button" id="theme" aria-label="Light or dark">◐</button>
</header>
<main id="main">
{body}
</main>
{scripts}
</body>
</html>
"""


def start(every: list[Facts]) -> str:
    """The start page: search, filters, and a card for each loss."""
    families = sorted({one["family"] for one in every})
    chips = "".join(
        f'<button type="button" class="chip" data-family="{family}" aria-pressed="false">{family}'
        f" <small>{sum(one['family'] == family for one in every)}</small></button>"
        for family in families
    )
    properties = "".join(
        f'<button type="button" class="chip" data-property="{escape(one)}" aria-pressed="false"'
        f' title="{escape(_PROPERTIES[one])}">{escape(one)}</button>'
        for one in FILTERS
    )
    body = f"""<h1>Loss functions</h1>
<p class="lead">{len(every)} published losses: what each is for, what is proved of it, its curve under your own
parameters, and its code for your library.</p>
<form id="search" role="search" onsubmit="return false">
<label for="query">Search by name, purpose or property</label>
<input id="query" type="search" autocomplete="off" spellcheck="false"
placeholder="huber, segmentation, convex robust …">
</form>
<div class="filters">
<div role="group" aria-label="Family"><span class="what">Family</span>{chips}</div>
<div role="group" aria-label="Property"><span class="what">Property</span>{properties}</div>
<p class="hint">A property once: proved. Again: refuted. A third time: either.</p>
</div>
<p id="count" role="status" aria-live="polite">{len(every)} losses</p>
<ul class="cards" id="cards">
{chr(10).join(map(_card, every))}
</ul>
<p id="none" hidden>No loss fits. <button type="button" id="clear">Clear all filters</button></p>"""
    scripts = '<script src="static/search.js"></script>'
    return page("lossdsl: loss functions", body, "", scripts, "Published loss functions")


def _card(one: Facts) -> str:
    proved = [verdict["name"] for verdict in one["verdicts"] if verdict["how"] == "proved"]
    refuted = [verdict["name"] for verdict in one["verdicts"] if verdict["how"] == "refuted"]
    shown = "".join(f'<span class="tag">{escape(name)}</span>' for name in FILTERS if name in proved)
    words = " ".join([*one["aliases"], *one["text"][-1:]])  # what is searched besides what is shown
    return (
        f'<li class="card" data-family="{one["family"]}" data-proved="{escape("|".join(proved))}"'
        f' data-refuted="{escape("|".join(refuted))}" data-words="{escape(words.lower(), quote=True)}">'
        f'<div class="head"><a href="losses/{one["name"]}.html">{one["name"]}</a>'
        f'<span class="family">{one["family"]}</span></div>'
        f'<p>{_linked(one["title"], links=False)}</p><div class="tags">{shown}</div></li>'
    )


def loss(one: Facts, family: list[str]) -> str:
    """The page of a loss."""
    name = one["name"]
    aliases = f'<p class="aliases">Also called {", ".join(f"<b>{alias}</b>" for alias in one["aliases"])}.</p>'
    others = "".join(f'<a href="{each}.html">{each}</a> ' for each in family if each != name)
    of_family = f'<a href="../index.html#family={one["family"]}">{one["family"]}</a>'
    body = f"""<p class="crumbs"><a href="../index.html">Losses</a> › {of_family}</p>
<h1>{name}</h1>
<p class="lead">{_linked(one["title"])}</p>
{aliases if one["aliases"] else ""}
<section aria-labelledby="formula"><h2 id="formula">Formula</h2>
<div class="formula" tabindex="0" role="group" aria-label="Formula">{one["formula"]}</div></section>
{_plot(one)}
<section aria-labelledby="known"><h2 id="known">What is known of it</h2>
{_verdicts(one)}</section>
<section aria-labelledby="about"><h2 id="about">About</h2>
{"".join(f"<p>{_linked(part)}</p>" for part in one["text"])}
{_tables(one)}</section>
<section aria-labelledby="source"><h2 id="source">Source</h2>{_block(one["source"], "loss")}</section>
<section aria-labelledby="code"><h2 id="code">Code</h2>
<p>Modules of their own that need no lossdsl{f", for {escape(one['settled'])}" if one["settled"] else ""}.</p>
{_codes(one)}</section>
{f'<nav class="others" aria-label="Family"><h2>More {one["family"]} losses</h2>{others}</nav>' if others else ""}"""
    read = ("../static/curves.js", "names.js", f"{name}.js", "../static/page.js")
    scripts = "\n".join(f'<script src="{each}"></script>' for each in read)
    return page(f"{name} · lossdsl", body, "../", scripts, one["title"])


def _plot(one: Facts) -> str:
    if not one["views"]:
        return ""
    return f"""<section class="plot" aria-labelledby="curve" data-loss="{one["name"]}"><h2 id="curve">Curve</h2>
<div class="panel">
<div class="pictures"><div class="legend" id="legend"></div>
<figure><figcaption>value</figcaption>
<svg id="value" viewBox="0 0 640 280" role="img" aria-label="Value of the loss"></svg></figure>
<figure><figcaption>slope in the prediction</figcaption>
<svg id="slope" viewBox="0 0 640 220" role="img" aria-label="Slope of the loss"></svg></figure>
<div class="probe"><label for="probe">at</label><input type="range" id="probe" min="0" max="200" value="150">
<output id="read" for="probe"></output></div>
</div>
<div class="controls" id="controls"></div>
</div>
<noscript><p>The curves are computed in the browser by JavaScript.</p></noscript></section>"""


def _verdicts(one: Facts) -> str:
    rows = []
    for place, verdict in enumerate(one["verdicts"]):
        name, how = verdict["name"], verdict["how"]
        by = f" by {escape(verdict['by'])}" if verdict["by"] and how == "proved" else ""
        button = f' <button type="button" class="show" data-verdict="{place}">show the point</button>'
        more = f'<span class="more">{escape(_short(verdict["more"]))}</span>'
        rows.append(
            f'<tr class="{how}"><th scope="row">{escape(name)}<small>{_PROPERTIES[name]}</small></th>'
            f'<td><span class="how">{how}</span>{by} {more}'
            f"{button if verdict['point'] and how == 'refuted' and one['views'] else ''}</td></tr>"
        )
    promised = ", ".join(one["expected"])
    note = f"<p>Its author promises: {escape(promised)}.</p>" if promised else ""
    return f'<table class="verdicts"><tbody>{"".join(rows)}</tbody></table>{note}'


def _short(text: str) -> str:
    """A verdict's details without the numbers of large tensors."""
    return re.sub(r",(?=;|$)", "", re.sub(r"\[[^;]{60,}\]", "[…]", text))


def _tables(one: Facts) -> str:
    rows = "".join(
        f"<tr><th scope=row><code>{escape(each['name'])}</code></th><td>{each['role']}</td>"
        f"<td>{escape(each['values'])}</td><td>{escape(each['layout'])}</td></tr>"
        for each in one["inputs"]
    )
    found = f"<table><thead><tr><th>input<th>role<th>values<th>layout</thead><tbody>{rows}</tbody></table>"
    if one["parameters"]:
        rows = "".join(
            f"<tr><th scope=row><code>{escape(each['name'])}</code></th><td>{each['kind']}</td>"
            f"<td>{'' if each['default'] is None else escape(str(each['default']))}</td></tr>"
            for each in one["parameters"]
        )
        found += f"<table><thead><tr><th>parameter<th>kind<th>default</thead><tbody>{rows}</tbody></table>"
    if one["required"]:
        found += f"<p>Required: {', '.join(f'<code>{escape(text)}</code>' for text in one['required'])}.</p>"
    return f'<div class="tables">{found}</div>'


def _codes(one: Facts) -> str:
    tabs = "".join(
        f'<button type="button" role="tab" id="tab-{target}" aria-controls="code-{target}" data-target="{target}"'
        f' aria-selected="{str(not place).lower()}" tabindex="{0 if not place else -1}">{label}</button>'
        for place, (target, label) in enumerate(_LANGUAGES.items())
    )
    panels = "".join(
        f'<div role="tabpanel" id="code-{target}" aria-labelledby="tab-{target}"{" hidden" if place else ""}>'
        f"{_block(one['code'][target], target)}</div>"
        for place, target in enumerate(_LANGUAGES)
    )
    return f'<div role="tablist" class="tabs" aria-label="Library">{tabs}</div>{panels}'


def _block(text: str, what: str) -> str:
    return (
        f'<div class="block"><button type="button" class="copy">copy</button>'
        f'<pre tabindex="0" aria-label="{what}"><code>{escape(text, quote=False)}</code></pre></div>'
    )


def _linked(text: str, *, links: bool = True) -> str:
    """Text with its references as links; code is marked."""

    def put(found: re.Match[str]) -> str:
        if found[4]:
            return f"<code>{found[4]}</code>"
        if not links:
            return found[0]
        return f'<a href="{_address(found)}" rel="noreferrer">{found[0]}</a>'

    return _LINK.sub(put, escape(text, quote=False))


def linked_markdown(text: str) -> str:
    """Markdown with its references as links; what is code already stays."""
    return _LINK.sub(lambda found: found[0] if found[4] else f"[{found[0]}](<{_address(found)}>)", text)


def _address(found: re.Match[str]) -> str:
    doi, arxiv, address, _ = found.groups()
    return address or (f"https://doi.org/{doi}" if doi else f"https://arxiv.org/abs/{arxiv}")


def script(one: Facts) -> str:
    """The loss as the curves use it: its functions as emitted for JavaScript, and what can be drawn of it."""
    known = {
        "name": one["name"],
        "parameters": [each for each in one["parameters"] if each["kind"] != "bool"],
        "switches": [each for each in one["parameters"] if each["kind"] == "bool"],
        "variants": [{"set": each["set"], "views": each["views"]} for each in one["variants"]],
        "points": [verdict["point"] for verdict in one["verdicts"]],
    }
    text = json.dumps(known, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    functions = ",\n".join(_functions(each["module"]) for each in one["variants"])
    return f"gallery.define({text}, [{functions}]);\n"


def _functions(module: str) -> str:
    """The value and the slope of a module for JavaScript, as an expression."""
    public = re.findall(r"^export function (\S+?)\(", module, re.M)
    code = re.sub(r"^export ", "", re.sub(r"\A/\*\*.*?\*/\n+", "", module, flags=re.S), flags=re.M)
    slope = next((name for name in public if name == f"{public[0]}_gradient"), "null")
    return f"(() => {{\n{code}\nreturn {{ value: {public[0]}, slope: {slope} }};\n}})()"


def names(every: list[Facts]) -> str:
    """What can be laid over what: for each loss the kinds of its views."""
    found = {one["name"]: [_kind(view) for view in one["views"]] for one in every}
    return f"gallery.names = {json.dumps(found, separators=(',', ':'))};\n"


def _kind(view: Facts) -> str:
    return f"{view['kind']} {view.get('pair', '')}".strip()
