"""The derived filter and smoother against the joint normal distribution of all levels and observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import sympy as sp
from scipy import stats

from emlib.symbolic import kalman
from emlib.symbolic.notation import meanings_expanded

MOVE, MOVE_NOISE, NOISE, FIRST = 0.8, 0.5, 1.3, (0.4, 2.0)
SEEN = np.array([0.3, 1.9, -0.4, 0.8, 2.2])
TIMES = len(SEEN)
MODEL = {kalman.a: MOVE, kalman.q: MOVE_NOISE, kalman.r: NOISE}


def number(expression: sp.Expr, **at: float) -> float:
    plain = meanings_expanded(expression).subs(MODEL)
    return float(plain.subs({s: sp.Float(at[str(s)], 30) for s in plain.free_symbols}))


def moments(chain: kalman.Derivation, **at: float) -> tuple[float, float]:
    """Mean and variance of the normal density at the end of a chain."""
    _, mean, variance = chain.end.args[0].args
    return number(mean, **at), number(variance, **at)


@dataclass(frozen=True)
class Run:
    """What the derived recursions say."""

    filtered: list[tuple[float, float]]
    smoothed: list[tuple[float, float]]
    covariances: list[float]
    log_likelihood: float


def recursions() -> Run:
    predicted, filtered, total = [FIRST], [], 0.0
    for time, x in enumerate(SEEN):
        ahead = dict(zip(("m^-", "S"), predicted[-1], strict=True))
        filtered.append(moments(kalman.update(), **ahead, x=x))
        at = dict(zip(("m", "P"), filtered[-1], strict=True))
        predicted.append(moments(kalman.prediction(), **at))
        if time:
            before = dict(zip(("m", "P"), filtered[-2], strict=True))
            mean, variance = moments(kalman.predictive(), **before)
        else:
            mean, variance = FIRST[0], FIRST[1] + NOISE
        total += stats.norm(mean, variance**0.5).logpdf(x)
    smoothed, covariances = [filtered[-1]], []
    for mean, variance in reversed(filtered[:-1]):
        at = dict(zip(("m'", "P'"), smoothed[0], strict=True)) | {"m": mean, "P": variance}
        step = {
            "J": number(kalman.J, **at),
            "V": number(kalman.given_next().end.args[0].args[2], **at),
            "m^-": MOVE * mean,
        }
        covariances.insert(0, step["J"] * at["P'"])
        assert number(kalman.smoothed_variance().end, **at) == pytest.approx(
            moments(kalman.smoother(), **at | step)[1], rel=1e-12
        )
        smoothed.insert(0, moments(kalman.smoother(), **at | step))
    return Run(filtered, smoothed, covariances, total)


def joint() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of all levels, from the model alone."""
    lower = np.array(
        [[MOVE ** (s - t) if s >= t else 0.0 for t in range(TIMES)] for s in range(TIMES)]
    )
    noise = np.diag([FIRST[1], *[MOVE_NOISE] * (TIMES - 1)])
    return FIRST[0] * lower[:, 0], lower @ noise @ lower.T


