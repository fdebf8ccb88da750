"""A sample."""

def answer() -> int:
    return 42
