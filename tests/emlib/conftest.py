from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from hypothesis import settings

settings.register_profile("emlib", deadline=None, derandomize=True, database=None)
settings.load_profile("emlib")

Refuses = Callable[..., AbstractContextManager[None]]


@contextmanager
def _refuses(exception: type[Exception], *parts: str) -> Iterator[None]:
    with pytest.raises(exception) as caught:
        yield
    # A subclass will not do: LinAlgError is a ValueError, and AscentError an ArithmeticError.
    assert caught.type is exception
    message = str(caught.value)
    missing = [part for part in parts if part not in message]
    assert not missing, f"{message!r} does not say {missing}"


@pytest.fixture
def refuses() -> Refuses:
    """The block raises exactly that class, and its message holds every part."""
    return _refuses
