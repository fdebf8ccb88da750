// @ts-check
/**
 * Previews: what a link of the text leads to - an equation, a figure, a theorem, a source, a section - shown beside the link, on
 * hover, on focus, and on the first tap. Taken from this page, or fetched from another of the same site; where that
 * fails (no server, no such place) there is none, and the link is a link.
 *
 * It stays as long as the pointer is on the link or on it, or the focus on the link; Escape sends it away.
 */

const SHOW_AFTER = 250;
const HIDE_AFTER = 300;
const LINKS = "article.bd-article a.reference.internal[href*='#']";
const FONT = "link[href*='mathematics-font.css']";
const NO_PART = "script, style, template, button, .headerlink, .explorable > :not(.explorable-twin), details.hide";

/** @type {Map<string, Promise<Document | null>>} */
const pages = new Map();

/** @param {URL} url */
function page(url) {
  const address = url.origin === "null" ? url.href.split("#")[0] : url.origin + url.pathname;
  let found = pages.get(address);
  if (!found) {
    found = fetch(address)
      .then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)))
      .then((html) => new DOMParser().parseFromString(html, "text/html"))
      .catch(() => null);
    pages.set(address, found);
  }
  return found;
}

/** @param {Element} place */
function inView(place) {
  const box = place.getBoundingClientRect();
  return box.height > 0 && box.top >= 0 && box.bottom <= innerHeight;
}

/**
 * What to show of a place: a section's heading with its first words, anything else as it is.
 * @param {Element} place
 */
function shown(place) {
  const section = place.matches("section, span:empty") ? place.closest("section") : null;
  const parts = section
    ? [section.querySelector("h1, h2, h3, h4"), section.querySelector(":scope > p:not(.about-line)")]
    : [place];
  return parts.filter((part) => part !== null).map((part) => {
    const copy = /** @type {Element} */ (document.importNode(part, true));
    for (const inside of copy.querySelectorAll(NO_PART)) inside.remove();
    for (const inside of [copy, ...copy.querySelectorAll("*")]) {
      inside.removeAttribute("id");
      for (const attribute of ["tabindex", "hidden", "loading"]) inside.removeAttribute(attribute);
      inside.classList.remove("toggle", "toggle-hidden", "dropdown");
    }
    if (!/^H\d$/.test(copy.tagName)) return copy;
    const title = document.createElement("p");
    title.className = "preview-title";
    title.append(...copy.childNodes);
    return title;
  });
}

/**
 * The parts of a preview; none for a place that the reader sees already, or that cannot be had.
 * @param {HTMLAnchorElement} link
 */
async function content(link) {
  const url = new URL(link.href);
  const here = url.href.split("#")[0] === location.href.split("#")[0];
  if (url.protocol !== location.protocol || url.host !== location.host) return [];
  const from = here ? document : await page(url);
  const place = from?.getElementById(decodeURIComponent(url.hash.slice(1)));
  if (!place || (here && inView(place))) return [];
  const parts = shown(place);
  const font = from?.querySelector(FONT);
  if (font && !document.querySelector(FONT)) document.head.append(document.importNode(font));
  // Their size decides where the preview fits.
  const pictures = parts.flatMap((part) => [...part.querySelectorAll("img")]);
  await Promise.all(pictures.map((picture) => picture.decode().catch(() => undefined)));
  return parts;
}

class Previews {
  card = document.createElement("div");
  /** @type {HTMLAnchorElement | null} */
  link = null;
  timer = 0;

  constructor() {
    this.card.id = "preview";
    this.card.setAttribute("role", "tooltip");
    this.card.hidden = true;
    document.body.append(this.card);
    this.card.addEventListener("pointerenter", () => clearTimeout(this.timer));
    this.card.addEventListener("pointerleave", () => this.later(null));
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hide();
    });
    addEventListener("pointerdown", (event) => {
      const on = /** @type {Node} */ (event.target);
      if (!this.card.contains(on) && !this.link?.contains(on)) this.hide();
    });
    for (const link of document.querySelectorAll(LINKS)) this.listen(/** @type {HTMLAnchorElement} */ (link));
  }

  /** @param {HTMLAnchorElement} link */
  listen(link) {
    let touched = false;
    link.addEventListener("pointerdown", (event) => {
      touched = event.pointerType === "touch";
    });
    link.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "touch") this.later(link);
    });
    link.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") this.later(document.activeElement === link ? link : null);
    });
    link.addEventListener("focus", () => {
      if (!touched && link.matches(":focus-visible")) this.later(link);
    });
    link.addEventListener("blur", () => this.later(null));
    link.addEventListener("click", async (event) => {
      if (!touched || this.link === link) return this.hide();
      event.preventDefault();
      await this.show(link);
      if (this.link !== link) location.href = link.href;
    });
  }

  /** @param {HTMLAnchorElement | null} link */
  later(link) {
    clearTimeout(this.timer);
    if (link === null) this.timer = setTimeout(() => this.hide(), HIDE_AFTER);
    else if (link !== this.link) this.timer = setTimeout(() => this.show(link), SHOW_AFTER);
  }

  /** @param {HTMLAnchorElement} link */
  async show(link) {
    this.hide();
    const timer = this.timer;
    const parts = await content(link);
    if (!parts.length || timer !== this.timer) return;
    this.link = link;
    this.card.replaceChildren(...parts);
    this.card.hidden = false;
    this.card.scrollTo(0, 0);
    // A second description by the browser would lie over it.
    link.removeAttribute("title");
    link.setAttribute("aria-describedby", this.card.id);
    this.place(link);
    const { scrollHeight, clientHeight, scrollWidth, clientWidth } = this.card;
    const scrolls = scrollHeight > clientHeight || scrollWidth > clientWidth;
    if (scrolls) this.card.tabIndex = 0;
    else this.card.removeAttribute("tabindex");
  }

  /** Below the link where there is room, else above it. @param {HTMLAnchorElement} link */
  place(link) {
    const at = link.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.card;
    const gap = 6;
    const below = at.bottom + gap + height <= innerHeight || at.top < height + gap;
    const left = Math.max(gap, Math.min(at.left, document.documentElement.clientWidth - width - gap));
    this.card.style.left = `${left + scrollX}px`;
    this.card.style.top = `${scrollY + (below ? at.bottom + gap : at.top - gap - height)}px`;
  }

  hide() {
    clearTimeout(this.timer);
    this.link?.removeAttribute("aria-describedby");
    this.link = null;
    this.card.hidden = true;
    this.card.replaceChildren();
  }
}

new Previews();
