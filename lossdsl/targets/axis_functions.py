"""Functions of whole axes that backends spell alike, as texts for `targets.special`."""

TEXTS = {
    "_vector": '''
def _vector(a, x):
    """A vector; one number stands for all of the last axis."""
    return {broadcast_to}(a, {shape_of_x}[-1:]) if tuple(a.shape) in ((), (1,)) else a
''',
    "_along": '''
def _along(function, arrays, first, count):
    """Applies a function to the last axis, after `count` axes from `first` on have been joined and put there."""
    arrays = {broadcast_arrays}(*arrays)
    shape = arrays[0].shape
    first = first % len(shape)
    size = math.prod(shape[first : first + count])
    joined = (*shape[:first], size, *shape[first + count :])
    moved = [{moveaxis}(a.reshape(joined), first, -1) for a in arrays]
    return {moveaxis}(function(*moved), -1, first).reshape(shape)
''',
    "_in_blocks": '''
def _in_blocks(function, combined, joined, lengths, *arrays):
    """A reduction of what is large together, a few rows at a time: their results combined, or joined along an axis."""
    is_known = all(isinstance(length, int) for length in lengths)
    if not is_known or math.prod(lengths) <= 2**22:
        return function(*(a for a, _ in arrays))
    first, axis = arrays[0]
    step = max(1, first.shape[axis] * 2**20 // math.prod(lengths))
    parts = []
    for start in range(0, first.shape[axis], step):
        rows = slice(start, start + step)
        parts.append(function(*(a[(*[slice(None)] * k, rows)] for a, k in arrays)))
        if combined:
            parts = [combined(*parts) if parts[1:] else parts[0]]
    return parts[0] if combined else {concatenate}(parts, axis=joined)
''',
    "_cumsum": '''
def _cumsum(a, first, count, reverse):
    """Running sums along axes, from the end if `reverse`."""

    def running(a):
        a = {flip} if reverse else a
        a = {cumsum}(a, -1)
        return {flip} if reverse else a

    return _along(running, [a], first, count)
''',
    "_logcumsumexp": '''
def _logcumsumexp(a, first, count, reverse):
    """Logarithms of running sums of exponentials, from the end if `reverse`."""

    def running(a):
        a = {flip} if reverse else a
        a = {logcumsumexp}
        return {flip} if reverse else a

    return _along(running, [a], first, count)
''',
    "_order": '''
def _order(a):
    """The positions of the last axis in ascending order, nan last; the first of several comes first."""
    return {argsort}
''',
    "_rank": '''
def _rank(a, first, count):
    """1 for the largest, 2 for the next; the first of several comes first."""
    return _along(lambda a: {ranks}, [a], first, count)
''',
    "_sort": '''
def _sort(a, key, first, count):
    """`a` in ascending order of `key`."""
    return _along(lambda a, key: {sorted}, [a, key], first, count)
''',
    "_ordered": '''
def _ordered(a, key, first, count):
    """`a` in ascending order of `key`; nan throughout where one element is none."""

    def run(a, key):
        found = {sorted}
        return {or_nan}

    return _along(run, [a, key], first, count)
''',
    "_unsort": '''
def _unsort(a, key, first, count):
    """`a`, which is in ascending order of `key`, back in the order of `key` itself."""
    return _along(lambda a, key: {unsorted}, [a, key], first, count)
''',
    "_dft_cos": '''
def _dft_cos(a, first, count):
    """Sums with cosines, the real part of the discrete Fourier transform."""
    return _along(lambda a: {real_part}, [a], first, count)
''',
    "_dft_sin": '''
def _dft_sin(a, first, count):
    """Sums with sines."""
    return _along(lambda a: -{imaginary_part}, [a], first, count)
''',
}


def _sorting(taken: str, cast: str, back: str) -> dict[str, str]:
    """What takes elements of `a` at positions AT of the last axis, casts whole numbers N, and inverts an order P."""
    return {
        "sorted": taken.replace("AT", "_order(key)"),
        "unsorted": taken.replace("AT", back.replace("P", "_order(key)")),
        "ranks": cast.replace("N", back.replace("P", "_order(-a)") + " + 1"),
    }


