// Comforts of the pages: each of them also works without this file.
"use strict";

const typing = (at) => at instanceof Element && at.matches("input, select, textarea");

for (const form of document.querySelectorAll("form[data-autosubmit]")) {
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") form.requestSubmit();
  });
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (!field.value) field.disabled = true; // short addresses
    document.body.classList.add("loading");
  });
}
window.addEventListener("pageshow", () => {
  document.body.classList.remove("loading");
  for (const field of document.querySelectorAll("form[data-autosubmit] :disabled")) field.disabled = false;
});

let sent = false; // a second key while the next caption loads would answer the first again
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
}
window.addEventListener("pageshow", () => { sent = false; });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const search = document.querySelector("input[type=search]");
  if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    return;
  }
  const named = { ArrowLeft: "a[rel=prev]", ArrowRight: "a[rel=next]" }[event.key];
  const pressed = named
    ? document.querySelector(named)
    : [...document.querySelectorAll("[data-key]")].find((one) => one.dataset.key === event.key.toLowerCase());
  if (pressed) {
    event.preventDefault();
    pressed.click();
  }
});

const again = document.querySelector("[data-reload]");
if (again) setTimeout(() => location.reload(), 1000 * Number(again.dataset.reload));
