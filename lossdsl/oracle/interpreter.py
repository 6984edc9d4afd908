"""Expressions worked out over exact numbers: 50 digits, or sympy's symbols.

Arrays are numpy arrays of objects, one dimension for each axis of their expression, in the order of `axes.ordered`.
This is the slow and plain meaning of the IR, against which rules, gradients and targets are judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lossdsl.ir.axes import Axes, Axis, ordered, slice_bounds
from lossdsl.ir.expr import Along, Call, Const, Expr, Flag, Gather, Length, Position, Reduce, Rename, Slice, Unslice
from lossdsl.ir.whole import definition
from lossdsl.oracle.number_systems import Beyond, Numbers

Array = NDArray[Any]
Sizes = Mapping[str, int]
"""The number of positions along each axis, by the name of its domain: batch, space, last, rows."""


def evaluate(roots: Iterable[Expr], given: Mapping[Expr, Array], m: Numbers, sizes: Sizes) -> dict[Expr, Array]:
    """The value of every expression below the roots, itself included.

    `given` has the arrays of the inputs and parameters; any other expression may be given as well and is then not
    looked into. Raises Beyond where the namespace has no meaning for an operation, KeyError for a leaf without a value.
    """
    run = _Run(m, sizes, dict(given))
    for node in _order(roots, given):
        run.done[node] = run.value(node)
    return run.done


def filled(values: Any, m: Numbers) -> Array:
    """An array of a namespace's numbers from nested lists or an array of plain ones."""
    plain = np.asarray(values, dtype=object)
    if not plain.ndim:
        return _objects(m.number(plain.item()))
    with np.errstate(invalid="ignore"):  # nan is a value like any other
        return _objects(np.frompyfunc(m.number, 1, 1)(plain))


def _order(roots: Iterable[Expr], given: Mapping[Expr, Array]) -> Iterable[Expr]:
    """Every expression to be worked out, children before parents."""
    seen: set[Expr] = set(given)
    stack = [(root, False) for root in roots]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(child, False) for child in node.children if child not in seen]


