"use strict";
const told = document.getElementById("told");
const cards = [...document.querySelectorAll("li")];

// Copying commands

function copySelected(code) {
  // the clipboard API is missing on plain http: show the text, select it, and copy the selection
  code.closest("details").open = true;
  getSelection().selectAllChildren(code);
  return document.execCommand("copy");
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    return copySelected(code);
  }
}

for (const button of document.querySelectorAll(".again button")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(button.parentElement.querySelector("code"));
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    told.textContent = done ? "The command is copied" : "The command is selected; press Ctrl+C to copy it";
    setTimeout(() => {
      button.textContent = label;
      told.textContent = "";
    }, 2000);
  });
}

// The filter, which is kept in the fragment of the address

const bar = document.getElementById("filter");
const words = bar.querySelector("input");
const menus = [...bar.querySelectorAll("select")];
const clear = bar.querySelector("button");
const shown = bar.querySelector("[role=status]");
const texts = new Map();

function flat(text) {
  return ` ${text.toLowerCase().replace(/[\s\p{P}]+/gu, " ")} `;
}

function promptOf(card) {
  return (card.querySelector(".prompt") ?? card.closest("section").querySelector(".prompt")).textContent;
}

function textOf(card) {
  if (!texts.has(card)) {
    const facts = [...card.querySelectorAll("dl div")].filter((fact) => !/^(cost|size)/.test(fact.textContent));
    const found = [...facts.flatMap((fact) => [...fact.children]), ...card.querySelectorAll("h3, .bad, .where")];
    texts.set(card, flat([promptOf(card), ...found.map((one) => one.textContent)].join(" ")));
  }
  return texts.get(card);
}

function apply() {
  // a number is wanted from its first digit on: 7 finds seed 72, not seed 27
  const wanted = flat(words.value).split(" ").filter(Boolean).map((word) => (/^\d+$/.test(word) ? ` ${word}` : word));
  const picked = menus.filter((menu) => menu.value);
  let count = 0;
  for (const card of cards) {
    const fits =
      picked.every((menu) => card.dataset[menu.name].split("\n").includes(menu.value)) &&
      wanted.every((word) => textOf(card).includes(word));
    card.hidden = !fits;
    count += fits;
  }
  for (const box of document.querySelectorAll("main > *")) box.hidden = !box.querySelector("li:not([hidden])");
  clear.hidden = !(words.value || picked.length);
  shown.textContent = clear.hidden ? "" : `${count} of ${cards.length} shown`;
}

function remember() {
  const kept = new URLSearchParams(words.value ? { q: words.value } : {});
  for (const menu of menus) if (menu.value) kept.set(menu.name, menu.value);
  try {
    history.replaceState(null, "", `${location.href.split("#")[0]}#${kept}`);
  } catch {
    // a page without an address of its own, such as one in a frame
  }
}

function recall() {
  const kept = new URLSearchParams(location.hash.slice(1));
  words.value = kept.get("q") ?? "";
  for (const menu of menus) {
    menu.value = kept.get(menu.name) ?? "";
    if (menu.selectedIndex < 0) menu.selectedIndex = 0;
  }
  apply();
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function change() {
  apply();
  remember();
}

function reset() {
  words.value = "";
  for (const menu of menus) menu.selectedIndex = 0;
  change();
}

bar.addEventListener("input", change);
clear.addEventListener("click", () => {
  reset();
  words.focus();
});
document.addEventListener("keydown", (event) => {
  if (bar.hidden || view.open || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === "/" && !event.target.closest("input, select")) {
    event.preventDefault();
    words.focus();
    words.select();
  }
  if (event.key === "Escape" && !clear.hidden && event.target.tagName !== "SELECT") reset();
});
addEventListener("hashchange", recall);

// The full-size view, which steps through what the filter shows

const view = document.getElementById("view");
const stage = view.querySelector(".stage");
const [count, file, lost, made, prompt, facts] = ["[role=status]", "a", ".bad", ".made", ".caption p[dir]", "dl"].map(
  (one) => view.querySelector(one),
);
let steps = [];
let at = 0;
let down = null;

function picture(link, source) {
  const image = new Image();
  image.alt = link.firstElementChild.alt;
  image.draggable = false;
  image.src = source;
  return image;
}

function load(link) {
  // the thumbnail is there at once, and stays where the file is gone
  const whole = picture(link, link.href);
  const current = (then) => () => steps[at] === link && view.open && then();
  whole.decode().then(
    current(() => {
      stage.replaceChildren(whole);
      if (steps.length > 1) new Image().src = steps[(at + 1) % steps.length].href;
    }),
    current(() => (lost.hidden = false)),
  );
}

function show(place) {
  at = (place + steps.length) % steps.length;
  const link = steps[at];
  const card = link.closest("li");
  stage.replaceChildren(picture(link, link.firstElementChild.src));
  lost.hidden = true;
  made.replaceChildren(...[...(card.querySelector(".made")?.children ?? [])].map((one) => one.cloneNode(true)));
  made.querySelector("h3")?.removeAttribute("id");
  prompt.textContent = promptOf(card);
  facts.replaceChildren(...card.querySelector("dl").cloneNode(true).children);
  file.href = link.href;
  file.textContent = link.dataset.name;
  count.textContent = `${at + 1} of ${steps.length}`;
  load(link);
}

function step(by) {
  if (steps.length > 1) show(at + by);
}

document.querySelector("main").addEventListener("click", (event) => {
  const link = event.target.closest("a.picture");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  steps = cards.filter((card) => !card.hidden).flatMap((card) => [...card.querySelectorAll("a.picture")]);
  for (const button of view.querySelectorAll("[data-do=back], [data-do=on]")) button.hidden = steps.length < 2;
  document.documentElement.classList.add("viewing");
  view.showModal();
  show(steps.indexOf(link));
});
view.addEventListener("close", () => {
  document.documentElement.classList.remove("viewing");
  stage.replaceChildren();
  steps[at].focus();
});
view.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const places = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: steps.length - 1 };
  if (event.key in places && steps.length > 1) {
    event.preventDefault();
    show(places[event.key]);
  }
});
view.addEventListener("click", (event) => {
  const asked = event.target.closest("button")?.dataset.do;
  if (asked === "close") view.close();
  else if (asked) step(asked === "back" ? -1 : 1);
  else if (event.target.closest(".stage")) step(event.clientX < innerWidth / 2 ? -1 : 1);
});
stage.addEventListener("pointerdown", (event) => {
  down = event.pointerType !== "mouse" && event.isPrimary ? event : null;
});
stage.addEventListener("pointerup", (event) => {
  const [across, along] = down ? [event.clientX - down.clientX, event.clientY - down.clientY] : [0, 0];
  down = null;
  if (Math.abs(across) > Math.max(40, Math.abs(along))) step(across > 0 ? -1 : 1);
});

bar.hidden = cards.length < 2;
recall();
