// The page of a loss: sliders, views, losses laid over one another, points that refute, code to copy.
(() => {
  const element = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  };

  // --- code

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        const area = element("textarea", { value: text }); // a page from a disk may use no clipboard
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
  }
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const open = (tab) => {
    for (const each of tabs) {
      each.ariaSelected = String(each === tab);
      each.tabIndex = each === tab ? 0 : -1;
      document.getElementById(`code-${each.dataset.target}`).hidden = each !== tab;
    }
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(place + step + tabs.length) % tabs.length];
      open(next);
      next.focus();
    });
  });

  // --- curves

  const plot = document.querySelector(".plot");
  if (!plot) return;
  const controls = document.getElementById("controls");
  const legend = document.getElementById("legend");
  const probe = document.getElementById("probe");
  const read = document.getElementById("read");
  const state = { view: null, target: null, set: {}, over: [], mark: null, path: [] };
  let loss;

  const inputsOf = (view) => state.example ?? view.given;

  /** The target of a view: a number, or for an example its inputs and the number that is moved. */
  const targetOf = (view) => (view.kind === "example" ? { inputs: inputsOf(view), path: state.path } : state.target);

  function range(view) {
    let { low, high } = view;
    if (view.kind === "example") {
      const here = Number(gallery.at(inputsOf(view)[view.prediction], state.path));
      const own = (ends) => gallery.numbers(Array.isArray(ends) ? ends[state.path.at(-1)] : ends); // by part, or of all
      const [least, most] = [own(view.low), own(view.high)];
      const span = Math.max(own(view.span), Math.abs(here));
      const edge = (one, other) => one + 1e-3 * (other - one);
      low = here - span > least ? here - span : edge(least, Math.min(most, here + span));
      high = here + span < most ? here + span : edge(most, Math.max(least, here - span));
    }
    if (state.mark?.x !== undefined) {
      const room = 0.1 * Math.abs(state.mark.x);
      if (state.mark.x < low) low = state.mark.x - room;
      if (state.mark.x > high) high = state.mark.x + room;
    }
    return [low, high];
  }

  function update() {
    const view = state.view;
    const [low, high] = range(view);
    const x = low + ((high - low) * probe.value) / 200;
    const marked = state.mark ? [state.mark.x] : [];
    const targets = view.kind === "prediction" || view.kind === "classes" ? [...new Set([state.target, ...state.shown])] : [null];
    const lines = [];
    const words = view.target || "target";
    targets.forEach((target, place) => {
      const at = target === null ? (view.kind === "error" ? 0 : targetOf(view)) : target;
      const points = gallery.sampled(loss, view, state.set, at, gallery.grid(low, high, marked));
      const name = target === null || !loss.views[0].inputs[1] ? loss.name : `${loss.name}, ${words} = ${gallery.shown(target)}`;
      lines.push({ points, colour: place, name, at, loss, view });
    });
    state.over.forEach((other) => {
      const theirs = other.views.find((each) => gallery.kindOf(each) === gallery.kindOf(view));
      const at = view.kind === "error" ? 0 : state.target;
      lines.push({ points: gallery.sampled(other, theirs, {}, at, gallery.grid(low, high)), colour: lines.length % 6, name: other.name, at, loss: other, view: theirs });
    });
    const marks = state.mark ? mark(lines[0], view) : [];
    gallery.draw(document.getElementById("value"), lines.map((line) => ({ ...line, key: "value" })), { low, high, marks, probe: x });
    gallery.draw(document.getElementById("slope"), lines.map((line) => ({ ...line, key: "slope" })), { low, high, along: view.along, probe: x });
    const [here] = gallery.sampled(loss, view, state.set, lines[0].at, [x]);
    read.textContent = `${gallery.shown(x)}: value ${gallery.shown(here.value)}, slope ${gallery.shown(here.slope)}`;
    legend.replaceChildren(...lines.map((line) => key(line)));
  }

  const mark = (line, view) => {
    const [point] = gallery.sampled(loss, view, state.set, line.at, [state.mark.x]);
    const beyond = Number.isFinite(point.value) ? "" : `: ${gallery.shown(point.value)}`;
    return [{ x: state.mark.x, y: point.value, text: state.mark.text + beyond }];
  };

  function key(line) {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = `var(--line${line.colour})`;
    const found = element("span", { className: "key" }, swatch, line.name);
    const place = state.over.indexOf(line.loss);
    if (place >= 0) {
      const remove = element("button", { type: "button", textContent: "×", ariaLabel: `Take ${line.name} away` });
      remove.addEventListener("click", () => {
        state.over.splice(place, 1);
        update();
      });
      found.append(remove);
    }
    return found;
  }

  // --- controls

  function slider(label, low, high, value, change) {
    const id = `slider-${label.replace(/\W/g, "_")}`;
    const range = element("input", { type: "range", id, min: low, max: high, step: (high - low) / 400, value });
    range.dataset.name = label;
    const box = element("input", { type: "number", step: "any", value: Number(value.toPrecision(6)), ariaLabel: `${label} as a number` });
    range.addEventListener("input", () => {
      box.value = Number(Number(range.value).toPrecision(6));
      change(Number(range.value));
    });
    box.addEventListener("input", () => {
      const number = Number(box.value);
      if (box.value === "" || !Number.isFinite(number)) return;
      range.value = number;
      change(number);
    });
    const row = element("div", { className: "slider" }, element("label", { htmlFor: id, textContent: label }), range, box);
    row.put = (number) => {
      range.value = number;
      box.value = Number(number.toPrecision(6));
    };
    return row;
  }

  function select(label, options, value, change) {
    const id = `select-${label.replace(/\W/g, "_")}`;
    const box = element("select", { id }, ...options.map(([key, text]) => element("option", { value: key, textContent: text })));
    box.value = value;
    box.addEventListener("change", () => change(box.value));
    return element("div", { className: "select" }, element("label", { htmlFor: id, textContent: label }), box);
  }

  function toggle(label, value, change) {
    const id = `switch-${label.replace(/\W/g, "_")}`;
    const box = element("input", { type: "checkbox", id, checked: value });
    box.addEventListener("change", () => change(box.checked));
    return element("div", { className: "toggle" }, box, element("label", { htmlFor: id, textContent: label }));
  }

  function whole(label, value, change) {
    const id = `whole-${label.replace(/\W/g, "_")}`;
    const box = element("input", { type: "number", id, step: 1, value });
    box.addEventListener("input", () => box.value !== "" && Number.isInteger(Number(box.value)) && change(Number(box.value)));
    return element("div", { className: "whole" }, element("label", { htmlFor: id, textContent: label }), box);
  }

  /** Draws another variant of the loss, over the same as before where it can be. */
  function turn(set) {
    const kind = state.view.kind;
    gallery.turn(loss, set);
    state.example = null;
    show(loss.views.find((each) => each.kind === kind) ?? loss.views[0]);
  }

  const VIEWS = { error: "the error", prediction: "the prediction", classes: "two class scores", example: "one number of an example" };

  function* parameters() {
    for (const one of loss.parameters.filter((each) => each.kind === "real")) {
      const value = state.set[one.name] ?? one.value;
      yield slider(one.name, Math.min(one.low, value), Math.max(one.high, value), value, (number) => {
        state.set[one.name] = number;
        tried(one.name);
      });
    }
    for (const one of loss.parameters.filter((each) => each.kind === "int")) {
      yield whole(one.name, state.set[one.name] ?? one.value, (number) => {
        state.set[one.name] = number;
        attempt();
      });
    }
    for (const one of loss.switches) {
      yield toggle(one.name, loss.set[one.name], (value) => turn({ ...loss.set, [one.name]: value }));
    }
  }

  /** The target of a curve over the prediction. */
  function target(view) {
    if (view.label) return select(view.target, [[0, "0"], [1, "1"]], state.target, (value) => retarget(Number(value)));
    const [low, high] = [view.target_low ?? 0, view.target_high ?? 1];
    return slider(view.target, Math.min(low, state.target), Math.max(high, state.target), state.target, retarget);
  }

  /** Which number of an example is moved, where there are several. */
  function* moved(view) {
    const prediction = inputsOf(view)[view.prediction];
    const all = gallery.paths(prediction);
    if (all.length < 2) return;
    const called = (path) => {
      const rest = view.places.length ? path.slice(0, -1) : path;
      const where = rest.length ? `[${rest.join(", ")}]` : "";
      return view.places.length ? `${view.places[path.at(-1)]}${where && ` of ${where}`}` : where;
    };
    const options = all.slice(0, 200).map((path, place) => [place, `${called(path)} = ${gallery.shown(Number(gallery.at(prediction, path)))}`]);
    const place = all.findIndex((path) => String(path) === String(state.path));
    yield select("Number", options, place, (chosen) => {
      state.path = all[chosen];
      state.mark = null;
      attempt();
    });
  }

  /** Other losses with curves of the same kind, to lay over this one. */
  function* overlays(view) {
    const fits = ([name, kinds]) => name !== loss.name && kinds.includes(gallery.kindOf(view));
    const others = view.kind === "example" ? [] : Object.entries(gallery.names).filter(fits);
    if (!others.length) return;
    yield select("Lay over", [["", "another loss …"], ...others.map(([name]) => [name, name])], "", async (name) => {
      if (!name || state.over.some((other) => other.name === name)) return;
      state.over.push(await gallery.load(name));
      document.getElementById("select-Lay_over").value = "";
      attempt();
    });
  }

  function build() {
    const view = state.view;
    const parts = [];
    if (loss.views.length > 1) {
      const options = loss.views.map((each, place) => [place, VIEWS[each.kind]]);
      parts.push(select("Over", options, loss.views.indexOf(view), (place) => show(loss.views[place])));
    }
    parts.push(...parameters());
    if (view.kind === "prediction" && view.target) parts.push(target(view));
    if (view.kind === "example") parts.push(...moved(view));
    parts.push(...overlays(view));
    const reset = element("button", { type: "button", textContent: "Reset" });
    reset.addEventListener("click", () => {
      Object.assign(state, { set: {}, over: [], mark: null, example: null });
      gallery.turn(loss, loss.variants[0].set);
      show(loss.views[0]);
    });
    parts.push(reset, element("p", { id: "refused", className: "refused", role: "status" }));
    parts.push(element("p", { id: "still", className: "hint", role: "status" }));
    controls.replaceChildren(...parts);
  }

  const retarget = (number) => {
    state.target = number;
    state.shown = [];
    attempt();
  };

  const drawn = () => [...plot.querySelectorAll(".curve")].map((curve) => curve.getAttribute("d")).join() + read.textContent;

  /** Draws, and says so where a parameter that was moved is not to be seen: one for rare cases, or for other inputs. */
  function tried(name) {
    const before = drawn();
    attempt();
    if (document.getElementById("refused").textContent || drawn() !== before) return;
    document.getElementById("still").textContent = `${name} changes nothing in this picture`;
  }

  /** Draws, or says why that cannot be done: a parameter that the loss refuses. */
  function attempt() {
    const refused = document.getElementById("refused");
    document.getElementById("still").textContent = "";
    refused.textContent = "";
    try {
      update();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      refused.textContent = error.message;
    }
  }

  function show(view) {
    const isOther = state.view && gallery.kindOf(view) !== gallery.kindOf(state.view);
    state.view = view;
    if (isOther) state.over = [];
    state.mark = null;
    if (view.kind === "example") {
      if (!state.example) state.set = { ...state.set, ...view.parameters };
      state.path = gallery.telling(loss, view, inputsOf(view), state.set);
    } else {
      state.shown = view.targets ?? [0];
      state.target = state.shown.at(-1);
    }
    build();
    attempt();
  }

  // --- points that refute

  for (const button of document.querySelectorAll(".show")) {
    button.addEventListener("click", () => {
      const point = loss.points[Number(button.dataset.verdict)];
      const property = button.closest("tr").querySelector("th").firstChild.textContent;
      const isPlain = point.inputs.every((input) => !Array.isArray(input));
      const known = new Set(loss.parameters.map((one) => one.name));
      gallery.turn(loss, point.set);
      state.set = Object.fromEntries(Object.entries(point.parameters).filter(([name]) => known.has(name)));
      state.example = null;
      const curve = loss.views.find((view) => view.kind === "prediction");
      const x = point.inputs.at(point.inputs.length > 1 ? 1 : 0);
      if (isPlain && curve) {
        show(curve);
        state.target = point.inputs.length > 1 ? point.inputs[0] : 0;
        state.shown = [];
        state.mark = { x, text: `not ${property}` };
      } else {
        const view = loss.views.find((each) => each.kind === "example");
        state.example = isPlain ? point.inputs.map((input) => [input]) : point.inputs;
        show(view);
        const here = Number(gallery.at(gallery.numbers(state.example[view.prediction]), state.path));
        state.mark = { x: here, text: `not ${property}` };
      }
      build();
      attempt();
      plot.scrollIntoView({ block: "start" });
    });
  }

  probe.addEventListener("input", attempt);
  for (const id of ["value", "slope"]) {
    document.getElementById(id).addEventListener("pointermove", (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * 640 - 62) / (628 - 62);
      probe.value = Math.round(200 * Math.max(0, Math.min(1, share)));
      attempt();
    });
  }
  gallery.load(plot.dataset.loss).then((found) => {
    loss = found;
    show(loss.views[0]);
  });
})();
