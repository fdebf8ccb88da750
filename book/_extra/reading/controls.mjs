// @ts-check
/** What scripts of others put on a page is there for the keyboard and for a screen reader, too. */

// sphinx-copybutton keeps its words in this attribute, and changes them once it has copied.
const WORDS = "data-tooltip";

const told = document.createElement("div");
told.setAttribute("role", "status");
told.className = "visually-hidden";

addEventListener("DOMContentLoaded", () => {
  document.body.append(told);
  for (const button of document.querySelectorAll("button.copybtn")) {
    button.setAttribute("aria-label", `${button.getAttribute(WORDS)} this code`);
    new MutationObserver(() => {
      const words = button.getAttribute(WORDS) ?? "";
      told.textContent = words === "Copy" ? "" : words;
    }).observe(button, { attributeFilter: [WORDS] });
  }
  // Sphinx's own address is a script, which the page's policy refuses.
  const hide = document.querySelector(".highlight-link a");
  hide?.setAttribute("href", "#");
  hide?.setAttribute("role", "button");
  hide?.addEventListener("keydown", (event) => {
    if (event instanceof KeyboardEvent && event.key === " ") {
      event.preventDefault();
      hide.dispatchEvent(new MouseEvent("click", { cancelable: true }));
    }
  });
  hide?.addEventListener("click", (event) => {
    event.preventDefault();
    // @ts-ignore: Sphinx declares it
    SphinxHighlight.hideSearchWords();
  });
});

// The theme lets the keyboard reach what scrolls, but measures what is shown at times only: what was folded waits. Here each
// is measured when it shows, and whenever its size changes.
const measure = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    if (!(target instanceof HTMLElement)) continue;
    const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    target.tabIndex = scrolls ? 0 : -1;
  }
});
addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll("pre, .cell_output > .output, .pst-scrollable-table-container")) measure.observe(box);
});
