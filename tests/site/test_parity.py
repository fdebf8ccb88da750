"""What the browser computes is what `emlib` computes, to 1e-8; and a module with one slip is caught."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emlib.arrays import log_sum_exp, softmax
from emlib.bound import free_energy
from emlib.families import Gaussian, Gaussians
from emlib.mixture import Mixture, MixtureParams
from emlib.variants import Tempered

MODELS = {"full": "VVV", "tied": "EEE", "diagonal": "VVI", "spherical": "VII", "equal": "EII"}
SOURCES = Path(__file__).parents[2] / "book/_extra/explorables"

Compute = Callable[..., Any]
"""Module, a function of the module and an argument in JavaScript, the argument: what it returns."""

CLIMB = """({ eStep, mStep, freeEnergy, collapsed }, starts) =>
    starts.map(({ points, params, model, temperature }) => {
        const whole = mStep(points, new Float64Array(points.length).fill(1), 1, "full");
        const steps = [];
        while (steps.length < 6 && collapsed(params, whole) < 0) {
            const guess = eStep(points, params, temperature);
            steps.push({ params, guess: [...guess], ...freeEnergy(points, params, guess) });
            params = mStep(points, guess, params.weights.length, model);
        }
        return steps;
    })"""


@pytest.fixture
def compute(visit) -> Compute:
    page = visit("genindex.html")  # any page will do that has no explorable of its own

    def run(module: str, function: str, argument: Any, body: str | None = None) -> Any:
        if body is not None:
            page.route(
                f"**/{module}",
                lambda route: route.fulfill(body=body, content_type="text/javascript"),
            )
        # As text: Playwright takes long over large objects.
        call = f"({function})(await import('/explorables/{module}'), JSON.parse(given))"
        return json.loads(
            page.evaluate(f"async (given) => JSON.stringify({call})", json.dumps(argument))
        )

    return run


def start(rng: np.random.Generator, model: str, K: int, temperature: float) -> dict[str, Any]:
    """Points that no component fits well, and params to begin with."""
    points = rng.normal(size=(90, 2)) * rng.uniform(0.1, 100, 2) + rng.normal(size=2) * 100
    factors = (np.eye(2) + 0.4 * rng.normal(size=(K, 2, 2))) * points.std(axis=0)[:, None]
    covariances = factors @ factors.transpose(0, 2, 1)
    if model == "full":
        entries = covariances[:, [0, 0, 1], [0, 1, 1]]
    else:
        entries = np.repeat([[points.var(), 0, points.var()]], K, axis=0)
    weights = np.full(K, 1 / K) if model == "equal" else rng.dirichlet(np.full(K, 5))
    return {
        "points": points.tolist(),
        "model": model,
        "temperature": temperature,
        "params": {
            "weights": weights.tolist(),
            "means": points[rng.choice(90, K, replace=False)].tolist(),
            "covariances": entries.tolist(),
        },
    }


def of_emlib(params: dict[str, Any]) -> MixtureParams[Gaussians]:
    entries = np.array(params["covariances"])
    covariances = entries[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
    return MixtureParams(params["weights"], Gaussians(params["means"], covariances))


def differences(begun: dict[str, Any], steps: list[dict[str, Any]]) -> float:
    """How far the steps of the browser are from emlib's: the largest over all numbers, relative to 1 + their size."""
    points, temperature = np.array(begun["points"]), begun["temperature"]
    mixture = Mixture(Gaussian(MODELS[begun["model"]]))
    tempered = Tempered(mixture, 1 / temperature if temperature else np.inf)
    params = of_emlib(begun["params"])

    def after(params: MixtureParams[Gaussians]) -> MixtureParams[Gaussians]:
        stepped = tempered.m_step(tempered.e_step(points, params))
        if begun["model"] != "equal":
            return stepped
        return MixtureParams(begun["params"]["weights"], stepped.components)

    worst = 0.0
    for number, step in enumerate(steps):
        if number:
            try:
                params = after(params)
            except ArithmeticError:  # emlib saw a collapse where the browser went on
                return np.inf
        joint = mixture.log_joint(points, params)
        q = (
            softmax(joint / temperature)
            if temperature
            else np.eye(joint.shape[1])[joint.argmax(axis=1)]
        )
        split = free_energy(q, joint)
        theirs = of_emlib(step["params"])
        for ours, emlibs in [
            (step["logLikelihood"], log_sum_exp(joint).sum()),
            (step["energy"], split.expected_log_joint),
            (step["entropy"], split.entropy),
            (step["bound"], split.free_energy),
            (np.array(step["guess"]), q.ravel()),
            (theirs.weights, params.weights),
            (theirs.components.means, params.components.means),
            (theirs.components.covariances, params.components.covariances),
        ]:
            worst = max(worst, float(np.max(np.abs(ours - emlibs) / (1 + np.abs(emlibs)))))
    return worst


@pytest.fixture
def starts() -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    kinds = [(model, K) for model in MODELS for K in range(1, 7)]
    return [
        start(rng, *kind, temperature) for kind in kinds for temperature in [1] * 8 + [0.5, 0.1]
    ]


