// What is too wide scrolls within itself; while it does, the keyboard can reach it. On paper it is set smaller.
"use strict";

// A4 within a browser's margins, in pixels: what it has for a display, and what a number takes of that.
const PAPER = 645;
const NUMBER = 75;

/** The size of letters, in pixels, at which a formula fits on paper. */
const fitting = (formula, numbered) => {
  const inside = document.createRange();
  inside.selectNodeContents(formula);
  const size = Number.parseFloat(getComputedStyle(formula).fontSize);
  return (size * (numbered ? PAPER - NUMBER : PAPER)) / inside.getBoundingClientRect().width;
};

/** Say on which sides there is more than is seen: the style sheet lets the edge fade there. */
const fade = (box) => {
  const hidden = box.scrollWidth - box.clientWidth;
  box.classList.toggle("more-before", box.scrollLeft > 1);
  box.classList.toggle("more-after", box.scrollLeft < hidden - 1);
};

document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((boxes) => {
    for (const { target: box } of boxes) {
      const number = box.parentElement.querySelector(".eqno")?.firstChild.textContent.trim();
      box.style.setProperty("--fitting", `${fitting(box.firstElementChild, number)}px`);
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", number ? `Equation ${number}` : "Equation");
      } else {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      }
      fade(box);
    }
  });
  for (const box of document.querySelectorAll("div.math > .formula, span.math.wide")) {
    observer.observe(box);
    box.addEventListener("scroll", () => fade(box), { passive: true });
  }
});
