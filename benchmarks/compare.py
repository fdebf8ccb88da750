"""emlib beside its peers, in one run: `make bench`.

Every line pairs two programs that do the same work from the same start on the same data, turn by turn, on one BLAS
thread. Compared is CPU time, by the median of the ratios of neighbouring turns, which a busy machine disturbs least;
the answers are compared too, for a fast wrong answer is none. Prints a table; `--json FILE` writes it as JSON.

scikit-learn's fit takes one E-step more than is asked for, to label the data: a few percent of a line.
"""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import json
import subprocess
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from shutil import which
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from hmmlearn.hmm import GaussianHMM
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as Peer

from emlib import Chunks, Mixture, MixtureParams, em_steps, select
from emlib.datasets import load
from emlib.estimators import GaussianMixture
from emlib.families import Gaussian, Gaussians
from emlib.models.hidden_markov import HiddenMarkov, HiddenMarkovParams, Sequences

TURNS = 3

Answer = float
"""The log-likelihood that a program ends with: what both must agree on."""
Run = Callable[[], tuple[float, Answer]]
"""A program that tells the seconds it took, and its answer."""


@dataclass(frozen=True)
class Line:
    """One comparison."""

    what: str
    peer: str
    wanted: float
    """The ratio that the project set itself."""
    peer_ms: float
    ours_ms: float
    ratio: float
    """How many times the CPU time of ours the peer takes."""
    difference: float
    """Of the two log-likelihoods, relative."""

    def __str__(self) -> str:
        mark = " " if self.ratio >= self.wanted else "!"
        return (
            f"{self.what:46s} {self.peer:14s} {self.peer_ms:10.2f} {self.ours_ms:10.2f} {self.ratio:8.2f} "
            f"{self.wanted:6.1f}{mark} {self.difference:9.1e}"
        )


def timed(program: Callable[[], Answer], clock: Callable[[], float] = time.process_time) -> Run:
    """The program with a clock about it."""

    def run() -> tuple[float, Answer]:
        start = clock()
        answer = program()
        return clock() - start, answer

    return run


def compare(what: str, peer: str, theirs: Run, ours: Run, wanted: float) -> Line:
    """Both programs, turn by turn."""
    times: list[tuple[float, float]] = []
    for _ in range(TURNS):
        (their_time, expected), (our_time, found) = theirs(), ours()
        times.append((their_time, our_time))
    return Line(
        what,
        peer,
        wanted,
        1e3 * median(a for a, _ in times),
        1e3 * median(b for _, b in times),
        median(a / b for a, b in times),
        abs(found - expected) / abs(expected),
    )


