"""Helper functions of JAX for distances of pairs by matrix products (see `pair_products`)."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "_added_rows": '''
def _added_rows(a, index, count, place):
    """The rows of `a` added up along a dimension, each at a position that its index says."""
    at = list(jnp.ogrid[tuple(slice(n) for n in index.shape)])
    at[place] = index
    zeros = jnp.zeros((*a.shape[:place], count, *a.shape[place + 1 :]), a.dtype)
    return zeros.at[tuple(at)].add(a)
''',
    "_near": '''
def _near(text, same, a, b):
    """Of the pairs of a and b their squared distances, and which are near beside their norms, but itself of a sample.

    None where all are to be worked out from their differences: what is small, or in 16 bits. The level is 0 where none
    is near, 1 where few are, and 2 where many are.
    """
    first, second, pair = text.replace("->", ",").split(",")
    lengths = {**dict(zip(first, a.shape)), **dict(zip(second, b.shape))}
    if math.prod(lengths.values()) <= 2**22 or a.dtype.itemsize == 2:
        return None
    parts = [
        tuple(slice(None) if k in part else None for k in pair)
        for part in (first, second)
    ]
    norms = [jnp.sum(jnp.square(c), axis=-1) for c in (a, b)]
    wide = [norm[part] for norm, part in zip(norms, parts)]
    squares = jnp.einsum(text, -2.0 * a, b) + wide[0] + wide[1]
    places = [pair.index(k) for k in same or ()]
    if same:
        own = jnp.sum(a - a, axis=-1)[parts[0]]
        squares = jnp.where(_own(squares.shape, places), own, squares)
    count = jnp.sum(_is_near(squares, wide, places))
    few = 16 * max(squares.shape)
    level = jnp.where(count > 0, 1, 0) + jnp.where(count > few, 1, 0)
    return text, a, b, squares, norms, wide, places, few, level
''',
    "_own": '''
def _own(shape, places):
    """Where a sample meets itself."""
    if not places:
        return jnp.zeros((), bool)
    one, two = (jax.lax.broadcasted_iota(int, shape, place) for place in places)
    return one == two
''',
    "_is_near": '''
def _is_near(squares, wide, places):
    """Which pairs are near beside their norms, but itself of a sample."""
    is_far = [squares > jnp.maximum(norm / 8.0, 1e-30) for norm in wide]
    return ~(is_far[0] & is_far[1] | _own(squares.shape, places))
''',
    "_few": '''
def _few(known):
    """The differences of the near pairs and their positions: in all pairs, in a, in b; False behind the last."""
    text, a, b, squares, _, wide, places, few, _ = known
    is_near = _is_near(squares, wide, places)
    first, second, pair = text.replace("->", ",").split(",")
    order = jnp.arange(1, few + 1)
    place = jnp.searchsorted(jnp.cumsum(is_near.reshape(-1)), order)
    is_there = place < is_near.size
    at = jnp.unravel_index(jnp.where(is_there, place, 0), squares.shape)
    one, two = (tuple(at[pair.index(k)] for k in part[:-1]) for part in (first, second))
    return a[one] - b[two], at, one, two, is_there
''',
    "_apart": '''
def _apart(known, is_root, exact):
    """The squared distances of pairs or their roots; those of near pairs from their differences."""
    if known is None:
        return exact()
    _, _, _, squares, _, wide, places, _, level = known

    def fast(is_near=False):
        if not is_root:
            return squares
        own = _own(squares.shape, places)
        return jnp.where(own, squares, jnp.sqrt(jnp.where(own | is_near, 1.0, squares)))

    def some():
        gap, at, _, _, is_there = _few(known)
        found = _norm(gap, axis=-1) if is_root else jnp.sum(gap * gap, axis=-1)
        near = jnp.zeros_like(squares).at[at].add(jnp.where(is_there, found, 0.0))
        is_near = _is_near(squares, wide, places)
        return jnp.where(is_near, near, fast(is_near))

    return jax.checkpoint(lambda: jax.lax.switch(level, [fast, some, exact]))()
''',
    "_pulled": '''
def _pulled(known, weight, over_second, exact):
    """The sums of weight*(a - b) along the axis that b alone has, or a alone; near pairs by their differences."""
    if known is None:
        return exact()
    text, a, b, squares, norms, wide, places, _, level = known
    first, second, pair = text.replace("->", ",").split(",")
    weight = jnp.broadcast_to(jnp.asarray(weight, a.dtype), squares.shape)
    clean = [
        jnp.where(jnp.isfinite(n)[..., None], c, 0.0) for c, n in zip((a, b), norms)
    ]
    (mine, other), (result, away) = clean, (first, second)
    if not over_second:
        (other, mine), (away, result) = clean, (first, second)

    def fast(is_near=False):
        far = jnp.where(_own(squares.shape, places) | is_near, 0.0, weight)
        gone = tuple(place for place, k in enumerate(pair) if k not in result)
        kept = jnp.sum(far, axis=gone)[..., None] * mine
        moved = jnp.einsum(f"{pair},{away}->{result}", far, other)
        return kept - moved if over_second else moved - kept

    def some():
        gap, at, one, two, is_there = _few(known)
        pulls = jnp.where(is_there, weight[at], 0.0)[:, None] * gap
        is_near = _is_near(squares, wide, places)
        return fast(is_near).at[one if over_second else two].add(pulls)

    return jax.checkpoint(lambda: jax.lax.switch(level, [fast, some, exact]))()
''',
}
