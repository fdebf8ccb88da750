"""Matrix expressions in one form: sums of words, each a row of letters that do not commute.

A letter is a symbol, its inverse or its transpose. A word cancels A beside its inverse, and gives up as a plain factor
every stretch that is a number, such as x' A x. A number made of letters is a `Loop`: the trace of its word, which may
be turned round and read backwards, and stands the same for all of those readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from emlib.symbolic.matrices import (
    Gradient,
    MatrixSum,
    Number,
    PositiveDefinite,
    PositiveDefiniteEntry,
    Symmetric,
    SymmetricEntry,
)
from emlib.symbolic.matrices import IndexedMatrix as Entry
from emlib.symbolic.notation import NormalDensity


class Letter(NamedTuple):
    """A matrix, its transpose, its inverse, or both."""

    base: sp.MatrixExpr
    inverse: bool = False
    transposed: bool = False


Word: TypeAlias = tuple[Letter, ...]
Words: TypeAlias = dict[Word, sp.Expr]
"""Coefficients of words; the empty word is the identity."""

MATRICES = (sp.MatrixExpr, Number, sp.Trace, sp.Determinant)


class WordError(ArithmeticError):
    """A matrix expression that these words are not made for."""


def has_matrices(expression: sp.Basic) -> bool:
    """Whether a vector or matrix stands anywhere in it."""
    return bool(expression.has(*MATRICES, Loop, Det))


# ---- letters -------------------------------------------------------------------------------------


def _flipped(letter: Letter) -> Letter:
    """The transpose."""
    if _is_symmetric(letter.base):
        return letter
    return letter._replace(transposed=not letter.transposed)


@lru_cache(maxsize=4096)
def _is_symmetric(base: sp.MatrixExpr) -> bool:
    if isinstance(base, (Symmetric, SymmetricEntry)):
        return True
    if isinstance(base, MatrixSum):
        inside = words(base.function)
        return transposed(inside) == inside
    if isinstance(base, sp.MatAdd):
        return transposed(words(base)) == words(base)
    return False


def _shape(letter: Letter) -> tuple[sp.Expr, sp.Expr]:
    rows, columns = letter.base.shape
    return (columns, rows) if letter.transposed != letter.inverse else (rows, columns)


def _matrix(letter: Letter) -> sp.MatrixExpr:
    """The letter as SymPy writes it."""
    matrix = letter.base
    if letter.inverse:
        matrix = sp.Inverse(matrix)
    return sp.Transpose(matrix) if letter.transposed else matrix


def _letter(matrix: sp.MatrixExpr) -> Letter:
    """The inverse of `_matrix`."""
    is_transposed = isinstance(matrix, sp.Transpose)
    inner = matrix.arg if is_transposed else matrix
    is_inverse = isinstance(inner, sp.Inverse)
    return Letter(inner.arg if is_inverse else inner, is_inverse, is_transposed)


def _key(word: Iterable[Letter]) -> tuple[object, ...]:
    return tuple(
        (sp.default_sort_key(letter.base), letter.inverse, letter.transposed) for letter in word
    )


# ---- words ---------------------------------------------------------------------------------------


def _cancelled(word: Iterable[Letter]) -> Word:
    """A beside its inverse is nothing."""
    kept: list[Letter] = []
    for letter in word:
        if kept and kept[-1] == letter._replace(inverse=not letter.inverse):
            kept.pop()
        else:
            kept.append(letter)
    return tuple(kept)


def _split_numbers(word: Word) -> tuple[sp.Expr, Word]:
    """A factor for the stretches that are numbers, and the letters that stay."""
    narrow = [i for i, letter in enumerate(word) if _shape(letter)[0] == 1]
    if word and _shape(word[-1])[1] == 1:
        narrow.append(len(word))
    if len(narrow) < 2:
        return sp.Integer(1), word
    factor = sp.Integer(1)
    for start, end in pairwise(narrow):
        factor *= loop(word[start:end])
    return factor, word[: narrow[0]] + word[narrow[-1] :]


def _add(into: Words, word: Word, coefficient: sp.Expr) -> None:
    """Add one reduced term; a word that holds the inverse of a sum is rewritten until nothing cancels."""
    word = _cancelled(word)
    rewritten = _beside_inverse(word)
    if rewritten is not None:
        for other, factor in rewritten.items():
            _add(into, other, coefficient * factor)
        return
    factor, rest = _split_numbers(word)
    total = into.get(rest, sp.Integer(0)) + coefficient * factor
    if total == 0:
        into.pop(rest, None)
    else:
        into[rest] = total


def _beside_inverse(word: Word) -> Words | None:
    """Beside the inverse of P = c L + R, the word L is (1 - R / P) / c; None where there is no such place."""
    for i, letter in enumerate(word):
        if not (letter.inverse and isinstance(letter.base, sp.MatAdd)):
            continue
        parts = words(letter.base)
        if letter.transposed:
            parts = transposed(parts)
        lead = max(parts, key=lambda w: (len(w), _key(w)))
        size = len(lead)
        others = {w: c for w, c in parts.items() if w != lead}
        if size and word[max(0, i - size) : i] == lead:
            before, after = word[: i - size], word[i + 1 :]
            terms = {(*before, *after): 1 / parts[lead]}
            for other, c in others.items():
                terms[(*before, *other, letter, *after)] = -c / parts[lead]
            return terms
        if size and word[i + 1 : i + 1 + size] == lead:
            before, after = word[:i], word[i + 1 + size :]
            terms = {(*before, *after): 1 / parts[lead]}
            for other, c in others.items():
                terms[(*before, letter, *other, *after)] = -c / parts[lead]
            return terms
    return None


def added(*parts: Words) -> Words:
    """The sum."""
    total: Words = {}
    for part in parts:
        for word, coefficient in part.items():
            _add(total, word, coefficient)
    return total


def scaled(part: Words, factor: sp.Expr) -> Words:
    """Times a number."""
    return added({word: factor * coefficient for word, coefficient in part.items()})


def multiplied(*parts: Words) -> Words:
    """The product, in this order."""
    product: Words = {(): sp.Integer(1)}
    for part in parts:
        longer: Words = {}
        for left, a in product.items():
            for right, b in part.items():
                _add(longer, left + right, a * b)
        product = longer
    return product


def transposed(part: Words) -> Words:
    """Each word backwards, its letters transposed."""
    return added({tuple(map(_flipped, reversed(word))): c for word, c in part.items()})


def words(matrix: sp.MatrixExpr) -> Words:
    """The matrix expression as a sum of words.

    Raises:
        WordError: it holds what is no sum, product, transpose, inverse or power of matrices.
    """
    return dict(_words(matrix))


@lru_cache(maxsize=4096)
def _words(matrix: sp.MatrixExpr) -> Words:
    if isinstance(matrix, (sp.MatrixSymbol, Entry)):
        return added({(Letter(matrix),): sp.Integer(1)})
    if isinstance(matrix, sp.Identity):
        return {(): sp.Integer(1)}
    if isinstance(matrix, sp.ZeroMatrix):
        return {}
    if isinstance(matrix, sp.MatAdd):
        return added(*(words(term) for term in matrix.args))
    if isinstance(matrix, sp.MatMul):
        number, factors = matrix.as_coeff_matrices()
        return scaled(multiplied(*map(words, factors)), scalars(number))
    if isinstance(matrix, sp.Transpose):
        return transposed(words(matrix.arg))
    if isinstance(matrix, sp.Inverse):
        return _inverse(words(matrix.arg), matrix.shape[0])
    if isinstance(matrix, sp.MatPow) and matrix.exp.is_Integer:
        base = matrix.base if matrix.exp >= 0 else sp.Inverse(matrix.base)
        return multiplied(*[words(base)] * abs(int(matrix.exp)))
    if isinstance(matrix, MatrixSum):
        return _summed(words(matrix.function), *matrix.limit)
    if isinstance(matrix, Gradient):
        return slopes(*matrix.args)
    raise WordError(f"{matrix}: a {type(matrix).__name__} is not decided here")


def _inverse(part: Words, size: sp.Expr) -> Words:
    if len(part) == 1:
        ((word, coefficient),) = part.items()
        if all(_shape(letter)[0] == _shape(letter)[1] for letter in word):
            turned = (letter._replace(inverse=not letter.inverse) for letter in reversed(word))
            return {tuple(turned): 1 / coefficient}
    return added({(Letter(as_matrix(part, size, size), inverse=True),): sp.Integer(1)})


def _summed(part: Words, index: sp.Symbol, low: sp.Expr, high: sp.Expr) -> Words:
    """The sum over a range: what does not depend on the index moves out of it, to both sides."""
    total: Words = {}
    for word, coefficient in part.items():
        moving = [i for i, letter in enumerate(word) if index in letter.base.free_symbols]
        first, last = (moving[0], moving[-1] + 1) if moving else (0, 0)
        core = word[first:last]
        for term in sp.Add.make_args(sp.expand(coefficient)):
            outside, inside = factored(term).as_independent(index, as_Add=False)
            if not core:
                inside = high - low + 1 if inside == 1 else sp.Sum(inside, (index, low, high))
                _add(total, word, outside * inside)
            else:
                letter = sum_letter(core, inside, index, low, high)
                _add(total, (*word[:first], letter, *word[last:]), outside)
    return total


def factored(term: sp.Expr) -> sp.Expr:
    """The term with what its denominators have in common taken out of them."""
    return term.replace(
        lambda part: part.is_Pow and part.base.is_Add and part.exp.is_negative,
        lambda part: sp.factor_terms(part.base) ** part.exp,
    )


_PLACES: list[sp.Dummy] = []


def sum_letter(
    core: Word, coefficient: sp.Expr, index: sp.Symbol, low: sp.Expr, high: sp.Expr
) -> Letter:
    """A sum over words as a letter, the same whatever its index is called and however it is written."""
    coefficient = sp.powsimp(sp.factor_terms(coefficient))
    # The first of the standard indices that no inner sum uses.
    used = sp.Tuple(coefficient, *(letter.base for letter in core)).atoms(sp.Dummy)
    while not _PLACES or set(_PLACES) <= used:
        _PLACES.append(sp.Dummy("i", integer=True))
    place = next(symbol for symbol in _PLACES if symbol not in used)
    named = {index: place}
    core = tuple(letter._replace(base=letter.base.xreplace(named)) for letter in core)
    backwards = tuple(map(_flipped, reversed(core)))
    is_column = _shape(core[-1])[1] == 1
    is_row = _shape(core[0])[0] == 1
    flip = is_row if is_row != is_column else _key(backwards) < _key(core)
    chosen = backwards if flip else core
    inside = as_matrix({chosen: coefficient.xreplace(named)}, *_word_shape(chosen))
    base = MatrixSum(inside, (place, low, high))
    return Letter(base, transposed=flip and not _is_symmetric(base))


def _word_shape(word: Word) -> tuple[sp.Expr, sp.Expr]:
    return _shape(word[0])[0], _shape(word[-1])[1]


def as_matrix(part: Words, rows: sp.Expr, columns: sp.Expr) -> sp.MatrixExpr:
    """The sum of words as a SymPy expression."""
    terms = []
    for word in sorted(part, key=_key):
        factors = [*map(_matrix, word)] or [sp.Identity(rows)]
        coefficient = part[word]
        if coefficient == 1 and len(factors) == 1:
            terms.append(factors[0])
        else:
            terms.append(sp.MatMul(*([] if coefficient == 1 else [coefficient]), *factors))
    if not terms:
        return sp.ZeroMatrix(rows, columns)
    return terms[0] if len(terms) == 1 else sp.MatAdd(*terms)


# ---- numbers -------------------------------------------------------------------------------------


class Loop(sp.Expr):  # type: ignore[misc]
    """The trace of a word; made by `loop`, which brings it to one reading."""

    is_commutative = True
    is_real = True

    def __new__(cls, *matrices: sp.MatrixExpr) -> sp.Expr:
        """A loop of these matrices, in its one form."""
        return loop(tuple(map(_letter, matrices)))

    @property
    def letters(self) -> Word:
        """Its matrices, in order."""
        return tuple(map(_letter, self.args))

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return _loop_change(self, lambda letter: _change(letter, symbol))

    def _latex(self, printer: LatexPrinter) -> str:
        return str(printer.doprint(self.readable))

    def _sympystr(self, printer: StrPrinter) -> str:
        return str(printer.doprint(self.readable))

    @property
    def readable(self) -> sp.Expr:
        """As a number x' A x where it is one, else as a trace."""
        for turned in _rotations(self.letters):
            if _shape(turned[0])[0] == 1:
                product = (
                    sp.MatMul(*map(_matrix, turned)) if len(turned) > 1 else _matrix(turned[0])
                )
                return Number(product)
        return sp.Trace(sp.MatMul(*map(_matrix, self.letters)).doit())