def _objects(value: Any) -> Array:
    """An array of objects, also where numpy gave back a lone one."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value
    result = np.empty(np.shape(value), dtype=object)
    result[...] = value
    return result


def met(array: Array, have: Axes, want: Axes) -> Array:
    """The array with a dimension of length 1 for each axis of `want` that it lacks."""
    if want <= have:
        return array
    return array[tuple(slice(None) if axis in have else None for axis in ordered(want | have))]


_FAR = 2**63
"""No axis is as long."""


class _Run:
    def __init__(self, m: Numbers, sizes: Sizes, done: dict[Expr, Array]) -> None:
        self.m = m
        self.sizes = sizes
        self.done = done

    def value(self, node: Expr) -> Array:
        meaning = definition(node)
        if meaning is not None:
            for part in _order([meaning], self.done):
                self.done[part] = self.value(part)
            return self.done[meaning]
        match node:
            case Call():
                return self._call(node)
            case Const(value):
                return _objects(self.m.number(value))
            case Flag(value):
                return _objects(value)
            case Reduce(op, arg, over):
                return self._reduce(op.name, op.empty, arg, over)
            case Along(op, _, over, reverse):
                return self._along(node, op.name, over, reverse)
            case Rename(arg, old, new):
                return self._renamed(self.done[arg], arg, old, new)
            case Gather(arg, axis, index):
                return self._gather(node, arg, axis, index)
            case Slice(arg, old, new):
                place = ordered(arg.axes).index(old)
                array = self.done[arg][(slice(None),) * place + (slice(*node.bounds),)]
                return self._renamed(array, arg, old, new)
            case Unslice(arg, like, old, new, start):
                return self._renamed(self._unslice(arg, like, old, new, start), arg, old, new)
            case Position(axis):
                return filled(range(axis.length(self.sizes[axis.domain])), self.m)
            case Length(arg, over):
                shape, dims = self.done[arg].shape, ordered(arg.axes)
                count = 1
                for axis in over:
                    count *= shape[dims.index(axis)]
                return _objects(self.m.number(count))
        raise KeyError(node)

    def _call(self, node: Call) -> Array:
        meaning = self.m.meaning(node.op)
        if not node.axes:
            return _objects(meaning(*[self.done[arg].item() for arg in node.args]))
        arrays = [met(self.done[arg], arg.axes, node.axes) for arg in node.args]
        return _objects(np.frompyfunc(meaning, len(arrays), 1)(*arrays))

    def _rows(self, node: Expr, over: Axes) -> tuple[Array, list[Axis]]:
        """The array of `node` with the axes `over` joined and put last, and the axes that stay."""
        array, dims = self.done[node], ordered(node.axes)
        stay = [axis for axis in dims if axis not in over]
        order = [dims.index(axis) for axis in (*stay, *(axis for axis in dims if axis in over))]
        kept = [array.shape[dims.index(axis)] for axis in stay]
        count = 1
        for axis in over:
            count *= array.shape[dims.index(axis)]
        return array.transpose(order).reshape(*kept, count), stay

    def _reduce(self, name: str, empty: float | None, arg: Expr, over: Axes) -> Array:
        if name not in _REDUCED:
            raise Beyond(name)
        rows, _ = self._rows(arg, over)
        found = np.empty(rows.shape[:-1], dtype=object)
        for place in np.ndindex(found.shape):
            row = list(rows[place])
            found[place] = _REDUCED[name](self.m, row) if row or empty is None else self.m.number(empty)
        return found

    def _along(self, node: Along, name: str, over: Axes, reverse: bool) -> Array:
        dims = ordered(node.axes)
        args = np.broadcast_arrays(*(met(self.done[arg], arg.axes, node.axes) for arg in node.args))
        stay = [place for place, axis in enumerate(dims) if axis not in over]
        order = [*stay, *(place for place, axis in enumerate(dims) if axis in over)]
        moved = [arg.transpose(order) for arg in args]
        shape = moved[0].shape
        rows = [arg.reshape(*shape[: len(stay)], -1) for arg in moved]
        found = np.empty(rows[0].shape, dtype=object)
        for place in np.ndindex(found.shape[:-1]):
            found[place] = self._row(name, [list(row[place]) for row in rows], reverse)
        return found.reshape(shape).transpose(np.argsort(order))

    def _row(self, name: str, rows: list[list[Any]], reverse: bool) -> list[Any]:
        row, keys = rows[0], rows[-1]
        if name == "cumsum":
            found = list(accumulate(row[::-1] if reverse else row))
            return found[::-1] if reverse else found
        if name == "logcumsumexp":
            m: Any = self.m
            return list(map(m.log, self._row("cumsum", [list(map(m.exp, row))], reverse)))
        if name in ("dft_cos", "dft_sin"):
            return self._transformed(row, "cos" if name == "dft_cos" else "sin")
        if any(getattr(key, "free_symbols", None) for key in keys):
            raise Beyond(name)
        everywhere = range(len(keys))
        if name == "rank":
            falling = sorted(everywhere, key=lambda place: -keys[place])
            return [self.m.number(falling.index(place) + 1) for place in everywhere]
        rising = sorted(everywhere, key=lambda place: keys[place])
        return [row[place] for place in (map(rising.index, everywhere) if name == "unsort" else rising)]

    def _transformed(self, row: list[Any], function: str) -> list[Any]:
        """The sums of a row with cosines or sines."""
        m: Any = self.m
        count = len(row)
        angles = [getattr(m, function)(2 * m.pi * k / count) for k in range(count)]
        return [sum(angles[j * k % count] * row[k] for k in range(count)) for j in range(count)]

    def _renamed(self, array: Array, arg: Expr, old: Axis, new: Axis) -> Array:
        """An array of the axes of `arg`, but that `old` is called `new`, in the order of arrays."""
        dims = ordered(arg.axes)
        if new in dims:
            array = array.diagonal(axis1=dims.index(old), axis2=dims.index(new))
            dims = (*(axis for axis in dims if axis not in (old, new)), new)
        else:
            dims = tuple(new if axis == old else axis for axis in dims)
        return array.transpose([dims.index(axis) for axis in ordered(frozenset(dims))])

    def _gather(self, node: Gather, arg: Expr, axis: Axis, index: Expr) -> Array:
        array, at = self.done[arg], self.done[index]
        everything = ordered(arg.axes | index.axes)
        place = everything.index(axis)
        whole = frozenset(everything)
        source = met(array, arg.axes, whole)
        size = source.shape[place]
        where = met(at, index.axes, whole)
        shape = np.broadcast_shapes(where.shape, (*source.shape[:place], 1, *source.shape[place + 1 :]))
        source = np.broadcast_to(source, (*shape[:place], size, *shape[place + 1 :]))
        where = np.broadcast_to(where, shape)
        found = np.empty(shape, dtype=object)
        for spot in np.ndindex(shape):
            row = list(source[(*spot[:place], slice(None), *spot[place + 1 :])])
            found[spot] = self._picked(row, where[spot], fixed=isinstance(index, Const))
        if axis not in node.axes:
            found = found.squeeze(axis=place)
        return found

    def _picked(self, row: list[Any], at: Any, *, fixed: bool) -> Any:
        if getattr(at, "free_symbols", None):
            m: Any = self.m
            found = row[0]
            for place, value in enumerate(row[1:], 1):
                found = m.where(m.ge(at, m.number(place)), value, found)
            return found
        if not -_FAR < at < _FAR:  # an infinite number is held inside; of nan nobody knows
            return at if at != at else row[-1 if at > 0 else 0]
        wanted = int(at)
        if fixed and wanted < 0:
            wanted += len(row)
        return row[min(max(wanted, 0), len(row) - 1)]

    def _unslice(self, arg: Expr, like: Expr, old: Axis, new: Axis, start: int) -> Array:
        inner, place = self.done[arg], ordered(arg.axes).index(old)
        size = self.done[like].shape[ordered(like.axes).index(new)]
        found = np.empty((*inner.shape[:place], size, *inner.shape[place + 1 :]), dtype=object)
        found[...] = self.m.number(0)
        found[(slice(None),) * place + (slice(*slice_bounds(new, old, start)),)] = inner
        return found


# --- rows ---------------------------------------------------------------------------------------------------------


def _sum(m: Any, row: list[Any]) -> Any:
    return reduce(lambda total, value: m.apply(lambda m, a, b: a + b, "add", (total, value)), row)


def _mean(m: Any, row: list[Any]) -> Any:
    return m.apply(lambda m, a: a / len(row), "div", (_sum(m, row),))


def _prod(m: Any, row: list[Any]) -> Any:
    return reduce(lambda total, value: m.apply(lambda m, a, b: a * b, "mul", (total, value)), row)


def _extreme(m: Any, row: list[Any], is_better: Callable[[Any, Any], Any]) -> Any:
    """The best number; nan if there is one."""
    best = row[0]
    for value in row[1:]:
        if best == best:
            best = m.where(is_better(value, best), value, best) if value == value else value
    return best


def _position(m: Any, row: list[Any], is_better: Callable[[Any, Any], Any]) -> Any:
    """Where the best number is; the first of equals, and 0 where there is none."""
    best, at = row[0] if row else None, m.number(0)
    for place, value in enumerate(row[1:], 1):
        better = is_better(value, best)
        best, at = m.where(better, value, best), m.where(better, m.number(place), at)
    return at


_REDUCED: Mapping[str, Callable[[Any, list[Any]], Any]] = {
    "sum": _sum,
    "mean": _mean,
    "excess": lambda m, row: _sum(m, row) - m.number(1),
    "prod": _prod,
    "max": lambda m, row: _extreme(m, row, m.gt),
    "min": lambda m, row: _extreme(m, row, m.lt),
    "argmax": lambda m, row: _position(m, row, m.gt),
    "argmin": lambda m, row: _position(m, row, m.lt),
    "any": lambda m, row: reduce(m.either, row) if row else False,
    "all": lambda m, row: reduce(m.both, row) if row else True,
}
"""What each aggregate makes of a row of numbers of a namespace."""
