"""Helper functions of torch for distances of pairs by matrix products (see `pair_products`)."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "_added_rows": '''
def _added_rows(a, index, count, place):
    """The rows of `a` added up along a dimension, each at a position that its index says."""
    at = [
        torch.arange(n, device=a.device).reshape(
            [-1 if i == k else 1 for i in range(index.ndim)]
        )
        for k, n in enumerate(index.shape)
    ]
    at[place] = index
    zeros = a.new_zeros((*a.shape[:place], count, *a.shape[place + 1 :]))
    return torch.index_put(zeros, tuple(at), a, accumulate=True)
''',
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
