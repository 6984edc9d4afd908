"""Helper functions of TensorFlow for distances of pairs by matrix products (see `pair_products`)."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "_added_rows": '''
def _added_rows(a, index, count, place):
    """The rows of `a` added up along a dimension, each at a position that its index says."""
    rank = index.shape.rank
    at = [
        tf.reshape(tf.range(_count(a, k)), [-1 if i == k else 1 for i in range(rank)])
        for k in range(rank)
    ]
    at[place] = tf.cast(index, tf.int32)
    shape = [count if k == place else _count(a, k) for k in range(a.shape.rank)]
    whole = tf.stack([tf.broadcast_to(each, tf.shape(a)[:-1]) for each in at], -1)
    return tf.tensor_scatter_nd_add(tf.zeros(shape, a.dtype), whole, a)
''',
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
