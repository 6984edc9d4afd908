"""Hostile inputs: texts, YAML, saved losses, parameters and command lines that nobody wrote on purpose.

    python tests/fuzz.py --minutes 60             all kinds, with a seed of the clock
    python tests/fuzz.py --inputs 500 --seed 7 --kinds text yaml

Each ends in a result or a LossError: no other exception, no more than 5 s of processor time, no more than 300 MB, no
process, socket or file opened for writing, and no code run but what the compiler generates. A text that is a loss is
formatted to a text of the same meaning, which formatting leaves as it is; what `check` finds in one is no mistake of
the compiler. What breaks this is printed, made smaller, with the number of the input; a long one is kept in a file.
A part with a fixed seed is `tests/test_fuzz.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import lossdsl
from lossdsl import catalog, cli, pipeline
from lossdsl.config import description, find_losses
from lossdsl.errors import LossError, format_value
from lossdsl.frontend.format import formatted
from lossdsl.ir.ops import AGGREGATES, OPS
from lossdsl.runtime.saved import check_config
from lossdsl.runtime.spec import LoadedLoss, axes_of
from lossdsl.source import Source

SECONDS = 5.0
MEGABYTES = 300

HERE = Path(__file__).parent
ROOT = Path(lossdsl.__file__).parent
TEMPORARY = tempfile.gettempdir()
CATALOG = [str(catalog.read(name).text) for name in catalog.names()]  # type: ignore[union-attr]
WRONG = [path.read_text(encoding="utf-8") for path in sorted((HERE / "wrong").glob("*.loss"))]
YAMLS = [path.read_text(encoding="utf-8") for path in sorted((HERE / "wrong").glob("*.yaml"))]

Case = tuple[str, Any]
"""A kind of input, and the input: a text, a config, arguments."""


# --- what is tried ------------------------------------------------------------------------------------------------

NUMBERS = ("0", "1", "2", "-1", "0.5", "1e-3", "3.", ".5", "1e300", "1e-300", "1e309", "9" * 30, "9" * 5000, "1e-5000",
           "1e" + "9" * 30, "00", "0.1e+2", "inf", "-inf", "epsilon", "pi", "1/3", "2^53", "9^9^9")  # fmt: skip
SIGNS = "()[]{},;:=+-*/^<>!|&.#\"'\\$%@~`?\n\t \r_e09txj≤δ²½‖σх′…“−\u00a0\u200b\u202e\ud800\x00\ufeff𝟙٢é"
PIECES = (*SIGNS, '"""', " if ", " in ", " and ", " not ", "self", "true", "else", "->", "**", "==", "[j]", "[t]",
          "(m, s)", "where(", "cases(", "sum[j in batch](", "require ", "expect convex", "allow kink \"x\"",
          "example t=[0], x=[1] -> 1",
          "loss f(t, x)\n", "x[1:]", "x[-1]", "\\frac{1}{2}", "lambda", "import os", "__class__", "1:", "\r\n",
          *NUMBERS)  # fmt: skip

_FUNCTIONS = [(name, len(row.args)) for name, row in OPS.items() if row.public and name != "pi" and not row.infix]
_AGGREGATES = [name for name, row in AGGREGATES.items() if row.public]
_OPERATORS = ("+", "-", "*", "/", "^", "**")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


