"""The numbers that an explorable shows are emlib's, and each does what its chapter says of it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import numpy as np
import pytest
from conftest import settle
from explorables import ON, explorable, numbers, values
from playwright.sync_api import Locator, Page, expect

from emlib.arrays import softmax
from emlib.bound import free_energy
from emlib.datasets import load
from emlib.families import Gaussian, Gaussians
from emlib.mixture import Mixture, MixtureParams

LINE = Mixture(Gaussian("V"))


def press(figure: Locator, *buttons: str) -> None:
    for name in buttons:
        figure.get_by_role("button", name=name, exact=True).click()
        settle(figure)


def shown(figure: Locator, *names: str) -> list[float]:
    table = values(figure)
    return [numbers(table[name])[0] for name in names]


def test_the_bound_climbs_by_hand_as_em_does(visit):
    page = visit(ON["bound"])
    figure = explorable(page)
    parts = ["expected log-joint (energy)", "entropy", "bound", "gap", "log-evidence"]
    parts[1] = "entropy of the guess"

    def agree() -> float:
        q, shift = shown(figure, "guess q(short)", "shift (minutes)")
        found = parse_qs(page.url.partition("?")[2])
        if found:  # the table rounds; the address does not
            q, shift = float(found["q"][0]), float(found["shift"][0])
        params = MixtureParams(
            [0.36, 0.64], Gaussians.univariate([55 + shift, 80 + shift], [36, 36])
        )
        split = free_energy([q, 1 - q], LINE.log_joint([68.0], params)[0])
        theirs = [
            split.expected_log_joint,
            split.entropy,
            split.free_energy,
            split.gap,
            split.log_likelihood,
        ]
        assert shown(figure, *parts) == pytest.approx(theirs, abs=1.1e-6)
        return split.log_likelihood

    heights = [agree()]
    for step in ["E-step: q to the posterior", "M-step: best shift for q"] * 3:
        before = page.url
        press(figure, step)
        expect(page).not_to_have_url(before)
        heights.append(agree())
        if step.startswith("E"):
            assert shown(figure, "gap") == [0]
    assert (np.diff(heights) > -1e-12).all()
    assert heights[-1] > heights[0] + 0.1


@pytest.mark.parametrize("kind", ["one curve", "two curves"])
def test_the_likelihood_is_that_of_the_waits(visit, kind):
    figure = explorable(visit(ON[kind]))
    waits = load("faithful")["waiting"]
    for key in ["ArrowLeft", "ArrowUp", "Shift+ArrowRight"]:
        figure.locator(".handle").last.press(key) if kind == "one curve" else figure.locator(
            ".handle"
        ).first.press(key)
        settle(figure)
        if kind == "one curve":
            mean, deviation, found = shown(figure, "mean", "deviation", "log-likelihood")
            params = MixtureParams([1], Gaussians.univariate([mean], [deviation**2]))
        else:
            first, second, deviation, found = shown(
                figure,
                "mean of the first curve",
                "mean of the second curve",
                "deviation of the first curve",
                "log-likelihood",
            )
            params = MixtureParams(
                [0.36, 0.64], Gaussians.univariate([first, second], [deviation**2, 36])
            )
        assert found == pytest.approx(LINE.log_density(waits, params).sum(), abs=1e-3)


def test_a_curve_squeezed_onto_a_wait_runs_away(visit):
    figure = explorable(visit(ON["two curves"]))
    press(figure, "Put the first mean on the nearest wait")
    start = shown(figure, "log-likelihood")[0]
    squeeze = figure.locator("input[type=range]").nth(2)
    found = []
    for setting in [20, 60, 90, 100]:
        squeeze.fill(str(setting))
        settle(figure)
        found += shown(figure, "log-likelihood")
    assert found[0] < start  # it falls first
    assert found[1:] == sorted(found[1:])
    assert found[-1] > start


def params_of(page: Page) -> MixtureParams[Gaussians]:
    expect(page).to_have_url(re.compile("params="))
    rows = parse_qs(page.url.partition("?")[2])["params"][0].split("~")
    table = np.array([[float(entry) for entry in row.split("_")] for row in rows])
    return MixtureParams(
        table[:, 0], Gaussians(table[:, 1:3], table[:, [3, 4, 4, 5]].reshape(-1, 2, 2))
    )


def test_the_playground_plays_emlibs_fit(visit):
    page = visit(ON["mixture"])
    figure = explorable(page)
    both = load("faithful").matrix("eruptions", "waiting")
    mixture = Mixture(Gaussian("VVV"))
    params = MixtureParams([0.5, 0.5], Gaussians([[2, 80], [5, 60]], [np.diag([1.0, 100.0])] * 2))
    for _ in range(3):
        q = mixture.responsibilities(both, params)
        params = mixture.m_step(mixture.e_step(both, params))
        press(figure, "E-step", "M-step")
        split = free_energy(q, mixture.log_joint(both, params))
        found = shown(figure, "energy", "entropy", "bound", "log-likelihood")
        theirs = [split.expected_log_joint, split.entropy, split.free_energy, split.log_likelihood]
        assert found == pytest.approx(theirs, abs=2e-6)
    page.wait_for_timeout(700)  # until the address has settled
    theirs = params_of(page)
    assert np.allclose(theirs.weights, params.weights, atol=1e-8)
    assert np.allclose(theirs.components.means, params.components.means, atol=1e-8)
    # The colours are the responsibilities, mixed.
    q = softmax(mixture.log_joint(both, params))
    press(figure, "E-step")
    colours = figure.evaluate(
        "(it) => ['--c1', '--c2'].map((name) => getComputedStyle(it).getPropertyValue(name))"
    )
    mixed = q @ [[int(colour.strip()[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]
    fills = figure.locator("circle[fill^=rgb]").evaluate_all(
        "(all) => all.map((it) => it.getAttribute('fill'))"
    )
    assert np.abs([numbers(fill) for fill in fills] - mixed).max() <= 0.51


@pytest.mark.parametrize("kind", ["full", "tied", "diagonal", "spherical", "equal"])
def test_the_playground_climbs_with_every_choice(visit, kind):
    figure = explorable(visit(ON["mixture"]))
    figure.locator("select").first.select_option("3")
    figure.locator("select").last.select_option(kind)
    press(figure, "E-step", "M-step")
    first = shown(figure, "log-likelihood")[0]
    press(figure, *["E-step", "M-step"] * 4)
    assert len([name for name in values(figure) if name.startswith("component")]) == 3
    assert shown(figure, "log-likelihood")[0] >= first - 1e-6


def test_equal_circles_at_temperature_zero_are_k_means(visit):
    page = visit(ON["mixture"])
    figure = explorable(page)
    both = load("faithful").matrix("eruptions", "waiting")
    figure.locator("select").last.select_option("equal")
    figure.get_by_label("temperature").fill("0")
    means = np.array([[2.0, 80.0], [5.0, 60.0]])
    press(figure, "E-step", "M-step")  # the start is stretched; from here on all are circles
    page.wait_for_timeout(700)
    means = params_of(page).components.means
    for _ in range(4):
        nearest = ((both[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        means = np.array([both[nearest == k].mean(axis=0) for k in range(2)])
        press(figure, "E-step", "M-step")
    page.wait_for_timeout(700)
    assert np.allclose(params_of(page).components.means, means, atol=1e-8)
    assert shown(figure, "entropy") == [0]


def test_own_points_can_be_pasted_by_keyboard_alone(visit):
    page = visit(ON["mixture"])
    figure = explorable(page)
    before = values(figure)
    page.keyboard.press("Tab")
    figure.get_by_text("Your own points").focus()
    page.keyboard.press("Enter")
    expect(figure.locator("textarea")).not_to_have_value("")  # the points as they are
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("0 0\n1 0.5\n0 1\n1 1\n(100; 101)\n101, 100\n100 100\n101 −101")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    settle(figure)
    assert figure.locator("circle[fill^=rgb]").count() == 8
    plane = figure.locator("svg").first
    assert "−100" in (plane.text_content() or "")  # an axis reaches there
    figure.get_by_role("button", name="Undo").click()
    settle(figure)
    assert values(figure) == before
    assert figure.locator("circle[fill^=rgb]").count() == 272


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2 3", "A point is two numbers; 3 numbers were read."),
        ("1 2 3 4", "From 4 to 500 points can be used; 2 were read."),
        ("1 2 " * 501, "From 4 to 500 points can be used; 501 were read."),
        ("x,y\n1 2 3 4 5 6 7 8", "Only numbers can be used, not “x”."),
        ("1 1 2 2 3 3 4 4", "they lie on a line"),
        ("1 1 2 2 3 3 4 1e300", "or are too large"),
    ],
)
def test_points_that_are_none_are_refused_in_words(visit, text, complaint):
    figure = explorable(visit(ON["mixture"]))
    before = values(figure)
    figure.get_by_text("Your own points").click()
    figure.locator("textarea").fill(text)
    press(figure, "Use these points")
    expect(figure.locator(".sums")).to_contain_text(complaint)
    assert values(figure) == before


def test_a_click_adds_a_point_and_a_second_removes_it(visit):
    page = visit(ON["mixture"])
    figure = explorable(page)
    dots = figure.locator("circle[fill^=rgb]")
    plane = figure.locator("svg").first
    for count in (273, 272):
        plane.click(position={"x": 290, "y": 40})
        settle(figure)
        assert dots.count() == count


def test_a_collapse_is_told_and_undone(visit):
    points = "0,0 0,1 1,0 1,1 9,9"
    params = "0.8_0.5_0.5_0.3_0_0.3~0.2_9_9_0.01_0_0.01"
    address = f"#explore:mixture?points={points}&params={params}&guess={params}"
    figure = explorable(visit(ON["mixture"] + address))
    press(figure, "M-step")
    expect(figure.locator(".sums")).to_contain_text("Component 2 has collapsed")
    assert re.search("NaN|Infinity|∞", figure.inner_text()) is None
    press(figure, "New start")
    expect(figure.locator(".sums")).to_contain_text("energy")
