"""What the site is made of, without a browser: formulas, links, facts that are kept; `make test-site` has the rest."""

import importlib
import json
import sys
from pathlib import Path
from xml.dom import minidom

import pytest

from lossdsl import catalog, pipeline

WEBSITE = Path(__file__).parents[1] / "website"


@pytest.fixture(scope="module")
def website():
    """The modules of the site, which are no package."""
    sys.path.insert(0, str(WEBSITE))
    try:
        names = ("mathml", "facts", "pages")
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(WEBSITE))


@pytest.mark.parametrize("name", catalog.names()[::4])
def test_every_formula_becomes_mathml(name, website):
    latex = pipeline.program(pipeline.builtin(name)).latex
    found = minidom.parseString(website["mathml"].mathml(latex))  # it is XML, and so well-formed
    note = found.getElementsByTagName("annotation")[0].firstChild.data
    assert note == latex
    tables = len(found.getElementsByTagName("mtable"))
    assert tables == latex.count(r"\begin")
    assert len(found.getElementsByTagName("mfrac")) == latex.count(r"\frac")


@pytest.mark.parametrize(
    ("latex", "wanted"),
    [
        ("x_{i}^{2}", "<msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup>"),
        (r"\sum_{i} x", '<munder><mo movablelimits="false">∑</mo><mi>i</mi></munder><mi>x</mi>'),
        (r"\sqrt[3]{x}", "<mroot><mi>x</mi><mn>3</mn></mroot>"),
        (r"\hat{y}", '<mover accent="true"><mi>y</mi><mo>^</mo></mover>'),
        (r"\mathrm{label\_smoothing}", '<mi mathvariant="normal">label_smoothing</mi>'),
        (r"\text{if } x < 1", "<mtext>if\u00a0</mtext><mi>x</mi><mo>&lt;</mo><mn>1</mn>"),
    ],
)
def test_what_a_formula_is_made_of(latex, wanted, website):
    assert wanted in website["mathml"].mathml(latex)


@pytest.mark.parametrize("latex", [r"\unknown{x}", r"\frac{a}", "x}", r"\left(x"])
def test_what_lossdsl_does_not_write_is_refused(latex, website):
    with pytest.raises(ValueError, match=r"MathML|expected|unexpected"):
        website["mathml"].mathml(latex)


def test_references_are_links_and_texts_no_markup(website):
    linked = website["pages"]._linked
    address = "10.1214/aoms/1177703732"
    assert linked(f"A <b>, doi:{address}") == (
        f'A &lt;b&gt;, <a href="https://doi.org/{address}" rel="noreferrer">doi:{address}</a>'
    )
    assert 'href="https://arxiv.org/abs/2205.12740"' in linked("see arXiv:2205.12740.")
    assert linked("at https://a.org/b.html.") == 'at <a href="https://a.org/b.html" rel="noreferrer">https://a.org/b.html</a>.'
    assert linked("as `mse`.") == "as <code>mse</code>."


def test_facts_are_kept_until_something_changes(website, tmp_path):
    facts = website["facts"]
    made = facts.kept("huber", tmp_path, "one version")
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text(encoding="utf-8")) == made
    path.write_text(json.dumps({**made, "title": "kept"}), encoding="utf-8")
    assert facts.kept("huber", tmp_path, "one version")["title"] == "kept"
    assert facts.kept("huber", tmp_path, "another version")["title"] == made["title"]
    assert len(list(tmp_path.iterdir())) == 1
    kinds = [view["kind"] for view in made["views"]]
    assert kinds == ["error", "prediction", "example"]
    (delta,) = made["parameters"]
    assert 0 < delta["low"] < delta["value"] == 1 < delta["high"]  # delta > 0 is required


def test_each_setting_of_the_switches_has_code_and_views_of_its_own(website):
    known = website["facts"].facts("sparse_categorical_crossentropy")
    usual, logits = known["variants"]
    assert [usual["set"], logits["set"]] == [{"from_logits": False}, {"from_logits": True}]
    assert [each["views"][0]["pair"] for each in (usual, logits)] == ["prob", "logits"]
    assert [each["views"][-1]["given"][0] for each in (usual, logits)] == [1, [0, 2]]  # an example of each
    for each in (usual, logits):
        assert "sparse_categorical_crossentropy(t, x, ignore_class = -1)" in each["module"]  # it is handed in
        assert all("from_logits" not in view.get("parameters", {}) for view in each["views"])
    (point,) = [one["point"] for one in known["verdicts"] if one["name"] == "convex"]
    assert point["set"] == {"from_logits": False}  # refuted there, so that the picture turns the switch


def test_a_page_and_its_script_need_nothing_from_elsewhere(website, tmp_path):
    pages, made = website["pages"], website["facts"].kept("huber", tmp_path, "")
    page, script = pages.loss(made, ["huber", "cauchy"]), pages.script(made)
    assert "http:" not in page.replace("http://www.w3.org", "")
    assert all(link.startswith("https://doi.org/") for link in page.split('href="')[1:] if link.startswith("http"))
    assert script.count("export ") == 0
    assert "value: huber, slope: huber_gradient" in script
    assert "</script" not in script
