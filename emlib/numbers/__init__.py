"""Every number that the book takes from somebody else, computed again: one module a chapter.

Each module lists its functions in `NUMBERS`, in the order in which its chapter would tell them. A function computes
with `emlib` alone and returns the printed numbers beside its own. Modules have the names of those in `emlib.symbolic`;
chapters without such numbers have none.
"""