class Det(sp.Expr):  # type: ignore[misc]
    """The determinant of one letter."""

    is_commutative = True
    is_real = True

    def _eval_is_positive(self) -> bool | None:
        return True if isinstance(self.args[0], (PositiveDefinite, PositiveDefiniteEntry)) else None

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        (matrix,) = self.args
        change = _change(Letter(matrix), symbol)
        return self * trace(
            multiplied(_inverse({(Letter(matrix),): sp.Integer(1)}, matrix.shape[0]), change),
            matrix.shape[0],
        )

    def _latex(self, printer: LatexPrinter) -> str:
        return str(printer.doprint(sp.Determinant(*self.args)))

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"det({printer.doprint(self.args[0])})"


def _rotations(word: Word) -> list[Word]:
    return [word[i:] + word[:i] for i in range(len(word))]


def loop(word: Word) -> sp.Expr:
    """The trace of a word that is not empty, in one reading of all that turning and transposing give."""
    size = _shape(word[0])[0]
    for turned in _rotations(word):
        rewritten = (
            added({turned: sp.Integer(1)})
            if len(_cancelled(turned)) < len(word) or _beside_inverse(turned)
            else None
        )
        if rewritten is not None:
            return trace(rewritten, _shape(turned[0])[0])
    narrow = [i for i, letter in enumerate(word) if _shape(letter)[0] == 1]
    if len(narrow) > 1:
        turned = word[narrow[0] :] + word[: narrow[0]]
        return _split_numbers(turned)[0]
    del size
    backwards = tuple(map(_flipped, reversed(word)))
    chosen = min([*_rotations(word), *_rotations(backwards)], key=_key)
    return sp.Basic.__new__(Loop, *map(_matrix, chosen))


