"""Every form of a data set gives the numbers of its rows, and a data set that is none says what is wrong."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import dask.array as da
import dask.bag as db
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emlib import Mixture, MixtureParams, em
from emlib import data as emlib_data
from emlib.arrays import rows
from emlib.data import BLOCK_ROWS, Block, Chunks, Weighted, prepare
from emlib.families import Gaussian, Gaussians, Poisson, Poissons

MODEL = Mixture(Gaussian())
PARAMS = MixtureParams(
    [0.4, 0.6],
    Gaussians([[0.0, 1.0], [2.0, -1.0]], [[[1.0, 0.3], [0.3, 2.0]], [[0.5, 0.0], [0.0, 1.0]]]),
)


def some_rows(n: int, seed: int = 0) -> np.ndarray:
    return 1 + 1.5 * np.random.default_rng(seed).standard_normal((n, 2))


def numbers(data: Any, params: Any = PARAMS, model: Any = MODEL) -> np.ndarray:
    """The log-likelihood, the count of observations, and the params of the next step."""
    stats = model.e_step(data, params)
    after = model.m_step(stats)
    flat = [np.ravel(value) for value in vars(after.components).values()]
    return np.concatenate([[stats.log_likelihood, stats.observations], after.weights, *flat])


def same(left: Any, right: Any) -> bool:
    """Equal but for the rounding of sums taken in another order."""
    return bool(np.allclose(numbers(left), numbers(right), rtol=1e-12, atol=1e-13))


@dataclass
class File:
    """A source that is opened anew at each pass."""

    pieces: list[Any]
    passes: int = 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        yield from self.pieces


class Once:
    """A source that is empty after the first pass, and does not say so."""

    def __init__(self, pieces: list[Any]) -> None:
        self.rest = iter(pieces)

    def __iter__(self) -> Iterator[Any]:
        return self.rest


# The blocks


@pytest.mark.parametrize("n", [1, 2, 100, 8191, 8192, 8193, 12287, 12288, 12289, 20480, 50001])
def test_blocks_hold_every_row_once_in_order_and_are_of_like_size(n):
    x = np.arange(float(n))
    blocks = list(prepare(x, lambda values: rows(values, "data")))
    assert np.concatenate([block.x[:, 0] for block in blocks]).tolist() == x.tolist()
    sizes = [len(block.x) for block in blocks]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * BLOCK_ROWS
    assert len(sizes) == 1 or min(sizes) >= 0.75 * BLOCK_ROWS


def test_a_block_weighs_its_values():
    values = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    plain, weighted = Block(values), Block(values, np.array([2.0, 0.5, 1.0]))
    assert (plain.observations, weighted.observations) == (3.0, 3.5)
    assert plain.weighted(values).tolist() == values.tolist()
    assert weighted.weighted(values).tolist() == [[2.0, 4.0], [1.5, 2.0], [5.0, 6.0]]
    assert (plain.total(values[:, 0]), weighted.total(values[:, 0])) == (9.0, 8.5)


def test_prepared_data_pass_unchanged():
    prepared = MODEL.prepare(some_rows(10))
    assert MODEL.prepare(prepared) is prepared
    block = next(iter(prepared))
    assert (numbers(block) == numbers(prepared)).all()


# Arrays of every kind


@pytest.mark.parametrize(
    "turned",
    [
        lambda x: x.tolist(),
        lambda x: tuple(map(tuple, x)),
        np.asfortranarray,
        lambda x: np.repeat(x, 3, axis=1)[:, ::3],
        lambda x: np.ascontiguousarray(x[::-1])[::-1],
        lambda x: x.astype(">f8"),
        lambda x: x.astype(np.longdouble),
        pd.DataFrame,
        Chunks,
        lambda x: Chunks(pd.DataFrame(x), threads=2),
        lambda x: Chunks(Weighted(x, np.ones(len(x)))),
        lambda x: np.ma.masked_array(x, mask=False),
    ],
)
def test_the_layout_of_an_array_does_not_matter(turned):
    x = some_rows(20_000)
    assert same(turned(x), x)


@pytest.mark.parametrize("kind", ["f4", "f2", "i8", "i2", "u1", "?"])
def test_numbers_of_another_kind_are_taken_at_their_value(kind):
    x = (some_rows(20_000) > 1 if kind == "?" else abs(some_rows(20_000))).astype(kind)
    assert same(x, x.astype(float))
    assert same(Chunks(x, threads=2), x.astype(float))


def test_integers_beyond_32_bits_are_not_cut():
    x = 2**40 + np.arange(5)
    params = MixtureParams([1.0], Gaussians.univariate([2.0**40], [4.0]))
    fitted = MODEL.m_step(MODEL.e_step(x, params)).components
    assert fitted.means.item() == 2**40 + 2
    assert fitted.covariances.item() == 2.0


def test_one_column_may_be_a_vector():
    x, params = some_rows(20_000)[:, 0], MixtureParams([1.0], Gaussians.univariate([0.0], [1.0]))
    assert (numbers(x, params) == numbers(x[:, None], params)).all()
    assert (numbers(Chunks(x, threads=2), params) == numbers(x, params)).all()


def test_data_are_not_changed():
    x, weights = some_rows(9_000), np.arange(9_000.0)
    before = x.copy(), weights.copy()
    em(MODEL, Chunks(Weighted(x, weights), threads=2), PARAMS, max_steps=3)
    assert (x == before[0]).all()
    assert (weights == before[1]).all()


# Pieces


@given(st.lists(st.integers(0, 400), max_size=6), st.integers(1, 3))
def test_the_cuts_do_not_matter(sizes, threads):
    x = some_rows(sum(sizes) + 50)
    pieces = np.split(x, np.cumsum(sizes))
    assert same(Chunks(pieces, threads), x)
    assert same(Chunks(File([pieces[0], *map(np.asfortranarray, pieces[1:])]), threads), x)


def test_long_pieces_are_cut_into_blocks_and_short_ones_are_not_joined():
    pieces = [some_rows(2 * BLOCK_ROWS), some_rows(3), some_rows(BLOCK_ROWS)]
    sizes = [len(block.x) for block in MODEL.prepare(Chunks(pieces))]
    assert sizes == [BLOCK_ROWS, BLOCK_ROWS, 3, BLOCK_ROWS]
    assert same(Chunks(pieces), np.concatenate(pieces))


def test_pieces_may_be_weighted_mapped_or_themselves_in_pieces(tmp_path):
    x = some_rows(60)
    mapped = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(20, 2))
    mapped[:] = x[20:40]
    pieces = [Weighted(x[:20], np.ones(20)), mapped, Chunks([x[40:50], x[50:]])]
    assert same(Chunks(pieces), x)


def test_a_file_is_read_once_an_e_step():
    source = File([some_rows(30), some_rows(20, seed=1)])
    trace = em(MODEL, Chunks(source), PARAMS, max_steps=5, tol=0)
    assert source.passes == len(trace.steps) == 6


@pytest.mark.parametrize("threads", [2, 3])
def test_no_more_pieces_are_held_than_threads_work_on(threads):
    held, most, lock = [0], [0], threading.Lock()

    class Source:
        def __iter__(self) -> Iterator[np.ndarray]:
            for seed in range(30):
                held[0] += 1
                most[0] = max(most[0], held[0])
                yield some_rows(10, seed)

    def step(block: Block) -> float:
        with lock:
            held[0] -= 1
        return block.observations

    prepared = prepare(Chunks(Source(), threads), lambda values: rows(values, "data"))
    assert prepared.sum(step) == 300
    assert most[0] <= 2 * threads + 1


@pytest.mark.parametrize(
    "pieces", [(row for row in some_rows(3)), iter([some_rows(3)]), map(some_rows, [3]), zip([1])]
)
def test_what_can_be_read_only_once_is_refused(pieces, refuses):
    with refuses(
        ValueError, "pieces: an iterator can be read once", "give a list", "__iter__ starts anew"
    ):
        Chunks(pieces)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_was_read_once_and_hides_it_is_found_out(threads, refuses):
    source = Chunks(Once([some_rows(30)]), threads)
    MODEL.e_step(source, PARAMS)
    with refuses(ValueError, "no observations", "read only once: give a list"):
        MODEL.e_step(source, PARAMS)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("pieces", [[], [np.empty((0, 2))], [Weighted(some_rows(3), np.zeros(3))]])
def test_pieces_without_observations_are_refused(pieces, threads, refuses):
    with refuses(ValueError, "the data set has no observations"):
        MODEL.e_step(Chunks(pieces, threads), PARAMS)


@pytest.mark.parametrize("pieces", [None, 3.0, Chunks([])])
def test_pieces_that_are_none_are_refused(pieces, refuses):
    got = f"got {type(pieces).__name__}"
    with refuses(ValueError, "pieces: expected an array or an iterable of arrays", got):
        Chunks(pieces)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None])
def test_threads_that_are_no_number_of_threads_are_refused(threads, refuses):
    with refuses(ValueError, "threads: expected a whole number, 1 or more", f"got {threads!r}"):
        Chunks([], threads=threads)


# Threads


@pytest.mark.parametrize("n", [8_191, 8_193, 12_289, 90_001])
def test_threads_change_no_bit(n):
    x = some_rows(n)
    weights = np.random.default_rng(1).random(n)
    for data in (x, Weighted(x, weights), [x[:17], x[17:], x[:5_000]], File([x[:4_000], x])):
        alone = numbers(Chunks(data))
        for threads in (1, 2, 3, 2):
            assert (numbers(Chunks(data, threads)) == alone).all()


@pytest.mark.parametrize(
    "data", [some_rows(6 * BLOCK_ROWS), [some_rows(9) for _ in range(6)]], ids=["array", "pieces"]
)
def test_threads_work_side_by_side(data):
    def meets(threads: int, wait: float) -> bool:
        meeting = threading.Barrier(3)

        def step(block: Block) -> int:
            # Nobody passes before three have come.
            meeting.wait(timeout=wait)
            return len(block.x)

        try:
            return MODEL.prepare(Chunks(data, threads)).sum(step) > 0
        except threading.BrokenBarrierError:
            return False

    assert meets(threads=3, wait=20)
    assert not meets(threads=2, wait=0.2)


def test_one_data_set_may_serve_two_runs_at_a_time():
    data = Chunks([some_rows(4_000, seed) for seed in range(4)], threads=2)
    alone = numbers(data)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(numbers, [data, data]))
    assert (both[0] == alone).all()
    assert (both[1] == alone).all()


# Memory


def peak_of(step: Any) -> int:
    tracemalloc.start()
    try:
        step()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> np.memmap:
    """200 MB of zeros: the file is sparse."""
    path = tmp_path_factory.mktemp("data") / "mapped"
    return np.memmap(path, dtype=np.float64, mode="w+", shape=(12_500_000, 2))


def test_a_mapped_file_is_never_copied(mapped):
    assert mapped.nbytes == 200_000_000
    looked: list[int] = []
    alone = peak_of(lambda: looked.append(MODEL.prepare(mapped).sum(lambda block: len(block.x))))
    assert looked == [12_500_000]
    assert alone < 2**20
    part = mapped[:1_000_000]
    assert peak_of(lambda: MODEL.e_step(part, PARAMS)) < 4 * 2**20
    assert peak_of(lambda: MODEL.e_step(Chunks(part, threads=2), PARAMS)) < 8 * 2**20


def test_a_mapped_file_of_small_floats_is_never_held_as_large_ones(mapped):
    small = mapped[:2_000_000].view(np.float32)
    # Three blocks of floats, where the whole would be thirty.
    few = 3 * 8 * BLOCK_ROWS * small.shape[1]
    assert 10 * few < 8 * small.size
    assert peak_of(lambda: MODEL.prepare(small).sum(lambda block: len(block.x))) < few


def test_the_copy_that_the_test_of_memory_looks_for_is_seen(mapped):
    assert peak_of(lambda: MODEL.e_step(mapped[:1_000_000].copy(), PARAMS)) > 16_000_000


def test_a_mapped_file_gives_the_numbers_of_its_rows(tmp_path):
    x = some_rows(20_000)
    np.save(tmp_path / "x.npy", x)
    opened = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(opened, np.memmap)
    assert (numbers(opened) == numbers(x)).all()
    assert (numbers(Chunks(opened, threads=2)) == numbers(x)).all()


# Weights


@given(st.integers(0, 2**32), st.booleans())
def test_a_weight_is_a_number_of_rows(seed, in_pieces):
    rng = np.random.default_rng(seed)
    x, weights = some_rows(200, seed), rng.integers(0, 4, 200)
    data = Weighted(x, weights)
    if in_pieces:
        cut = int(rng.integers(0, 200))
        data = Chunks([Weighted(x[:cut], weights[:cut]), Weighted(x[cut:], weights[cut:])])
    assert same(data, np.repeat(x, weights, axis=0))


def test_a_weight_of_a_long_data_set_is_a_number_of_rows():
    n = 3 * BLOCK_ROWS
    x, weights = some_rows(n), np.random.default_rng(2).integers(0, 3, n)
    weights[: 2 * BLOCK_ROWS] = 0  # more than a block
    repeated = np.repeat(x, weights, axis=0)
    assert same(Weighted(x, weights), repeated)
    assert same(Chunks(Weighted(x, weights), threads=2), repeated)
    assert len(list(MODEL.prepare(Weighted(x, weights)))) < len(list(MODEL.prepare(x)))


def test_weights_are_no_probabilities():
    x = some_rows(100)
    once, twice = MODEL.e_step(x, PARAMS), MODEL.e_step(Weighted(x, np.full(100, 2.0)), PARAMS)
    assert twice.log_likelihood == pytest.approx(2 * once.log_likelihood, rel=1e-13)
    assert twice.observations == pytest.approx(200)


def test_an_impossible_row_of_weight_zero_is_removed():
    x = some_rows(50)
    far = np.concatenate([x[:25], [[1e150, 0.0]], x[25:]])
    weights = np.ones(51)
    weights[25] = 0
    assert same(Weighted(far, weights), x)
    assert same(Chunks([Weighted(far[:26], weights[:26]), far[26:]]), x)


@pytest.mark.parametrize("threads", [1, 2])
def test_pieces_that_are_empty_or_without_weight_add_nothing(threads):
    x = some_rows(60)
    none = Weighted(some_rows(7), np.zeros(7))
    pieces = [np.empty((0, 2)), x[:20], none, [], x[20:], Weighted(np.empty((0, 2)), [])]
    assert same(Chunks(pieces, threads), x)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1.0, 1.0], ["expected 3 numbers", "got shape (2,)"]),
        ([[1.0], [1.0], [1.0]], ["expected 3 numbers", "got shape (3, 1)"]),
        (1.0, ["got shape ()"]),
        ([1.0, -0.5, 1.0], ["none below 0", "smallest -0.5"]),
        ([0.0, 0.0, 0.0], ["not all 0", "smallest 0"]),
        ([1.0, np.nan, 1.0], ["weights: 1 of 3 values are not finite", "index (1,)"]),
        ([1.0, np.inf, 1.0], ["weights: 1 of 3 values are not finite"]),
        (["a", "b", "c"], ["weights: expected real numbers"]),
        (None, ["weights: expected real numbers"]),
    ],
)
def test_weights_that_are_none_are_refused(weights, said, refuses):
    if weights is None:
        weights = [None] * 3
    with refuses(ValueError, "weights: ", *said):
        MODEL.prepare(Weighted(some_rows(3), weights))


@pytest.mark.parametrize("inner", [Chunks([some_rows(3)]), Weighted(some_rows(3), np.ones(3))])
def test_weights_of_what_cannot_be_weighted_are_refused(inner, refuses):
    name = type(inner).__name__
    with refuses(ValueError, "values: expected observations to weigh", name, "list of Weighted"):
        MODEL.prepare(Weighted(inner, np.ones(3)))


# Data that are wrong


@pytest.mark.parametrize("row", [3, 8_191, 12_345, 49_999])
def test_the_row_that_is_wrong_is_counted_in_the_whole_data_set(row, refuses):
    x = some_rows(50_000)
    x[row, 0] = np.nan
    x[49_999, 1] = np.inf
    said = ("data: 2 of 100000 values are not finite", f"the first is nan at index ({row}, 0)")
    for data in (x, Chunks(x, threads=2), Weighted(x, np.ones(50_000))):
        with refuses(ValueError, *said):
            MODEL.prepare(data)


def test_the_shape_that_is_wrong_is_that_of_the_whole_data_set(refuses):
    with refuses(ValueError, "got (20000, 2)"):
        Mixture(Poisson()).prepare(np.zeros((20_000, 2)))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_piece_that_is_wrong_is_named(threads, refuses):
    bad = some_rows(20)
    bad[5, 1] = np.nan
    with refuses(ValueError, "piece 2: data: 1 of 40 values", "nan at index (5, 1)"):
        MODEL.e_step(Chunks([some_rows(9), some_rows(9), bad], threads), PARAMS)
    with refuses(ValueError, "piece 1: data: expected shape (n,) or (n, d), got ()"):
        MODEL.e_step(Chunks([some_rows(9), 3.0], threads), PARAMS)
    with refuses(ValueError, "piece 0: weights: expected 9 numbers", "got shape (8,)"):
        MODEL.e_step(Chunks([Weighted(some_rows(9), np.ones(8))], threads), PARAMS)


@pytest.mark.parametrize("data", [[], np.empty((0, 2)), np.empty((5, 0)), 1.0, np.ones((2, 2, 2))])
def test_data_of_no_shape_are_refused(data, refuses):
    with refuses(ValueError, "data: expected shape (n,) or (n, d)", f"got {np.shape(data)}"):
        MODEL.prepare(data)


@pytest.mark.parametrize("data", ["abc", ["a", "b"], [None, 1.0], [1j, 2.0], {1.0, 2.0}, iter([1])])
def test_data_of_no_numbers_are_refused(data, refuses):
    with refuses(ValueError, "data: expected real numbers, got dtype", "convert the values"):
        MODEL.prepare(data)


def test_masked_values_are_refused_and_not_read(refuses):
    x = np.ma.masked_array(some_rows(4), mask=np.eye(4, 2, dtype=bool))
    for data in (x, Chunks(x), Weighted(x, np.ones(4))):
        with refuses(ValueError, "data: some values are masked", "remove their rows"):
            MODEL.prepare(data)


# Dask


def on_dask(x: np.ndarray, rows_a_chunk: int = 3_000, columns: int = 2) -> Any:
    return da.from_array(x, chunks=(rows_a_chunk, columns))


@pytest.mark.parametrize(
    "turned",
    [
        on_dask,
        lambda x: on_dask(x, columns=1),
        lambda x: on_dask(x, rows_a_chunk=10_000),
        lambda x: Chunks(on_dask(x), threads=2),
        lambda x: Chunks([on_dask(x[:6_000]), x[6_000:]]),
        lambda x: on_dask(x.astype("f4").astype("f8")) * 1,
        lambda x: Weighted(on_dask(x), da.ones(10_000, chunks=3_000)),
        lambda x: Weighted(x, da.ones(10_000, chunks=7)),
        lambda x: db.from_sequence(x.tolist(), npartitions=3),
        lambda x: db.from_sequence(x, npartitions=3).map(np.negative).map(np.negative),
        lambda x: Weighted(
            db.from_sequence(x.tolist(), npartitions=3),
            db.from_sequence([1.0] * 10_000, npartitions=3).map(lambda weight: weight),
        ),
    ],
)
def test_a_dask_collection_gives_the_numbers_of_its_rows(turned):
    x = some_rows(10_000).astype("f4").astype("f8")
    assert same(turned(x), x)


def test_chunks_of_unknown_or_no_size_are_summed():
    x = some_rows(9_000)
    x[:3_000] -= 100
    lazy = on_dask(x)
    kept = lazy[lazy[:, 0] > -50]
    assert np.isnan(kept.chunks[0]).all()
    assert same(kept, x[3_000:])
    assert same(db.from_sequence(x, npartitions=3).filter(lambda row: row[0] > -50), x[3_000:])


def test_a_dask_vector_is_one_column():
    x, params = some_rows(9_000)[:, 0], MixtureParams([1.0], Gaussians.univariate([0.0], [1.0]))
    ours = numbers(da.from_array(x, chunks=1_000), params)
    assert np.allclose(ours, numbers(x, params), rtol=1e-12)


def test_dask_weights_are_numbers_of_rows():
    x, weights = some_rows(9_000), np.random.default_rng(4).integers(0, 3, 9_000)
    weights[:3_000] = 0  # a whole chunk
    lazy = Weighted(on_dask(x), da.from_array(weights, chunks=3_000))
    assert same(lazy, np.repeat(x, weights, axis=0))


def test_the_blocks_of_a_dask_collection_are_its_rows():
    x = some_rows(9_000)
    blocks = list(MODEL.prepare(on_dask(x, 4_000)))
    assert [len(block.x) for block in blocks] == [4_000, 4_000, 1_000]
    assert (np.concatenate([block.x for block in blocks]) == x).all()


def test_dask_collections_without_observations_are_refused(refuses):
    lazy = on_dask(some_rows(9_000))
    nothing = lazy[lazy[:, 0] > 1e9]
    without = Weighted(lazy, da.zeros(9_000, chunks=3_000))
    for data in (nothing, without):
        with refuses(ValueError, "the data set has no observations"):
            MODEL.e_step(data, PARAMS)


def test_dask_weights_that_do_not_lie_as_the_data_do_are_refused(refuses):
    lazy, weights = on_dask(some_rows(9_000)), np.ones(9_000)
    expected = "weights: expected a Dask array with the chunks of the data"
    for other in (weights, da.from_array(weights, chunks=1_000)):
        with refuses(ValueError, expected):
            MODEL.e_step(Weighted(lazy, other), PARAMS)
    shifted = da.from_array(weights, chunks=((2_000, 4_000, 3_000),))
    with refuses(ValueError, "weights: expected 3000 numbers", "got shape"):
        MODEL.e_step(Weighted(lazy, shifted), PARAMS)


@pytest.mark.parametrize("lazy", [da.ones((4, 2, 2)), da.ones((4, 2)).sum()])
def test_dask_arrays_of_no_shape_are_refused(lazy, refuses):
    with refuses(ValueError, "partition 0: data: expected shape (n,) or (n, d)"):
        MODEL.e_step(lazy, PARAMS)


def test_the_partition_that_is_wrong_is_named(refuses):
    x = some_rows(9_000)
    x[4_321, 1] = np.nan
    said = ("partition 1: data: 1 of 6000 values", "nan at index (1321, 1)")
    with refuses(ValueError, *said):
        MODEL.e_step(on_dask(x), PARAMS)
    with refuses(ValueError, *said):
        list(MODEL.prepare(on_dask(x)))


def test_a_cluster_of_two_processes_gives_the_same_run_and_the_same_errors(refuses):
    from distributed import Client, LocalCluster

    x = some_rows(9_000)
    counts = np.random.default_rng(5).poisson(3.0, 9_000)
    bad = x.copy()
    bad[8_000, 0] = np.nan
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        assert same(on_dask(x), x)
        there = em(MODEL, on_dask(x), PARAMS, max_steps=5)
        lazy, params = da.from_array(counts, chunks=2_000), MixtureParams([1.0], Poissons([2.0]))
        rate = Mixture(Poisson()).m_step(Mixture(Poisson()).e_step(lazy, params)).components.rates
        with refuses(ValueError, "partition 2: data: 1 of 6000 values", "nan at index (2000, 0)"):
            MODEL.e_step(on_dask(bad), PARAMS)
    here = em(MODEL, x, PARAMS, max_steps=5)
    assert there.log_likelihoods == pytest.approx(here.log_likelihoods, rel=1e-12)
    assert rate.item() == pytest.approx(counts.mean(), rel=1e-12)


def test_neither_dask_nor_threads_are_needed_to_read_rows(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dask", None)
    monkeypatch.setattr(emlib_data, "ThreadPoolExecutor", None)
    x = some_rows(20_000)
    assert same(Chunks([x[:100], x[100:]]), x)


@pytest.mark.parametrize("columns", [3, 20])
def test_extremes_of_a_block_are_those_of_its_columns(columns):
    x = np.random.default_rng(3).normal(size=(3 * emlib_data.PART_ROWS, columns))
    x[emlib_data.PART_ROWS, 1] = 50.0
    x[-1, 2] = -60.0
    lowest, highest = Block(x).extremes
    assert np.array_equal(lowest, x.min(axis=0))
    assert np.array_equal(highest, x.max(axis=0))


def test_blocks_are_kept_between_e_steps_unless_they_are_copies():
    x = np.arange(6.0)[:, None]
    weights = np.array([1.0, 2.0, 0.0, 1.0, 1.0, 1.0])
    for values, shares, kept in (
        (x, None, True),
        (x, weights + 1, True),
        (x, weights, False),
        (x.astype(np.float32), None, False),
    ):
        prepared = emlib_data.InMemory(values, shares)
        assert (next(iter(prepared)) is next(iter(prepared))) == kept
