"""Helper functions of numpy for distances of pairs by matrix products (see `pair_products`)."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "_added_rows": '''
def _added_rows(a, index, count, place):
    """The rows of `a` added up along a dimension, each at a position that its index says."""
    found = np.zeros((*a.shape[:place], count, *a.shape[place + 1 :]), a.dtype)
    at = list(np.ogrid[tuple(slice(n) for n in index.shape)])
    at[place] = index
    np.add.at(found, tuple(at), a)
    return found
''',
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
    # Else the product comes with its rows as columns.
    swapped = f"{second},{first}->{pair}"
    squares = np.ascontiguousarray(np.einsum(swapped, b, -2.0 * a, optimize=True))
    squares += wide[0]
    squares += wide[1]
    is_far = squares > np.maximum(wide[0] / 8.0, 1e-30)
    is_far &= squares > np.maximum(wide[1] / 8.0, 1e-30)
    if np.count_nonzero(is_far) < 7 * is_far.size // 8:
        return None
    near = np.unravel_index(np.flatnonzero(~is_far), is_far.shape)
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