def opened(whole: Loop, index: sp.Symbol) -> tuple[Word, Word]:
    """The loop cut in two: letters without the index, as many as stand together, and the rest."""
    word = whole.letters
    choices = []
    for turned in [*_rotations(word), *_rotations(tuple(map(_flipped, reversed(word))))]:
        free = 0
        while free < len(turned) and index not in turned[free].base.free_symbols:
            free += 1
        is_narrow = _shape(turned[free])[0] == 1
        choices.append(((-free, is_narrow, _key(turned)), turned[:free], turned[free:]))
    _, fixed, moving = min(choices, key=lambda choice: choice[0])
    return fixed, moving


def trace(part: Words, size: sp.Expr) -> sp.Expr:
    """The trace of a square sum of words of this size."""
    return sp.Add(*(c * (loop(word) if word else size) for word, c in part.items()))


def determinant(part: Words, size: sp.Expr) -> sp.Expr:
    """The determinant, split over the letters of a single word."""
    if len(part) == 1:
        ((word, coefficient),) = part.items()
        if all(_shape(letter)[0] == _shape(letter)[1] for letter in word):
            dets = (
                sp.Basic.__new__(Det, letter.base) ** (-1 if letter.inverse else 1)
                for letter in word
            )
            return coefficient**size * sp.Mul(*dets)
    return sp.Basic.__new__(Det, as_matrix(part, size, size))


