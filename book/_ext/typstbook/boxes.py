"""Whatever stands in a frame: admonitions, theorems, exercises, cells, cards, tabs, asides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from docutils import nodes

from .blocks import BlockVisitor
from .source import call, content, escape, string

_KINDS = frozenset(
    [
        "note",
        "tip",
        "hint",
        "important",
        "seealso",
        "attention",
        "warning",
        "caution",
        "danger",
        "error",
    ]
)
_TITLES = MappingProxyType({"seealso": "See also"})


def _first(node: nodes.Element, kind: type[nodes.Element]) -> nodes.Element | None:
    return next((child for child in node.children if isinstance(child, kind)), None)


class BoxVisitor(BlockVisitor):
    """Framed material."""

    def _admonition(
        self, node: nodes.Element, kind: str, title: str, *without: nodes.Node | None
    ) -> str:
        return call(
            "admonition", f'"{kind}"', self.label(node), title, content(self.blocks(node, *without))
        )

    def visit_note(self, node: nodes.Element) -> str:
        kind = node.tagname
        return self._admonition(node, kind, content(_TITLES.get(kind, kind.capitalize())))

    visit_tip = visit_hint = visit_warning = visit_important = visit_seealso = visit_note
    visit_attention = visit_caution = visit_danger = visit_error = visit_note

    def visit_admonition(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        kind = next((name for name in node["classes"] if name in _KINDS), "note")
        return self._admonition(node, kind, content(self.inline(title)) if title else "none", title)

    def visit_topic(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        return self._admonition(
            node, "topic", content(self.inline(title)) if title else "none", title
        )

    def visit_sidebar(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        return call(
            "margin-note" if "margin" in node["classes"] else "aside",
            content(self.inline(title)) if title else "none",
            content(self.blocks(node, title)),
        )

    # Theorems (sphinx-proof)

    def visit_theorem_node(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        number = self.number(node["countertype"], node)
        name = node["realtype"].capitalize() + (f" {number}" if number is not None else "")
        return call(
            "statement",
            f'"{node["realtype"]}"',
            self.label(node),
            content(escape(name)),
            content(self.inline(title)) if title else "none",
            content(self._body(node, title)),
        )

    visit_lemma_node = visit_proposition_node = visit_corollary_node = visit_theorem_node
    visit_axiom_node = visit_conjecture_node = visit_criterion_node = visit_theorem_node
    visit_definition_node = visit_assumption_node = visit_notation_node = visit_theorem_node
    visit_example_node = visit_remark_node = visit_observation_node = visit_theorem_node
    visit_property_node = visit_algorithm_node = visit_unenumerable_node = visit_theorem_node

    def visit_proof_node(self, node: nodes.Element) -> str:
        # sphinx-proof writes "Proof. " into the first paragraph; the template sets it itself.
        text = next(iter(node.findall(nodes.Text)))
        text.parent.replace(text, nodes.Text(text.astext().removeprefix("Proof. ")))
        (box,) = node.children
        assert isinstance(box, nodes.Element)
        return call("proof", self.label(box), content(self.blocks(box)))

    def _body(self, node: nodes.Element, title: nodes.Node | None) -> str:
        """The children but the title; the section that sphinx-proof wraps them in is no section."""
        parts = [
            self.blocks(child) if isinstance(child, nodes.section) else self.visit(child)
            for child in node.children
            if child is not title
        ]
        return "\n\n".join(part.strip() for part in parts)

    # Exercises (sphinx-exercise)

    def visit_exercise_enumerable_node(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        name = self.numbered_name("exercise", node) or ""
        return self._exercise(node, escape(name) + self.inline(title or nodes.title()), title)

    def visit_exercise_node(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        return self._exercise(node, self.inline(title or nodes.title()), title)

    def _exercise(self, node: nodes.Element, heading: str, title: nodes.Node | None) -> str:
        return call(
            "exercise", self.label(node), content(heading), content(self._body(node, title))
        )

    # Answers, which stand at the back

    def visit_solution_node(self, node: nodes.Element) -> str:
        title = _first(node, nodes.title)
        heading = content(self.inline(title or nodes.title()))
        here, there = self._places()
        body = self.mark(node) + self._body(node, title)
        self._at_the_back(call("solution", there, here, heading, content(body)))
        return call("solved", here, there)

    def _question(self, node: nodes.Element, title: nodes.Element) -> str:
        heading = content(self.inline(title))
        here, there = self._places()
        self._questions += 1
        number = content(f"{self._questions}.")
        body = self.mark(node) + self.blocks(node, title)
        self._at_the_back(call("answer", there, here, number, heading, content(body)))
        return call("question", here, there, number, heading)

    def _places(self) -> tuple[str, str]:
        """The labels of a question and of its answer."""
        self._answered += 1
        places = (string(f"{self.docname}:{side}:{self._answered}") for side in ("asks", "answers"))
        return next(places), next(places)

    def _at_the_back(self, answer: str) -> None:
        self.book.answers.setdefault(self.docname, []).append(answer)

    # Containers

    def visit_container(self, node: nodes.Element) -> str:
        component = node.get("design_component")
        if component is not None:
            return self._component(node, component)
        if "derivation" in node["classes"]:
            return call("derivation", self.label(node), content(self.blocks(node)))
        if "ledger-entry" in node["classes"]:
            title = _first(node, nodes.paragraph)
            number = next(node.findall(nodes.strong)).astext()
            return call(
                "ledger-entry",
                self.label(node),
                string(number),
                content(self.visit(title) if title else ""),
                content(self.blocks(node, title)),
            )
        if node.get("nb_element") == "cell_code":
            body = self._cell_body(node)
            # A figure floats, and what floats stands in no box.
            alone = body.startswith("#captioned-figure(") and "\n\n" not in body
            return body if alone or not body.strip() else call("cell", content(body))
        if node.get("literal_block"):
            return self.listing(node)
        return self.mark(node) + self.blocks(node)

    def _cell_body(self, node: nodes.Element) -> str:
        """Code and outputs; code that the site folds away, such as that of a figure, print leaves to the site."""
        folded = {"tag_hide-input", "tag_hide-cell"} & set(node["classes"])
        return self.blocks(
            node,
            *(
                part
                for part in node.findall(nodes.container)
                if folded and part.get("nb_element") == _SOURCE
            ),
        )

    def _component(self, node: nodes.Element, component: str) -> str:
        """A component of sphinx-design; what folds on the site lies open in print, but for answers."""
        title = _first(node, nodes.rubric)
        if component == "dropdown" and title and title.astext().rstrip().endswith("?"):
            return self._question(node, title)
        if component in ("dropdown", "tab-item"):
            heading = content(self.inline(title)) if title else "none"
            return self._admonition(node, component, heading, title)
        if component == "card":
            return call("card", content(self.blocks(node)))
        if component == "card-title":
            return call("strong", content(self.inline(node)))
        if component == "grid-row":
            return call("cards", *(content(self.visit(item)) for item in node.children))
        if component in _TRANSPARENT:
            return self.blocks(node)
        self.problem(node, f"the sphinx-design component {component!r} cannot be printed")
        return ""

    def listing(self, node: nodes.Element) -> str:
        """Return the print of code with a caption."""
        raise NotImplementedError


_SOURCE = "cell_code_source"
_TRANSPARENT: Mapping[str, str] = MappingProxyType(
    {
        "tab-set": "its tabs follow one another",
        "tab-content": "stands in its tab's frame",
        "grid-container": "its rows follow one another",
        "grid-item": "stands in its row",
        "card-header": "stands in its card",
        "card-body": "stands in its card",
        "card-footer": "stands in its card",
    }
)
