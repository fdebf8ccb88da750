"""Are k components enough? The likelihood-ratio test against k + 1, with the bootstrap for its distribution.

Wilks' theorem fails here: under k components, the params of the one more are at a boundary, or not determined at all.

Source: McLachlan (1987), "On bootstrapping the likelihood ratio test statistic for the number of components in a
normal mixture", Applied Statistics 36; McLachlan & Peel (2000), "Finite Mixture Models", section 6.5.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from emlib.bootstrap import LEFT, attempts, refuse_no_generator, run
from emlib.em import Steps, Trace, em_steps
from emlib.mixture import Mixture, MixtureParams
from emlib.start import Method, start

if TYPE_CHECKING:
    from jaxtyping import Float

    from emlib.arrays import Array


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Whether k components are enough, against k + 1."""

    statistic: float
    """Twice the log-likelihood that component k + 1 gains on the data."""
    replicates: Float[Array, " b"]
    """The same on data sets drawn from the fitted k components."""
    smaller: MixtureParams[Any]
    larger: MixtureParams[Any]
    failures: tuple[str, ...]
    """What EM said of each replicate without a statistic."""

    @property
    def p_value(self) -> float:
        """The share of data sets, ours among them, that gain at least as much."""
        return float((1 + (self.replicates >= self.statistic).sum()) / (1 + len(self.replicates)))

    def __str__(self) -> str:
        k = len(self.smaller.weights)
        return (
            f"{k} against {k + 1} components: statistic {self.statistic:.4f}, p = {self.p_value:.3g} "
            f"from {len(self.replicates)} replicates; {len(self.failures)} more failed"
        )


def likelihood_ratio_test(
    model: Mixture[Any, Any],
    data: Any,
    k: int,
    *,
    rng: np.random.Generator,
    replicates: int = 99,
    starts: int = 10,
    left: float = LEFT,
    max_steps: int = 10_000,
    steps: Steps[Any] = em_steps,
    threads: int = 1,
) -> LikelihoodRatioTest:
    """Test k components against k + 1: the statistic is compared with that of data sets drawn from the fitted k.

    Every fit is the best of `starts` runs from different starts. A replicate whose best fit is missed makes the p-value
    too small: where it matters, try more. `left` and `steps` are those of `bootstrap`.

    Warns:
        RuntimeWarning: some replicates have no statistic, because EM failed from every start.

    Raises:
        ArithmeticError: EM fails from every start on the data themselves, or on every replicate.
    """
    if k < 1 or replicates < 1 or starts < 1 or threads < 1:
        raise ValueError(
            "k, replicates, starts and threads: expected 1 or more of each, "
            f"got {k}, {replicates}, {starts} and {threads}"
        )

    refuse_no_generator(rng)
    rows = model.prepare(data)
    n = round(sum(block.observations for block in rows))

    def fitted(sample: Any, components: int, stream: np.random.Generator) -> Trace[Any, Any]:
        def fit(own: np.random.Generator) -> Trace[Any, Any]:
            # Groups as compact as can be, or drawn at random: at the null there is nothing to be found by grouping.
            method: Method = "k-means++" if own.random() < 0.5 else "random"
            at = start(model, sample, components, own, method)
            return run(model, sample, at, n, left, max_steps, steps)

        runs, said = attempts(fit, stream, starts, threads=1)
        if not runs:
            raise ArithmeticError(
                f"EM failed from each start with {components} components: {said[0]}"
            )
        return max(runs, key=lambda run: run.log_likelihood)

    own = rng.spawn(1)[0]
    smaller, larger = fitted(rows, k, own), fitted(rows, k + 1, own)

    def gain(stream: np.random.Generator) -> float:
        sample, _ = model.sample(smaller.params, n, stream)
        again = model.prepare(sample)
        return _statistic(fitted(again, k, stream), fitted(again, k + 1, stream))

    found, failures = attempts(gain, rng, replicates, threads)
    if not found:
        raise ArithmeticError(f"no replicate has a statistic; the first: {failures[0]}")
    if failures:
        warnings.warn(
            f"{len(failures)} of {replicates} replicates have no statistic and are left out; "
            f"the first: {failures[0]}",
            RuntimeWarning,
            stacklevel=2,
        )
    return LikelihoodRatioTest(
        _statistic(smaller, larger), np.array(found), smaller.params, larger.params, tuple(failures)
    )


def _statistic(smaller: Trace[Any, Any], larger: Trace[Any, Any]) -> float:
    """Never below 0: the larger model holds the smaller one, whether EM found it there or not."""
    return max(0.0, 2 * (larger.log_likelihood - smaller.log_likelihood))