def scalars(expression: sp.Expr) -> sp.Expr:
    """Every trace, determinant and number made of matrices in its one form."""
    if not expression.has(Number, sp.Trace, sp.Determinant):
        return expression
    if isinstance(expression, Number):
        part = words(expression.args[0])
        return part.get((), sp.Integer(0))
    if isinstance(expression, sp.Trace):
        return trace(words(expression.arg), expression.arg.shape[0])
    if isinstance(expression, sp.Determinant):
        return determinant(words(expression.arg), expression.arg.shape[0])
    return expression.func(*map(scalars, expression.args))


def exchanged(expression: sp.Expr, letters: Mapping[sp.MatrixExpr, Words]) -> sp.Expr:
    """Words put in for letters, in every loop of the expression."""

    def put(*matrices: sp.MatrixExpr) -> sp.Expr:
        part = exchanged_words({tuple(map(_letter, matrices)): sp.Integer(1)}, letters)
        return trace(
            part, _letter(matrices[0]).base.shape[1 if isinstance(matrices[0], sp.Transpose) else 0]
        )

    return expression.replace(Loop, put)


def exchanged_words(part: Words, letters: Mapping[sp.MatrixExpr, Words]) -> Words:
    """The same in words and their coefficients."""
    total: Words = {}
    for word, coefficient in part.items():
        factors = []
        for letter in word:
            if letter.base in letters and not letter.inverse:
                new = letters[letter.base]
                factors.append(transposed(new) if letter.transposed else new)
            else:
                factors.append({(letter,): sp.Integer(1)})
        product = scaled(multiplied(*factors), exchanged(coefficient, letters))
        total = added(total, product)
    return total


