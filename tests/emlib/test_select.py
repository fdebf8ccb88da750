"""Choosing: what R's mclust prints is found again, and what misleads scikit-learn's starts does not mislead ours."""

from __future__ import annotations

import io
import sys
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from emlib import Mixture, em
from emlib.data import Chunks, Weighted
from emlib.datasets import load
from emlib.families import Gaussian, Poisson
from emlib.families.parsimonious import MODELS
from emlib.numbers import failure, gaussian_mixtures, rate, selection
from emlib.select import Failure, select
from emlib.variants.aitken import aitken

FAITHFUL = load("faithful").matrix()


def cell(selection, model, k):
    (found,) = [entry for entry in selection.cells if (entry.model, entry.k) == (model, k)]
    return found


@pytest.fixture(scope="module")
def geyser():
    return select(FAITHFUL, range(1, 5), ["EEE", "VVV"])


# ---- published ---------------------------------------------------------------------------------


def test_old_faithful_as_in_mclust(geyser):
    assert (geyser.best.model, geyser.best.k) == ("EEE", 3)
    # mclust stops a little below the maximum.
    _, _, bic, *_ = selection.old_faithful()
    assert 0 < -bic.published.value - geyser.best.bic < 0.15
    both = cell(geyser, "VVV", 2)
    log_likelihood, _ = gaussian_mixtures.old_faithful()
    log_likelihood.published.check(both.log_likelihood)
    assert both.df == 11
    assert all(fit.converged for fit in geyser.fits)


def test_one_column_as_in_mclust():
    waiting = select(FAITHFUL[:, 1], range(1, 4), tol=1e-9)
    assert list(waiting.families) == ["E", "V"]
    *_, log_likelihood, _ = gaussian_mixtures.old_faithful_waits()
    log_likelihood.published.check(cell(waiting, "V", 2).log_likelihood)
    assert cell(waiting, "V", 2).df == 5
    assert cell(waiting, "E", 2).df == 4
    galaxies = select(load("galaxies").matrix() / 1000, [3], ["V"], tol=1e-9)
    *_, log_likelihood, _ = failure.galaxies()
    log_likelihood.published.check(galaxies.best.log_likelihood)
    assert galaxies.best.df == 8


def test_iris_as_in_mclust():
    iris = select(load_iris().data, [2, 3], ["VEV", "VVV"], tol=1e-8)
    assert (iris.best.model, iris.best.k) == ("VEV", 2)


# ---- anisotropy --------------------------------------------------------------------------------


def test_long_parallel_groups_are_counted_where_the_starts_of_scikit_learn_fail():
    """The failure of scikit-learn's issue 34845: k-means cuts along the long axis, and BIC judges what it is given."""
    rng = np.random.default_rng(1)
    hidden = np.repeat([0, 1, 2], 100)
    x = np.column_stack(
        [20 * rng.standard_normal(300), 0.5 * rng.standard_normal(300) + 3 * hidden]
    )
    x @= np.array([[np.cos(0.6), np.sin(0.6)], [-np.sin(0.6), np.cos(0.6)]])
    naive = [GaussianMixture(k, random_state=0).fit(x).bic(x) for k in range(1, 5)]
    assert 1 + int(np.argmin(naive)) != 3
    ours = select(x, range(1, 5), ["VVV"])
    assert ours.best.k == 3
    assert ours.best.bic < min(naive) - 100
    labels = ours.model.responsibilities(x, ours.params).argmax(axis=1)
    assert adjusted_rand_score(labels, hidden) > 0.95


# ---- criteria ----------------------------------------------------------------------------------


def test_bic_is_that_of_scikit_learn_and_icl_that_of_the_best_assignment(geyser):
    for fit in (cell(geyser, "VVV", 2), cell(geyser, "VVV", 3)):
        peer = GaussianMixture(fit.k, weights_init=fit.params.weights)
        peer.weights_, peer.means_ = fit.params.weights, fit.params.components.means
        peer.covariances_ = fit.params.components.covariances
        peer.precisions_cholesky_ = np.linalg.cholesky(np.linalg.inv(peer.covariances_))
        assert fit.bic == pytest.approx(peer.bic(FAITHFUL), rel=1e-10)
        # ICL of mclust: BIC less twice the log-probability of each row's likeliest component.
        shares = peer.predict_proba(FAITHFUL)
        assert fit.icl == pytest.approx(fit.bic - 2 * np.log(shares.max(axis=1)).sum(), rel=1e-10)
        assert fit.icl > fit.bic + 0.1


