"""Random losses of packed inputs whose parts share what others leave, and plain numpy that computes each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
NAMES = ("g", "s", "n", "w", "q")


@dataclass(frozen=True)
class Case:
    """A text, the kinds of its parts and where they lie in a prediction with blocks of 3, and the value in numpy."""

    text: str
    places: dict[str, slice | int]
    positive: tuple[str, ...]
    wanted: Callable[[Array, Array], Array]

    def inputs(self, random: Random, *rows: int) -> tuple[Array, Array]:
        rng = np.random.default_rng(random.randrange(10**6))
        length = max(place.stop if isinstance(place, slice) else place + 1 for place in self.places.values())
        x = rng.normal(size=(*rows, length))
        for name in self.positive:
            x[..., self.places[name]] = np.exp(x[..., self.places[name]])
        return rng.normal(size=rows), x


def _log_mean(x: Array) -> Array:
    return np.log(np.mean(x, axis=-1))


TERMS: list[tuple[str, Callable[[Array], Array]]] = [
    ("sum({0}^2)", lambda a: (a**2).sum(-1)),
    ("mean({0}*t)", lambda a: a.mean(-1)),
    ("logsumexp({0})", lambda a: np.log(np.exp(a).sum(-1))),
    ("sum[i](i*{0}[i])", lambda a: (np.arange(a.shape[-1]) * a).sum(-1)),
    ("max({0}) - {0}[0]", lambda a: a.max(-1) - a[..., 0]),
]
OF_POSITIVE = ("log(mean({0}))", _log_mean)
OF_TWO: list[tuple[str, Callable[[Array, Array], Array]]] = [
    ("sum({0}*{1})", lambda a, c: (a * c).sum(-1)),
    ("sum[i]({0}[i + 1]*{1}[i])", lambda a, c: (a[..., 1:] * c[..., :-1]).sum(-1)),
    ("mean(({0} - {1})^2)", lambda a, c: ((a - c) ** 2).mean(-1)),
]


def case(random: Random) -> Case:
    """Two to four parts that share, and one or two beside them, in any order; a term for each, and one of two."""
    lengths: list[int | None] = [None] * random.randint(2, 3)
    lengths += [random.randint(1, 3) for _ in range(random.randint(1, 2))]
    random.shuffle(lengths)
    names, start = NAMES[: len(lengths)], 0
    places: dict[str, slice | int] = {}
    for name, length in zip(names, lengths, strict=True):
        places[name] = start if length == 1 else slice(start, start + (length or 3))
        start += length or 3
    positive = tuple(name for name in names if random.random() < 0.4)
    told = [
        f"{name}: {' '.join(filter(None, (str(length or ''), 'positive' * (name in positive))))}".rstrip(": ")
        for name, length in zip(names, lengths, strict=True)
    ]
    texts: list[str] = []
    parts: list[Callable[[Array, Array], Array]] = []
    for name in names:
        place = places[name]
        if isinstance(place, int):
            texts.append(f"t*{name}")
            parts.append(lambda t, x, at=place: t * x[..., at])
            continue
        text, function = OF_POSITIVE if name in positive and random.random() < 0.5 else random.choice(TERMS)
        texts.append(text.format(name))
        has_t = "*t" in text
        parts.append(lambda t, x, at=place, f=function, has_t=has_t: f(x[..., at]) * (t if has_t else 1.0))
    one, two = random.sample([name for name, length in zip(names, lengths, strict=True) if length is None], 2)
    text, both = random.choice(OF_TWO)
    texts.append(f"{random.choice((0.5, 2))}*{text.format(one, two)}")
    factor = float(texts[-1].split("*")[0])
    parts.append(lambda t, x: factor * both(x[..., places[one]], x[..., places[two]]))
    source = f"loss f(t: scalar, ({', '.join(told)}))\n{' + '.join(texts)}"
    return Case(source, places, positive, lambda t, x: sum((part(t, x) for part in parts), np.zeros(t.shape)))
