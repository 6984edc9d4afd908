// Drives a built site in Chromium, from the disk as a reader would open it: node test.mjs SITE [SCREENSHOTS]
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const site = resolve(process.argv[2]);
const screenshots = process.argv[3];
const profile = mkdtempSync(join(tmpdir(), "chromium-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
  viewport: { width: 1200, height: 900 },
  colorScheme: "light",
});
const faults = [];
const page = context.pages()[0] ?? (await context.newPage());
page.on("console", (message) => message.type() === "error" && faults.push(`${page.url()}: ${message.text()}`));
page.on("pageerror", (error) => faults.push(`${page.url()}: ${error.message}`));
page.on("request", (request) => /^(file|data|blob):/.test(request.url()) || faults.push(`a request to ${request.url()}`));

const open = async (path) => {
  await page.goto("about:blank"); // so that another hash is another page
  await page.goto(String(pathToFileURL(join(site, path.split("#")[0]))) + (path.includes("#") ? `#${path.split("#")[1]}` : ""));
};
const cards = () => page.$$eval(".card:not([hidden]) a", (links) => links.map((link) => link.textContent));
const curves = (id) => page.$$eval(`#${id} .curve`, (paths) => paths.map((path) => path.getAttribute("d")));
const read = () => page.textContent("#read");
const width = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

