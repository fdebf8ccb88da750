// @ts-check
/**
 * The results of the search: their number is announced; their excerpts come from the text of a page alone, and stand round a
 * symbol where the query names one. Sphinx would begin with the buttons above the text, and finds no "sigma" where a
 * page shows Σ.
 */

/**
 * Sphinx's own search, and the names of symbols (`book/_ext/symbols.py`): globals of the page's other scripts.
 * @typedef {{
 *   htmlToText: (html: string, anchor?: string) => string,
 *   status: HTMLElement,
 *   performSearch: (query: string) => void,
 *   makeSearchSummary: (html: string, words: Iterable<string>, anchor?: string) => HTMLElement | null,
 * }} Sphinx
 */
const { search, names } = /** @type {{ search: Sphinx, names: Record<string, string> }} */ (
  // @ts-ignore: they are declared elsewhere
  { search: Search, names: SYMBOL_NAMES }
);

const NO_TEXT = ".headerlink, script, style, annotation, .about-line, .explorable, details.hide, h1";

search.htmlToText = (html, anchor) => {
  const article = new DOMParser().parseFromString(html, "text/html").querySelector("article");
  for (const part of article?.querySelectorAll(NO_TEXT) ?? []) part.remove();
  const place = (anchor && article?.querySelector(anchor)) || article;
  return place?.textContent?.replace(/\s+/g, " ").trim() ?? "";
};

const summary = search.makeSearchSummary;
search.makeSearchSummary = (html, words, anchor) => {
  const wanted = new Set(words);
  const symbols = Object.keys(names).filter((symbol) => wanted.has(names[symbol] ?? ""));
  return summary(html, [...symbols, ...wanted], anchor) ?? document.createElement("p");
};

const perform = search.performSearch;
search.performSearch = (query) => {
  perform(query);
  search.status.setAttribute("role", "status");
};
