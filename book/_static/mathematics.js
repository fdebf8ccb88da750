// What is too wide scrolls within itself; while it does, the keyboard can reach it.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((boxes) => {
    for (const { target: box } of boxes) {
      if (box.scrollWidth > box.clientWidth) {
        const number = box.parentElement.querySelector(".eqno")?.firstChild.textContent.trim();
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", number ? `Equation ${number}` : "Equation");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
    }
  });
  for (const box of document.querySelectorAll("div.math > .formula, span.math.wide")) observer.observe(box);
});