def test_icl_may_choose_otherwise(geyser):
    by_icl = select(FAITHFUL, range(1, 5), ["EEE", "VVV"], criterion="icl")
    assert by_icl.best.icl == min(fit.icl for fit in geyser.fits)
    assert by_icl.best.k == 2
    assert "ICL, smaller is better" in str(by_icl)


# ---- how it runs -------------------------------------------------------------------------------


def numbers(selection):
    return [(fit.model, fit.k, fit.log_likelihood, fit.icl, fit.start) for fit in selection.fits]


def test_threads_change_nothing_and_seeds_little(geyser):
    once = select(FAITHFUL, [2, 3], ["EEE", "VVV"], starts=1)
    assert numbers(select(FAITHFUL, [2, 3], ["EEE", "VVV"], starts=1, jobs=3)) == numbers(once)
    other = select(FAITHFUL, [2, 3], ["EEE", "VVV"], starts=1, seed=1)
    assert numbers(other) != numbers(once)
    assert other.best.bic == pytest.approx(geyser.best.bic, abs=0.01)


def test_weights_stand_for_rows_and_pieces_for_the_whole():
    x = FAITHFUL[::2]
    twice = select(np.vstack([x, x]), [2], ["VVV"]).best
    weighted = select(Weighted(x, np.full(len(x), 2.0)), [2], ["VVV"]).best
    assert weighted.log_likelihood == pytest.approx(twice.log_likelihood, abs=1e-3)
    assert weighted.bic == pytest.approx(twice.bic, abs=2e-3)
    pieces = select(Chunks([FAITHFUL[:100], FAITHFUL[100:]]), [2], ["VVV"]).best
    whole = select(FAITHFUL, [2], ["VVV"]).best
    assert pieces.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)


def test_the_fit_is_that_of_all_rows_where_the_starts_see_a_sample(monkeypatch):
    monkeypatch.setattr(sys.modules["emlib.select"], "TREE", 100)
    truth = cell(select(FAITHFUL, [2], ["VVV"]), "VVV", 2).params
    model = Mixture(Gaussian())
    x, _ = model.sample(truth, 6000, np.random.default_rng(0))
    best = select(x, [2], ["VVV"], starts=1).best
    assert best.log_likelihood == pytest.approx(model.log_density(x, best.params).sum(), rel=1e-12)
    peer = GaussianMixture(2, tol=1e-9, means_init=truth.components.means).fit(x)
    assert best.log_likelihood == pytest.approx(peer.score(x) * len(x), abs=0.05)


def test_other_families():
    deaths = load("deaths")
    data = Weighted(deaths["deaths"], deaths["days"])
    found = select(data, range(1, 4), {"Poisson": Poisson()}, tol=1e-9)
    *_, height = rate.deaths()
    two = cell(found, "Poisson", 2)
    assert -two.log_likelihood == pytest.approx(float(height.published.value), abs=5e-4)
    assert found.best.k == 2
    assert found.best.df == 3
    assert isinstance(found.model.family, Poisson)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_shown_to_who_looks(monkeypatch):
    seen = {}
    for name, stream in (("terminal", Terminal()), ("file", io.StringIO())):
        monkeypatch.setattr(sys, "stderr", stream)
        select(FAITHFUL[:, 0], [1, 2], ["V"], starts=1)
        seen[name] = stream.getvalue()
    # A bar is painted ten times a second at most: fast fits end before the second time.
    assert "/2 [" in seen["terminal"]
    assert seen["file"] == ""
    monkeypatch.setattr(sys, "stderr", Terminal())
    select(FAITHFUL[:, 0], [1], ["V"], progress=False)
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize(("model", "k"), [("VVV", 3), ("EEE", 4), ("VEI", 3)])
def test_a_fit_ends_where_plain_em_has_nothing_left_to_gain(model, k):
    def left(fit):
        mixture = Mixture(Gaussian(model))
        end = em(mixture, FAITHFUL, fit.params, tol=1e-12, remaining=aitken)
        return end.log_likelihood - fit.log_likelihood

    enough = 2e-6 * len(FAITHFUL)
    assert left(select(FAITHFUL, [k], [model]).best) < enough
    assert left(select(FAITHFUL, [k], [model], tol=1e-2).best) > enough