# ---- slopes --------------------------------------------------------------------------------------


def _change(letter: Letter, symbol: sp.Symbol) -> Words:
    """The derivative of a letter in a number that it depends on."""
    if symbol not in letter.base.free_symbols:
        return {}
    if letter.inverse:
        inside = _change(Letter(letter.base), symbol)
        itself: Words = {(Letter(letter.base, inverse=True),): sp.Integer(1)}
        change = scaled(multiplied(itself, inside, itself), sp.Integer(-1))
    elif isinstance(letter.base, (sp.MatAdd, MatrixSum)):
        change = _words_change(letter.base, symbol)
    else:
        raise WordError(f"{letter.base} has no slope in {symbol}")
    return transposed(change) if letter.transposed else change


def _words_change(matrix: sp.MatrixExpr, symbol: sp.Symbol) -> Words:
    if isinstance(matrix, MatrixSum):
        inside = words(matrix.function)
        return _summed(_derivative(inside, symbol), *matrix.limit)
    return _derivative(words(matrix), symbol)


def _derivative(part: Words, symbol: sp.Symbol) -> Words:
    """The derivative of words in a number: product rule, letter by letter."""
    terms = []
    for word, coefficient in part.items():
        terms.append({word: sp.diff(coefficient, symbol)})
        for i, letter in enumerate(word):
            left: Words = {word[:i]: coefficient}
            terms.append(multiplied(left, _change(letter, symbol), {word[i + 1 :]: sp.Integer(1)}))
    return added(*terms)


