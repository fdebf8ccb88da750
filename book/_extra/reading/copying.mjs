// @ts-check
/** The copy buttons of code say what they do, and what they did, to a screen reader too. */

const told = document.createElement("div");
told.setAttribute("role", "status");
told.className = "visually-hidden";

// sphinx-copybutton keeps its words in this attribute, and changes them once it has copied.
const WORDS = "data-tooltip";

addEventListener("DOMContentLoaded", () => {
  document.body.append(told);
  for (const button of document.querySelectorAll("button.copybtn")) {
    button.setAttribute("aria-label", `${button.getAttribute(WORDS)} this code`);
    new MutationObserver(() => {
      const words = button.getAttribute(WORDS) ?? "";
      told.textContent = words === "Copy" ? "" : words;
    }).observe(button, { attributeFilter: [WORDS] });
  }
});
