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

// The theme lets the keyboard reach what scrolls, but measures only what is to be seen; unfolded code is to be measured again.
document.addEventListener("toggle", () => dispatchEvent(new Event("resize")), true);
