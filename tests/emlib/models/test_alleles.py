"""Allele counting: peppered moths, blood groups, the laws."""

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
from emlib.models.alleles import AlleleCounting, AlleleFrequencies

MOTHS = AlleleCounting(
    "CIT",
    {"carbonaria": ["CC", "CI", "CT"], "insularia": ["II", "IT"], "typica": ["TT"]},
)
CAUGHT = {"carbonaria": 85, "insularia": 196, "typica": 341}

BLOOD = AlleleCounting("ABO", {"A": ["AA", "AO"], "B": ["BB", "BO"], "AB": ["AB"], "O": ["OO"]})
GROUPS = {"A": 186, "B": 38, "AB": 13, "O": 284}


def blood_group(first: int, second: int) -> int:
    """A and B show over O, and both beside each other; alleles are 0, 1, 2."""
    pair = {first, second} - {2}
    return {(): 3, (0,): 0, (1,): 1, (0, 1): 2}[tuple(sorted(pair))]


def of_two_genes(shown, params: AlleleFrequencies, x: np.ndarray) -> float:
    """The sum over both genes, drawn one after the other."""
    p = params.frequencies
    return sum(
        p[i] * p[j] for i in range(len(p)) for j in range(len(p)) if shown(i, j) == int(x[0])
    )


def random_start(seed: int) -> AlleleFrequencies:
    return AlleleFrequencies(np.random.default_rng(seed).dirichlet([1.0, 1.0, 1.0]))


def a_for_b(data: np.ndarray, params: AlleleFrequencies) -> tuple[np.ndarray, AlleleFrequencies]:
    """The names A and B exchanged."""
    return (
        np.array([1.0, 0.0, 2.0, 3.0])[data.astype(int)],
        AlleleFrequencies(params.frequencies[[1, 0, 2]]),
    )


def by_another_name(data: np.ndarray, params: AlleleFrequencies):
    return data, params


TRIAL = Trial(
    "blood",
    BLOOD,
    np.repeat(np.arange(4.0), list(GROUPS.values()))[:, None],
    random_start,
    lambda x, params: of_two_genes(blood_group, params, x),
    a_for_b,
    twin(
        BLOOD,
        log_cells=lambda model, params: (
            model.log_cells(params) + 0.4 * (np.arange(len(model.genotypes)) == 0)
        ),
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


def test_the_moths_genes_of_the_first_step():
    # Of 85 dark moths with all frequencies 1/3: CC : CI : CT = 1 : 2 : 2; of 196, II : IT = 1 : 2.
    counts = dict(
        zip(
            MOTHS.genotypes,
            MOTHS.e_step(CAUGHT, AlleleFrequencies([1 / 3] * 3)).counts,
            strict=True,
        )
    )
    expected = {("C", "C"): 17, ("C", "I"): 34, ("C", "T"): 34, ("T", "T"): 341}
    expected |= {("I", "I"): 196 / 3, ("I", "T"): 392 / 3}
    assert counts == pytest.approx(expected)


def test_where_the_blood_groups_end_the_score_is_zero():
    p = em(BLOOD, GROUPS, AlleleFrequencies([1 / 3] * 3), tol=1e-17).params.frequencies

    def log_likelihood(a: float, b: float) -> float:
        o = 1 - a - b
        probabilities = np.array([a * a + 2 * a * o, b * b + 2 * b * o, 2 * a * b, o * o])
        return float(np.array(list(GROUPS.values())) @ np.log(probabilities))

    for da, db in ((1e-5, 0), (0, 1e-5)):
        slope = log_likelihood(p[0] + da, p[1] + db) - log_likelihood(p[0] - da, p[1] - db)
        assert abs(slope / 2e-5) < 1e-3  # the information is near 1e4: a millionth of a frequency
    assert p.sum() == pytest.approx(1)


def test_without_dominance_one_step_counts_the_genes():
    codominant = AlleleCounting("MN", {"M": ["MM"], "MN": ["NM"], "N": ["NN"]})
    trace = em(codominant, {"M": 5, "MN": 3, "N": 2}, AlleleFrequencies([0.9, 0.1]))
    assert trace.steps[1].params.frequencies == pytest.approx([13 / 20, 7 / 20])
    assert len(trace.steps) <= 3


def test_names_of_more_than_a_letter_are_tuples():
    model = AlleleCounting(
        ("dark", "pale"),
        {"black": [("dark", "dark"), ("pale", "dark")], "white": [("pale", "pale")]},
    )
    trace = em(model, {"black": 75, "white": 25}, AlleleFrequencies([0.5, 0.5]))
    assert trace.params.frequencies == pytest.approx([0.5, 0.5])


def test_counts_names_and_numbers_say_the_same():
    params = AlleleFrequencies([0.2, 0.3, 0.5])
    table = MOTHS.e_step(CAUGHT, params)
    names = np.repeat(list(CAUGHT), list(CAUGHT.values()))
    column = np.repeat([[0], [1], [2]], list(CAUGHT.values()), axis=0)
    for data in (
        list(CAUGHT.values()),
        names,
        names.tolist(),
        column,
        Weighted(list(CAUGHT), list(CAUGHT.values())),
        Chunks([names[:100], names[100:]]),
        Chunks(column, threads=2),
    ):
        stats = MOTHS.e_step(data, params)
        assert stats.log_likelihood == pytest.approx(table.log_likelihood, rel=1e-13)
        assert stats.counts == pytest.approx(table.counts)


def test_a_phenotype_that_was_not_seen_may_be_left_out():
    params = AlleleFrequencies([0.2, 0.3, 0.5])
    full = MOTHS.e_step({"carbonaria": 5, "insularia": 0, "typica": 2}, params)
    short = MOTHS.e_step({"carbonaria": 5, "typica": 2}, params)
    assert short.counts.tolist() == full.counts.tolist()


def test_an_allele_that_nobody_carries_ends_at_zero():
    trace = em(BLOOD, {"A": 30, "O": 70}, AlleleFrequencies([1 / 3] * 3))
    assert trace.params.frequencies[1] == 0
    assert trace.params.frequencies[2] == pytest.approx(np.sqrt(0.7), abs=1e-5)


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5))
def test_the_chart_leads_there_and_back(parts):
    params = AlleleFrequencies(np.array(parts) / sum(parts))
    here = chart(params)
    assert len(here.to_vector(params)) == len(parts) - 1
    back = here.from_vector(here.to_vector(params))
    assert back.frequencies == pytest.approx(params.frequencies)


