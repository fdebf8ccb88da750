"""Temperature: EM in the middle, k-means at zero, and a smoother hill above."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.cluster import KMeans

from emlib import Mixture, MixtureParams, em, em_steps
from emlib.datasets import load
from emlib.families import Gaussian, Gaussians, Poisson, Poissons
from emlib.variants.tempered import Tempered, anneal, hard

FAITHFUL = load("faithful").matrix()
STANDARD = (FAITHFUL - FAITHFUL.mean(axis=0)) / FAITHFUL.std(axis=0)
START = MixtureParams([0.5, 0.5], Gaussians([[2.0, 55.0], [4.3, 80.0]], [np.diag([0.1, 30.0])] * 2))


# k-means


@dataclass(frozen=True)
class UnitSpheres(Gaussian):
    """Gaussians whose covariance is not estimated."""

    def from_mean(self, stats):
        means = stats.anchors + stats.offsets
        return Gaussians(means, [np.eye(means.shape[1])] * len(means))


class EqualWeights(Mixture):
    """A mixture whose weights are not estimated."""

    def m_step(self, stats):
        params = super().m_step(stats)
        return replace(params, weights=np.full(len(params.weights), 1 / len(params.weights)))


def spheres(centres):
    k, d = np.shape(centres)
    return MixtureParams(np.full(k, 1 / k), Gaussians(centres, [np.eye(d)] * k))


def lloyd(x, centres):
    nearest = ((x[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)
    return np.array([x[nearest == j].mean(axis=0) for j in range(len(centres))])


def test_hard_em_with_spheres_of_fixed_size_takes_the_steps_of_lloyd():
    centres = STANDARD[[0, 1, 50]]
    model = hard(EqualWeights(UnitSpheres()))
    for number, step in enumerate(em_steps(model, STANDARD, spheres(centres))):
        assert step.params.components.means == pytest.approx(centres, rel=1e-12, abs=1e-12)
        centres = lloyd(STANDARD, centres)
        if number == 10:
            break


def test_soft_em_does_not_take_the_steps_of_lloyd():
    centres = STANDARD[[0, 1, 50]]
    soft = EqualWeights(UnitSpheres())
    params = soft.m_step(soft.e_step(STANDARD, spheres(centres)))
    assert abs(params.components.means - lloyd(STANDARD, centres)).max() > 0.05


def test_hard_em_ends_where_k_means_of_scikit_learn_ends():
    centres = STANDARD[[0, 1, 50]]
    ours = em(hard(EqualWeights(UnitSpheres())), STANDARD, spheres(centres), tol=0)
    theirs = KMeans(3, init=centres, n_init=1, tol=0, algorithm="lloyd").fit(STANDARD)
    assert ours.params.components.means == pytest.approx(theirs.cluster_centers_, rel=1e-10)
    # -log density of a unit sphere is half the squared distance, and constants.
    constant = len(STANDARD) * (np.log(3) + np.log(2 * np.pi))
    assert -2 * (ours.log_likelihood + constant) == pytest.approx(theirs.inertia_, rel=1e-12)


def test_hard_em_counts_whole_observations():
    model = hard(Mixture(Gaussian()))
    stats = model.e_step(FAITHFUL, START)
    assert np.array_equal(stats.components.counts, np.round(stats.components.counts))


def test_of_equals_the_first_is_taken():
    model = hard(Mixture(Poisson()))
    stats = model.e_step([1.0, 2.0, 3.0], MixtureParams([0.5, 0.5], Poissons([2.0, 2.0])))
    assert stats.components.counts.tolist() == [3.0, 0.0]


# Temperature


def test_at_one_it_is_em():
    plain, warm = (
        model.e_step(FAITHFUL, START)
        for model in (Mixture(Gaussian()), Tempered(Mixture(Gaussian()), 1))
    )
    assert warm.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-13)
    params = [Mixture(Gaussian()).m_step(stats) for stats in (plain, warm)]
    assert params[0].weights == pytest.approx(params[1].weights, rel=1e-12)
    assert params[0].components.covariances == pytest.approx(
        params[1].components.covariances, rel=1e-10
    )


def test_from_hot_to_cold_the_objective_falls_to_the_classification_likelihood():
    # sum_k a_k^beta, to the power 1 / beta, is a norm: it falls as beta rises, towards the largest.
    values = [
        Tempered(Mixture(Gaussian()), beta).e_step(FAITHFUL, START).log_likelihood
        for beta in (0.1, 0.5, 1.0, 2.0, 30.0, np.inf)
    ]
    assert (np.diff(values) < 0).all()
    assert values[-2] == pytest.approx(values[-1], abs=0.2)


def test_the_hotter_the_more_even():
    share = [
        Tempered(Mixture(Gaussian()), beta).e_step(FAITHFUL, START).components.counts[0] / 272
        for beta in (1e-6, 0.01, 0.1, 1.0)
    ]
    assert share[0] == pytest.approx(0.5, abs=1e-4)
    assert (np.diff(share) < 0).all()


@pytest.mark.parametrize("beta", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_none_is_refused(beta, refuses):
    with refuses(ValueError, "beta", "above 0", f"got {beta}"):
        Tempered(Mixture(Gaussian()), beta)


# Annealing


ACIDITY = load("acidity")["log_anc"]


def acidity_start(seed):
    centres = np.sort(np.random.default_rng(seed).choice(ACIDITY, 3, replace=False))
    spread = np.full((3, 1, 1), ACIDITY.var() / 9)
    return MixtureParams(np.full(3, 1 / 3), Gaussians(centres[:, None], spread))


def test_annealing_finds_from_every_start_the_hill_that_em_often_misses():
    plain = [em(Mixture(Gaussian()), ACIDITY, acidity_start(seed)) for seed in range(4)]
    slow = [anneal(Mixture(Gaussian()), ACIDITY, acidity_start(seed)) for seed in range(4)]
    best = max(trace.log_likelihood for trace in plain)
    assert sum(trace.log_likelihood < best - 1 for trace in plain) >= 2
    for trace in slow:
        assert trace.converged
        assert trace.log_likelihood == pytest.approx(best, abs=1e-3)


def test_what_annealing_returns_is_a_run_of_em():
    trace = anneal(Mixture(Gaussian()), ACIDITY, acidity_start(0))
    assert (np.diff(trace.log_likelihoods) >= 0).all()
    seen = Mixture(Gaussian()).e_step(ACIDITY, trace.params)
    assert trace.log_likelihood == seen.log_likelihood


def test_with_all_of_its_groups_forgotten_annealing_joins_them():
    # Why there is a blend: below 1, components that coincide stay together.
    trace = anneal(Mixture(Gaussian()), ACIDITY, acidity_start(0), schedule=(0.1,), blend=0.0)
    one = Mixture(Gaussian()).from_responsibilities(ACIDITY, np.ones((len(ACIDITY), 1)))
    alone = Mixture(Gaussian()).e_step(ACIDITY, one).log_likelihood
    assert trace.log_likelihood == pytest.approx(alone, abs=0.01)


@pytest.mark.parametrize("schedule", [(0.5, 0.5), (0.7, 0.5), (0.5, 1.0), (0.0, 0.5), (-1.0,)])
def test_a_schedule_that_does_not_rise_to_one_is_refused(schedule, refuses):
    with refuses(ValueError, "schedule", "rising", "above 0 and below 1"):
        anneal(Mixture(Gaussian()), ACIDITY, acidity_start(0), schedule=schedule)


@pytest.mark.parametrize("blend", [-0.1, 1.0, float("nan")])
def test_a_blend_that_is_no_share_is_refused(blend, refuses):
    with refuses(ValueError, "blend", "a share", f"got {blend}"):
        anneal(Mixture(Gaussian()), ACIDITY, acidity_start(0), blend=blend)
