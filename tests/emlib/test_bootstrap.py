"""The bootstrap against closed forms on the same draws, SciPy, and models that fail on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from emlib import AscentError, Mixture, MixtureParams, em, em_steps
from emlib.bootstrap import best_assignment, bootstrap
from emlib.data import Chunks, Weighted
from emlib.datasets import load
from emlib.families import (
    Bernoulli,
    Bernoullis,
    Gaussian,
    Gaussians,
    MissingGaussian,
    Poisson,
    Poissons,
    Product,
    Products,
)
from emlib.likelihood_ratio import likelihood_ratio_test
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams, Sequences
from emlib.models.linkage import GeneticLinkage, Linkage
from emlib.models.zero_inflated import ZeroInflated
from emlib.variants.squarem import squarem_steps

RAO = np.array([125, 18, 20, 34])
MLE = Linkage((15 + np.sqrt(15**2 + 4 * 197 * 68)) / (2 * 197))
WAITING = load("faithful")["waiting"]


def maximiser(counts: np.ndarray) -> float:
    """The root of the score of four counts: n p^2 - (a - 2b - 2c - d) p - 2d = 0."""
    a, b, c, d = counts
    linear, n = a - 2 * b - 2 * c - d, counts.sum()
    return (linear + np.sqrt(linear**2 + 8 * n * d)) / (2 * n)


def two_groups(seed: int = 0) -> tuple:
    rng = np.random.default_rng(seed)
    x = np.concatenate([rng.normal(0, 1, 60), rng.normal(6, 2, 90)])
    start = MixtureParams([0.5, 0.5], Gaussians.univariate([0.0, 6.0], [1.0, 4.0]))
    return x, em(Mixture(Gaussian()), x, start, tol=1e-12).params


# Against closed forms


def test_nonparametric_replicates_are_the_maximisers_of_redrawn_counts():
    result = bootstrap(
        GeneticLinkage(), RAO, MLE, rng=np.random.default_rng(5), replicates=50, left=1e-9
    )
    streams = np.random.default_rng(5).spawn(50)
    redrawn = [maximiser(stream.multinomial(197, RAO / 197)) for stream in streams]
    assert result.replicates["nonrecombinant"] == pytest.approx(redrawn, abs=1e-5)
    assert result.failures == ()
    assert result.unconverged == 0


def test_parametric_replicates_are_the_maximisers_of_samples():
    result = bootstrap(
        GeneticLinkage(),
        RAO,
        MLE,
        rng=np.random.default_rng(6),
        replicates=50,
        kind="parametric",
        left=1e-9,
    )
    expected = []
    for stream in np.random.default_rng(6).spawn(50):
        cells, _ = GeneticLinkage().sample(MLE, 197, stream)
        expected.append(maximiser(np.bincount(cells[:, 0].astype(int), minlength=4)))
    assert result.replicates["nonrecombinant"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["parametric", "nonparametric"])
def test_standard_errors_are_near_those_of_the_information(kind):
    result = bootstrap(
        GeneticLinkage(), RAO, MLE, rng=np.random.default_rng(7), replicates=400, kind=kind
    )
    # Of 400 replicates, a standard deviation is known to 1/sqrt(800); the parabola costs a few per cent more.
    assert result.standard_errors["nonrecombinant"] == pytest.approx(0.051467, rel=4 / 800**0.5)


def test_intervals_are_the_percentiles_of_the_replicates():
    result = bootstrap(
        GeneticLinkage(), RAO, MLE, rng=np.random.default_rng(8), replicates=99, left=1e-6
    )
    ordered = np.sort(result.replicates["nonrecombinant"])
    # 98 gaps: the fifth part of them lies below the 20th, four fifths below the 79th.
    low, high = result.intervals(0.6)["nonrecombinant"]
    assert low == pytest.approx(ordered[19] + 0.6 * (ordered[20] - ordered[19]))
    assert high == pytest.approx(ordered[78] + 0.4 * (ordered[79] - ordered[78]))
    assert result.standard_errors["nonrecombinant"] == pytest.approx(
        np.sqrt(((ordered - ordered.mean()) ** 2).sum() / 98)
    )


# What must not matter


@pytest.mark.parametrize("kind", ["parametric", "nonparametric"])
def test_threads_and_chunks_change_nothing_and_the_seed_does(kind):
    x, params = two_groups()

    def replicates(data, seed, threads):
        result = bootstrap(
            Mixture(Gaussian()),
            data,
            params,
            rng=np.random.default_rng(seed),
            replicates=6,
            kind=kind,
            threads=threads,
        )
        return result.replicates["means"]

    alone = replicates(x, 1, 1)
    assert (replicates(x, 1, 2) == alone).all()
    assert replicates(Chunks([x[:50], x[50:]]), 1, 3) == pytest.approx(alone, rel=1e-9)
    assert not np.isclose(replicates(x, 2, 1), alone).any()


def flipping(model, data, params):
    """EM whose components change places at every step."""
    for number, step in enumerate(em_steps(model, data, params)):
        found = step.params.components
        flipped = Gaussians(found.means[::-1], found.covariances[::-1])
        yield (
            replace(step, params=MixtureParams(step.params.weights[::-1], flipped))
            if number % 2
            else step
        )


def test_components_keep_the_names_of_the_estimate():
    x, params = two_groups()
    straight, flipped = (
        bootstrap(
            Mixture(Gaussian()), x, params, rng=np.random.default_rng(3), replicates=20, steps=steps
        )
        for steps in (em_steps, flipping)
    )
    assert (straight.replicates["means"][:, 0, 0] < 3).all()
    for name in ("weights", "means", "covariances"):
        assert flipped.replicates[name] == pytest.approx(
            straight.replicates[name], rel=1e-6, abs=1e-9
        )


def test_a_zero_inflated_mixture_keeps_its_point_mass_first():
    model = Mixture(ZeroInflated(Poisson()))
    params = MixtureParams([0.6, 0.4], Poissons([2.0]))
    x, _ = model.sample(params, 300, np.random.default_rng(2))
    result = bootstrap(model, x, params, rng=np.random.default_rng(3), replicates=20)
    assert result.replicates["rates"].shape == (20, 1)
    assert abs(result.replicates["rates"].mean() - 2.0) < 0.3


@given(st.integers(1, 6), st.integers(0, 2**32))
def test_the_best_assignment_is_that_of_scipy(k, seed):
    gains = np.random.default_rng(seed).integers(0, 9, (k, k)).astype(float)
    rows, columns = optimize.linear_sum_assignment(gains, maximize=True)
    ours = best_assignment(gains)
    assert sorted(ours.tolist()) == list(range(k))
    assert gains[np.arange(k), ours].sum() == gains[rows, columns].sum()


def test_rows_are_not_copied():
    seen = []

    class Watching(Mixture):
        def e_step(self, data, params):
            seen.append(data.x)
            return super().e_step(data, params)

    x, params = two_groups()
    bootstrap(
        Watching(Gaussian()), x, params, rng=np.random.default_rng(1), replicates=2, max_steps=2
    )
    assert len(seen) > 4
    assert all(np.shares_memory(rows, x) for rows in seen)


# What fails is told


def test_replicates_that_collapse_are_counted_and_told():
    # Three points far away: now and then a replicate draws one of them alone, or none.
    x = np.concatenate([np.linspace(-1, 1, 21), [50.0, 51.0, 52.0]])
    start = MixtureParams([0.9, 0.1], Gaussians.univariate([0.0, 51.0], [0.5, 0.5]))
    params = em(Mixture(Gaussian()), x, start).params
    with pytest.warns(RuntimeWarning, match=r"of 60 replicates have no estimate.*component 1"):
        result = bootstrap(
            Mixture(Gaussian()), x, params, rng=np.random.default_rng(4), replicates=60
        )
    lost = 0
    for stream in np.random.default_rng(4).spawn(60):
        drawn = stream.multinomial(24, np.full(24, 1 / 24))
        lost += (drawn[21:] > 0).sum() < 2
    assert len(result.failures) == lost > 0
    assert all("component 1" in said for said in result.failures)
    assert len(result.replicates["means"]) == 60 - lost
    assert f"{60 - lost} replicates, 0 of them not converged; {lost} more failed" in str(result)


def test_runs_that_did_not_arrive_are_counted():
    x, params = two_groups()
    result = bootstrap(
        Mixture(Gaussian()), x, params, rng=np.random.default_rng(4), replicates=5, max_steps=1
    )
    assert result.unconverged == 5


class Broken(Mixture):
    """Its M-step lowers what it should raise."""

    def m_step(self, stats):
        right = super().m_step(stats)
        return MixtureParams(right.weights, Gaussians(right.components.means, 9 * params_of(right)))


def params_of(params):
    return params.components.covariances


def test_a_fault_of_the_code_is_no_failure_of_a_replicate():
    x, params = two_groups()
    with pytest.raises(AscentError):
        bootstrap(Broken(Gaussian()), x, params, rng=np.random.default_rng(4), replicates=3)


def test_a_bootstrap_without_replicates_left_is_refused(refuses):
    class Hopeless(Mixture):
        def m_step(self, stats):
            raise ArithmeticError("component 0 has collapsed")

    x, params = two_groups()
    with refuses(ArithmeticError, "3 of 3 replicates have no estimate", "component 0 has coll"):
        bootstrap(Hopeless(Gaussian()), x, params, rng=np.random.default_rng(4), replicates=3)


def test_the_summary_says_every_number_once():
    rng = np.random.default_rng(9)
    x = rng.standard_normal((40, 2))
    params = MixtureParams([1.0], Gaussians([[0.0, 0.0]], [np.eye(2)]))
    lines = str(bootstrap(Mixture(Gaussian()), x, params, rng=rng, replicates=5)).splitlines()
    assert [line.split(":")[0] for line in lines[:-1]] == [
        "weights[0]",
        "means[0, 0]",
        "means[0, 1]",
        "covariances[0, 0, 0]",
        "covariances[0, 1, 0]",
        "covariances[0, 1, 1]",
    ]
    assert "standard error" in lines[1]
    assert "95% from" in lines[1]


def test_arguments_are_checked(refuses):
    x, params = two_groups()
    rng = np.random.default_rng(0)
    with refuses(ValueError, "kind: expected 'parametric' or 'nonparametric', got 'jackknife'"):
        bootstrap(Mixture(Gaussian()), x, params, rng=rng, kind="jackknife")
    with refuses(ValueError, "2 replicates or more and 1 thread or more, got 1 and 1"):
        bootstrap(Mixture(Gaussian()), x, params, rng=rng, replicates=1)
    with refuses(ValueError, "weights must be counts", "kind='parametric'"):
        bootstrap(Mixture(Gaussian()), Weighted(x, np.full(150, 0.5)), params, rng=rng)
    with refuses(ValueError, "level: expected a probability between 0 and 1, got 95"):
        bootstrap(GeneticLinkage(), RAO, MLE, rng=rng, replicates=2).intervals(95)


def test_a_model_of_dependent_rows_is_refused(refuses):
    class Chain(GeneticLinkage):
        def prepare(self, data):
            return [np.asarray(data)]

    with refuses(ValueError, "Chain: its data are no independent rows"):
        bootstrap(Chain(), RAO, MLE, rng=np.random.default_rng(0))


# The likelihood-ratio test


def best_of_two_poissons(counts: np.ndarray) -> float:
    """The log-likelihood of the best mixture of two Poissons: the best of a grid, improved; by SciPy alone."""
    values, times = np.unique(counts, return_counts=True)

    def log_likelihood(odds: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        weight = 1 / (1 + np.exp(-odds))[..., None]
        one, two = (stats.poisson.pmf(values, np.exp(r)[..., None]) for r in (first, second))
        return np.log(weight * one + (1 - weight) * two + 1e-300) @ times

    rates = np.log(np.linspace(0.02, counts.max() + 2, 40))
    grid = np.meshgrid(np.linspace(-6, 0, 20), rates, rates, indexing="ij")
    table = log_likelihood(*grid)
    best = []
    for place in np.argsort(table, axis=None)[::-1][:100:25]:
        start = [axis.ravel()[place] for axis in grid]
        run = optimize.minimize(lambda v: -log_likelihood(*v), start, method="Nelder-Mead")
        best.append(-run.fun)
    return max(best)


def test_every_statistic_is_twice_the_gain_of_the_best_fit():
    rng = np.random.default_rng(1)
    x = rng.poisson(np.repeat([2.0, 6.0], [60, 40]))
    test = likelihood_ratio_test(
        Mixture(Poisson()),
        x,
        1,
        rng=np.random.default_rng(2),
        replicates=3,
        starts=16,
        left=1e-6,
        steps=squarem_steps,
    )

    def statistic(counts: np.ndarray) -> float:
        alone = stats.poisson.logpmf(counts, counts.mean()).sum()
        return 2 * (best_of_two_poissons(counts) - alone)

    assert test.statistic == pytest.approx(statistic(x), abs=1e-3)
    streams = np.random.default_rng(2)
    streams.spawn(1)  # the fit of the data themselves
    for ours, stream in zip(test.replicates, streams.spawn(3), strict=True):
        sample, _ = Mixture(Poisson()).sample(test.smaller, 100, stream)
        assert ours == pytest.approx(max(statistic(sample[:, 0]), 0), abs=1e-2)
    assert test.p_value == (1 + (test.replicates >= test.statistic).sum()) / 4
    assert test.smaller.components.rates == pytest.approx([x.mean()])
    assert "1 against 2 components: statistic" in str(test)


def test_two_kinds_of_eruptions_are_more_than_one_and_enough():
    settings = {"replicates": 19, "starts": 3, "steps": squarem_steps}
    model, rng = Mixture(Gaussian()), np.random.default_rng(3)
    first = likelihood_ratio_test(model, WAITING, 1, rng=rng, **settings)
    assert first.p_value == 1 / 20
    # -1095.25 for one Gaussian, -1034.00 for two (mclust): the statistic is 122.5.
    normal = stats.norm(WAITING.mean(), WAITING.std())
    assert first.statistic == pytest.approx(
        2 * (-1034.0017 - normal.logpdf(WAITING).sum()), abs=5e-3
    )
    second = likelihood_ratio_test(model, WAITING[::4], 2, rng=rng, **settings | {"replicates": 9})
    assert second.p_value > 0.1


def test_the_test_does_not_depend_on_threads():
    x = np.random.default_rng(1).poisson(3.0, 80)
    one, two = (
        likelihood_ratio_test(
            Mixture(Poisson()),
            x,
            1,
            rng=np.random.default_rng(4),
            replicates=4,
            starts=1,
            steps=squarem_steps,
            threads=threads,
        )
        for threads in (1, 2)
    )
    assert (one.replicates == two.replicates).all()
    assert (one.replicates >= 0).all()


class Unlucky(Mixture):
    """Two components collapse wherever a row lies beyond 108."""

    def from_responsibilities(self, data, responsibilities):
        if np.shape(responsibilities)[1] > 1 and data.values.max() > 108:
            raise ArithmeticError("component 0 has collapsed")
        return super().from_responsibilities(data, responsibilities)


def test_replicates_without_a_statistic_are_counted_and_told():
    with pytest.warns(RuntimeWarning, match=r"of 6 replicates have no statistic.*each start with"):
        test = likelihood_ratio_test(
            Unlucky(Gaussian()),
            WAITING,
            1,
            rng=np.random.default_rng(0),
            replicates=6,
            starts=1,
            steps=squarem_steps,
        )
    streams = np.random.default_rng(0)
    streams.spawn(1)
    samples = [Mixture(Gaussian()).sample(test.smaller, 272, s)[0] for s in streams.spawn(6)]
    lost = sum(sample.max() > 108 for sample in samples)
    assert 0 < lost < 6
    assert len(test.failures) == lost
    assert len(test.replicates) == 6 - lost
    assert str(test).endswith(f"{lost} more failed")


def test_a_test_whose_replicates_all_fail_is_refused(refuses):
    class Hopeless(Unlucky):
        def sample(self, params, n, rng):
            return super().sample(params, n, rng)[0] + 99, None

    with refuses(ArithmeticError, "no replicate has a statistic", "each start with 2 components"):
        likelihood_ratio_test(
            Hopeless(Gaussian()), WAITING, 1, rng=np.random.default_rng(0), replicates=2, starts=2
        )


def test_the_arguments_of_the_test_are_checked(refuses):
    with refuses(ValueError, "expected 1 or more of each, got 0, 99, 10 and 1"):
        likelihood_ratio_test(Mixture(Gaussian()), WAITING, 0, rng=np.random.default_rng(0))


# ---- data of which no replicate can be drawn so ------------------------------------------------------


@pytest.mark.parametrize("kind", ["parametric", "nonparametric"])
def test_sequences_are_refused(kind):
    model = HiddenMarkov(Gaussian())
    params = HiddenMarkovParams(
        [0.5, 0.5], [[0.7, 0.3], [0.2, 0.8]], Gaussians.univariate([0.0, 5.0], [1.0, 1.0])
    )
    data = Sequences(model.sample(params, [10] * 5, np.random.default_rng(0))[0], [10] * 5)
    with pytest.raises(ValueError, match="no independent rows"):
        bootstrap(model, data, params, replicates=3, rng=np.random.default_rng(1), kind=kind)


def test_a_parametric_replicate_of_incomplete_rows_is_refused():
    x = np.random.default_rng(0).normal(size=(40, 2))
    x[::3, 1] = np.nan
    model = Mixture(MissingGaussian())
    params = MixtureParams([1.0], Gaussians(np.zeros((1, 2)), np.eye(2)[None]))
    with pytest.raises(ValueError, match="nonparametric"):
        bootstrap(model, x, params, replicates=3, rng=np.random.default_rng(1), kind="parametric")


def test_a_product_is_bootstrapped_in_all_its_parts():
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.normal(4.0 * (np.arange(80) % 2)), rng.random(80) < 0.3])
    model = Mixture(Product((Gaussian(), Bernoulli()), ((0,), (1,))))
    parts = (Gaussians.univariate([4.0, 0.0], [1.0, 1.0]), Bernoullis([[0.3], [0.3]]))
    params = em(model, x, MixtureParams([0.5, 0.5], Products(parts))).params
    found = bootstrap(
        model, x, params, replicates=8, rng=np.random.default_rng(3), kind="nonparametric"
    ).standard_errors
    assert set(found) == {"weights", "0.means", "0.covariances", "1.probabilities"}
    # Labels are aligned: the two means, four apart, do not mix.
    assert (found["0.means"] < 0.5).all()


def test_a_seed_is_no_generator(refuses):
    model, params = Mixture(Poisson()), MixtureParams([1.0], Poissons([1.0]))
    with refuses(
        ValueError, "rng: expected a random generator", "np.random.default_rng(0)", "got 0"
    ):
        bootstrap(model, [1, 2, 0], params, rng=0)
    with refuses(ValueError, "rng: expected a random generator", "got None"):
        likelihood_ratio_test(model, [1, 2, 0], 1, rng=None)