def _loop_change(whole: Loop, change: Callable[[Letter], Words]) -> sp.Expr:
    total = sp.Integer(0)
    for turned in _rotations(whole.letters):
        rest: Words = {turned[1:]: sp.Integer(1)}
        total += trace(multiplied(change(turned[0]), rest), _shape(turned[0])[0])
    return total


def slopes(function: sp.Expr, variable: sp.MatrixExpr) -> Words:
    """G with change of the function = tr(G' H), for a change H of the variable; symmetric where that is."""
    gradient = _slopes(scalars(function), variable)
    if _is_symmetric(variable):
        gradient = scaled(added(gradient, transposed(gradient)), sp.Rational(1, 2))
    return gradient


def _slopes(expression: sp.Expr, variable: sp.MatrixExpr) -> Words:
    if not expression.has(variable):
        return {}
    if isinstance(expression, sp.Add):
        return added(*(_slopes(term, variable) for term in expression.args))
    if isinstance(expression, sp.Sum):
        if len(expression.limits) != 1:
            raise WordError(f"{expression}: write one sum inside the other")
        return _summed(_slopes(expression.function, variable), *expression.limits[0])
    if isinstance(expression, Loop):
        return _loop_slopes(expression.letters, variable)
    if isinstance(expression, Det):
        (matrix,) = expression.args
        inverse = _inverse(words(matrix), matrix.shape[0])
        return scaled(_trace_slopes(inverse, words(matrix), variable), expression)
    if isinstance(expression, NormalDensity):
        return scaled(_slopes(scalars(expression.log), variable), expression)
    # The chain rule, through whatever stands inside.
    total: Words = {}
    for i, part in enumerate(expression.args):
        if part.has(variable):
            slot = sp.Dummy(real=True, positive=part.is_positive)
            outside = sp.diff(
                expression.func(*expression.args[:i], slot, *expression.args[i + 1 :]), slot
            )
            total = added(total, scaled(_slopes(part, variable), outside.subs(slot, part)))
    return total


def _loop_slopes(word: Word, variable: sp.MatrixExpr) -> Words:
    total: Words = {}
    for turned in _rotations(word):
        rest: Words = {turned[1:]: sp.Integer(1)}
        total = added(total, _letter_slopes(turned[0], rest, variable))
    return total


def _letter_slopes(letter: Letter, rest: Words, variable: sp.MatrixExpr) -> Words:
    """The slopes of tr(letter rest) in the variable, with the rest held fixed."""
    if not letter.base.has(variable):
        return {}
    if letter.transposed:
        return _letter_slopes(letter._replace(transposed=False), transposed(rest), variable)
    if letter.inverse:
        itself: Words = {(letter,): sp.Integer(1)}
        around = scaled(multiplied(itself, rest, itself), sp.Integer(-1))
        return _letter_slopes(Letter(letter.base), around, variable)
    if letter.base == variable:
        return transposed(rest)
    if isinstance(letter.base, MatrixSum):
        inside = _trace_slopes(rest, words(letter.base.function), variable)
        return _summed(inside, *letter.base.limit)
    if isinstance(letter.base, sp.MatAdd):
        return _trace_slopes(rest, words(letter.base), variable)
    raise WordError(f"{letter.base} has no slope in {variable}")


def _trace_slopes(fixed: Words, part: Words, variable: sp.MatrixExpr) -> Words:
    """The slopes of tr(fixed part) in the variable, with the first held fixed."""
    total: Words = {}
    for word, coefficient in part.items():
        for i, letter in enumerate(word):
            rest = multiplied({word[i + 1 :]: coefficient}, fixed, {word[:i]: sp.Integer(1)})
            total = added(total, _letter_slopes(letter, rest, variable))
        if coefficient.has(variable):
            size = sp.Integer(0) if not word else _word_shape(word)[0]
            if not word:
                raise WordError(f"{coefficient} beside an identity has no slope in {variable} here")
            whole = trace(multiplied(fixed, {word: sp.Integer(1)}), size)
            total = added(total, scaled(_slopes(coefficient, variable), whole))
    return total
