"use strict";
const told = document.querySelector("[role=status]");

function chosen(code) {
  // the old way, for pages that come over plain http: show the text, mark it, copy what is marked
  code.closest("details").open = true;
  getSelection().selectAllChildren(code);
  return document.execCommand("copy");
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    return chosen(code);
  }
}

for (const button of document.querySelectorAll("button")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const done = await copy(button.parentElement.querySelector("code"));
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    told.textContent = done ? "The command is copied" : "The command is marked; copy it with Ctrl+C";
    setTimeout(() => {
      button.textContent = label;
      told.textContent = "";
    }, 2000);
  });
}
