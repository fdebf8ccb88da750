"""Levels and counts of levels, against SciPy, brute force and the laws of EM."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from test_laws import LAWS, StretchedMStep
from zoo import Case

from emlib import AscentError, Mixture, MixtureParams
from emlib.families import maximum_likelihood
from emlib.families.bernoulli import Bernoulli, Bernoullis
from emlib.families.categorical import Categorical, Categoricals, Multinomial, Multinomials

TABLE = np.array(
    [[[0.2, 0.8, 0.0], [0.5, 0.3, 0.2]], [[0.6, 0.4, 0.0], [0.1, 0.1, 0.8]]]
)  # two components, columns of 2 and 3 levels
FAMILY, PARAMS = Categorical((2, 3)), Categoricals(TABLE)
EVERY_ROW = np.array(list(product([0.0, 1.0], [0.0, 1.0, 2.0])))


# ---- categorical: at the boundary ------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [[[[0.5, 0.6]]], [[[-0.1, 1.1]]], [[0.5, 0.5]], [1.0], [[[]]]])
def test_what_is_no_table_of_distributions_is_refused(wrong, refuses):
    with refuses(ValueError, "probabilities: expected shape (k, d, levels)", "with sum 1"):
        Categoricals(wrong)


@pytest.mark.parametrize("wrong", [(), (0,), (2.5,), 3, [[2]]])
def test_levels_are_a_positive_number_for_each_column(wrong, refuses):
    with refuses(ValueError, "levels: expected for each column how many it has", f"got {wrong}"):
        Categorical(wrong)


def test_levels_may_be_read_off_the_data():
    assert Categorical.seen_in([[0, 2], [1, 0]]) == FAMILY
    assert Categorical.seen_in([3, 0, 1]).levels == (4,)


def test_one_column_may_be_given_flat():
    assert Categorical([3]).observations([2, 0]).tolist() == [[2.0], [0.0]]


@pytest.mark.parametrize("data", [[[0, 3]], [[2, 0]], [[0]], [[0, 0, 0]]])
def test_codes_and_columns_beyond_the_levels_are_refused(data, refuses):
    with refuses(ValueError, "data: expected 2 columns with codes below (2, 3)", "codes up to"):
        FAMILY.observations(data)


@pytest.mark.parametrize("data", [[[0, -1]], [[0, 0.5]]])
def test_what_is_no_code_is_refused(data, refuses):
    with refuses(ValueError, "data: expected codes 0, 1, 2, ...", "negative or fractional"):
        FAMILY.observations(data)


def test_text_is_refused(refuses):
    with refuses(ValueError, "data: expected real numbers"):
        FAMILY.observations([["a", "b"]])


def test_params_of_other_levels_are_refused(refuses):
    with refuses(ValueError, "probabilities: expected shape (k, 2, 3) for levels (2, 3)"):
        FAMILY.natural(Categoricals([[[0.5, 0.5]]]))
    with refuses(ValueError, "columns have (2, 3) levels, but one beyond them"):
        FAMILY.natural(Categoricals([[[0.2, 0.2, 0.6], [0.2, 0.2, 0.6]]]))


# ---- categorical: numbers --------------------------------------------------------------------------


def test_log_density_is_the_sum_of_the_logs_of_the_table():
    expected = np.log([TABLE[:, 0, int(a)] * TABLE[:, 1, int(b)] for a, b in EVERY_ROW])
    assert FAMILY.log_density(EVERY_ROW, PARAMS) == pytest.approx(expected, rel=1e-13)
    assert np.exp(FAMILY.log_density(EVERY_ROW, PARAMS)).sum(axis=0) == pytest.approx([1.0, 1.0])


def test_an_impossible_level_has_density_zero():
    logs = Categorical([2]).log_density(np.array([[0.0], [1.0]]), Categoricals([[[1.0, 0.0]]]))
    assert logs.ravel().tolist() == [0.0, -np.inf]


def test_two_levels_are_a_bernoulli():
    rng = np.random.default_rng(1)
    x, shares, chances = rng.integers(0, 2, (30, 3)) * 1.0, rng.random((30, 2)), rng.random((2, 3))
    ours, theirs = Categorical((2, 2, 2)), Bernoulli()
    tables = Categoricals(np.stack([1 - chances, chances], axis=2))
    assert ours.log_density(x, tables) == pytest.approx(theirs.log_density(x, Bernoullis(chances)))
    fitted = ours.from_mean(ours.expected_statistics(x, shares)).probabilities[:, :, 1]
    reference = theirs.from_mean(theirs.expected_statistics(x, shares)).probabilities
    assert fitted == pytest.approx(reference, rel=1e-13)


def test_the_fit_is_the_table_of_weighted_fractions():
    x = np.array([[0.0, 2.0], [1.0, 2.0], [1.0, 0.0]])
    shares = np.array([[2.0, 0.0], [1.0, 0.5], [0.0, 1.5]])
    fitted = FAMILY.from_mean(FAMILY.expected_statistics(x, shares)).probabilities
    expected = [[[2 / 3, 1 / 3, 0], [0, 0, 1]], [[0, 1, 0], [0.75, 0, 0.25]]]
    assert fitted == pytest.approx(np.array(expected))
    assert maximum_likelihood(FAMILY, x).probabilities[0, 1] == pytest.approx([1 / 3, 0, 2 / 3])


@given(st.integers(0, 2**32))
def test_expected_log_density_is_the_weighted_sum_of_log_densities(seed):
    rng = np.random.default_rng(seed)
    x, shares = rng.integers(0, (2, 3), (7, 2)).astype(float), rng.random((7, 2))
    logs = np.log([[TABLE[k, 0, int(a)] * TABLE[k, 1, int(b)] for k in (0, 1)] for a, b in x])
    ours = FAMILY.expected_log_density(FAMILY.expected_statistics(x, shares), PARAMS)
    assert ours == pytest.approx((shares * logs).sum(), rel=1e-12)


def test_a_component_without_data_is_refused(refuses):
    empty = FAMILY.expected_statistics(EVERY_ROW[:1], np.array([[0.0, 1.0]]))
    with refuses(ArithmeticError, "component 0 has no data left"):
        FAMILY.from_mean(empty)


def test_parameters_are_all_levels_but_one_of_each_column():
    assert FAMILY.free_parameters(PARAMS) == 2 * (1 + 2)


def test_a_sample_has_the_frequencies_of_its_component():
    n = 20_000
    hidden = np.repeat([0, 1], n)
    x = FAMILY.sample(PARAMS, hidden, np.random.default_rng(2))
    cells = np.exp(FAMILY.log_density(EVERY_ROW, PARAMS))
    for k in (0, 1):
        group = x[hidden == k]
        seen = np.array([(group == row).all(axis=1).mean() for row in EVERY_ROW])
        assert (abs(seen - cells[:, k]) < 5 * np.sqrt(cells[:, k] / n)).all()


def test_a_sample_never_has_a_level_that_its_column_lacks():
    # The sum of these is 1 - 1e-9, and the last level of the first column is its second.
    tight = Categoricals([[[0.5, 0.5 - 1e-9, 0.0], [0.2, 0.3, 0.5]]])

    class Largest:
        def random(self, shape):
            return np.full(shape, np.nextafter(1.0, 0.0))

    assert FAMILY.sample(tight, np.array([0]), Largest()).tolist() == [[1.0, 2.0]]


# ---- multinomial -----------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [[[0.5, 0.6]], [0.5, 0.5], [[[1.0]]]])
def test_what_is_no_row_of_shares_is_refused(wrong, refuses):
    with refuses(ValueError, "probabilities: expected shape (k, levels)"):
        Multinomials(wrong)


@pytest.mark.parametrize("data", [[[1, -1]], [[0.5, 1]]])
def test_what_is_no_count_is_refused(data, refuses):
    with refuses(ValueError, "data: expected counts 0, 1, 2, ..."):
        Multinomial().observations(data)


@given(st.integers(0, 2**32))
def test_multinomial_log_density_is_that_of_scipy(seed):
    rng = np.random.default_rng(seed)
    x, p = rng.integers(0, 30, (5, 4)).astype(float), rng.dirichlet(np.ones(4), 3)
    theirs = [[stats.multinomial(row.sum(), q).logpmf(row) for q in p] for row in x]
    ours = Multinomial().log_density(x, Multinomials(p))
    assert ours == pytest.approx(np.array(theirs), rel=1e-10, abs=1e-9)


def test_one_draw_is_a_categorical():
    p = np.array([[0.2, 0.5, 0.3]])
    ours = Multinomial().log_density(np.eye(3), Multinomials(p))
    theirs = Categorical([3]).log_density(np.arange(3.0)[:, None], Categoricals(p[:, None]))
    assert ours == pytest.approx(theirs, rel=1e-14)


def test_shares_are_those_of_all_draws_whatever_their_rows():
    x, shares = np.array([[1.0, 3.0], [0.0, 0.0], [6.0, 0.0]]), np.array([[1, 1], [1, 0], [1, 0.5]])
    fitted = Multinomial().from_mean(Multinomial().expected_statistics(x, shares))
    assert fitted.probabilities == pytest.approx(np.array([[0.7, 0.3], [4 / 7, 3 / 7]]))


def test_rows_without_draws_alone_cannot_be_fitted(refuses):
    with refuses(ArithmeticError, "component 0 has only rows whose counts are all 0"):
        maximum_likelihood(Multinomial(), [[0, 0]])


def test_a_multinomial_sample_has_its_total_and_its_mean():
    params, hidden = Multinomials([[0.1, 0.9], [0.5, 0.5]]), np.repeat([0, 1], 5000)
    x = Multinomial(draws=8).sample(params, hidden, np.random.default_rng(3))
    assert (x.sum(axis=1) == 8).all()
    for k, p in enumerate(params.probabilities):
        error = 5 * np.sqrt(8 * p * (1 - p) / 5000)
        assert (abs(x[hidden == k].mean(axis=0) - 8 * p) < error).all()
    assert Multinomial().free_parameters(params) == 2


# ---- the laws ----------------------------------------------------------------------------------------


def around_shares(params):
    """A step is one of the logarithms of the probabilities, which then are made to sum to 1 again."""
    table = params.probabilities
    inside = table > 0

    def away(step: np.ndarray):
        logs = np.zeros(table.shape)
        logs[inside] = step
        moved = table * np.exp(logs)
        return replace(params, probabilities=moved / moved.sum(axis=-1, keepdims=True))

    return int(inside.sum()), away


def spoilt(params):
    blurred = params.probabilities**0.5
    return replace(params, probabilities=blurred / blurred.sum(axis=-1, keepdims=True))


def draws(family, params) -> np.ndarray:
    truth = MixtureParams([0.4, 0.6], params)
    return Mixture(family).sample(truth, 120, np.random.default_rng(5))[0]


THREE = Categoricals(
    [
        [[0.9, 0.1, 0.0, 0.0], [0.7, 0.2, 0.1, 0.0], [0.1, 0.1, 0.2, 0.6]],
        [[0.2, 0.8, 0.0, 0.0], [0.1, 0.3, 0.6, 0.0], [0.6, 0.2, 0.1, 0.1]],
    ]
)
WORDS = Multinomials([[0.1, 0.2, 0.7], [0.4, 0.5, 0.1]])
CASES = [
    Case(
        "categorical",
        Mixture(Categorical((2, 3, 4))),
        draws(Categorical((2, 3, 4)), THREE),
        2,
        around_shares,
        lambda x, c, k: np.log(c.probabilities[k, np.arange(3), x.astype(int)]).sum(axis=1),
        spoilt,
    ),
    Case(
        "multinomial",
        Mixture(Multinomial(6)),
        draws(Multinomial(6), WORDS),
        2,
        around_shares,
        lambda x, c, k: stats.multinomial(6, c.probabilities[k]).logpmf(x),
        spoilt,
    ),
]


class Blurred(Mixture):
    """The M-step is off."""

    def m_step(self, stats):
        params = super().m_step(stats)
        return replace(params, components=spoilt(params.components))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@settings(max_examples=2)
@given(seed=st.integers(0, 2**32))
def test_law_holds(law, case, seed):
    law(case, seed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(("law", "twin"), LAWS.items(), ids=lambda part: part.__name__)
def test_law_rejects_a_broken_twin(law, twin, case):
    broken = (Blurred if twin is StretchedMStep else twin)(case.model.family)
    with pytest.raises((AssertionError, AscentError)):
        law(replace(case, model=broken), 2)


def test_counts_in_a_vector_are_refused(refuses):
    for read in (Multinomial().observations, Mixture(Multinomial()).prepare):
        with refuses(
            ValueError, "counts of shape (n, levels), got (3,)", "data[None]", "Categorical"
        ):
            read([1, 2, 3])