def clusters(n: int, d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Data of k round clusters that overlap, and a start near their centres."""
    rng = np.random.default_rng(0)
    centres = 3 * rng.normal(size=(k, d))
    data = centres[rng.integers(k, size=n)] + rng.normal(size=(n, d))
    return data, centres + 0.3 * rng.normal(size=(k, d))


def iterations(n: int, d: int, k: int, covariance: str, steps: int, wanted: float) -> Line:
    """The same number of EM steps from the same start."""
    data, means = clusters(n, d, k)
    weights, unit = np.full(k, 1 / k), np.array([np.eye(d)] * k)
    precisions = unit if covariance == "full" else np.ones((k, d))

    def theirs() -> Answer:
        # The start is given, but fit begins with one of its own all the same: the cheapest.
        fit = Peer(
            k,
            covariance_type=covariance,
            weights_init=weights,
            means_init=means,
            precisions_init=precisions,
            init_params="random_from_data",
            tol=0,
            reg_covar=0,
            max_iter=steps,
            random_state=0,
        ).fit(data)
        # The bound belongs to the params before the last M-step.
        return float(fit.lower_bound_) * n

    def ours() -> Answer:
        start = MixtureParams(weights, Gaussians(means, unit))
        *_, last = islice(em_steps(Mixture(Gaussian(covariance)), data, start), steps)
        return last.log_likelihood

    what = f"{steps} EM steps, {covariance}, n={n:.0e}, d={d}, k={k}"
    return compare(what, "scikit-learn", timed(theirs), timed(ours), wanted)


def whole_fit(n: int, d: int, k: int, wanted: float) -> Line:
    """From raw data with the default start, as a user would call it."""
    data, _ = clusters(n, d, k)

    def fit(kind: type) -> Run:
        return timed(lambda: kind(k, random_state=0, max_iter=1000).fit(data).score(data) * n)

    what = f"fit from raw data, n={n:.0e}, d={d}, k={k}"
    return compare(what, "scikit-learn", fit(Peer), fit(GaussianMixture), wanted)


def threads(n: int, d: int, k: int, wanted: float) -> Line:
    """One thread against two, by the clock on the wall."""
    data, means = clusters(n, d, k)
    start = MixtureParams(np.full(k, 1 / k), Gaussians(means, np.array([np.eye(d)] * k)))

    def run(number: int) -> Run:
        def steps() -> Answer:
            chunks = Chunks(data, threads=number)
            *_, last = islice(em_steps(Mixture(Gaussian()), chunks, start), 10)
            return last.log_likelihood

        return timed(steps, time.perf_counter)

    what = f"10 EM steps by two threads, n={n:.0e}, d={d}, k={k}"
    return compare(what, "one thread", run(1), run(2), wanted)


def hidden_markov(sequences: int, length: int, k: int, wanted: float) -> Line:
    """Baum-Welch with Gaussian emissions."""
    rng = np.random.default_rng(0)
    means = np.linspace(-2.0, 2.0, k)[:, None]
    transitions = np.full((k, k), 0.1 / (k - 1)) + np.eye(k) * (0.9 - 0.1 / (k - 1))
    start = HiddenMarkovParams(np.full(k, 1 / k), transitions, Gaussians(means, np.ones((k, 1, 1))))
    model = HiddenMarkov(Gaussian())
    data = Sequences(model.sample(start, [length] * sequences, rng)[0], [length] * sequences)
    rows, lengths = data.values, data.lengths
    steps = 5

    def theirs() -> Answer:
        peer = GaussianHMM(
            k,
            "full",
            n_iter=steps,
            tol=-np.inf,
            init_params="",
            covars_prior=0,
            covars_weight=-2,
            implementation="scaling",
        )
        peer.startprob_, peer.transmat_ = start.initial, start.transitions
        peer.means_, peer.covars_ = means, np.ones((k, 1, 1))
        return float(peer.fit(rows, lengths).monitor_.history[-1])

    def ours() -> Answer:
        *_, last = islice(em_steps(model, data, start), steps)
        return last.log_likelihood

    what = f"{steps} Baum-Welch steps, {sequences} x {length}, k={k}"
    return compare(what, "hmmlearn", timed(theirs), timed(ours), wanted)


def mclust(folder: str, job: str, data: np.ndarray, *arguments: object) -> Run:
    """A job of mclust.R; R starts and reads the data before its clock runs."""
    file = Path(folder) / f"{job}.csv"
    np.savetxt(file, data, delimiter=",", fmt="%.17g")
    script = Path(__file__).with_name("mclust.R")
    command = ["Rscript", script, job, file, *map(str, arguments)]

    def run() -> tuple[float, Answer]:
        words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return float(words[0]), float(words[1])

    return run


def mclust_lines(folder: str) -> Iterator[Line]:
    """EM steps, and the whole choice of a model, beside R's mclust."""
    for n, d, k, steps in ((10**5, 2, 5, 20), (10**5, 10, 10, 10)):
        data, means = clusters(n, d, k)
        np.savetxt(Path(folder) / "means.csv", means, delimiter=",", fmt="%.17g")
        start = MixtureParams(np.full(k, 1 / k), Gaussians(means, np.array([np.eye(d)] * k)))

        def ours(data=data, start=start, steps=steps) -> Answer:
            # mclust tells the log-likelihood after its last M-step.
            *_, last = islice(em_steps(Mixture(Gaussian()), data, start), steps + 1)
            return last.log_likelihood

        theirs = mclust(folder, "em", data, Path(folder) / "means.csv", steps)
        what = f"{steps} EM steps, VVV, n={n:.0e}, d={d}, k={k}"
        yield compare(what, "mclust", theirs, timed(ours), 1.0)

    geyser = load("faithful").matrix("eruptions", "waiting")

    def chosen() -> Answer:
        return select(geyser, components=range(1, 10), progress=False).best.log_likelihood

    theirs = mclust(folder, "select", geyser, 9)
    yield compare("14 models, k=1..9, Old Faithful", "mclust", theirs, timed(chosen), 1.0)


def memory(n: int) -> float:
    """MiB that a run of EM takes beyond its data, at most."""
    data, means = clusters(n, 2, 3)
    start = MixtureParams(np.full(3, 1 / 3), Gaussians(means, np.array([np.eye(2)] * 3)))
    tracemalloc.start()
    for _ in islice(em_steps(Mixture(Gaussian()), data, start), 3):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def lines() -> Iterator[Line]:
    """The comparisons, one after another."""
    for n, d, k, covariance, steps, wanted in (
        (10**5, 2, 5, "full", 20, 15.0),
        (10**6, 2, 3, "full", 5, 15.0),
        (10**6, 1, 3, "full", 5, 15.0),
        (10**6, 8, 16, "full", 2, 15.0),
        (10**5, 10, 10, "full", 10, 7.0),
        (10**5, 50, 10, "full", 3, 3.0),
        (10**4, 2, 3, "full", 100, 4.0),
        (300, 2, 3, "full", 500, 4.0),
        (10**5, 10, 10, "diag", 10, 5.0),
        (10**5, 50, 10, "diag", 5, 2.0),
    ):
        yield iterations(n, d, k, covariance, steps, wanted)
    for n, d, k, wanted in ((10**5, 2, 5, 5.0), (10**6, 2, 3, 5.0), (10**5, 10, 10, 5.0)):
        yield whole_fit(n, d, k, wanted)
    yield threads(10**6, 2, 3, 1.7)
    yield threads(300, 2, 3, 1.0)
    yield hidden_markov(1, 10**5, 3, 1.0)
    yield hidden_markov(1000, 100, 3, 1.0)
    if which("Rscript"):
        with TemporaryDirectory() as folder:
            yield from mclust_lines(folder)


def main() -> None:
    """Print the table, line by line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the table here too")
    target = parser.parse_args().json
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"{'':61s} {'peer ms':>10s} {'ours ms':>10s} {'ratio':>8s} {'wanted':>6s}  difference")
    table = []
    for line in lines():
        print(line, flush=True)
        table.append(asdict(line))
    beyond = {f"{n:.0e}": memory(n) for n in (10**5, 10**6)}
    print("memory beyond the data, MiB:", ", ".join(f"n={n}: {m:.1f}" for n, m in beyond.items()))
    if target:
        target.write_text(json.dumps({"lines": table, "memory_mib": beyond}, indent=1) + "\n")


if __name__ == "__main__":
    main()
