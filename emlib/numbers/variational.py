"""Published numbers of the chapter on variational inference."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from emlib.datasets import load
from emlib.em import em
from emlib.published import Comparison, Source
from emlib.variants.variational import VariationalGaussians, common_prior

BISHOP = Source("Bishop (2006), figure 10.6", "bishop2006")


@cache
def old_faithful() -> tuple[Comparison, ...]:
    """How many of six components keep any weight on Old Faithful, under a prior that wants few.

    Source: Bishop (2006), figure 10.6.
    """
    x = load("faithful").matrix()
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    model = VariationalGaussians(common_prior(np.zeros(2), np.eye(2), concentration=1e-3))
    guess = np.random.default_rng(0).dirichlet(np.full(6, 0.3), size=len(x))
    weights = em(model, x, model.from_responsibilities(x, guess)).params.expected.weights
    return (
        BISHOP.compare(
            "Old Faithful, scaled: how many of six components keep any weight",
            "2",
            (weights > 0.01).sum(),
        ),
    )


NUMBERS: tuple[Callable[[], tuple[Comparison, ...]], ...] = (old_faithful,)