@pytest.mark.parametrize("error", [ValueError("no chart"), ArithmeticError("collapsed")])
def test_where_acceleration_fails_plain_em_goes_on(geyser, monkeypatch, error):
    def fails(*_):
        raise error
        yield

    monkeypatch.setattr(sys.modules["emlib.select"], "squarem_steps", fails)
    plain = select(FAITHFUL, [2, 3], ["EEE", "VVV"])
    for fit in plain.fits:
        same = cell(geyser, fit.model, fit.k)
        assert fit.log_likelihood == pytest.approx(same.log_likelihood, abs=1e-3)
        assert fit.steps > same.steps


# ---- what fails --------------------------------------------------------------------------------


def test_what_fails_says_why_and_the_others_stand():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((12, 3))
    found = select(x, [1, 2, 3, 13], ["EII", "VVV"])
    assert "too many for 12 observations" in cell(found, "VVV", 3).reason
    assert "got 13 for 12" in cell(found, "EII", 13).reason
    assert isinstance(cell(found, "EII", 13), Failure)
    assert [(fit.model, fit.k) for fit in found.fits] == [("EII", 1), ("EII", 2), ("VVV", 1)]
    records = {(row["model"], row["k"]): row for row in found.table}
    assert records["VVV", 3]["log_likelihood"] is None
    assert records["VVV", 3]["reason"] == cell(found, "VVV", 3).reason
    assert records["EII", 1]["reason"] == ""
    assert records["EII", 1]["df"] == 4
    text = str(found)
    assert cell(found, "VVV", 3).reason in text
    assert text.splitlines()[2].split()[-1] == "-"


def test_a_flat_column_has_no_model_that_needs_its_variance(refuses):
    x = np.column_stack([FAITHFUL[:, 0], np.full(len(FAITHFUL), 3.0)])
    with refuses(ArithmeticError, "no model could be fitted", "VVV 2", "collapsed"):
        select(x, [1, 2], ["VVV"], starts=1)


def test_a_fit_that_has_not_converged_is_not_called_so():
    found = select(FAITHFUL, [4], ["VVV"], starts=1, max_steps=2, tol=1e-12)
    assert not found.best.converged
    assert "not converged: VVV 4" in str(found)


def test_errors(refuses):
    with refuses(ValueError, "components", "[]"):
        select(FAITHFUL, [])
    with refuses(ValueError, "components", "[0, 1]"):
        select(FAITHFUL, [0, 1])
    with refuses(ValueError, "components", "2.5"):
        select(FAITHFUL, [2.5])
    with refuses(ValueError, "criterion", "'aic'"):
        select(FAITHFUL, [1], criterion="aic")
    with refuses(ValueError, "jobs", "0"):
        select(FAITHFUL, [1], jobs=0)
    with refuses(ValueError, "starts", "0"):
        select(FAITHFUL, [1], starts=0)
    with refuses(ValueError, "list of names", "'VVV'"):
        select(FAITHFUL, [1], "VVV")
    with refuses(ValueError, "XXX"):
        select(FAITHFUL, [1], ["XXX"])
    with refuses(ValueError, "not finite"):
        select([[1.0, np.nan], [2.0, 3.0]], [1])


# ---- what is shown -----------------------------------------------------------------------------


def test_the_grid_in_words(geyser):
    lines = str(geyser).splitlines()
    assert lines[0] == "BIC, smaller is better; * is the best, - has no fit"
    assert lines[1].split() == ["model", "k", "=", "1", "k", "=", "2", "k", "=", "3", "k", "=", "4"]
    shown = lines[2].split()
    assert shown[0] == "EEE"
    assert shown[4] == "*"
    assert float(shown[3]) == pytest.approx(geyser.best.bic, abs=0.005)
    assert lines[4].startswith("best: EEE with 3 components, log-likelihood -1126.31")


def test_all_models_by_default():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = select(FAITHFUL, [1], starts=1)
    assert [fit.model for fit in found.fits] == list(MODELS)
    # One component has no volume, shape or orientation to share: three values only.
    assert len({round(fit.log_likelihood, 3) for fit in found.fits}) == 3


def test_one_number_of_components_may_be_given_as_it_is():
    found = select(load("faithful")["waiting"], 2, models=["V"], progress=False)
    assert [cell.k for cell in found.cells] == [2]


def test_no_model_at_all_is_refused():
    with pytest.raises(ValueError, match="models: expected"):
        select([1.0, 2.0, 4.0], [1], models={})
