// @ts-check
/**
 * The results of the search: their number is announced; an excerpt is whole words and whole formulas of the text alone. It
 * begins with the sentence that holds most of the query, in its words or in the symbols of its formulas. Sphinx would begin in
 * the middle of a word, run formulas together, and find no "sigma" where a page shows Σ.
 *
 * No module: from a file, where a reader opened the unpacked book, browsers run none. Nor do they read another file there, so
 * that results are titles.
 */
{
  /**
   * Sphinx's own search, and how it takes words from a text (`book/_ext/symbols.py`): globals of the page's other scripts.
   * @typedef {{
   *   status: HTMLElement,
   *   performSearch: (query: string) => void,
   *   makeSearchSummary: (html: string, words: Iterable<string>, anchor?: string) => HTMLElement,
   * }} Sphinx
   */
  const { search, split, stemmer, options, translations } = /**
   * @type {{
   *   search: Sphinx,
   *   split: (text: string) => string[],
   *   stemmer: { stemWord: (word: string) => string },
   *   options: { SHOW_SEARCH_SUMMARY: boolean },
   *   translations: Record<string, string>,
   * }}
   */ (
    // @ts-ignore: they are declared elsewhere
    { search: Search, split: splitQuery, stemmer: new Stemmer(), options: DOCUMENTATION_OPTIONS, translations: Documentation.TRANSLATIONS }
  );

  const NO_TEXT = ".headerlink, script, style, .about-line, .eqno, .explorable, details.hide, h1, h2, h3, h4, h5, h6";
  const BLOCKS = "p, li, dt, dd, div, figcaption";
  const FONT = "link[href*='mathematics-font.css']";
  // In words, of which a formula is one: an excerpt ends with a sentence once it has enough of them.
  const ENOUGH = 20;
  const LENGTH = 40;
  const BEFORE = 15;
  // What a line on a phone has room for, in characters; a longer formula is left out, and one of several rows.
  const WIDE = 24;
  // In the text each formula is one character, from the range for private use.
  const FIRST = 0xf0000;
  const FORMULA = /([\u{f0000}-\u{ffffd}])/u;

  /**
   * The sentences of a place, each as its words, with characters for its formulas. The sources have one sentence a line.
   * @param {Element} place
   * @param {Element[]} formulas
   */
  function sentences(place, formulas) {
    for (const formula of place.querySelectorAll("math")) {
      const short = (formula.textContent ?? "").length <= WIDE && !formula.querySelector("mtr + mtr");
      formula.replaceWith(short ? String.fromCodePoint(FIRST + formulas.push(formula) - 1) : " … ");
    }
    for (const row of place.querySelectorAll("tr")) {
      const cells = [...row.cells].map((cell) => cell.textContent?.replace(/\s+/g, " ").trim());
      row.textContent = `${cells.join(" · ")}\n`;
    }
    for (const block of place.querySelectorAll(BLOCKS)) block.append("\n");
    const lines = (place.textContent ?? "").split("\n");
    return lines.map((line) => line.split(/\s+/).filter((word) => word)).filter((words) => words.length);
  }

  /**
   * @param {string[][]} lines
   * @param {(word: string) => string[]} found which words of the query a word holds
   */
  function excerpt(lines, found) {
    const counts = lines.map((words) => new Set(words.flatMap(found)).size);
    const most = Math.max(0, ...counts);
    if (!most) return null;
    /** @type {string[]} */
    const words = [];
    for (const line of lines.slice(counts.indexOf(most))) if (words.length < ENOUGH) words.push(...line);
    const at = words.findIndex((word) => found(word).length);
    const cut = at < LENGTH - BEFORE ? 0 : at - BEFORE;
    // A caption has its sentences on one line.
    const stop = cut ? words.slice(cut, at).findIndex((word) => /[.?!]$/.test(word)) : -1;
    const from = cut + stop + 1;
    const shown = words.slice(from, from + LENGTH);
    return [cut && stop < 0 ? "… " : "", shown.join(" "), from + LENGTH < words.length ? " …" : ""].join("");
  }

  search.makeSearchSummary = (html, words, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const article = page.querySelector("article");
    for (const part of article?.querySelectorAll(NO_TEXT) ?? []) part.remove();
    const target = anchor ? article?.querySelector(anchor) : null;
    // A term of the index leads to an empty place before its word.
    const place = (target?.matches("span:empty") ? target.closest(BLOCKS) : target) ?? article;
    /** @type {Element[]} */
    const formulas = [];
    const lines = place ? sentences(place, formulas) : [];

    /** @param {string} character */
    const formula = (character) => formulas[(character.codePointAt(0) ?? 0) - FIRST];
    /** @param {string} word */
    const stems = (word) => {
      const text = word.split(FORMULA).map((part) => formula(part)?.getAttribute("alttext") ?? part);
      return split(text.join(" ")).map((part) => stemmer.stemWord(part));
    };
    const wanted = [...words];
    const text =
      excerpt(lines, (word) => stems(word).filter((stem) => wanted.includes(stem))) ??
      excerpt(lines, (word) => wanted.filter((part) => stems(word).some((stem) => stem.includes(part)))) ??
      excerpt(lines, () => ["the beginning"]);

    const summary = document.createElement("p");
    summary.className = "context";
    for (const part of text?.split(FORMULA) ?? []) {
      const shown = formula(part);
      shown?.removeAttribute("display");
      summary.append(shown ? document.importNode(shown, true) : part);
    }
    const font = page.querySelector(FONT);
    if (font && summary.querySelector("math") && !document.querySelector(FONT)) document.head.append(document.importNode(font));
    return summary;
  };

  // What the search says, in words for a reader of a book.
  const NOTHING =
    "Your search did not match any documents. Please make sure that all words are spelled correctly and that you've selected enough categories.";
  const FOUND = "Search finished, found ${resultCount} page(s) matching the search query.";
  translations[NOTHING] = "Nothing found. Try the beginning of a word, fewer words, or a symbol such as Σ; or look into the index.";
  translations[FOUND] = "Places found: ${resultCount}";

  const perform = search.performSearch;
  search.performSearch = (query) => {
    perform(query);
    search.status.setAttribute("role", "status");
  };

  if (location.protocol === "file:") options.SHOW_SEARCH_SUMMARY = false;
}