@pytest.mark.parametrize(
    ("phenotypes", "said"),
    [
        ({"A": ["AA"], "O": ["OO"]}, "no phenotype shows {A, O}"),
        ({"A": ["AA", "AO"], "O": ["OO", "OA"]}, "{O, A} is shown by A and by O"),
        (
            {"A": ["AA", "AB"], "O": ["OO", "AO"]},
            "phenotype A: {A, B} is no pair of the alleles A, O",
        ),
        ({"A": ["AA", "AAO"], "O": ["OO", "AO"]}, "{A, A, O} is no pair"),
        (
            {"A": ["AA", "AO"], "O": ["OO"], "X": []},
            "phenotype X: no genotype of its own shows it",
        ),
    ],
)
def test_phenotypes_that_do_not_tell_are_refused(phenotypes, said, refuses):
    with refuses(ValueError, said):
        AlleleCounting("AO", phenotypes)


@pytest.mark.parametrize("alleles", ["A", "AA", ""])
def test_alleles_are_two_or_more_each_named_once(alleles, refuses):
    with refuses(ValueError, "alleles: expected two or more, each named once"):
        AlleleCounting(alleles, {"A": ["AA"]})


@pytest.mark.parametrize("data", [{"melanic": 3, "typica": 2}, ["melanic", "typica"]])
def test_a_phenotype_of_another_name_is_refused(data, refuses):
    with refuses(ValueError, "no phenotype is named melanic", "carbonaria, insularia, typica"):
        MOTHS.e_step(data, AlleleFrequencies([0.2, 0.3, 0.5]))


@pytest.mark.parametrize("data", [{}, {"typica": -1}, [1, 2], {"typica": 0}])
def test_data_that_are_no_counts_are_refused(data, refuses):
    with refuses(ValueError, "data: expected 3 counts, none below 0 and not all 0"):
        MOTHS.e_step(data, AlleleFrequencies([0.2, 0.3, 0.5]))


@pytest.mark.parametrize("wrong", [[0.5, 0.6], [1.5, -0.5], [[0.5, 0.5]]])
def test_frequencies_that_are_none_are_refused(wrong, refuses):
    with refuses(ValueError, "frequencies: expected a number for each allele", "sum 1"):
        AlleleFrequencies(wrong)


def test_frequencies_for_other_alleles_are_refused(refuses):
    with refuses(ValueError, "frequencies: expected one for each of C, I, T, got 2"):
        MOTHS.e_step(CAUGHT, AlleleFrequencies([0.5, 0.5]))