class Grammar:
    """Random losses that the grammar derives; most mean something."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names = ["t", "x"]
        self.labels: list[str] = []

    def number(self) -> str:
        chance = self.chance
        return chance.choice(NUMBERS[:10]) if chance.random() < 0.97 else chance.choice(NUMBERS)

    def leaf(self) -> str:
        return self.chance.choice(self.names) if self.chance.random() < 0.7 else self.number()

    def condition(self, depth: int) -> str:
        chance = self.chance
        if chance.random() < 0.2 and depth > 0:
            return f"({self.condition(depth - 1)} {chance.choice(['and', 'or'])} not {self.condition(depth - 1)})"
        return f"{self.expression(depth - 1)} {chance.choice(_COMPARISONS)} {self.expression(depth - 1)}"

    def expression(self, depth: int) -> str:
        chance = self.chance
        if depth <= 0:
            return self.leaf()
        match chance.randrange(12):
            case 0 | 1 | 2 | 3:
                return f"({self.expression(depth - 1)} {chance.choice(_OPERATORS)} {self.expression(depth - 1)})"
            case 4 | 5:
                name, count = chance.choice(_FUNCTIONS)
                return f"{name}({', '.join(self.expression(depth - 1) for _ in range(count))})"
            case 6:
                return f"where({self.condition(depth - 1)}, {self.expression(depth - 1)}, {self.expression(depth - 1)})"
            case 7:
                count = chance.randint(1, 3)
                pieces = [f"{self.condition(depth - 1)}: {self.expression(depth - 1)}" for _ in range(count)]
                return f"cases({', '.join(pieces)}, else: {self.expression(depth - 1)})"
            case 8 | 9:
                name = chance.choice(_AGGREGATES)
                filtered = f"[last if {self.condition(0)}]"
                over = chance.choice(["", "", "[last]", "[batch]", "[all]", "[j]", "[j in batch]", filtered])
                inner = self.expression(depth - 1)
                if "[j" in over:
                    inner = f"{inner}*{chance.choice(self.names)}[j]"
                second = f", {self.expression(depth - 1)}" if name == "dot" else ""
                if name in ("any", "all", "count"):
                    inner = self.condition(depth - 1)
                return f"{name}{over}({inner}{second})"
            case 10:
                return f"{chance.choice(self.names)}[{chance.choice(['0', '-1', '1:', ':-1', 'self', 't', '1'])}]"
        return f"-{self.expression(depth - 1)}"

    def text(self) -> str:
        chance = self.chance
        lines = []
        if chance.random() < 0.6:
            kinds = ["", ": positive", ": prob", ": label", ": binary", ": simplex", ": scalar"]
            header = f"t{chance.choice(kinds)}, x{chance.choice(kinds[:3])}"
            parameters = [name for name in ("a", "b_2", "δ") if chance.random() < 0.3]
            self.names += parameters
            kinds = [f"= {self.number()}" if chance.random() < 0.9 else ": int = 2" for _ in parameters]
            given = ", ".join(f"{name} {kind}" for name, kind in zip(parameters, kinds, strict=True))
            lines.append(f"loss mine({header}{'; ' if given else ''}{given})")
            lines += [f"require {name} > 0" for name in parameters if chance.random() < 0.3]
        for name in ("e", "u", "w"):
            if chance.random() < 0.3:
                lines.append(f"{name} = {self.expression(chance.randint(1, 3))}")
                self.names.append(name)
        lines.append(self.expression(chance.choice([1, 2, 2, 3, 3, 4, 5])))
        if chance.random() < 0.1:
            lines.append("example t=[0, 1], x=[0.5, 1] -> 0.5")
        return "\n".join(lines)


def mutated(text: str, chance: random.Random) -> str:
    """A text with a few characters taken out, pieces put in, or a part moved, doubled or repeated often."""
    for _ in range(chance.choice([1, 1, 2, 3, 6, 12])):
        at, other = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(12):
            case 0 | 1 | 2:
                text = text[:at] + text[at + chance.choice([1, 2, 5, 20]) :]
            case 3 | 4 | 5 | 6 | 7:
                text = text[:at] + chance.choice(PIECES) + text[at:]
            case 8 | 9:
                text = text[:other] + text[at:other] + text[other:]
            case 10:
                text = text[:at] + text[at : at + 4] * chance.choice([2, 30, 3000]) + text[at:]
            case 11:
                text = text[:at] + text[other:] + text[at:other]
    return text[:250_000]


VALUES: tuple[Any, ...] = (
    0, 1, -1, 0.5, 1e308, 1e-320, float("inf"), float("nan"), 10**400, 10**5000, True, False, None, "", "1", "true",
    "a" * 9999,
    [1, 2, 4], [[1, 2], [3]], [[1.0]], [], [[]], [None], [10**400], ["a"], (1,), {"a": 1}, {}, 1j, b"x", object(),
    len, int,
    np.float32(1), np.int64(3), np.array(2.0), np.array([1, 2]), np.array(["a"]), np.zeros((0,)), np.zeros((2, 0)),
    "\ud800",
    np.array([object()]), range(3), float, "${x}", -(10**20), np.nan, np.float16("inf"), [True], [[True, False]],
    set(), "½",
)  # fmt: skip

_YAML_PIECES = ("\n", "  ", ": ", "- ", "{", "}", "[", "]", "&a ", "*a", "<<: *a\n", "!!python/name:os.system ",
"!x ", "|", ">", "'",
                '"', "\\", "\\UFFFFFFFF", "\\ud800", "\\x00", "#", "%", "@", "`", "~", "null", "yes", "1:30", "0x1f",
                "1_000", ".inf",
                "---\n", "...\n", "? ", "\t", "loss: ", "losses:\n", "huber", "{huber: {delta: 2}}", "file: ",
                "formula: ", "params: ",
                "reduction: ", "axis: ", "${a}", "=", "9" * 5000, "1e999", "\u2028", "\x85", "\ufeff")  # fmt: skip

_COMMANDS = ("check", "show", "grad", "emit", "eval", "fmt", "list", "help", "new", "completion", "plot", "-q",
"--color", "nothing")
_WORDS = ("huber", "mse", "(t - x)^2", "-", "nowhere.loss", "--param", "delta=2", "delta=[1,2]", "delta=",
"w=[[1],[2]]", "--stage", "numpy",
          "stable", "--as", "latex", "--target", "torch", "--wrt", "t", "x=1", "t=0", "x=[1, 2]", "x=[[1]",
          "--format", "json", "--select",
          "names", "--list", "--explain", "kink", "--grad", "--diff", "always", "", "\udcff", "x=" + "9" * 5000,
          "--key", "a.b", "-V", "-o",
          "/dev/null", "--check", "bash", "--statistics", "x" * 5000, "--fix", "-h", "abs(t - x", "\x00")  # fmt: skip


def cases(chance: random.Random, kinds: tuple[str, ...]) -> Iterator[Case]:
    """Inputs without end."""
    usual = {"parameters": {}, "axis": -1, "name": "a", "reduction": "sum", "dtype": None, "file": "a", "version": 1}
    saved = [{"source": text, **usual} for text in [*CATALOG, "d*(t - x)^2"]]
    while True:
        kind = chance.choice(kinds)
        match kind:
            case "grammar":
                yield kind, Grammar(chance).text()
            case "text":
                yield kind, mutated(chance.choice((CATALOG, WRONG))[chance.randrange(20)], chance)
            case "derived":
                yield kind, mutated(Grammar(chance).text(), chance)
            case "yaml":
                text = chance.choice(YAMLS)
                if chance.random() < 0.3:
                    text = "loss: {huber: {delta: 0.5}, reduction: sum}\n"
                for _ in range(chance.choice([0, 1, 2, 4, 8])):
                    at = chance.randrange(len(text) + 1)
                    piece = chance.choice(_YAML_PIECES) * chance.choice([1, 1, 1, 2, 70, 5000])
                    text = text[:at] + piece + text[at + chance.choice([0, 0, 1, 4]) :]
                yield kind, text[:310_000]
            case "saved":
                config = dict(chance.choice(saved))
                for _ in range(chance.randint(1, 3)):
                    key = chance.choice([*config, "extra", 3])
                    if chance.random() < 0.3:
                        config.pop(key, None)
                    else:
                        config[key] = chance.choice(VALUES)
                if chance.random() < 0.5:
                    config["parameters"] = {chance.choice(("delta", "d", "gamma", "")): chance.choice(VALUES)}
                yield kind, config
            case "parameters":
                name = chance.choice(catalog.names())
                specs = pipeline.parameters(pipeline.parsed(catalog.read(name)))  # type: ignore[arg-type]
                wanted = [one for one in [*(spec.name for spec in specs), "other"] if chance.random() < 0.5]
                yield kind, (name, {one: chance.choice(VALUES) for one in wanted}, chance.choice(VALUES))
            case "tensors":
                yield kind, (chance.choice(catalog.names()), [chance.choice(VALUES) for _ in range(chance.randint(1,
                4))])
            case "command":
                yield kind, [chance.choice(_COMMANDS), *(chance.choice(_WORDS) for _ in range(chance.randrange(6)))]
            case "source":
                yield kind, chance.choice(VALUES)
            case "checked":
                text = Grammar(chance).text() if chance.random() < 0.7 else chance.choice(CATALOG)
                yield kind, text if chance.random() < 0.6 else mutated(text, chance)


KINDS = ("grammar", "text", "derived", "yaml", "saved", "parameters", "tensors", "command", "source", "checked")


# --- what must hold -----------------------------------------------------------------------------------------------


class Broken(AssertionError):
    """A result that is wrong, though nothing was raised."""


class Slow(BaseException):
    """Too much processor time."""


def try_text(text: str) -> None:
    """Parses, formats, compiles and runs a text."""
    source = Source(text, "fuzz.loss")
    file = pipeline.parsed(source)
    once = formatted(source)
    if formatted(Source(once, "fuzz.loss")) != once:
        raise Broken("formatting twice is not formatting once")
    program = pipeline.program(file)
    if pipeline.program(pipeline.parsed(Source(once, "fuzz.loss"))).loss.result is not program.loss.result:
        raise Broken("formatting changed the meaning")
    for stage in ("loss", "latex", "stable"):
        program.show(stage)
    if len(text) > 4000:
        return
    values = {spec.name: 1.0 for spec in program.loss.parameters if spec.default is None and spec.kind == "real"}
    loss = LoadedLoss(source, (-1,), values)
    inputs = {spec.identifier: _sample(spec.is_label, len(spec.over), len(spec.nodes)) for spec in program.loss.inputs}
    with np.errstate(all="ignore"):
        loss.numpy(**inputs)
        loss.numpy.value_and_grad(**inputs)


def _sample(is_label: bool, rank: int, parts: int) -> Any:
    """Two samples of three elements."""
    values = np.linspace(0.25, 1.5, 6 * parts).reshape(2, -1)
    if is_label:
        return np.array([0, 1])
    return values if rank >= 3 else values[:, 0]


def try_yaml(text: str) -> None:
    """Every way in which YAML is read."""
    for read in (lambda: [description(f"{text}\n", "loss")], lambda: find_losses(Source(text, "fuzz.yaml"))):
        with contextlib.suppress(LossError):
            for found in read():
                if not isinstance(found, LossError):
                    with found.blamed():
                        LoadedLoss(found.source, axes_of(found.options.get("axis", -1)), found.parameters)
                else:
                    str(found)


def try_saved(config: dict[str, Any]) -> None:
    check_config(config)
    LoadedLoss(Source(config["source"], config.get("file", "")), axes_of(config.get("axis")), config["parameters"])


def try_parameters(given: tuple[str, dict[str, Any], Any]) -> None:
    name, parameters, axis = given
    lossdsl.load(name, axis=-1 if isinstance(axis, float) else axis, **parameters)
    lossdsl.load({name: parameters})


def try_tensors(given: tuple[str, list[Any]]) -> None:
    name, tensors = given
    lossdsl.load(name).numpy.value_and_grad(*tensors)


def try_command(arguments: list[str]) -> None:
    with (
        contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), "utf-8")),
        contextlib.redirect_stderr(io.TextIOWrapper(io.BytesIO(), "utf-8")),
        contextlib.suppress(SystemExit),
    ):
        status = cli.main(arguments)
        if status not in (0, 1, 2):
            raise Broken(f"status {status}")


def try_source(value: Any) -> None:
    lossdsl.load(value)


def try_checked(text: str) -> None:
    """Looks for mistakes in a text: whatever it is, that ends in a report."""
    report = lossdsl.check(Source(text, "fuzz.loss"))
    str(report)
    wrong = [found.message for found in report.findings if found.id in ("value", "gradient")]
    if wrong:
        raise Broken(wrong[0])


TRIALS: dict[str, Callable[[Any], None]] = {
    **dict.fromkeys(("grammar", "text", "derived"), try_text),
    "yaml": try_yaml,
    "saved": try_saved,
    "parameters": try_parameters,
    "tensors": try_tensors,
    "command": try_command,
    "source": try_source,
    "checked": try_checked,
}


def problem(case: Case) -> str:
    """What is wrong with how an input ends; empty where nothing is."""
    kind, given = case
    before = _memory_from_here()
    signal.signal(signal.SIGPROF, _stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 1.0)  # again, for what is raised in a destructor is lost
    try:
        TRIALS[kind](given)
    except LossError as error:
        if not str(error) or not error.message:
            return "a message without words"
    except Slow:
        return f"more than {SECONDS:g} s at {_place()}"
    except Exception as error:
        return f"{type(error).__name__} at {_place()}: {format_value(str(error))}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    grown = _most_memory() - before
    return f"more than {MEGABYTES} MB: {grown:.0f}" if grown > MEGABYTES else ""


def _memory_from_here() -> float:
    """The megabytes in use; from here on the most of them is counted anew, where the system can do that."""
    try:
        file = os.open("/proc/self/clear_refs", os.O_WRONLY)
        os.write(file, b"5")
        os.close(file)
    except OSError:
        return _most_memory()
    return _status("VmRSS:")


def _most_memory() -> float:
    found = _status("VmHWM:")
    return found or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _status(key: str) -> float:
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii") as lines:
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(key)), 0.0)
    return 0.0


def _stop(*_: object) -> None:
    raise Slow


def _place() -> str:
    """The innermost line of ours."""
    frames = [frame for frame in traceback.extract_tb(sys.exc_info()[2]) if "/lossdsl/" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "a library"


# --- nothing is executed ------------------------------------------------------------------------------------------

_FORBIDDEN = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir",
"subprocess.Popen",
              "socket.connect", "socket.bind", "shutil.rmtree", "ctypes.dlopen", "pickle.find_class")  # fmt: skip


def forbid() -> None:
    """From here on this process may not start programs, connect,
    remove files or run code that is not the compiler's."""
    sys.addaudithook(_audit)


