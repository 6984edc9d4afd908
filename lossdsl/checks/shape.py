"""The shape of a loss: where it is least, whether it is bounded below, where nothing is learned.

A loss of the error `t - x` alone is expected to be least, and 0 or more, where there is no error. Of any other, such as
a likelihood, these are properties that an author may promise, and no mistakes. Nor are they where the loss is flat, or
how steep it gets: these are told where they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lossdsl.analyze import Analyzer, Reward
from lossdsl.analyze.loss_shape import fading
from lossdsl.analyze.smooth_quantiles import is_smooth_quantile
from lossdsl.checks.finding import Finding, Known, Row
from lossdsl.checks.promises import setting
from lossdsl.checks.subject import Subject
from lossdsl.ir.expr import Call, Param, walk
from lossdsl.ir.loss import Loss
from lossdsl.ir.verdict import Number, place
from lossdsl.source import Span

BOTTOMLESS = Row(
    "unbounded-below",
    "No lower bound",
    "warning",
    "The loss falls without end: training makes it smaller for ever and learns nothing.",
    "t - x",
    "abs(t - x)",
    "look for a lost sign, square or absolute value",
)
NEGATIVE = Row(
    "negative",
    "Error that is rewarded",
    "warning",
    "A loss of the error t - x alone is negative somewhere.",
    "sqrt(1 + (t - x)^2) - 2",
    "sqrt(1 + (t - x)^2) - 1",
    "look for a wrong constant or for pieces that are exchanged",
)
ELSEWHERE = Row(
    "least-elsewhere",
    "Least where there is an error",
    "warning",
    "A loss of the error t - x alone, or of two distributions, is least at another prediction than the target.",
    "(t - x + 1)^2",
    "(t - x)^2",
    "look for a constant that moves the error",
)
BACKWARDS = Row(
    "wrong-way",
    "Error that costs less",
    "warning",
    "The cost falls as the error grows: a probability farther from its label costs less than a nearer one, or nothing "
    "costs more than what agrees with the target.",
    "loss mine(t: binary, x: prob; gamma = 2)\nrequire gamma >= 0\np = where(t == 1, x, 1 - x)\n-p^gamma*log(p + 1e-7)",
    "loss mine(t: binary, x: prob; gamma = 2)\nrequire gamma >= 0\np = where(t == 1, x, 1 - x)\n"
    "-(1 - p)^gamma*log(p + 1e-7)",
    "look for a lost sign, for a weight that belongs to the other label, for a similarity that is no distance",
)
MINIMISER = Row(
    "minimiser",
    "What is learned instead of the target",
    "info",
    "The prediction that makes the loss least is not the target itself: over several targets it is their mean, their "
    "median or a quantile, or for one target it is another number.",
    "loss mine(t, x; q = 0.9)\nrequire 0 < q < 1\nmax(q*(t - x), (q - 1)*(t - x))",
    "log(cosh(t - x))",
    "nothing where this is what the model is to learn",
    asked=True,
)
FLAT = Row(
    "flat-region",
    "Region in which nothing is learned",
    "info",
    "There are predictions at which the slope is 0 although others cost less: training does not move away from them.",
    "min((t - x)^2, 4)",
    "log(1 + (t - x)^2)",
    "nothing where such predictions are to be given up as outliers; else let the loss go on rising there",
    asked=True,
)
FADING = Row(
    "fading-slope",
    "Slope that fades",
    "info",
    "The slope goes to 0 towards an end of the predictions although others cost less: the worse a prediction is, the "
    "less is learned from it.",
    "loss mine(t: binary, x)\n(t - sigmoid(x))^2",
    "loss mine(t: binary, x)\nsoftplus(x) - t*x",
    "nothing where outliers are to lose their influence; of a probability take the logarithm, as cross-entropy does",
    asked=True,
)
STEEP = Row(
    "unbounded-slope",
    "Slope without bound",
    "info",
    "The slope grows without bound towards an end of the predictions: one bad prediction outweighs all others.",
    "(t - x)^2",
    "sqrt(1 + (t - x)^2) - 1",
    "nothing where large errors are to count that much; else clip gradients, or take a loss that is linear far away",
    asked=True,
)
BENT = Row(
    "not-convex",
    "Not convex",
    "info",
    "A value lies above the line between two others: training may end where the loss is not least.",
    "log(1 + (t - x)^2)",
    "log(cosh(t - x))",
    "nothing where that is the price of a bounded slope, or the model is not linear anyway",
    asked=True,
)
LOPSIDED = Row(
    "not-symmetric",
    "Not symmetric",
    "info",
    "An error costs more in one direction than in the other.",
    "where(t > x, 2, 1)*abs(t - x)",
    "2*abs(t - x)",
    "nothing where that is what the loss is for",
    asked=True,
)

ROWS = (BOTTOMLESS, NEGATIVE, ELSEWHERE, BACKWARDS, MINIMISER, FLAT, FADING, STEEP, BENT, LOPSIDED)


def look(subject: Subject) -> Iterator[Finding | Known]:
    """A finding for each defect of shape, once over all settings; where it is asked for, also what bounds it has."""
    if subject.properties:
        yield from _properties(subject)
    told: set[str] = set()
    promised = _promised(subject)
    for analyzer in subject.analyzers:
        if BOTTOMLESS.id in told and not _is_of_error(analyzer):
            continue  # there is nothing else to be found
        for found in _look(analyzer, promised):
            if found.id not in told:
                told.add(found.id)
                yield found


def _is_of_error(analyzer: Analyzer) -> bool:
    """Whether the loss is one of the error t - x alone."""
    return len(analyzer.program.loss.inputs) == 2 and all(case.view.moves for case in analyzer.cases)


def _look(analyzer: Analyzer, promised: set[str]) -> Iterator[Finding]:
    loss = analyzer.program.loss
    span, where = _formula(loss), setting(loss)
    if analyzer.below.how == "refuted":
        text = f"the loss has no lower bound{where}: {analyzer.below.detail}"
        yield BOTTOMLESS.found(text, span, BOTTOMLESS.remedy, str(analyzer.below))
        return
    reward, disagreement = analyzer.reward, analyzer.disagreement
    if reward is not None:
        yield BACKWARDS.found(_cheaper(reward, loss), span, BACKWARDS.remedy, _seen(reward))
    elif disagreement is not None and loss.target is not None:
        text = f"the loss is not least where `{loss.target.name}` and `{loss.prediction.name}` agree"
        yield ELSEWHERE.found(f"{text}: {_cheaper(disagreement, loss)}", span, _SAME, _seen(disagreement))
    if not _is_of_error(analyzer):
        return
    verdict, least = analyzer.near("nonnegative"), analyzer.near("least at t = x")
    is_density = least.how != "refuted" and _has_constant_of_density(loss)
    if verdict.how == "refuted" and "nonnegative" not in promised and not is_density:
        text = f"the loss is negative at {verdict.place}{where}: {verdict.detail}"
        yield NEGATIVE.found(text, span, NEGATIVE.remedy, str(verdict))
    if least.how == "refuted" and "least at t = x" not in promised and not is_smooth_quantile(analyzer, least.at):
        text = f"the loss is not least at `t = x`{where}: {least.detail} at {least.place}"
        yield ELSEWHERE.found(text, span, ELSEWHERE.remedy, str(least))


def _has_constant_of_density(loss: Loss) -> bool:
    """Whether there is a logarithm of parameters, as log(sigma): a density may be above 1."""
    logs = [node for node in walk(loss.value) if isinstance(node, Call) and node.op.name in ("log", "log1p", "lgamma")]
    return any(node.is_static and any(isinstance(leaf, Param) for leaf in walk(node)) for node in logs)


_SAME = "look for a root, a logarithm or a factor that one of the two lacks"


def _cheaper(found: Reward, loss: Loss) -> str:
    costs = f"{float(found.cost):.6g}, less than the {float(found.better):.6g} of a prediction that is nearer"
    return f"the loss is {costs} at {place(found.at)}{setting(loss)}"


def _seen(found: Reward) -> str:
    return f"refuted at {place(found.at)}"


def _properties(subject: Subject) -> Iterator[Known]:
    """Whether the loss has a lower bound, and whether its slope has bounds."""
    analyzer = subject.analyzers[0]
    yield Known.of("bounded below", analyzer.below)
    yield Known.of("slope bounded", analyzer.steep)


def _promised(subject: Subject) -> set[str]:
    """The properties that the author promises: whether they hold is told of the promise."""
    return {promise.text for promise in subject.loss.expectations}


def _formula(loss: Loss) -> Span | None:
    """Where the formula of a loss stands."""
    return loss.spans.get(loss.value) or loss.spans.get(loss.result)


# --- what is told where it is asked for ---------------------------------------------------------------------------


def minimiser(subject: Subject) -> Iterator[Finding]:
    """A finding where another prediction than the target is the best, once over all settings."""
    for analyzer in subject.analyzers:
        loss, least = analyzer.program.loss, analyzer.minimiser
        if least.kind == "t" or not least.text or analyzer.below.how == "refuted":
            continue
        at = f" for {_others(loss, least.at)}" if least.at else ", over several targets"
        known = "tested on a grid" if least.at else str(least.verdict)
        text = f"the loss is least at `{least.text}`{at}" if least.at else f"the loss is least at {least.text}{at}"
        yield MINIMISER.found(text + setting(loss), _formula(loss), MINIMISER.remedy, known)
        return


def flats(subject: Subject) -> Iterator[Finding]:
    """A finding for each region in which the slope is 0 though the loss is less elsewhere, once over all settings."""
    told: set[str] = set()
    for analyzer in subject.analyzers:
        loss = analyzer.program.loss
        for flat in analyzer.flat:
            if flat.where not in told:
                told.add(flat.where)
                text = f"the slope is 0 where `{flat.where}`, though the loss is less elsewhere{setting(loss)}: "
                text += f"it is {flat.value} at {place(flat.at)}"
                yield FLAT.found(text, flat.span or _formula(loss), FLAT.remedy, str(flat.verdict))


def fades(subject: Subject) -> Iterator[Finding]:
    """A finding where the slope goes to 0 at an end though the loss is less elsewhere, once over all settings.

    Where it is 0 in a whole region that is told instead.
    """
    for analyzer in subject.analyzers:
        pieces, search = analyzer.cases[0].pieces, analyzer.search
        verdict = None if pieces is None or search is None or analyzer.flat else fading(search, pieces.slope)
        if verdict is not None:
            loss = analyzer.program.loss
            at = _others(loss, verdict.at)
            text = f"{verdict.detail}{f', for {at}' if at else ''}, though the loss is less elsewhere{setting(loss)}"
            yield FADING.found(text, _formula(loss), FADING.remedy, str(verdict))
            return


def steep(subject: Subject) -> Iterator[Finding]:
    """A finding where the slope goes to infinity at an end; that it is infinite at a point is told of the domain."""
    for analyzer in subject.analyzers:
        loss, verdict = analyzer.program.loss, analyzer.steep
        if verdict.how == "refuted" and verdict.by == "limits":
            at = _others(loss, verdict.at)
            text = f"{verdict.detail}{f', for {at}' if at else ''}{setting(loss)}"
            yield STEEP.found(text, _formula(loss), STEEP.remedy, str(verdict))
            return


def bent(subject: Subject) -> Iterator[Finding]:
    """A finding for a loss that is not convex; one that promises to be is told of the promise."""
    return _refuted(subject, "convex", BENT)


def lopsided(subject: Subject) -> Iterator[Finding]:
    """A finding for a loss that is not symmetric; one that promises to be is told of the promise."""
    return _refuted(subject, "symmetric", LOPSIDED)


def _refuted(subject: Subject, name: str, row: Row) -> Iterator[Finding]:
    if name in _promised(subject):
        return
    for analyzer in subject.analyzers:
        loss, verdict = analyzer.program.loss, analyzer.near(name)
        if verdict.how == "refuted":
            text = f"the loss is not {name} at {verdict.place}{setting(loss)}: {verdict.detail}"
            yield row.found(text, _formula(loss), row.remedy, str(verdict))
            return


def _others(loss: Loss, at: Mapping[str, Number]) -> str:
    """A point without its prediction."""
    predicted = {node.name for node in loss.prediction.nodes}
    return place({name: value for name, value in at.items() if name not in predicted})
