// The start page: which cards are shown, by words, families and properties. The address keeps what was chosen.
(() => {
  const cards = [...document.querySelectorAll(".card")].map((element) => ({
    element,
    family: element.dataset.family,
    proved: new Set(element.dataset.proved.split("|")),
    refuted: new Set(element.dataset.refuted.split("|")),
    words: `${element.querySelector(".head").textContent} ${element.querySelector("p").textContent} ${element.dataset.words}`.toLowerCase(),
    name: element.querySelector("a").textContent,
  }));
  const query = document.getElementById("query");
  const families = [...document.querySelectorAll("[data-family].chip")];
  const properties = [...document.querySelectorAll("[data-property].chip")];
  const SHORT = { robust: "slope bounded", ...Object.fromEntries(properties.map((chip) => [chip.dataset.property, chip.dataset.property])) };

  const pressed = (chips, key) => chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset[key]);

  const joined = (text) => text.replace(/[-_]/g, "");
  const begins = (start, text) => {
    const any = start.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return new RegExp(/^[a-z0-9]/.test(start) ? `(?<![a-z0-9])${any}` : any).test(text);
  };

  /** A name has a word anywhere; of the rest a word begins with it. What joins the parts of a word does not matter. */
  const matches = (card, word) =>
    joined(card.name).includes(joined(word)) ||
    begins(word, card.words) ||
    begins(joined(word), joined(card.words)) ||
    (word in SHORT && card.proved.has(SHORT[word]));

  function rank(card, words) {
    if (!words.length) return 0;
    if (card.name === words[0]) return 0;
    return card.name.startsWith(words[0]) ? 1 : card.name.includes(words[0]) ? 2 : 3;
  }

  function update() {
    const words = query.value.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").split(/[\s,]+/).filter(Boolean);
    const chosen = pressed(families, "family");
    const wanted = properties.filter((chip) => chip.ariaPressed !== "false");
    let count = 0;
    for (const card of cards) {
      const fits =
        words.every((word) => matches(card, word)) &&
        (!chosen.length || chosen.includes(card.family)) &&
        wanted.every((chip) => card[chip.ariaPressed === "true" ? "proved" : "refuted"].has(chip.dataset.property));
      card.element.hidden = !fits;
      card.element.style.order = fits ? rank(card, words) : "";
      count += fits;
    }
    document.getElementById("count").textContent = count === 1 ? "1 loss" : `${count} losses`;
    document.getElementById("none").hidden = count > 0;
    remember(words, chosen, wanted);
  }

  function remember(words, chosen, wanted) {
    const parts = new URLSearchParams();
    if (words.length) parts.set("q", words.join(" "));
    for (const family of chosen) parts.append("family", family);
    for (const chip of wanted) parts.append(chip.ariaPressed === "true" ? "is" : "not", chip.dataset.property);
    const hash = parts.toString();
    if (location.hash.slice(1) !== hash) history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
  }

  function recall() {
    const parts = new URLSearchParams(location.hash.slice(1));
    query.value = parts.get("q") ?? "";
    for (const chip of families) chip.ariaPressed = String(parts.getAll("family").includes(chip.dataset.family));
    for (const chip of properties) {
      const name = chip.dataset.property;
      chip.ariaPressed = parts.getAll("is").includes(name) ? "true" : parts.getAll("not").includes(name) ? "mixed" : "false";
    }
    update();
  }

  query.addEventListener("input", update);
  for (const chip of families) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = chip.ariaPressed === "true" ? "false" : "true";
      update();
    });
  }
  const NEXT = { false: "true", true: "mixed", mixed: "false" };
  for (const chip of properties) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = NEXT[chip.ariaPressed];
      update();
    });
  }
  document.getElementById("clear").addEventListener("click", () => {
    location.hash = "";
    recall();
    query.focus();
  });
  addEventListener("hashchange", recall);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== query) {
      event.preventDefault();
      query.focus();
    }
  });
  recall();
})();
