"""A figure that can be moved carries its data and its twin with it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest

from emlib.figures import Explorable


class Parts(HTMLParser):
    """The elements of a piece of HTML, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def in_the_book(monkeypatch):
    monkeypatch.setenv("EMLIB_DISPLAY", "book")


@pytest.fixture
def twin():
    figure, ax = plt.subplots()
    ax.set_title("A twin")
    return figure


def test_the_page_holds_the_data_the_twin_and_the_module(twin):
    data = {"points": [[1.5, -2]], "says": 'a "quoted" </script><b>'}
    shown = Explorable("bound", data, twin, alt='A "twin" & more', id="second")._repr_mimebundle_()
    parts = Parts(shown["text/html"])
    box, style, picture, held, module = (attributes for _, attributes in parts.elements)
    assert [tag for tag, _ in parts.elements] == ["div", "link", "img", "script", "script"]
    assert (box["data-explorable"], box["data-id"]) == ("bound", "second")
    assert (style["rel"], style["href"]) == ("stylesheet", "explorables/core/explorable.css")
    assert picture["alt"] == 'A "twin" & more'
    assert held["type"] == "application/json"
    assert json.loads(parts.text) == data
    assert (module["type"], module["src"]) == ("module", "explorables/bound.mjs")


def test_print_gets_paths_and_the_page_gets_text(twin):
    shown = Explorable("bound", {}, twin, alt="A twin")._repr_mimebundle_()
    inside = re.search(r'src="data:image/svg[+]xml,([^"]+)"', shown["text/html"])
    assert inside
    light = unquote(inside[1])
    assert ">A twin</text>" in light
    assert not re.search(r"\d[.]\d{3}", light)
    titled = [text for text in ElementTree.fromstring(light).iter() if text.text == "A twin"]
    assert len(titled) == 1
    assert "<text" not in shown["image/svg+xml"]
    assert shown["text/plain"] == "A twin"


def test_plain_jupyter_gets_the_twin_alone(twin, monkeypatch):
    monkeypatch.delenv("EMLIB_DISPLAY")
    shown = Explorable("bound", {}, twin, alt="A twin")._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "image/png", "text/plain"}
    assert shown["image/png"].startswith(b"\x89PNG")


def test_a_figure_is_shown_once_and_not_left_open(twin):
    Explorable("bound", {}, twin, alt="A twin")._repr_mimebundle_()
    assert not plt.fignum_exists(twin.number)


def test_what_json_has_no_word_for_is_refused(twin):
    with pytest.raises(ValueError, match="JSON"):
        Explorable("bound", {"value": float("nan")}, twin, alt="A twin").html()
