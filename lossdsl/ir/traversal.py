"""Ways through expressions, other than `walk`: what counts, what is not known yet, and who uses what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping

from lossdsl.ir.expr import Expr, Length, walk


def valued(root: Expr) -> Iterable[Expr]:
    """The parts of an expression whose values count, itself among them; of what is only measured, none."""
    stack, seen = [root], set[Expr]()
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            yield node
            if not isinstance(node, Length):
                stack.extend(node.children)


def within(root: Expr, is_open: Callable[[Expr], bool]) -> list[Expr]:
    """The nodes that are reached through open ones, children before parents."""
    order: list[Expr] = []
    seen: set[Expr] = set()
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if is_open(node):
                stack.extend((child, False) for child in reversed(node.children))
    return order


def unknown(root: Expr, known: Container[Expr]) -> Iterator[Expr]:
    """The nodes below a root that are not `known`, children before parents; what is known is not looked into.

    So whoever keeps what it finds out of nodes looks at each once, however many roots it is asked about.
    """
    stack = [root]
    while stack:
        node = stack[-1]
        missing = [child for child in node.children if child not in known] if node not in known else []
        if missing:
            stack += reversed(missing)
        elif stack.pop() not in known:
            yield node


def users(*roots: Expr) -> Mapping[Expr, list[Expr]]:
    """For each node below the roots, those that it is a child of, once for each time; nothing for one that is not."""
    found: defaultdict[Expr, list[Expr]] = defaultdict(list)
    for node in walk(*roots):
        for child in node.children:
            found[child].append(node)
    return found
