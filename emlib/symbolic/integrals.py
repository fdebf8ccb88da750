"""Integrals over the line, the half-line and the unit interval: the kernels of the normal, gamma and beta families.

SymPy's own `integrate` is general, slow and at times wrong about conditions. These rules are few, and each is used only
where the assumptions of the symbols say that the integral converges.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

Rule = Callable[[sp.Expr, sp.Symbol], sp.Expr | None]


def integrated(body: sp.Expr, *limits: sp.Tuple) -> sp.Expr:
    """The integral, where a rule knows it; else as it was."""
    for limit in limits:
        variable, *bounds = limit
        rule = _RULES.get(tuple(bounds))
        # A fresh variable with the signs of its range, so that SymPy may split powers and logarithms of it.
        place = sp.Dummy(variable.name, **_SIGNS.get(tuple(bounds), {"real": True}))
        value = rule and _by_terms(body.xreplace({variable: place}), place, rule)
        if value is None:
            value = _antiderivative(body.xreplace({variable: place}), place, bounds)
        if value is None:
            return sp.Integral(body, *limits[limits.index(limit) :])
        body = value
    return body


def _by_terms(body: sp.Expr, variable: sp.Symbol, rule: Rule) -> sp.Expr | None:
    total = sp.Integer(0)
    # Exponents stay as they are: a square in them shows its sign only as long as it is not multiplied out.
    powers = [f for f in sp.Mul.make_args(body) if isinstance(f, sp.exp)]
    rest = sp.expand(sp.expand_log(body / sp.Mul(*powers)), power_exp=False)
    exponential = sp.exp(sp.Add(*(power.args[0] for power in powers)))
    for term in sp.Add.make_args(rest):
        term *= exponential
        outside, inside = term.as_independent(variable, as_Add=False)
        value = rule(inside, variable)
        if value is None:
            return None
        total += outside * value
    return total


def _factors(term: sp.Expr, variable: sp.Symbol) -> tuple[sp.Expr, sp.Expr, list[sp.Expr]]:
    """Of a product: the power of the variable, the exponent of e, and the factors that are neither."""
    power, exponent, others = sp.Integer(0), sp.Integer(0), []
    for factor in sp.Mul.make_args(term):
        base, raised = factor.as_base_exp()
        if factor == 1:
            continue
        if isinstance(factor, sp.exp):
            exponent += factor.args[0]
        elif base == variable and not raised.has(variable):
            power += raised
        elif not base.has(variable) and base.is_positive:
            exponent += raised * sp.log(base)
        else:
            others.append(factor)
    return power, exponent, others


def _over_the_line(term: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """x^k exp(-a x^2 + b x + c): the k-th moment of a normal density, times its height."""
    power, exponent, others = _factors(term, x)
    quadratic = sp.Poly(exponent, x) if exponent.is_polynomial(x) else None
    if others or quadratic is None or quadratic.degree() != 2 or not _is_whole(power):
        return None
    a, b, c = (sp.factor(coefficient) for coefficient in quadratic.all_coeffs())
    a = sp.factor(-a)
    if not (a.is_positive and b.is_real and c.is_real):
        return None
    mean, variance = b / (2 * a), 1 / (2 * a)
    moment = sum(
        sp.binomial(power, 2 * j) * sp.factorial2(2 * j - 1) * variance**j * mean ** (power - 2 * j)
        for j in range(int(power) // 2 + 1)
    )
    return sp.sqrt(sp.pi / a) * sp.exp(sp.expand(c + b**2 / (4 * a))) * moment


def _over_the_half_line(term: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """x^(s-1) exp(-b x), and the same in 1/x or x^2; times log x at most once."""
    power, exponent, others = _factors(term, x)
    logs = others.count(sp.log(x))
    if len(others) != logs or logs > 1:
        return None
    constant, moving = exponent.as_independent(x, as_Add=True)
    for turn in (1, -1, 2):
        scale = sp.Add(*(-part / x**turn for part in sp.Add.make_args(moving)))
        # With t = x^turn: dx = t^(1/turn - 1) dt / |turn|, and log x = (log t) / turn.
        shape = sp.factor((power + 1) / turn)
        if scale.has(x) or not (scale.is_positive and shape.is_positive):
            continue
        value = sp.gamma(shape) / scale**shape / abs(turn)
        if logs:
            value *= (sp.digamma(shape) - sp.log(scale)) / turn
        return sp.exp(constant) * value
    return None


def _over_the_unit_interval(term: sp.Expr, x: sp.Symbol) -> sp.Expr | None:
    """x^(a-1) (1-x)^(b-1), times log x or log(1-x) at most once."""
    power, exponent, others = _factors(term, x)
    beside = sp.Integer(0)
    logs = []
    for factor in others:
        base, raised = factor.as_base_exp()
        if sp.expand(base - (1 - x)) == 0 and not raised.has(x):
            beside += raised
        elif factor in (sp.log(x), sp.log(1 - x)):
            logs.append(factor)
        else:
            return None
    a, b = sp.factor(power + 1), sp.factor(beside + 1)
    if exponent.has(x) or len(logs) > 1 or not (a.is_positive and b.is_positive):
        return None
    value = sp.exp(exponent) * sp.gamma(a) * sp.gamma(b) / sp.gamma(a + b)
    if logs:
        value *= sp.digamma(a if logs == [sp.log(x)] else b) - sp.digamma(a + b)
    return value


_RULES: dict[tuple[sp.Expr, ...], Rule] = {
    (-sp.oo, sp.oo): _over_the_line,
    (sp.S.Zero, sp.oo): _over_the_half_line,
    (sp.S.Zero, sp.S.One): _over_the_unit_interval,
}
_SIGNS: dict[tuple[sp.Expr, ...], dict[str, bool]] = {
    (sp.S.Zero, sp.oo): {"positive": True},
    (sp.S.Zero, sp.S.One): {"positive": True},
}


def _antiderivative(body: sp.Expr, variable: sp.Symbol, bounds: list[sp.Expr]) -> sp.Expr | None:
    """A polynomial between finite bounds."""
    if len(bounds) != 2 or not body.is_polynomial(variable):
        return None
    if any(bound.is_infinite for bound in bounds):
        return None
    low, high = bounds
    inside = sp.Poly(body, variable).integrate().as_expr()
    return inside.subs(variable, high) - inside.subs(variable, low)


def _is_whole(power: sp.Expr) -> bool:
    return bool(power.is_Integer and power >= 0)
