"""Every formula written in the book's chapters can be printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typst
import yaml
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import DocutilsRenderer
from myst_parser.parsers.mdit import create_md_parser
from typstbook.texmath import Converter, TexError

ROOT = Path(__file__).parents[3]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
MACROS = CONFIG["sphinx"]["config"]["tex_macros"]
SYNTAX = set(CONFIG["parse"]["myst_enable_extensions"])

FORMULAS = {
    "amsmath",
    "math_block",
    "math_block_label",
    "math_inline",
    "math_inline_double",
    "math_single",
}
FENCES = {"fence", "colon_fence"}


def formulas(markdown: str) -> Iterator[str]:
    """The TeX source of every formula, also of those inside directives."""
    parser = create_md_parser(MdParserConfig(enable_extensions=SYNTAX), DocutilsRenderer)

    def within(tokens: list[Token]) -> Iterator[str]:
        for token in tokens:
            if token.type in FORMULAS:
                yield token.content
            elif token.type in FENCES and token.info.startswith("{math}"):
                lines = token.content.split("\n")
                yield "\n".join(line for line in lines if not line.startswith(":"))
            elif token.type in FENCES and re.match(r"\{(?!code)", token.info):
                yield from formulas(token.content)
            yield from within(token.children or [])

    yield from within(parser.parse(markdown))


def test_formulas_are_found_wherever_they_stand() -> None:
    markdown = """
Inline $a$ and

$$ b $$ (eq-b)

| table |
|---|
| $c$ |

:::{prf:theorem} Title
:label: thm
$$ d $$

```{math}
:label: eq-e
e
```
:::

\\begin{align*}
f &= g
\\end{align*}

```python
price = "$h$"
```
"""
    found = [" ".join(tex.split()) for tex in formulas(markdown)]
    assert found == ["a", "b", "c", "d", "e", r"\begin{align*} f &= g \end{align*}"]


def test_every_formula_of_the_book_can_be_printed() -> None:
    chapters = sorted((ROOT / "book").glob("*.md"))
    found = [
        (path.name, tex) for path in chapters for tex in formulas(path.read_text(encoding="utf-8"))
    ]
    assert found, "no formula in book/*.md"
    converter = Converter(MACROS)
    refused, lines = [], ['#set document(title: "x")']
    for name, tex in found:
        try:
            body = converter.convert(tex).typst
            lines.append(f'#math.equation(block: true, alt: "x", $ {body} $.body)')
        except TexError as error:
            refused.append(f"{name}: {error}")
    assert refused == []
    typst.compile("\n\n".join(lines).encode(), pdf_standards=["ua-1"])


def test_a_formula_that_no_table_knows_would_be_found() -> None:
    (tex,) = formulas(r"Nobody knows $\frobnicate$.")
    with pytest.raises(TexError, match="frobnicate"):
        Converter(MACROS).convert(tex)