def test_em_for_mixtures(compute, starts):
    climbs = compute("core/mixture.mjs", CLIMB, starts)
    assert len(climbs) == 300
    assert sum(len(climb) == 6 for climb in climbs) > 250  # few collapse
    worst = max(map(differences, starts, climbs))
    print(f"\nmixture: largest difference {worst:.1e} over {len(climbs)} starts")
    assert worst < 1e-8


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("row[k] = heights[k] - 0.5 *", "row[k] = heights[k] - 0.5000001 *"),
        ("scatter[k][1] += share * u * v;", "scatter[k][1] += share * u * u;"),
        ("(xx + yy) / 2, 0, (xx + yy) / 2", "Math.sqrt(xx * yy), 0, Math.sqrt(xx * yy)"),
        ("Math.exp((row[k] - top) / temperature)", "Math.exp(row[k] - top)"),
    ],
)
def test_a_slip_in_the_module_is_caught(compute, starts, right, wrong):
    source = (SOURCES / "core/mixture.mjs").read_text()
    assert right in source
    climbs = compute("core/mixture.mjs", CLIMB, starts, body=source.replace(right, wrong))
    assert any(differences(*pair) > 1e-8 for pair in zip(starts, climbs, strict=True))


def test_the_limit_of_equal_circles_is_k_means(compute):
    rng = np.random.default_rng(7)
    begun = start(rng, "equal", 4, 0)
    points, means = np.array(begun["points"]), np.array(begun["params"]["means"])
    soft = [begun | {"temperature": temperature} for temperature in [1, 0.1, 0.01, 1e-5]]
    hard, *softer = compute("core/mixture.mjs", CLIMB, [begun, *soft])
    assert len(hard) == 6
    for step in hard:
        assert np.allclose(step["params"]["means"], means, atol=1e-9)
        nearest = ((points[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        assert np.array_equal(np.reshape(step["guess"], (-1, 4)).argmax(axis=1), nearest)
        means = np.array([points[nearest == k].mean(axis=0) for k in range(4)])
    away = [np.abs(np.subtract(climb[0]["guess"], hard[0]["guess"])).max() for climb in softer]
    assert away == sorted(away, reverse=True)
    assert away[0] > 0.1
    assert away[-1] < 1e-6


BOUND = """({ split, bestShift }, { model, at }) =>
    at.map(([q, shift]) => ({ ...split(model, q, shift), best: bestShift(model, q) }))"""


def test_the_bound(compute):
    rng = np.random.default_rng(1)
    model = {"wait": 68, "weights": [0.36, 0.64], "means": [55, 80], "variances": [36, 25]}
    at = [
        *zip(rng.uniform(size=300), rng.uniform(-20, 20, 300), strict=True),
        (0.0, 3.0),
        (1.0, -3.0),
    ]
    at = [(float(q), float(shift)) for q, shift in at]
    mixture = Mixture(Gaussian("V"))
    for (q, shift), found in zip(
        at, compute("bound.mjs", BOUND, {"model": model, "at": at}), strict=True
    ):
        moved = Gaussians.univariate(np.add(model["means"], shift), model["variances"])
        joint = mixture.log_joint([68.0], MixtureParams(model["weights"], moved))
        split = free_energy([q, 1 - q], joint[0])
        ours = [found[name] for name in ("energy", "entropy", "bound", "gap", "logEvidence")]
        theirs = [
            split.expected_log_joint,
            split.entropy,
            split.free_energy,
            split.gap,
            split.log_likelihood,
        ]
        assert ours == pytest.approx(theirs, abs=1e-8)
        assert found["posterior"] == pytest.approx(softmax(joint)[0], abs=1e-8)
        # The bound is largest there: no shift near it has a larger one.
        precision = np.array([q, 1 - q]) / model["variances"]
        assert found["best"] == pytest.approx(
            precision @ np.subtract(68, model["means"]) / precision.sum()
        )


LIKELIHOOD = "({ logLikelihood }, { data, at }) => at.map((curves) => logLikelihood(data, curves))"


def test_the_likelihood(compute):
    rng = np.random.default_rng(2)
    waits = rng.integers(43, 97, 200)
    values, counts = np.unique(waits, return_counts=True)
    data = {"values": values.tolist(), "counts": counts.tolist()}
    at = []
    for deviation in [*rng.uniform(2, 20, 300), 1e-3, 1e-30, 1e-100]:
        mean, other = float(rng.choice(waits)), rng.uniform(40, 100)
        at.append(
            [
                {"mean": mean, "deviation": deviation, "weight": 0.3},
                {"mean": other, "deviation": 9.0, "weight": 0.7},
            ]
        )
    mixture = Mixture(Gaussian("V"))
    for curves, found in zip(
        at, compute("likelihood.mjs", LIKELIHOOD, {"data": data, "at": at}), strict=True
    ):
        means, deviations, weights = (
            np.array([c[key] for c in curves]) for key in ("mean", "deviation", "weight")
        )
        params = MixtureParams(weights, Gaussians.univariate(means, deviations**2))
        assert found == pytest.approx(mixture.log_density(waits, params).sum(), abs=1e-8, rel=1e-11)
