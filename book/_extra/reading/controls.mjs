// @ts-check
/** What scripts of others put on a page, mended: for the keyboard and a screen reader, for a finger, for paper. */

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
const SCROLLS = "pre, .cell_output > .output, .pst-scrollable-table-container";
const measure = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    if (!(target instanceof HTMLElement)) continue;
    const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    target.tabIndex = scrolls ? 0 : -1;
    if (!target.matches("pre")) name(target, scrolls);
  }
});

/**
 * What the keyboard stops at has a name.
 * @param {HTMLElement} box @param {boolean} scrolls
 */
function name(box, scrolls) {
  if (scrolls) {
    box.setAttribute("role", "group");
    const caption = box.querySelector("caption")?.textContent?.replace("#", "").trim();
    box.setAttribute("aria-label", caption || (box.querySelector("table") ? "Table" : "Output"));
  } else {
    box.removeAttribute("role");
    box.removeAttribute("aria-label");
  }
}

addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(SCROLLS)) measure.observe(box);
});

// The title of a solution opens it wherever it is touched, and its button is called as the title is; sphinx-togglebutton
// knows only the title itself and the button, and calls all of them alike.
addEventListener("load", () => {
  for (const title of document.querySelectorAll(".admonition.toggle > .admonition-title")) {
    const button = /** @type {HTMLElement | null} */ (title.querySelector(".toggle-button"));
    button?.setAttribute("aria-label", words(title));
    title.addEventListener(
      "click",
      (event) => {
        const at = /** @type {Element} */ (event.target);
        if (at === title || button?.contains(at)) return;
        event.stopPropagation();
        if (!at.closest("a")) button?.click();
      },
      { capture: true },
    );
  }
});

/** The words of a title, without the sign of its permanent link. @param {Element} title */
function words(title) {
  const copy = /** @type {Element} */ (title.cloneNode(true));
  for (const sign of copy.querySelectorAll(".headerlink, button")) sign.remove();
  return copy.textContent?.replace(/\s+/g, " ").trim() ?? "";
}

// On a phone the contents lie over the page: they close when a reader has chosen where to go.
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a");
    if (link?.hash && link.pathname === location.pathname) dialog.close();
  });
}

// Paper is white, and answers to questions lie open on it.
/** @type {HTMLDetailsElement[]} */
let unfolded = [];
const page = document.documentElement.dataset;
/** @type {string | undefined} */
let onScreen;
addEventListener("beforeprint", () => {
  if (onScreen !== undefined) return;
  onScreen = page.theme;
  page.theme = "light";
  unfolded = [...document.querySelectorAll(/** @type {"details"} */ ("article details.sd-dropdown:not([open])"))];
  for (const part of unfolded) part.open = true;
});
addEventListener("afterprint", () => {
  page.theme = onScreen;
  onScreen = undefined;
  for (const part of unfolded) part.open = false;
});

// What a search has found is marked: there the reader goes, not to the top.
addEventListener("load", () => {
  if (!location.hash) document.querySelector("article .highlighted")?.scrollIntoView({ block: "center" });
});