_OWN = re.compile(r"/\.[^/]+\.[0-9a-f]{16}\.tmp$")
"""What temporaries of the command are called, wherever they stand."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("os.remove", "os.rename"):
        path = str(arguments[0])
        if path.startswith(TEMPORARY) or _OWN.search(path):
            return  # of a file that the command itself has made
    if event in _FORBIDDEN:
        raise Broken(f"{event} {format_value(arguments)}")
    is_written = event == "open" and isinstance(arguments[1], str) and bool(set(arguments[1]) & set("wax+"))
    if is_written and isinstance(arguments[0], str) and arguments[0] != os.devnull:
        raise Broken(f"open {format_value(arguments)}")
    if event == "exec" and str(ROOT) in sys._getframe(1).f_code.co_filename:  # by us, not by a library
        name = arguments[0].co_filename
        if not name.startswith("<lossdsl "):
            raise Broken(f"exec {name}")


# --- the run ------------------------------------------------------------------------------------------------------


def smaller(case: Case, found: str) -> Case:
    """A smaller text that has the same problem, if the input is a text."""
    kind, given = case
    if not isinstance(given, str) or found.startswith("more than"):
        return case
    head = found.split(":")[0]
    size = len(given) // 2
    while size:
        at = 0
        while at < len(given):
            shorter = given[:at] + given[at + size :]
            if problem((kind, shorter)).startswith(head):
                given = shorter
            else:
                at += size
        size //= 2
    return kind, given


def run(
    seed: int, kinds: tuple[str, ...], inputs: int | None, seconds: float | None
) -> tuple[Counter[str], dict[str, Case]]:
    """How many inputs of each kind were tried, and one for each problem that was found."""
    for name in CATALOG[:1]:
        try_text(name)  # libraries are loaded first: that is no fault of an input
    with contextlib.suppress(LossError):
        try_yaml("loss: huber")
    counts: Counter[str] = Counter()
    found: dict[str, Case] = {}
    end = None if seconds is None else time.monotonic() + seconds
    for case in cases(random.Random(seed), kinds):
        if (inputs is not None and sum(counts.values()) >= inputs) or (end is not None and time.monotonic() > end):
            break
        counts[case[0]] += 1
        what = problem(case)
        if what and what.split(":")[0] not in {known.split(":")[0] for known in found}:
            found[what] = smaller(case, what)
            kind, given = found[what]
            print(f"--- {what}\n{kind}, input {sum(counts.values())}: {_shown(given)}", flush=True)
    return counts, found


def _shown(given: Any) -> str:
    """An input for a reader; the name of a file that has it, if it is long."""
    text = ascii(given)
    if len(text) < 4000:
        return text
    kept = os.open(f"long-{abs(hash(text)):x}.txt", os.O_WRONLY | os.O_CREAT)  # no `open`: that is forbidden
    os.write(kept, text.encode())
    os.close(kept)
    return f"{format_value(given)}, whole in {Path(f'long-{abs(hash(text)):x}.txt').resolve()}"


def main() -> int:
    if "PYTHONHASHSEED" not in os.environ:  # else sets of words lie in another order every time
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONHASHSEED": "0"})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, help="how long")
    parser.add_argument("--inputs", type=int, help="how many")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    options = parser.parse_args()
    if options.minutes is None and options.inputs is None:
        options.minutes = 1.0
    os.chdir(tempfile.mkdtemp())  # nothing is removed: that is forbidden, too
    forbid()
    seconds = None if options.minutes is None else options.minutes * 60
    counts, found = run(options.seed, tuple(options.kinds), options.inputs, seconds)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"seed {options.seed}: {sum(counts.values())} inputs ({told}), {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