def _as_numpy(np: str) -> dict[str, str]:
    """Names of numpy and of what follows it."""
    return {
        **{name: f"{np}.{name}" for name in ("broadcast_to", "broadcast_arrays", "moveaxis", "cumsum")},
        **_sorting(f"{np}.take_along_axis(a, AT, axis=-1)", "(N).astype(a.dtype)", f"{np}.argsort(P, axis=-1)"),
        "or_nan": f"{np}.where({np}.isnan(key).any(-1, keepdims=True), {np}.nan, found)",
        "shape_of_x": "x.shape",
        "flip": f"{np}.flip(a, -1)",
        "real_part": f"{np}.real({np}.fft.fft(a, axis=-1)).astype(a.dtype)",
        "imaginary_part": f"{np}.imag({np}.fft.fft(a, axis=-1)).astype(a.dtype)",
    }


NUMPY = {
    **_as_numpy("np"),
    "argsort": 'np.argsort(a, axis=-1, kind="stable")',
    "logcumsumexp": "np.logaddexp.accumulate(a, axis=-1)",
    "concatenate": "np.concatenate",
}
JAX = {
    **_as_numpy("jnp"),
    "argsort": "jnp.argsort(a, axis=-1)",
    "logcumsumexp": "jax.lax.cumlogsumexp(a, axis=a.ndim - 1)",
}
TENSORFLOW = {
    **_sorting("tf.gather(a, AT, batch_dims=len(a.shape) - 1)", "tf.cast(N, a.dtype)", "tf.argsort(P, axis=-1)"),
    "or_nan": 'tf.where(tf.reduce_any(tf.math.is_nan(key), -1, keepdims=True), a.dtype.as_numpy_dtype("nan"), found)',
    "broadcast_to": "tf.broadcast_to",
    "shape_of_x": "tf.shape(x)",
    "argsort": 'tf.argsort(tf.where(tf.math.is_nan(a), a.dtype.as_numpy_dtype("inf"), a), axis=-1, stable=True)',
    "real_part": "tf.cast(tf.math.real(_dft(a)), a.dtype)",
    "imaginary_part": "tf.cast(tf.math.imag(_dft(a)), a.dtype)",
}
TORCH = {
    **_sorting("torch.take_along_dim(a, AT, dim=-1)", "(N).to(a.dtype)", "torch.argsort(P, dim=-1)"),
    "or_nan": "torch.where(torch.isnan(key).any(-1, keepdim=True), torch.nan, found)",
    "broadcast_to": "torch.broadcast_to",
    "shape_of_x": "x.shape",
    "broadcast_arrays": "torch.broadcast_tensors",
    "moveaxis": "torch.movedim",
    "cumsum": "torch.cumsum",
    "logcumsumexp": "torch.logcumsumexp(a, -1)",
    "flip": "torch.flip(a, [-1])",
    "argsort": "torch.argsort(a, dim=-1, stable=True)",
    "real_part": "torch.real(_dft(a)).to(a.dtype)",
    "imaginary_part": "torch.imag(_dft(a)).to(a.dtype)",
}
KERAS = {
    **_sorting("ops.take_along_axis(a, AT, axis=-1)", "ops.cast(N, a.dtype)", "ops.argsort(P, axis=-1)"),
    "or_nan": 'ops.where(ops.any(ops.isnan(key), -1, keepdims=True), float("nan"), found)',
    "broadcast_to": "ops.broadcast_to",
    "shape_of_x": "ops.shape(x)",
    "concatenate": "ops.concatenate",
    "cumsum": "ops.cumsum",
    "logcumsumexp": "ops.associative_scan(ops.logaddexp, a, axis=-1)",
    "flip": "ops.flip(a, -1)",
    "argsort": 'ops.argsort(ops.where(ops.isnan(a), float("inf"), a), axis=-1)',
    "real_part": "ops.fft((a, ops.zeros_like(a)))[0]",
    "imaginary_part": "ops.fft((a, ops.zeros_like(a)))[1]",
}
"""What each backend puts into the texts; a text for which it lacks a name is its own."""
