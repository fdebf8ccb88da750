"""Genetic linkage: the laws, the limit, and the merged cells below it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_laws import LAWS, Trial, twin

from emlib import AscentError, em
from emlib.charts import chart
from emlib.data import Chunks, Weighted
from emlib.models.linkage import GeneticLinkage, Linkage

RAO = [125, 18, 20, 34]


def four_cells(p: float) -> np.ndarray:
    """Eq. (1.1)."""
    return np.array([1 / 2 + p / 4, (1 - p) / 4, (1 - p) / 4, p / 4])


def swapped(data: np.ndarray, params: Linkage) -> tuple[np.ndarray, Linkage]:
    """The second and the third cell are equals."""
    return np.array([0.0, 2.0, 1.0, 3.0])[data.astype(int)], params


TRIAL = Trial(
    "linkage",
    GeneticLinkage(),
    np.repeat(np.arange(4.0), RAO)[:, None],
    lambda seed: Linkage(np.random.default_rng(seed).uniform(0.02, 0.98)),
    lambda x, params: float(four_cells(params.nonrecombinant)[int(x[0])]),
    swapped,
    twin(
        GeneticLinkage(),
        log_cells=lambda model, params: model.log_cells(params) + np.array([0, 0, 0.4, 0, 0]),
    ),
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law, seed):
    law(TRIAL, seed)


@pytest.mark.parametrize(("law", "broken"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law, broken):
    with pytest.raises((AssertionError, AscentError)):
        law(replace(TRIAL, model=broken(TRIAL)), 2)


def test_the_limit_is_the_root_of_the_score():
    # d/dp of eq. (1.3), cleared of fractions: 197 p^2 - 15 p - 68 = 0.
    root = (15 + np.sqrt(15**2 + 4 * 197 * 68)) / (2 * 197)
    trace = em(GeneticLinkage(), RAO, Linkage(0.5), tol=1e-17)
    assert trace.params.nonrecombinant == pytest.approx(root, abs=1e-7)


def test_the_hidden_counts_of_the_first_step():
    # 125 falls into 1/2 and p/4 as 1/2 : 1/8.
    counts = GeneticLinkage().e_step(RAO, Linkage(0.5)).counts
    assert counts == pytest.approx([100, 25, 18, 20, 34])


def test_a_table_is_the_individuals_it_counts():
    table = GeneticLinkage().e_step(RAO, Linkage(0.3))
    cells = np.arange(4)[:, None]
    for data in (
        TRIAL.data,
        Weighted(cells, RAO),
        Chunks([TRIAL.data[:9], Weighted(cells, np.array(RAO) - [9, 0, 0, 0])]),
        Chunks(TRIAL.data, threads=2),
    ):
        stats = GeneticLinkage().e_step(data, Linkage(0.3))
        assert stats.log_likelihood == pytest.approx(table.log_likelihood, rel=1e-13)
        assert stats.counts == pytest.approx(table.counts)


def test_a_sample_has_the_probabilities_of_the_cells():
    n, p = 40_000, 0.3
    x, hidden = GeneticLinkage().sample(Linkage(p), n, np.random.default_rng(4))
    assert x.shape == (n, 1)
    complete = np.array([0.5, p / 4, (1 - p) / 4, (1 - p) / 4, p / 4])
    for seen, expected in ((x[:, 0].astype(int), four_cells(p)), (hidden, complete)):
        shares = np.bincount(seen) / n
        assert (abs(shares - expected) < 5 * np.sqrt(expected * (1 - expected) / n)).all()
    assert (np.array([0, 0, 1, 2, 3])[hidden] == x[:, 0]).all()


@given(st.floats(1e-6, 1 - 1e-6))
def test_the_chart_leads_there_and_back(p):
    here = chart(Linkage(p))
    assert here.from_vector(here.to_vector(Linkage(p))).nonrecombinant == pytest.approx(p, rel=1e-9)
    assert here.to_vector(Linkage(p)) == pytest.approx([np.log(p / (1 - p))], abs=1e-9)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, [0.5], [0.2, 0.3]])
def test_params_that_are_no_probability_are_refused(wrong, refuses):
    with refuses(ValueError, "nonrecombinant: expected one probability, from 0 to 1", str(wrong)):
        Linkage(wrong)


@pytest.mark.parametrize("wrong", [float("nan"), "half"])
def test_params_that_are_no_number_are_refused(wrong, refuses):
    with refuses(ValueError, "nonrecombinant"):
        Linkage(wrong)


@pytest.mark.parametrize(
    "wrong", [[1, 2, 3], [1, 2, 3, 4, 5], [1, 2, 3, -4], [0, 0, 0, 0], np.array([])]
)
def test_a_table_of_other_counts_is_refused(wrong, refuses):
    with refuses(ValueError, "data: expected 4 counts, none below 0 and not all 0", "(n, 1)"):
        GeneticLinkage().e_step(wrong, Linkage(0.5))


@pytest.mark.parametrize("wrong", [[["a"]], [[np.nan]], ["a", "b", "c", "d"], [1, 2, np.inf, 3]])
def test_data_that_are_no_numbers_are_refused(wrong, refuses):
    with refuses(ValueError, "data: "):
        GeneticLinkage().e_step(wrong, Linkage(0.5))


@pytest.mark.parametrize("wrong", [[[4]], [[-1]], [[0.5]], [[0, 1]]])
def test_cells_that_do_not_exist_are_refused(wrong, refuses):
    with refuses(ValueError, "data: expected one column of cells 0, ..., 3"):
        GeneticLinkage().e_step(wrong, Linkage(0.5))


@pytest.mark.parametrize("wrong", [7, [[[1]]], Weighted([0, 1], [2, 3])])
def test_individuals_are_a_column(wrong, refuses):
    with refuses(ValueError, "as a column of shape (n, 1)"):
        GeneticLinkage().e_step(wrong, Linkage(0.5))


def test_counts_that_say_nothing_are_refused(refuses):
    # All in the half that does not depend on p: with p = 0 the first cell is nothing else.
    with refuses(ArithmeticError, "the data say nothing about it"):
        em(GeneticLinkage(), Weighted([[0]], [5]), Linkage(0.0))