def conditional() -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of all levels given all observations."""
    mean, covariance = joint()
    regression = covariance @ np.linalg.inv(covariance + NOISE * np.eye(TIMES))
    return mean + regression @ (SEEN - mean), covariance - regression @ covariance


def test_the_smoother_is_the_conditional_distribution() -> None:
    mean, covariance = conditional()
    run = recursions()
    assert np.allclose([m for m, _ in run.smoothed], mean, rtol=1e-12)
    assert np.allclose([v for _, v in run.smoothed], np.diag(covariance), rtol=1e-12)
    assert np.allclose(run.covariances, np.diag(covariance, 1), rtol=1e-12)
    assert not np.allclose([m for m, _ in run.filtered], mean, rtol=1e-3)


def test_the_prediction_errors_give_the_joint_density() -> None:
    mean, covariance = joint()
    dense = stats.multivariate_normal(mean, covariance + NOISE * np.eye(TIMES)).logpdf(SEEN)
    assert recursions().log_likelihood == pytest.approx(dense, rel=1e-12)


def test_the_smoothed_means_are_where_the_derived_slope_vanishes() -> None:
    run = recursions()
    for t in range(1, TIMES - 1):
        at = {
            "z_{t-1}": run.smoothed[t - 1][0],
            "z_t": run.smoothed[t][0],
            "z_{t+1}": run.smoothed[t + 1][0],
            "m_{t-1}": run.filtered[t - 1][0],
            "P_{t-1}": run.filtered[t - 1][1],
            "x_t": SEEN[t],
        }
        chain = kalman.slope_of_joint()
        assert number(chain.end, **at) == pytest.approx(0, abs=1e-12)
        assert abs(number(chain.end, **at | {"z_t": at["z_t"] + 0.01})) > 1e-3


def test_the_variance_settles_where_the_derived_root_says() -> None:
    steady = number(kalman.riccati().end)
    variance = 20.0
    for _ in range(80):
        _, after = moments(kalman.update(), **{"m^-": 0.0, "S": variance, "x": 0.0})
        _, ahead = moments(kalman.prediction(), m=0.0, P=after)
        shrunk = number(kalman.contraction().end, S=variance, **{"S^*": steady})
        assert ahead - steady == pytest.approx(shrunk, rel=1e-9, abs=1e-13)
        variance = ahead
    assert variance == pytest.approx(steady, rel=1e-12)


def expected_log_joint(move: float, move_noise: float, noise: float) -> float:
    """Q of moves and observations, from the dense conditional distribution."""
    mean, covariance = conditional()
    second = covariance + np.outer(mean, mean)
    moved = np.diag(second)[1:] - 2 * move * np.diag(second, 1) + move**2 * np.diag(second)[:-1]
    off = (SEEN - mean) ** 2 + np.diag(covariance)
    return float(
        -0.5 * (np.log(2 * np.pi * move_noise) + moved / move_noise).sum()
        - 0.5 * (np.log(2 * np.pi * noise) + off / noise).sum()
    )


def test_em_updates_gain_what_is_derived() -> None:
    """The gain of the updates in Q, dense, is the derived one, from the smoothed moments."""
    run = recursions()
    pairs = list(zip(run.smoothed, run.smoothed[1:], run.covariances, strict=False))
    energy = sum(m**2 + v for m, v in run.smoothed[:-1])
    move = sum(m * later + c for (m, _), (later, _), c in pairs) / energy
    at = {"B": energy, r"\hat{a}": move, "M": TIMES - 1}
    squares = [
        number(
            kalman.expected_square().end.subs(kalman.a, move),
            **dict(zip(("m", "P", "m'", "P'", "C"), (*now, *later, c), strict=True)),
        )
        for now, later, c in pairs
    ]
    at[r"\hat{q}"] = float(np.mean(squares))
    distances = [
        number(kalman.expected_distance().end, x=x, m=m, P=v)
        for x, (m, v) in zip(SEEN, run.smoothed, strict=True)
    ]
    at_noise = {r"\hat{r}": float(np.mean(distances)), "T": TIMES}
    gain = number(kalman.best_move().claims[0].right, **at)
    gain += number(kalman.best_noise().claims[0].right, **at_noise)
    best = expected_log_joint(move, at[r"\hat{q}"], at_noise[r"\hat{r}"])
    assert gain == pytest.approx(best - expected_log_joint(MOVE, MOVE_NOISE, NOISE), rel=1e-11)
    assert gain > 1e-3
    for slip in ((1.01, 1, 1), (1, 1.01, 1), (1, 1, 1.01)):
        other = np.multiply((move, at[r"\hat{q}"], at_noise[r"\hat{r}"]), slip)
        assert expected_log_joint(*other) < best - 1e-6
