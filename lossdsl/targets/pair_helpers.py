"""Helper functions for distances of pairs by matrix products (see `pair_products`), in the functions of each target."""

from __future__ import annotations

NUMPY: dict[str, str] = {
    "_near": '''
def _near(text, same, a, b):
    """Of the pairs of a and b their squared distances, and the positions of those that are near beside their norms.

    None where all are to be worked out from their differences: what is small or in 16 bits, and where many are near.
    """
    first, second, pair = text.replace("->", ",").split(",")
    lengths = {**dict(zip(first, a.shape)), **dict(zip(second, b.shape))}
    if math.prod(lengths.values()) <= 2**22 or a.dtype.itemsize == 2:
        return None
    parts = [
        tuple(slice(None) if k in part else None for k in pair)
        for part in (first, second)
    ]
    norms = [np.sum(np.square(c), axis=-1) for c in (a, b)]
    wide = [norm[part] for norm, part in zip(norms, parts)]
    squares = np.einsum(text, -2.0 * a, b, optimize=True)
    squares += wide[0]
    squares += wide[1]
    is_far = squares > np.maximum(wide[0] / 8.0, 1e-30)
    is_far &= squares > np.maximum(wide[1] / 8.0, 1e-30)
    if np.count_nonzero(is_far) < 7 * is_far.size // 8:
        return None
    near = np.nonzero(~is_far)
    at = [tuple(near[pair.index(k)] for k in part[:-1]) for part in (first, second)]
    return text, a, b, squares, near, at, norms
''',
    "_apart": '''
def _apart(known, is_root, exact):
    """The squared distances of pairs or their roots; those of near pairs from their differences."""
    if known is None:
        return exact()
    _, a, b, squares, near, at, _ = known
    found = np.empty(len(near[0]), squares.dtype)
    step = 2**20 // a.shape[-1] + 1
    for start in range(0, len(found), step):
        part = slice(start, start + step)
        gap = a[tuple(k[part] for k in at[0])] - b[tuple(k[part] for k in at[1])]
        found[part] = _norm(gap, axis=-1) if is_root else np.sum(gap * gap, axis=-1)
    apart = np.sqrt(squares) if is_root else squares.copy()
    apart[near] = found
    return apart
''',
    "_pulled": '''
def _pulled(known, weight, over_second, exact):
    """The sums of weight*(a - b) along the axis that b alone has, or a alone; near pairs by their differences."""
    if known is None:
        return exact()
    text, a, b, squares, near, at, norms = known
    first, second, pair = text.replace("->", ",").split(",")
    weight = np.broadcast_to(np.asarray(weight, a.dtype), squares.shape)
    clean = [
        np.where(np.isfinite(n)[..., None], c, np.zeros_like(c))
        for c, n in zip((a, b), norms)
    ]
    (own, other), (result, away) = clean, (first, second)
    if not over_second:
        (other, own), (away, result) = clean, (first, second)
    far, is_sparse = weight, np.count_nonzero(weight) <= 4 * max(weight.shape)
    if is_sparse:  # as of the hardest pairs: a few differences, and no product
        near = np.nonzero(weight)
        at = [tuple(near[pair.index(k)] for k in part[:-1]) for part in (first, second)]
    of_near = weight[near]
    (counts,) = np.nonzero(of_near)
    if len(counts) and not is_sparse:
        far = weight.copy()
        far[near] = 0.0
    gone = tuple(place for place, k in enumerate(pair) if k not in result)
    if is_sparse:
        found = np.zeros_like(own)
    else:
        kept = np.sum(far, axis=gone)[..., None] * own
        moved = np.einsum(f"{pair},{away}->{result}", far, other, optimize=True)
        found = kept - moved if over_second else moved - kept
    step = 2**20 // a.shape[-1] + 1
    for start in range(0, len(counts), step):
        some = counts[start : start + step]
        one, two = (tuple(k[some] for k in each) for each in at)
        gaps = of_near[some][:, None] * (a[one] - b[two])
        np.add.at(found, one if over_second else two, gaps)
    return found
''',
}
JAX: dict[str, str] = {
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
TENSORFLOW: dict[str, str] = {
    "_near": '''
def _near(text, same, a, b):
    """Of the pairs of a and b their squared distances, and which are near beside their norms, but itself of a sample.

    None where all are to be worked out from their differences: what is small, or in 16 bits. The level is 0 where none
    is near, 1 where few are, and 2 where many are.
    """
    first, second, pair = text.replace("->", ",").split(",")
    lengths = {}
    for part, c in ((first, a), (second, b)):
        lengths |= {k: _count(c, place) for place, k in enumerate(part)}
    is_known = all(isinstance(length, int) for length in lengths.values())
    if a.dtype.size == 2 or (is_known and math.prod(lengths.values()) <= 2**22):
        return None
    norms = [tf.math.reduce_sum(tf.math.square(c), axis=-1) for c in (a, b)]
    parts = [
        tuple(slice(None) if k in part else None for k in pair)
        for part in (first, second)
    ]
    wide = [norm[part] for norm, part in zip(norms, parts)]
    squares = _contract(text, -2.0 * a, b) + wide[0] + wide[1]
    places = [pair.index(k) for k in same or ()]
    if same:
        own = tf.math.reduce_sum(a - a, axis=-1)[parts[0]]
        squares = tf.where(_own(squares, places), own, squares)
    few = 16 * tf.math.maximum(
        *(lengths[k] for k in pair if (k in first) != (k in second))
    )
    count = tf.math.count_nonzero(_is_near(squares, wide, places), dtype=tf.int32)
    level = tf.cast(count > 0, tf.int32) + tf.cast(count > few, tf.int32)
    if not is_known:
        size = tf.reduce_prod(tf.cast(tf.stack([*lengths.values()]), tf.float32))
        level = tf.where(size > 2.0**22, level, 2)
    return text, a, b, squares, norms, wide, places, few, level
''',
    "_own": '''
def _own(squares, places):
    """Where a sample meets itself."""
    if not places:
        return tf.zeros((), tf.bool)
    order = [tf.range(_count(squares, place)) for place in places]
    rank = squares.shape.rank
    one, two = (
        tf.reshape(each, [-1 if k == place else 1 for k in range(rank)])
        for each, place in zip(order, places)
    )
    return one == two
''',
    "_is_near": '''
def _is_near(squares, wide, places):
    """Which pairs are near beside their norms, but itself of a sample."""
    is_far = [squares > tf.math.maximum(norm / 8.0, 1e-30) for norm in wide]
    return tf.where(is_far[0] & is_far[1] | _own(squares, places), False, True)
''',
    "_few": '''
def _few(known):
    """The differences of the near pairs and their positions: in all pairs, in a, in b; False behind the last."""
    text, a, b, squares, _, wide, places, few, _ = known
    is_near = _is_near(squares, wide, places)
    first, second, pair = text.replace("->", ",").split(",")
    flat = tf.reshape(is_near, [-1])
    order = tf.math.cumsum(tf.cast(flat, tf.int32))
    slot = tf.where(flat & (order <= few), order - 1, few)  # XLA has no quick search
    place = tf.scatter_nd(slot[:, None], tf.range(tf.size(flat)), [few + 1])[:-1]
    is_there = tf.range(few) < order[-1]
    rest, at = tf.where(is_there, place, 0), {}
    for number in reversed(range(len(pair))):
        length = tf.shape(squares)[number]
        at[pair[number]] = rest % length
        rest = rest // length
    one, two, every = (
        tf.stack([at[k] for k in part], -1) for part in (first[:-1], second[:-1], pair)
    )
    return tf.gather_nd(a, one) - tf.gather_nd(b, two), every, one, two, is_there
''',
    "_chosen": '''
def _chosen(level, *branches):
    """What the branch of a level gives."""
    plain = [tf.autograph.experimental.do_not_convert(branch) for branch in branches]
    return tf.cond(level > 1, plain[2], lambda: tf.cond(level > 0, plain[1], plain[0]))
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
        own, one = _own(squares, places), tf.ones_like(squares)
        return tf.where(
            own, squares, tf.math.sqrt(tf.where(own | is_near, one, squares))
        )

    def some():
        gap, at, _, _, is_there = _few(known)
        found = (
            _norm(gap, axis=-1) if is_root else tf.math.reduce_sum(gap * gap, axis=-1)
        )
        near = tf.scatter_nd(
            at, tf.where(is_there, found, tf.zeros_like(found)), tf.shape(squares)
        )
        is_near = _is_near(squares, wide, places)
        return tf.where(is_near, near, fast(is_near))

    return _chosen(level, fast, some, exact)
''',
    "_pulled": '''
def _pulled(known, weight, over_second, exact):
    """The sums of weight*(a - b) along the axis that b alone has, or a alone; near pairs by their differences."""
    if known is None:
        return exact()
    text, a, b, squares, norms, wide, places, _, level = known
    first, second, pair = text.replace("->", ",").split(",")
    weight = tf.broadcast_to(tf.cast(weight, a.dtype), tf.shape(squares))
    clean = [
        tf.where(tf.math.is_finite(n)[..., None], c, tf.zeros_like(c))
        for c, n in zip((a, b), norms)
    ]
    (mine, other), (result, away) = clean, (first, second)
    if not over_second:
        (other, mine), (away, result) = clean, (first, second)

    def fast(is_near=False):
        far = tf.where(_own(squares, places) | is_near, tf.zeros_like(weight), weight)
        gone = [place for place, k in enumerate(pair) if k not in result]
        kept = tf.math.reduce_sum(far, axis=gone)[..., None] * mine
        moved = _contract(f"{pair},{away}->{result}", far, other)
        return kept - moved if over_second else moved - kept

    def some():
        gap, at, one, two, is_there = _few(known)
        pulls = tf.where(
            is_there[:, None],
            tf.gather_nd(weight, at)[:, None] * gap,
            tf.zeros_like(gap),
        )
        found = fast(_is_near(squares, wide, places))
        return found + tf.scatter_nd(
            one if over_second else two, pulls, tf.shape(found)
        )

    return _chosen(level, fast, some, exact)
''',
}
TORCH: dict[str, str] = {
    "_near": '''
def _near(text, same, a, b):
    """Of the pairs of a and b their squared distances, and the positions of those that are near beside their norms.

    None where all are to be worked out from their differences: what is small or in 16 bits, where many are near, and
    where no shape may depend on numbers, as in a compiler or under vmap.
    """
    if torch.compiler.is_compiling() or a.element_size() == 2:
        return None
    first, second, pair = text.replace("->", ",").split(",")
    lengths = {**dict(zip(first, a.shape)), **dict(zip(second, b.shape))}
    if math.prod(lengths.values()) <= 2**22:
        return None
    norms = [torch.sum(c * c, dim=-1) for c in (a, b)]
    squares = torch.einsum(text, -2.0 * a, b)
    is_far = None
    for part, norm in zip((first, second), norms):
        norm = norm[tuple(slice(None) if k in part else None for k in pair)]
        squares = squares + norm
    for part, norm in zip((first, second), norms):
        norm = norm.detach()[tuple(slice(None) if k in part else None for k in pair)]
        further = squares.detach() > torch.clamp(norm / 8.0, min=1e-30)
        is_far = further if is_far is None else is_far & further
    try:
        if torch.count_nonzero(is_far) < 7 * is_far.numel() // 8:
            return None
        near = torch.nonzero(~is_far, as_tuple=True)
    except RuntimeError:
        return None
    at = [tuple(near[pair.index(k)] for k in part[:-1]) for part in (first, second)]
    return text, a, b, squares, near, at, norms
''',
    "_apart": '''
def _apart(known, is_root, exact):
    """The squared distances of pairs or their roots; those of near pairs from their differences."""
    if known is None:
        return exact()
    _, a, b, squares, near, at, _ = known
    step = 2**20 // a.shape[-1] + 1
    gaps = [
        a[tuple(k[start : start + step] for k in at[0])]
        - b[tuple(k[start : start + step] for k in at[1])]
        for start in range(0, len(near[0]), step)
    ]
    parts = [
        _norm(gap, dim=-1) if is_root else torch.sum(gap * gap, dim=-1) for gap in gaps
    ]
    found = torch.cat([squares.new_empty(0), *parts])
    if not is_root:
        return torch.index_put(squares, near, found)
    safe = torch.index_put(squares, near, squares.new_ones(()))
    return torch.index_put(torch.sqrt(safe), near, found)
''',
    "_pulled": '''
def _pulled(known, weight, over_second, exact):
    """The sums of weight*(a - b) along the axis that b alone has, or a alone; near pairs by their differences."""
    if known is None:
        return exact()
    text, a, b, squares, near, at, _ = known
    first, second, pair = text.replace("->", ",").split(",")
    weight = torch.broadcast_to(
        torch.as_tensor(weight, dtype=a.dtype, device=a.device), squares.shape
    )
    is_sparse = False
    if not torch.is_grad_enabled():  # else what is 0 may have a slope
        is_sparse = torch.count_nonzero(weight) <= 4 * max(weight.shape)
        if is_sparse:  # as of the hardest pairs: a few differences, and no product
            near = torch.nonzero(weight, as_tuple=True)
        else:
            some = torch.nonzero(weight[near], as_tuple=True)
            near = tuple(k[some] for k in near)
        at = [tuple(near[pair.index(k)] for k in part[:-1]) for part in (first, second)]
    if is_sparse:
        found = torch.zeros_like(a if over_second else b)
    else:
        found = _far_pulled(known, weight, near, over_second)
    of_near = weight[near]
    step = 2**20 // a.shape[-1] + 1
    for start in range(0, len(of_near), step):
        part = slice(start, start + step)
        one, two = (tuple(k[part] for k in each) for each in at)
        gaps = of_near[part][:, None] * (a[one] - b[two])
        found = torch.index_put(
            found, one if over_second else two, gaps, accumulate=True
        )
    return found
''',
    "_far_pulled": '''
def _far_pulled(known, weight, near, over_second):
    """The sums over all pairs but some near ones, by products."""
    text, a, b, _, _, _, norms = known
    first, second, pair = text.replace("->", ",").split(",")
    result = first if over_second else second
    total = "".join(k for k in pair if k in result)
    far = (
        torch.index_put(weight, near, weight.new_zeros(())) if len(near[0]) else weight
    )
    clean = [
        torch.where(torch.isfinite(n)[..., None], c, 0.0) for c, n in zip((a, b), norms)
    ]
    own, other = clean if over_second else clean[::-1]
    moved = torch.einsum(
        f"{pair},{second if over_second else first}->{result}", far, other
    )
    kept = torch.einsum(f"{pair}->{total}", far)[..., None] * own
    return kept - moved if over_second else moved - kept
''',
}
