// Curves of losses: what the emitted functions give along one number, and how it is drawn.
// A script of a loss calls gallery.define(...); others are fetched when they are laid over it.
const gallery = (() => {
  const POINTS = 201;
  const found = new Map();
  const waiting = new Map();

  /** Makes a loss known; of one with switches there are several variants, each with functions of its own. */
  function define(facts, functions) {
    const variants = facts.variants.map((variant, place) => ({ ...variant, ...functions[place] }));
    const loss = { ...facts, variants, ...variants[0] };
    found.set(facts.name, loss);
    waiting.get(facts.name)?.(loss);
  }

  /** A loss by its name; its script is read the first time. */
  function load(name) {
    if (found.has(name)) return Promise.resolve(found.get(name));
    return new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = `${name}.js`;
      script.onerror = () => reject(new Error(`there is no script for ${name}`));
      document.head.append(script);
    });
  }

  /** Puts the switches of a loss: its views and functions are those of another variant. */
  function turn(loss, set) {
    const variant = loss.variants.find((each) => Object.entries(each.set).every(([name, value]) => set[name] === value));
    Object.assign(loss, variant);
  }

  const kindOf = (view) => [view.kind, view.pair].filter(Boolean).join(" ");

  // --- values

  /** For two classes: the score of the first, given the second, and how it changes with that. */
  const OTHER = {
    logits: [() => 0, () => 0],
    prob: [(u) => 1 - u, () => -1],
    logprob: [(u) => Math.log(-Math.expm1(u)), (u) => Math.exp(u) / Math.expm1(u)],
  };

  const clone = (value) => (Array.isArray(value) ? value.map(clone) : value);
  const at = (value, path) => path.reduce((part, place) => part[place], value);
  const total = (value) => (Array.isArray(value) ? value.reduce((sum, part) => sum + total(part), 0) : Number(value));

  /** The paths of all numbers in nested arrays. */
  function paths(value, above = []) {
    return Array.isArray(value) ? value.flatMap((part, place) => paths(part, [...above, place])) : [above];
  }

  function put(value, path, number) {
    if (!path.length) return number;
    const copy = clone(value);
    at(copy, path.slice(0, -1))[path.at(-1)] = number;
    return copy;
  }

  const numbers = (value) =>
    Array.isArray(value) ? value.map(numbers) : { inf: Infinity, "-inf": -Infinity, nan: NaN }[value] ?? value;

  /** The parameters in order, each from what is set, or as it is by default. */
  const settings = (loss, set) => loss.parameters.map((one) => numbers(set[one.name] ?? one.value));

  /** Value and slope of a loss at each of several predictions. */
  function sampled(loss, view, set, target, xs) {
    const given = settings(loss, set);
    const run = (inputs) => [loss.value(...inputs, ...given), loss.slope ? loss.slope(...inputs, ...given) : null];
    if (view.kind === "example") return xs.map((x) => one(view, run, target, x));
    return batch(view, run, target, xs);
  }

  /** One number of an example is moved; the value is that of all samples together. */
  function one(view, run, target, x) {
    const inputs = target.inputs.map((input, place) => (place === view.prediction ? put(input, target.path, x) : input));
    const [value, slope] = run(numbers(inputs));
    return { x, value: total(value), slope: slope === null ? NaN : Number(at(slope, target.path)) };
  }

  /** Many predictions at once, each a sample of its own. */
  function batch(view, run, target, xs) {
    const isPair = view.kind === "classes";
    const [other, change] = OTHER[view.pair ?? "logits"];
    const predictions = xs.map((x) => (isPair ? [other(x), x] : [x]));
    const targets = xs.map(() => (view.label ? target : isPair ? [1 - target, target] : [target]));
    const [values, slopes] = run(view.inputs.length > 1 ? [targets, predictions] : [predictions]);
    return xs.map((x, place) => {
      const value = Array.isArray(values) ? total(values[place]) : values;
      if (slopes === null) return { x, value, slope: NaN };
      const [first, second] = [slopes[place]].flat(2);
      return { x, value, slope: isPair ? second + first * change(x) : first };
    });
  }

  function grid(low, high, extra = []) {
    const xs = Array.from({ length: POINTS }, (_, place) => low + ((high - low) * place) / (POINTS - 1));
    return [...xs, ...extra.filter((x) => x >= low && x <= high)].sort((a, b) => a - b);
  }

  // --- drawing

  const NAMESPACE = "http://www.w3.org/2000/svg";

  function add(parent, tag, attributes, text) {
    const element = document.createElementNS(NAMESPACE, tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  /** From where to where an axis goes, so that what matters can be seen: not the whole of a singularity. */
  function extent(values) {
    const all = values.filter(Number.isFinite).sort((a, b) => a - b);
    if (!all.length) return [0, 1];
    const quantile = (q) => all[Math.min(all.length - 1, Math.floor(q * all.length))];
    let [low, high] = [all[0], all.at(-1)];
    const middle = quantile(0.95) - quantile(0.05);
    if (middle > 0 && high - quantile(0.95) > 3 * middle) high = quantile(0.95) + middle;
    if (middle > 0 && quantile(0.05) - low > 3 * middle) low = quantile(0.05) - middle;
    if (low > 0 && low < 0.4 * high) low = 0;
    if (high < 0 && high > 0.4 * low) high = 0;
    const size = high - low || Math.max(1, Math.abs(high));
    return [low - 0.06 * size, high + 0.06 * size];
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10);
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => (first + place) * step);
  }

  function shown(number, digits = 4) {
    if (!Number.isFinite(number)) return { Infinity: "∞", "-Infinity": "−∞" }[number] ?? "undefined";
    const size = Math.abs(number);
    const text = size !== 0 && (size >= 1e5 || size < 1e-3) ? number.toExponential(2) : String(Number(number.toPrecision(digits)));
    return text.replace("-", "−");
  }

  /** Draws lines ({points, key, colour}) into an SVG, with marks ({x, y, text}), and the axis's name below. */
  function draw(svg, lines, { low, high, along, marks = [], probe }) {
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const box = { left: 62, right: width - 12, top: 12, bottom: height - (along ? 40 : 24) };
    const [bottom, top] = extent([...lines.flatMap((line) => line.points.map((point) => point[line.key])), ...marks.map((mark) => mark.y)]);
    const X = (x) => box.left + ((x - low) / (high - low)) * (box.right - box.left);
    const Y = (y) => box.bottom - ((y - bottom) / (top - bottom)) * (box.bottom - box.top);
    svg.replaceChildren();
    const clip = `${svg.id}-clip`;
    const frame = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
    add(add(svg, "clipPath", { id: clip }), "rect", frame);
    for (const x of ticks(low, high, 6)) {
      add(svg, "line", { class: x === 0 ? "zero" : "grid", x1: X(x), x2: X(x), y1: box.top, y2: box.bottom });
      add(svg, "text", { class: "tick", x: X(x), y: box.bottom + 15, "text-anchor": "middle" }, shown(x));
    }
    for (const y of ticks(bottom, top, 5)) {
      add(svg, "line", { class: Math.abs(y) < 1e-12 * (top - bottom) ? "zero" : "grid", x1: box.left, x2: box.right, y1: Y(y), y2: Y(y) });
      add(svg, "text", { class: "tick", x: box.left - 6, y: Y(y) + 4, "text-anchor": "end" }, shown(y, 3));
    }
    if (along) add(svg, "text", { class: "along", x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" }, along);
    const inside = add(svg, "g", { "clip-path": `url(#${clip})` });
    for (const line of lines) add(inside, "path", { class: "curve", d: path(line, X, Y, top - bottom), style: `stroke: var(--line${line.colour})` });
    if (probe !== undefined) add(inside, "line", { class: "probe", x1: X(probe), x2: X(probe), y1: box.top, y2: box.bottom });
    for (const mark of marks) {
      // what is beyond the picture, or no number, is marked at the edge
      const y = Number.isNaN(mark.y) ? box.bottom - 8 : Math.max(box.top + 8, Math.min(box.bottom - 8, Y(mark.y)));
      add(svg, "circle", { class: "mark", cx: X(mark.x), cy: y, r: 6 });
      const isLeft = X(mark.x) > (box.left + box.right) / 2;
      add(svg, "text", { class: "told", x: X(mark.x) + (isLeft ? -10 : 10), y: Math.max(box.top + 14, y - 8), "text-anchor": isLeft ? "end" : "start" }, mark.text);
    }
  }

  /** The number of an example that counts most there: the one with the largest slope. */
  function telling(loss, view, inputs, set) {
    const all = paths(inputs[view.prediction]);
    if (!loss.slope) return all[0];
    const slope = loss.slope(...numbers(inputs), ...settings(loss, set));
    const size = (path) => Math.abs(Number(at(slope, path))) || 0;
    return all.reduce((best, path) => (size(path) > size(best) ? path : best), all[0]);
  }

  /** A line through points; it breaks where there is no number, and at a jump. */
  function path(line, X, Y, height) {
    let text = "", before = null;
    for (const point of line.points) {
      const y = point[line.key];
      if (!Number.isFinite(y)) {
        before = null;
        continue;
      }
      const isJump = line.key === "slope" && before !== null && Math.abs(y - before) > 0.25 * height;
      text += `${before === null || isJump ? "M" : "L"}${X(point.x).toFixed(2)} ${Math.max(-1e4, Math.min(1e4, Y(y))).toFixed(2)}`;
      before = y;
    }
    return text;
  }

  return { define, load, turn, kindOf, sampled, grid, draw, shown, paths, at, telling, names: {}, numbers };
})();
