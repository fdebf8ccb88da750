"""The fourteen covariance models against mclust, against their own neighbourhood, and against one another.

Numbers "of mclust" were printed by mclust 6.0.0 (R 4.2.2): `mstep(modelName, data, z)` with both tolerances 1e-14, and
`me(modelName, data, unmap(classes))` with both 1e-12.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.optimize import minimize
from scipy.stats import ortho_group
from sklearn.datasets import load_iris

from emlib import Mixture, em
from emlib.data import Block
from emlib.datasets import load
from emlib.families import Gaussian
from emlib.families.parsimonious import MODELS

NAMES = list(MODELS)


def estimate(name: str, scatter: np.ndarray, counts: np.ndarray, **near) -> np.ndarray:
    """The covariances (k, d, d), from full scatter matrices, whatever the model needs of them."""
    model = MODELS[name]
    if not model.diagonal:
        return model.estimate(scatter, counts, **near)
    variances = model.estimate(np.diagonal(scatter, axis1=1, axis2=2), counts, **near)
    return variances[:, :, None] * np.eye(scatter.shape[1])


def objective(covariances: np.ndarray, scatter: np.ndarray, counts: np.ndarray) -> float:
    """sum_k n_k log|Sigma_k| + tr(Sigma_k^-1 W_k): the criterion of Celeux & Govaert (1995)."""
    traces = np.trace(np.linalg.solve(covariances, scatter), axis1=1, axis2=2)
    return float(counts @ np.linalg.slogdet(covariances)[1] + traces.sum())


def scatters(
    seed: int, k: int = 3, d: int = 3, spread: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Scatter matrices of different sizes, shapes and directions, which have something in common, and counts."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((d, d))
    factors = common + spread * rng.standard_normal((k, d, d))
    x = rng.standard_normal((k, 3 * d, d)) @ factors * np.exp(rng.standard_normal((k, 1, 1)))
    return x.swapaxes(1, 2) @ x, rng.uniform(5, 50, k)


def iris_scatters() -> tuple[np.ndarray, np.ndarray]:
    x, species = load_iris(return_X_y=True)
    groups = [x[species == j] for j in range(3)]
    return np.stack([np.cov(g.T, bias=True) * len(g) for g in groups]), np.full(3, 50.0)


# ---- against mclust ------------------------------------------------------------------------------

MCLUST_EXPECTED_LOG_DENSITY = {
    "EII": -279.875934993, "VII": -253.173180463, "EEI": -219.296457229, "VEI": -190.666989963,
    "EVI": -199.433825881, "VVI": -161.258237889, "EEE": -98.411899974, "VEE": -80.889752950,
    "EVE": -76.750842633, "EEV": -56.008614657, "VEV": -29.255669142, "EVV": -49.565685153,
    "VVV": -23.583711600,
}  # fmt: skip
MCLUST_VVE = -56.662744391
MCLUST_SETOSA = {
    "EII": [0.148829, 0.148829, 0.148829, 0.148829],
    "VII": [0.075755, 0.075755, 0.075755, 0.075755],
    "EEI": [0.259708, 0.11308, 0.181484, 0.041044],
    "VEI": [0.1210015258, 0.07212326075, 0.07345080676, 0.01703628776],
    "EVI": [0.2859916244, 0.3307397637, 0.06941927377, 0.02556365461],
    "VVI": [0.121764, 0.140816, 0.029556, 0.010884],
    "EEE": [0.259708, 0.09086666667, 0.11308, 0.164164, 0.05413866667, 0.181484,
        0.03763333333, 0.032056, 0.041812, 0.041044],
    "VEE": [0.1508796998, 0.06312900863, 0.08188718231, 0.08434565995, 0.03111942862,
        0.0973544323, 0.02191519224, 0.01818709109, 0.0242956958, 0.02187434642],
    "EVE": [0.1464647645, 0.05432987158, 0.1633012679, 0.07015872485, -0.04402421156,
        0.1500764415, 0.01844369695, 0.007962892167, 0.02854661463, 0.02630108651],
    "EEV": [0.2412895403, 0.1963481823, 0.2804066043, 0.03474881902, 0.02149866281,
        0.05255806967, 0.0208822443, 0.0179231624, 0.010436001, 0.02106178573],
    "VEV": [0.1280388752, 0.1037003055, 0.1485589858, 0.01783360632, 0.01171140623,
        0.02889525377, 0.01094274469, 0.009574393461, 0.005912395132, 0.01068986769],
    "EVV": [0.2250830439, 0.1797351806, 0.2603010242, 0.02962805942, 0.02119141959,
        0.05463482183, 0.01871440439, 0.01684370336, 0.01099498986, 0.02011927869],
    "VVV": [0.121764, 0.097232, 0.140816, 0.016028, 0.011464, 0.029556, 0.010124, 0.009112,
        0.005948, 0.010884],
}  # fmt: skip
"""The covariance of the first species: the diagonal, or the upper triangle column by column."""


@pytest.mark.parametrize("name", MCLUST_EXPECTED_LOG_DENSITY)
def test_the_estimate_on_iris_is_that_of_mclust(name):
    scatter, counts = iris_scatters()
    covariances = estimate(name, scatter, counts)
    reached = -0.5 * (objective(covariances, scatter, counts) + 600 * np.log(2 * np.pi))
    assert reached == pytest.approx(MCLUST_EXPECTED_LOG_DENSITY[name], abs=2e-9)
    upper = [covariances[0, i, j] for j in range(4) for i in range(j + 1)]
    setosa = np.diag(covariances[0]) if MODELS[name].diagonal else upper
    assert setosa == pytest.approx(MCLUST_SETOSA[name], abs=2e-6)


def test_vve_finds_better_axes_than_mclust_and_those_of_a_general_minimiser():
    """mclust 6.0.0 gives VVE the axes of EVE, which are not the best for volumes that vary."""
    scatter, counts = iris_scatters()
    pairs = np.triu_indices(4, 1)

    def value(turn: np.ndarray) -> float:
        skew = np.zeros((4, 4))
        skew[pairs] = turn
        axes = expm(skew - skew.T)
        return float(counts @ np.log(np.einsum("ia,kij,ja->ka", axes, scatter, axes)).sum(axis=1))

    best = minimize(value, np.zeros(6), method="BFGS", options={"gtol": 1e-7})
    expected = best.fun + 600 - 4 * counts @ np.log(counts)
    ours = objective(estimate("VVE", scatter, counts), scatter, counts)
    assert ours == pytest.approx(expected, abs=1e-7)
    assert -0.5 * (ours + 600 * np.log(2 * np.pi)) > MCLUST_VVE + 0.4


MCLUST_RUNS = {
    "iris": (
        "111111111111111111111111111111111111111111111111112222222222222222222222222"
        "222222222222222222222222232333323333332233332323233223333323333233323332332",
        {
            "EII": (-401.80217579, 15), "VII": (-384.31409506, 17), "EEI": (-361.42552204, 18),
            "VEI": (-339.46872726, 20), "EVI": (-338.78884831, 24), "VVI": (-307.17757160, 26),
            "EEE": (-256.35404313, 24), "VEE": (-237.56016280, 26), "EVE": (-234.14023506, 30),
            "VVE": (-215.24087034, 32), "EEV": (-214.85037887, 36), "VEV": (-186.07328340, 38),
            "EVV": (-205.53588082, 42), "VVV": (-180.18547713, 44),
        },
    ),
    "diabetes": (
        "111121111111112112111122111211111111111111111111111111111111111111112122"
        "1111111112111222212221221122221212212133332333333333333333233222233333333",
        {
            "EII": (-2668.61296440, 12), "VII": (-2559.13097296, 14), "EEI": (-2520.16154267, 14),
            "VEI": (-2401.94955206, 16), "EVI": (-2450.42283566, 18), "VVI": (-2353.17729136, 20),
            "EEE": (-2432.04007024, 17), "VEE": (-2372.15706206, 19), "EVE": (-2374.66743104, 21),
            "VVE": (-2322.45239253, 23), "EEV": (-2378.11751123, 23), "VEV": (-2328.09140709, 25),
            "EVV": (-2333.90459980, 27), "VVV": (-2295.09345573, 29),
        },
    ),
}  # fmt: skip
"""Classes of the start, by hclust(hc(data, "VVV", use = "VARS"), 3); log-likelihood and number of params by model."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", MCLUST_RUNS)
def test_a_run_from_the_start_of_mclust_ends_where_mclust_ends(data, name):
    x = load_iris().data
    if data == "diabetes":
        x = load("diabetes").matrix("glufast", "glutest", "instest")
    classes, runs = MCLUST_RUNS[data]
    log_likelihood, parameters = runs[name]
    model = Mixture(Gaussian(name))
    start = model.from_responsibilities(x, np.eye(3)[[int(c) - 1 for c in classes]])
    trace = em(model, x, start, tol=1e-10)
    assert trace.converged
    assert model.free_parameters(trace.params) == parameters
    if name == "VVE":
        assert trace.log_likelihood > log_likelihood + 1
    else:
        assert trace.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)


