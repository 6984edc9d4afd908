"""What JavaScript modules call: arrays in and out, functions along axes, and those of `special`."""

from __future__ import annotations

from lossdsl.targets import special
from lossdsl.targets.javascript_syntax import function

_TEXTS = {
    "_real": """
function _real(a) {
  // An input of numbers, of nested arrays: its numbers in order, and its lengths along each axis.
  const data = [], shape = [];
  for (let part = a; part?.length !== undefined; part = part[0]) shape.push(part.length);
  (function read(part, axis) {
    if ((part?.length ?? -1) !== (shape[axis] ?? -1)) throw new RangeError("the rows of an array differ in length");
    if (axis === shape.length) data.push(Number(part));
    else for (const one of part) read(one, axis + 1);
  })(a, 0);
  return { data: Float64Array.from(data), shape };
}
""",
    "_whole": """
function _whole(a) {
  // An input of whole numbers.
  const { data, shape } = _real(a);
  return { data: data.map(Math.trunc), shape };
}
""",
    "_vector": """
function _vector(a, x) {
  // A vector; one number stands for all of the last axis.
  if (a.data.length > 1 || a.shape.length > 1) return a;
  return { data: new Float64Array(x.shape.at(-1)).fill(a.data[0]), shape: x.shape.slice(-1) };
}
""",
    "_component": """
function _component(x, count, fixed = 0) {
  // The shape of one of the inputs that share what others leave of one that they are packed in.
  return { shape: [...x.shape.slice(0, -1), Math.floor((x.shape.at(-1) - fixed) / count)] };
}
""",
    "_led": """
function _led(a) {
  return { data: a.data, shape: [1, ...a.shape] };
}
""",
    "_ended": """
function _ended(a) {
  return { data: a.data, shape: [...a.shape, 1] };
}
""",
    "_unended": """
function _unended(a) {
  return { data: a.data, shape: a.shape.slice(0, -1) };
}
""",
    "_size": """
function _size(shape) {
  return shape.reduce((a, b) => a * b, 1);
}
""",
    "_nested": """
function _nested(data, shape) {
  // Numbers in order as nested arrays; of no axes, the number itself.
  let place = 0;
  const build = (axis) =>
    axis === shape.length ? data[place++] : Array.from({ length: shape[axis] }, () => build(axis + 1));
  return build(0);
}
""",
    "_aligned": """
function _aligned(what, a, b, rank, grows) {
  // `a` with so many axes: one of length 1 at its end may go, or come if it `grows`.
  if (a.shape.length === rank + 1 && a.shape.at(-1) === 1) return _unended(a);
  if (a.shape.length === rank - 1 && grows) return _ended(a);
  if (a.shape.length !== Number(rank))
    throw new RangeError(`${what} have shapes [${a.shape}] and [${b.shape}], which do not agree`);
  return a;
}
""",
    "_placed": """
function _placed(what, a, rank, axes) {
  // Refuses a prediction that has not the axes of the formula, of which one sample alone has no batch.
  if (a.shape.length !== rank && a.shape.length !== rank - 1)
    throw new RangeError(`${what} has shape [${a.shape}], not the axes ${axes}`);
}
""",
    "_agree": """
function _agree(what, a, b) {
  // Refuses lengths that differ.
  if (String(a) !== String(b)) throw new RangeError(`${what} have lengths [${a}] and [${b}], which do not agree`);
}
""",
    "_cut": """
function _cut(lengths, start, stop) {
  // What a slice leaves of an axis, or of several that are one.
  const whole = _size(lengths);
  const end = (a, none) => (a === undefined ? none : a < 0 ? Math.max(0, whole + a) : Math.min(a, whole));
  return [Math.max(0, end(stop, whole) - end(start, 0))];
}
""",
    "_enough": """
function _enough(what, lengths, least) {
  // Refuses an axis of which the formula takes more than there is.
  if (_size(lengths) < least) throw new RangeError(`${what} has ${lengths[0]} elements, and ${least} are taken`);
}
""",
    "_shared": """
function _shared(what, length, fixed, shares) {
  // Refuses a last axis that parts cannot share.
  if (length < fixed || (length - fixed) % shares)
    throw new RangeError(`${what} has ${length} elements, which are not ${fixed} and ${shares} equal parts`);
}
""",
    "_held": """
function _held(index, length) {
  // A position inside of an axis.
  return Math.max(0, Math.min(index, length - 1));
}
""",
    "_round": """
function _round(a) {
  // The nearest whole number, ties to even.
  const found = Math.round(a);
  return found - a === 0.5 && found % 2 !== 0 ? found - 1 : found;
}
""",
    "_mod": """
function _mod(a, b) {
  // The remainder with the sign of b.
  const found = a % b;
  return found !== 0 && found < 0 !== b < 0 ? found + b : found;
}
""",
    "_logaddexp": """
function _logaddexp(a, b) {
  // log(exp(a) + exp(b)), of infinite numbers, too.
  return a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
""",
    "_erf": """
function _erf(a) {
  // The error function: near 0 exp(-a^2) times a series of positive terms.
  if (Math.abs(a) > 1) return a < 0 ? _erfc(-a) - 1 : 1 - _erfc(a);
  let [term, total] = [a, a];
  for (let k = 1; k < 24; k++) {
    term *= (2 * a * a) / (2 * k + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a) * total;
}
""",
    "_excess": """
function _excess(total, others) {
  // sum - 1 of terms whose largest is 1, from their sum and that of what is less than 1.
  return total < 2 ? others + (_round(total - others) - 1) : total - 1;
}
""",
    "_lines": """
function _lines(function_, arrays, count, inner) {
  // Applies a function to each line of `count` elements that are `inner` apart.
  const found = new Float64Array(arrays[0].length);
  for (let start = 0; start < found.length; start += count * inner) {
    for (let i = start; i < start + inner; i++) {
      const lines = arrays.map((a) => Float64Array.from({ length: count }, (_, k) => a[i + k * inner]));
      function_(...lines).forEach((value, k) => (found[i + k * inner] = value));
    }
  }
  return found;
}
""",
    "_order": """
function _order(key) {
  // The positions of a line in ascending order of its elements; those that are not numbers come last.
  const size = (a) => (Number.isNaN(a) ? Infinity : a);
  const positions = Array.from(key, (_, k) => k);
  return positions.sort((i, j) => (size(key[i]) < size(key[j]) ? -1 : size(key[i]) > size(key[j]) ? 1 : i - j));
}
""",
    "_cumsum": """
function _cumsum(a, count, inner, reverse) {
  // Running sums along axes, from the end if `reverse`.
  const run = (line) => {
    let total = 0;
    return line.map((value) => (total += value));
  };
  return _lines((line) => (reverse ? run(line.reverse()).reverse() : run(line)), [a], count, inner);
}
""",
    "_logcumsumexp": """
function _logcumsumexp(a, count, inner, reverse) {
  // Logarithms of running sums of exponentials, from the end if `reverse`.
  const run = (line) => {
    let total = -Infinity;
    return line.map((value) => (total = _logaddexp(total, value)));
  };
  return _lines((line) => (reverse ? run(line.reverse()).reverse() : run(line)), [a], count, inner);
}
""",
    "_rank": """
function _rank(a, count, inner) {
  // 1 for the largest, 2 for the next; the first of several comes first.
  const run = (line) => {
    const found = new Float64Array(line.length);
    _order(line.map((value) => -value)).forEach((k, place) => (found[k] = place + 1));
    return found;
  };
  return _lines(run, [a], count, inner);
}
""",
    "_sort": """
function _sort(a, key, count, inner) {
  // `a` in ascending order of `key`.
  return _lines((line, keys) => _order(keys).map((k) => line[k]), [a, key], count, inner);
}
""",
    "_ordered": """
function _ordered(a, key, count, inner) {
  // `a` in ascending order of `key`; not a number throughout where one element is none.
  const run = (line, keys) => (keys.some(Number.isNaN) ? line.fill(NaN) : _order(keys).map((k) => line[k]));
  return _lines(run, [a, key], count, inner);
}
""",
    "_unsort": """
function _unsort(a, key, count, inner) {
  // `a`, which is in ascending order of `key`, back in the order of `key` itself.
  const run = (line, keys) => {
    const found = new Float64Array(line.length);
    _order(keys).forEach((k, place) => (found[k] = line[place]));
    return found;
  };
  return _lines(run, [a, key], count, inner);
}
""",
    "_dft": """
function _dft(a, count, inner, wave) {
  // Sums with a wave of every frequency.
  const waves = Float64Array.from({ length: count }, (_, k) => wave((2 * Math.PI * k) / count));
  const run = (line) => line.map((_, j) => line.reduce((sum, value, k) => sum + value * waves[(j * k) % count], 0));
  return _lines(run, [a], count, inner);
}
""",
    "_dft_cos": """
function _dft_cos(a, count, inner) {
  return _dft(a, count, inner, Math.cos);
}
""",
    "_dft_sin": """
function _dft_sin(a, count, inner) {
  return _dft(a, count, inner, Math.sin);
}
""",
}

_NAMES = {
    **{word: f"Math.{word}" for word in ("abs", "exp", "expm1", "floor", "log", "log1p", "sqrt", "tanh")},
    "where": "_where",  # a choice, written as one when the text becomes JavaScript
    "ones_like": "_ones_like",
    "zeros_like": "_zeros_like",
    "one": "1.0",
    "zero": "0.0",
    "oneself": "1.0",
    "lgamma": "_lgamma",
    "minus_size": "-Math.abs(a)",
}

HELPERS = {
    **{helper: function(text) for helper, text in special.helpers(_NAMES).items()},
    **{helper: text.strip("\n") for helper, text in _TEXTS.items()},
}
"""The text of each helper function."""