const tests = {
  async "search finds names, other names, purposes and properties"() {
    await open("index.html");
    const all = await cards();
    await page.fill("#query", "huber");
    assert.equal(await firstCard(), "huber");
    await page.fill("#query", "l2");
    assert.ok((await cards()).includes("mean_squared_error"));
    await page.fill("#query", "convex robust smooth");
    assert.ok((await cards()).includes("huber"));
    assert.ok(!(await cards()).includes("mean_squared_error"), "its slope is not bounded");
    await page.fill("#query", "Lovász");
    assert.ok((await cards()).includes("lovasz_softmax"));
    for (const word of ["crossentropy", "cross_entropy", "cross-entropy"]) {
      await page.fill("#query", word);
      assert.ok((await cards()).includes("categorical_crossentropy"), word);
    }
    await page.fill("#query", "(");
    await page.fill("#query", "ntropy");
    assert.ok(!(await cards()).includes("poisson") && (await cards()).includes("categorical_crossentropy"), "names have it anywhere");
    await page.fill("#query", "qwertz");
    assert.deepEqual(await cards(), []);
    await page.click("#clear");
    assert.deepEqual(await cards(), all);
  },

  async "filters filter, by family and by what is proved or refuted, and the address keeps them"() {
    await open("index.html");
    const all = await cards();
    await page.click(".chip[data-family=robust]");
    const robust = await cards();
    assert.ok(robust.includes("huber") && robust.length < all.length);
    await page.click(".chip[data-property=convex]");
    assert.ok((await cards()).includes("huber"));
    await page.click(".chip[data-property=convex]");
    assert.ok(!(await cards()).includes("huber") && (await cards()).includes("welsch"), "refuted");
    assert.equal(await page.textContent("#count"), `${(await cards()).length} ${(await cards()).length === 1 ? "loss" : "losses"}`);
    await open(`index.html#${new URL(page.url()).hash.slice(1)}`);
    assert.ok((await cards()).includes("welsch") && !(await cards()).includes("huber"));
    await page.click(".chip[data-property=convex]");
    assert.deepEqual(await cards(), robust);
    await open("index.html#family=robust");
    assert.deepEqual(await cards(), robust);
  },

  async "a slider moves the curve, and the numbers are the loss's"() {
    await open("losses/huber.html");
    assert.equal(await read(), "1.5: value 1, slope 1");
    const [before] = await curves("value");
    await page.fill(".slider input[type=number]", "2");
    assert.equal(await read(), "1.5: value 1.125, slope 1.5");
    const [after] = await curves("value");
    assert.notEqual(before, after);
    await page.focus("#slider-delta");
    await page.keyboard.press("ArrowLeft");
    assert.notDeepEqual(await curves("value"), [after], "by the keyboard");
    await page.fill(".slider input[type=number]", "-1");
    assert.match(await page.textContent("#refused"), /requires delta > 0/);
    await page.click("text=Reset");
    assert.deepEqual(await curves("value"), [before]);
  },

  async "switches and whole numbers are parameters like any other"() {
    await open("losses/categorical_crossentropy.html");
    const before = await curves("value");
    await page.focus("#switch-from_logits");
    await page.keyboard.press("Space");
    assert.match(await read(), /^2\.5: value 0\.07889, slope −0\.07586/); // log(1 + exp(-2.5)), and 1 less its inverse logit
    await page.click("text=Reset");
    assert.deepEqual(await curves("value"), before);
    await open("losses/sparse_categorical_crossentropy.html");
    assert.match(await read(), /^0\.75: value 0\.2877, slope −1\.333/);
    await page.fill("#whole-ignore_class", "1");
    assert.equal(await read(), "0.75: value 0, slope 0");
    await page.check("#switch-from_logits");
    await page.fill("#whole-ignore_class", "-1");
    assert.match(await read(), /^2\.5: value 0\.07889/);
    await open("losses/categorical_crossentropy.html");
    await page.click("tr.refuted:has-text('convex') .show");
    assert.equal(await page.locator("#value .mark").count(), 1);
  },

  async "other losses are laid over one another"() {
    await open("losses/huber.html");
    await page.selectOption("#select-Lay_over", "mean_squared_error");
    await page.waitForSelector("#value .curve:nth-of-type(2)");
    await page.selectOption("#select-Lay_over", "welsch");
    await page.waitForSelector("#value .curve:nth-of-type(3)");
    assert.equal((await curves("slope")).length, 3);
    await page.click(".key button");
    assert.equal((await curves("value")).length, 2);
  },

  async "a loss is drawn over the prediction, over two class scores, and around an example"() {
    await open("losses/huber.html");
    await page.selectOption("#select-Over", { label: "the prediction" });
    await page.fill(".slider:has(label:text-is('t')) input[type=number]", "1");
    assert.equal(await read(), "1.5: value 0.125, slope 0.5");
    await open("losses/categorical_crossentropy.html");
    assert.equal((await curves("value")).length, 2);
    assert.match(await read(), /^0\.75: value 0\.2877, slope −1\.333/); // of the second class: -log(3/4)
    await open("losses/dpo.html");
    assert.equal((await curves("value")).length, 1);
    const [before] = await curves("value");
    const numbers = await page.$$eval("#select-Number option", (options) => options.map((option) => option.textContent));
    assert.deepEqual(numbers, ["c = −2", "r = −3"]);
    await page.selectOption("#select-Number", "1");
    assert.notDeepEqual(await curves("value"), [before]);
  },

  async "the point that refutes a claim stands in the picture"() {
    await open("losses/welsch.html");
    await page.click("tr.refuted:has-text('convex') .show");
    assert.equal(await page.textContent("#value .told"), "not convex");
    assert.equal(await page.locator("#value .mark").count(), 1);
    await open("losses/dpo.html");
    await page.click("tr.refuted:has-text('symmetric') .show");
    assert.equal(await page.locator("#value .mark").count(), 1);
  },

  async "code for each library is there to copy, by mouse and by keyboard"() {
    await open("losses/huber.html");
    await page.focus("[role=tab][aria-selected=true]");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.textContent("[role=tab][aria-selected=true]"), "TensorFlow");
    assert.match(await page.textContent("[role=tabpanel]:not([hidden]) code"), /import tensorflow as tf/);
    for (const target of ["keras", "jax", "torch", "numpy", "javascript"]) {
      await page.click(`#tab-${target}`);
      assert.match(await page.textContent("[role=tabpanel]:not([hidden]) code"), /huber/);
    }
    await page.click("[role=tabpanel]:not([hidden]) .copy");
    await page.waitForFunction(() => [...document.querySelectorAll(".copy")].some((one) => one.textContent === "copied"));
  },

  async "every page draws, fits a phone, and breaks nothing, in light and dark"() {
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const size of [1200, 390]) {
        await page.setViewportSize({ width: size, height: 900 });
        await open("index.html");
        assert.ok((await width()) <= 0, `index.html is wider than ${size}`);
        for (const path of losses) {
          await open(path);
          assert.equal(await page.getAttribute("html", "data-theme"), scheme);
          assert.ok((await width()) <= 0, `${path} is wider than ${size}`);
          if (!(await page.locator(".plot").count())) continue;
          await page.waitForSelector("#value .curve", { state: "attached" });
          for (const d of [...(await curves("value")), ...(await curves("slope"))]) assert.ok(!/NaN|undefined/.test(d), path);
          assert.ok((await curves("value")).some((d) => d.length > 100), `${path} has no curve`);
          if (screenshots) await page.screenshot({ path: join(screenshots, `${path.replace(/\W/g, "_")}-${size}-${scheme}.png`), fullPage: size > 400 });
        }
      }
    }
    await page.setViewportSize({ width: 1200, height: 900 });
    await page.emulateMedia({ colorScheme: "light" });
    await open("losses/huber.html");
    await page.click("#theme");
    assert.equal(await page.getAttribute("html", "data-theme"), "dark");
    await page.click("#theme");
  },

  async "sliders go to their ends, and a number that a loss refuses is told"() {
    for (const path of losses) {
      await open(path);
      const found = await page.evaluate(() => {
        const told = [];
        const put = (place, value) => {
          const box = document.querySelectorAll(".slider input[type=number]")[place];
          box.value = value;
          box.dispatchEvent(new Event("input", { bubbles: true }));
        };
        [...document.querySelectorAll(".slider input[type=range]")].forEach((slider, place) => {
          for (const end of [slider.min, slider.max, slider.value]) {
            put(place, end);
            const paths = [...document.querySelectorAll(".curve")].map((curve) => curve.getAttribute("d"));
            const refused = document.getElementById("refused").textContent;
            const others = [...document.querySelectorAll(".slider input[type=range]")].map((one) => one.dataset.name);
            const isOfTwo = others.some((name) => name !== slider.dataset.name && refused.split(/\W+/).includes(name));
            if ((refused && !isOfTwo) || paths.some((d) => /NaN|undefined/.test(d))) told.push(`${slider.dataset.name} = ${end}: ${refused || paths}`);
          }
        });
        return told;
      });
      assert.deepEqual(found, [], path);
    }
    await open("losses/huber.html");
    await page.fill(".slider input[type=number]", "-1");
    assert.equal(await page.textContent("#refused"), "huber requires delta > 0");
  },

  async "each page has a formula, code for every library, and sliders that change what is drawn"() {
    for (const path of losses) {
      await open(path);
      const found = await page.evaluate(() => {
        const told = [];
        const formula = document.querySelector(".formula math");
        const box = formula?.getBoundingClientRect();
        if (!box?.width || !box.height || formula.querySelector("merror")) told.push("no formula");
        if (/\\/.test([...formula.querySelectorAll("mi, mn, mo, mtext")].map((one) => one.textContent).join(""))) told.push("TeX");
        const name = document.querySelector("h1").textContent;
        for (const tab of document.querySelectorAll("[role=tab]")) {
          tab.click();
          const code = document.querySelector("[role=tabpanel]:not([hidden]) code");
          if (!code.textContent.includes(name) || code.textContent.length < 400) told.push(`no code for ${tab.textContent}`);
          if (!code.getBoundingClientRect().height) told.push(`hidden code for ${tab.textContent}`);
        }
        if (document.querySelectorAll("[role=tab]").length !== 6) told.push("libraries are missing");
        return told;
      });
      assert.deepEqual(found, [], path);
      if (!(await page.locator(".plot").count())) continue;
      const still = await page.evaluate(() => {
        const views = document.querySelector("#select-Over");
        const drawn = () => [...document.querySelectorAll(".curve")].map((one) => one.getAttribute("d")).join() + document.querySelector("#read").textContent;
        const unmoved = [];
        [...document.querySelectorAll(".slider")].forEach((slider, place) => {
          const name = slider.querySelector("input[type=range]").dataset.name;
          let moves = false;
          for (const view of views ? [...views.options].map((one) => one.value) : [null]) {
            if (view !== null) {
              views.value = view;
              views.dispatchEvent(new Event("change", { bubbles: true }));
            }
            const own = [...document.querySelectorAll(".slider input[type=range]")].find((one) => one.dataset.name === name);
            if (!own) continue;
            for (const end of [own.min, own.max]) {
              const before = drawn();
              own.value = end;
              own.dispatchEvent(new Event("input", { bubbles: true }));
              const told = document.querySelector("#still").textContent;
              if (told && drawn() !== before) unmoved.push(`${name} moves, and is said not to`);
              moves ||= drawn() !== before || told.startsWith(name) || document.querySelector("#refused").textContent !== "";
            }
          }
          if (!moves) unmoved.push(`${document.querySelector("h1").textContent}: ${name}`);
        });
        return unmoved;
      });
      assert.deepEqual(still, [], path);
    }
  },

  async "the documentation opens, finds, and sets its formulas itself"() {
    for (const path of ["index", "tutorial", "language", "losses", "findings", "api", "design", "losses/robust"]) {
      await open(`docs/${path}.html`);
      assert.ok(await page.isVisible("h1"), path);
    }
    assert.ok((await page.locator("math mfrac").count()) > 10);
    assert.ok((await page.locator('a[href^="https://doi.org/10."]').count()) > 10, "references are links");
    await open("docs/search.html");
    await page.goto(`${page.url()}?q=huber`);
    await page.waitForSelector("ul.search li a");
    await open("docs/index.html");
    await page.click("text=gallery");
    await page.waitForSelector("#query");
  },

  async "on paper there is the picture, and nothing to press"() {
    await open("losses/huber.html");
    await page.emulateMedia({ media: "print" });
    assert.ok(await page.isVisible("#value"));
    for (const control of ["#controls", ".copy", "#theme", ".tabs"]) assert.ok(!(await page.isVisible(control)), control);
    await page.evaluate(() => (document.documentElement.dataset.theme = "dark"));
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    for (const path of losses) {
      await open(path);
      const sheets = (await page.pdf({ format: "A4" })).toString("latin1").match(/\/Type\s*\/Page\b/g).length;
      assert.ok(sheets <= 5, `${path} takes ${sheets} sheets`);
    }
    await page.emulateMedia({ media: "screen" });
  },

  async "the start page is used by the keyboard alone"() {
    await open("index.html");
    await page.keyboard.press("/");
    await page.keyboard.type("huber");
    assert.equal(await firstCard(), "huber");
    await page.focus(".chip[data-family=robust]");
    await page.keyboard.press("Space");
    assert.equal(await page.getAttribute(".chip[data-family=robust]", "aria-pressed"), "true");
  },

  async "links inside the site lead somewhere, and no page is large"() {
    const anchors = new Map();
    const idsOf = (file) => {
      if (!anchors.has(file)) anchors.set(file, new Set([...readFileSync(file, "utf8").matchAll(/\bid="([^"]+)"/g)].map((found) => found[1])));
      return anchors.get(file);
    };
    for (const file of files(site)) {
      const text = readFileSync(file, "utf8");
      assert.ok(statSync(file).size < 300_000, `${file} is large`);
      for (const [, link] of text.matchAll(/(?:href|src)="([^"]+)"/g)) {
        if (/^(https?|data|mailto|javascript):/.test(link)) {
          assert.ok(!/<(?:script|link|img)[^>]*(?:src|href)="https?:/.test(text), `${file} needs something from elsewhere`);
          continue;
        }
        const [path, hash] = link.replaceAll("&amp;", "&").split("#");
        const target = path ? join(dirname(file), decodeURIComponent(path.split("?")[0])) : file;
        assert.ok(existsSync(target), `${file}: ${link} leads nowhere`);
        if (hash && !hash.includes("=") && target.endsWith(".html")) assert.ok(idsOf(target).has(decodeURIComponent(hash)), `${file}: ${link} has no anchor`);
      }
    }
  },
};

async function firstCard() {
  return page.$$eval(".card:not([hidden])", (all) => {
    const order = (card) => Number(card.style.order);
    return all.sort((a, b) => order(a) - order(b))[0].querySelector("a").textContent;
  });
}

function files(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".html")).map((name) => join(folder, name));
}

const losses = readdirSync(join(site, "losses")).filter((name) => name.endsWith(".html")).map((name) => `losses/${name}`);
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    assert.deepEqual(faults, []);
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n      ${error.message}`);
  }
  faults.length = 0;
}
await context.close();
rmSync(profile, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