# ---- the definition of each model -----------------------------------------------------------------


def taken_apart(name: str, covariances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of the variances along the axes (k, d), and the axes (k, d, d) that the last letter allows."""
    k, d = covariances.shape[:2]
    if name[2] == "I":
        axes = np.broadcast_to(np.eye(d), covariances.shape)
    elif name[2] == "E":
        unlike = np.tensordot(1 / np.arange(1, k + 1), covariances, 1)
        axes = np.broadcast_to(np.linalg.eigh(unlike)[1], covariances.shape)
    else:
        axes = np.linalg.eigh(covariances)[1]
    along = axes.swapaxes(1, 2) @ covariances @ axes
    logs = np.log(np.diagonal(along, axis1=1, axis2=2))
    assert np.allclose(along, np.exp(logs)[:, :, None] * np.eye(d), atol=1e-7 * np.exp(logs).max())
    return logs, axes


def belongs(name: str, covariances: np.ndarray) -> None:
    logs, _ = taken_apart(name, covariances)  # which looks at the axes
    volumes = logs.mean(axis=1, keepdims=True)
    shapes = logs - volumes
    if name[0] == "E":
        assert np.allclose(volumes, volumes[0], atol=1e-9)
    if name[1] == "E":
        assert np.allclose(shapes, shapes[0], atol=1e-8)
    if name[1] == "I":
        assert np.allclose(shapes, 0, atol=1e-12)


def neighbour(
    name: str, covariances: np.ndarray, size: float, rng: np.random.Generator
) -> np.ndarray:
    """Other covariances of the same model: volumes and shapes stretched, axes turned, where its letters allow it."""
    logs, axes = taken_apart(name, covariances)
    k, d = logs.shape
    copies = {"E": 1, "V": k}
    logs = logs + size * rng.standard_normal((copies[name[0]], 1))
    if name[1] != "I":
        stretch = size * rng.standard_normal((copies[name[1]], d))
        logs = logs + stretch - stretch.mean(axis=1, keepdims=True)
    if name[2] != "I":
        turns = size * rng.standard_normal((copies[name[2]], d, d))
        axes = axes @ np.stack([expm(turn - turn.T) for turn in turns])
    return (axes * np.exp(logs)[:, None, :]) @ axes.swapaxes(1, 2)


def resists(name: str, found: np.ndarray, scatter: np.ndarray, counts: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    top = objective(found, scatter, counts)
    for size in (1e-4, 1e-2, 0.3):
        for _ in range(10):
            other = objective(neighbour(name, found, size, rng), scatter, counts)
            assert other >= top - 1e-12 * (abs(top) + counts.sum())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=5)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(1, 4))
def test_no_covariances_of_the_same_model_near_the_estimate_are_better(name, seed, k, d):
    scatter, counts = scatters(seed, k, d)
    found = estimate(name, scatter, counts)
    belongs(name, found)
    resists(name, found, scatter, counts)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_the_best_does_not_resist(name):
    scatter, counts = scatters(4)
    wrong = neighbour(name, estimate(name, scatter, counts), 0.05, np.random.default_rng(1))
    belongs(name, wrong)
    with pytest.raises(AssertionError):
        resists(name, wrong, scatter, counts)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "VVV"])
def test_an_estimate_of_a_richer_model_does_not_belong(name):
    scatter, counts = scatters(4)
    with pytest.raises(AssertionError):
        belongs(name, estimate("VVV", scatter, counts))


def is_within(inner: str, outer: str) -> bool:
    """Whether every set of covariances of the inner model is one of the outer."""
    return all("IEV".index(a) <= "IEV".index(b) for a, b in zip(inner, outer, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_a_richer_model_fits_no_worse(seed):
    scatter, counts = scatters(seed, k=3, d=4)
    reached = {name: objective(estimate(name, scatter, counts), scatter, counts) for name in NAMES}
    pairs = [(a, b) for a, b in product(NAMES, NAMES) if a != b and is_within(a, b)]
    for inner, outer in pairs:
        assert reached[outer] < reached[inner], (inner, outer)


@pytest.mark.parametrize("name", ["EVE", "VVE"])
@pytest.mark.parametrize("seed", range(5))
def test_in_the_plane_no_angle_is_better(name, seed):
    scatter, counts = scatters(seed, k=3, d=2, spread=2.0)
    diagonal_model = MODELS[f"{name[:2]}I"]
    values = []
    for angle in np.linspace(0, np.pi / 2, 1000):
        axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        squares = np.diagonal(axes.T @ scatter @ axes, axis1=1, axis2=2)
        variances = diagonal_model.estimate(squares, counts)
        values.append(float(counts @ np.log(variances).sum(axis=1) + (squares / variances).sum()))
    reached = objective(estimate(name, scatter, counts), scatter, counts)
    assert min(values) - 1e-2 * counts.sum() < reached <= min(values) + 1e-9


@pytest.mark.parametrize(("name", "seed"), [("EVE", 3), ("VVE", 37)])
def test_the_estimate_is_no_worse_than_covariances_given_to_start_near(name, seed):
    # Matrices with several minima, where the axes of neither the pool nor a component lead to the least.
    scatter, counts = scatters(seed, k=4, d=6, spread=3.0)
    alone = objective(estimate(name, scatter, counts), scatter, counts)
    starts = ortho_group.rvs(6, size=30, random_state=1)
    spheres = [(q * np.arange(1, 7.0)) @ q.T * np.ones((4, 1, 1)) for q in starts]
    others = [estimate(name, scatter, counts, near=sphere) for sphere in spheres]
    values = [objective(other, scatter, counts) for other in others]
    best = others[int(np.argmin(values))]
    assert min(values) < alone - 1e-3
    again = objective(estimate(name, scatter, counts, near=best), scatter, counts)
    assert again == pytest.approx(min(values), rel=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_volumes_are_those_of_the_alternating_algorithm(seed):
    """Celeux & Govaert (1995) for VEI and VEE: volumes and shape in turn, here until they rest."""
    scatter, counts = scatters(seed, k=3, d=3)
    diagonals = np.diagonal(scatter, axis1=1, axis2=2)
    for name, parts in (("VEE", scatter), ("VEI", diagonals[:, :, None] * np.eye(3))):
        volumes = np.ones(3)
        for _ in range(3000):
            shape = np.tensordot(1 / volumes, parts, 1) / counts.sum()
            ahead = np.trace(np.linalg.solve(shape, parts), axis1=1, axis2=2) / (3 * counts)
            done = np.allclose(ahead, volumes, rtol=1e-14, atol=0)
            volumes = ahead
            if done:
                break
        expected = volumes[:, None, None] * shape
        assert estimate(name, scatter, counts) == pytest.approx(expected, rel=1e-8, abs=1e-10)


def test_volumes_converge_where_the_alternating_algorithm_crawls():
    # Two needles at right angles: it would take some million turns.
    scatter = np.array([np.diag([4.0, 4e-12]), np.diag([1e-12, 1.0])])
    counts = np.array([4.0, 1.0])
    resists("VEI", estimate("VEI", scatter, counts), scatter, counts)


@pytest.mark.parametrize("name", ["VEI", "VEE", "VEV"])
def test_volumes_do_not_depend_on_where_the_search_starts(name):
    scatter, counts = scatters(5)
    expected = estimate(name, scatter, counts)
    for sizes in ([1.0, 2.0, 3.0], [1e-100, 1.0, 1e100]):
        near = np.array(sizes)[:, None, None] * np.eye(3)
        assert estimate(name, scatter, counts, near=near) == pytest.approx(expected, rel=1e-8)
    other = neighbour(name, expected, 1e-6, np.random.default_rng(0))
    assert other != pytest.approx(expected, rel=1e-8)


# ---- units, directions, names ---------------------------------------------------------------------

ANY_AXES = [name for name in NAMES if name[1] == "I" or name[2] != "I"]
ANY_UNITS = ["EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVV", "VVV"]
ANY_MAP = ["EEE", "VEE", "EVV", "VVV"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *((name, "turned") for name in ANY_AXES),
        *((name, "other units") for name in ANY_UNITS),
        *((name, "any map") for name in ANY_MAP),
    ],
)
def test_the_estimate_follows_a_change_of_coordinates(name, change):
    scatter, counts = scatters(7)
    rng = np.random.default_rng(3)
    by = {
        "turned": ortho_group.rvs(3, random_state=1),
        "other units": np.diag([1e-6, 1.0, 1e6]),
        "any map": rng.standard_normal((3, 3)),
    }[change]
    back = np.linalg.inv(by)
    changed = estimate(name, by @ scatter @ by.T, counts)
    expected = estimate(name, scatter, counts)
    assert back @ changed @ back.T == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_a_model_that_knows_units_does_not_follow_their_change():
    scatter, counts = scatters(7)
    by = np.diag([0.1, 1.0, 10.0])
    for name in set(NAMES) - set(ANY_UNITS):
        changed = np.linalg.inv(by) @ estimate(name, by @ scatter @ by, counts) @ np.linalg.inv(by)
        assert not np.allclose(changed, estimate(name, scatter, counts), rtol=1e-2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_very_small_and_very_large_data_are_fitted_as_well(name, size):
    scatter, counts = scatters(2)
    expected = estimate(name, scatter, counts)
    scaled = estimate(name, scatter * size, counts) / size
    assert scaled == pytest.approx(expected, rel=1e-6, abs=1e-7 * expected.max())


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_components_does_not_matter(name):
    scatter, counts = scatters(5)
    order = [2, 0, 1]
    there = estimate(name, scatter[order], counts[order])
    assert there == pytest.approx(estimate(name, scatter, counts)[order], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_counts(name):
    scatter, counts = scatters(6)
    assert estimate(name, 3 * scatter, 3 * counts) == pytest.approx(
        estimate(name, scatter, counts), rel=1e-6, abs=1e-8
    )


# ---- what cannot be fitted --------------------------------------------------------------------------

LINE = np.stack([np.ones((3, 3)), np.eye(3), 2 * np.eye(3)])
SLANTED = np.array([1.66409268, 0.51179123, -0.29592962, 0.78197843])
SINGULAR = {
    "a component in one point": (
        np.stack([np.zeros((3, 3)), np.eye(3), 2 * np.eye(3)]),
        [5.0, 10.0, 20.0],
        {"EII", "EEI", "EEE", "EEV"},
    ),
    # The sum has a minimum for VEE and VEV where the component on the line holds less than a third of the data.
    "a small component on a line": (
        LINE,
        [5.0, 10.0, 20.0],
        {"EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EEV", "VEV"},
    ),
    "a large component on a line": (
        LINE,
        [20.0, 5.0, 10.0],
        {"EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "EEV"},
    ),
    "a large component on a slanted line": (
        np.stack([np.outer(SLANTED, SLANTED), np.eye(4), 2 * np.eye(4)]),
        [20.0, 5.0, 10.0],
        {"EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "EEV"},
    ),
    "all on one plane": (
        np.stack([np.diag([1.0, j, 0.0]) for j in (1.0, 2.0, 3.0)]),
        [5.0, 10.0, 20.0],
        {"EII", "VII"},
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", SINGULAR)
def test_where_there_is_no_minimum_a_covariance_is_singular_and_nothing_warns(what, name):
    scatter, counts, regular = SINGULAR[what]
    found = estimate(name, scatter, np.array(counts))
    assert np.isfinite(found).all()
    eigenvalues = np.linalg.eigvalsh(found)
    assert (eigenvalues[:, 0] > 1e-12 * eigenvalues[:, -1]).all() == (name in regular)


def test_the_table_is_complete():
    along_axes = ["EII", "VII", "EEI", "VEI", "EVI", "VVI"]
    assert [*along_axes, "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"] == NAMES
    assert all(model.name == name and model.meaning for name, model in MODELS.items())
    assert [name for name in NAMES if MODELS[name].diagonal] == along_axes


@pytest.mark.parametrize(
    ("name", "count"),
    # mclust 6.0.0: nVarParams(name, d = 5, G = 4).
    [
        ("EII", 1),
        ("VII", 4),
        ("EEI", 5),
        ("VEI", 8),
        ("EVI", 17),
        ("VVI", 20),
        ("EEE", 15),
        ("VEE", 18),
        ("EVE", 27),
        ("VVE", 30),
        ("EEV", 45),
        ("VEV", 48),
        ("EVV", 57),
        ("VVV", 60),
    ],
)
def test_the_number_of_parameters_is_that_of_mclust(name, count):
    assert MODELS[name].parameters(4, 5) == count


# ---- EVE and VVE begin where the E-step was ----------------------------------------------------------


@pytest.mark.parametrize("name", ["EVE", "VVE"])
@pytest.mark.parametrize("kernel", [True, False], ids=["kernel", "plain"])
def test_the_fit_is_told_the_covariances_of_the_e_step(name, kernel):
    rng = np.random.default_rng(1)
    model = Mixture(Gaussian(name))
    x = rng.normal(size=(60, 3))
    params = model.from_responsibilities(x, rng.dirichlet([1.0, 1.0], size=60))
    block = Block(x)
    stats = model.e_step(x, params) if kernel else model.block_step(block, params)
    assert stats.components.near is params.components.covariances
    both = stats + stats
    assert both.components.near is params.components.covariances
