"""The derivations of the chapter on guesses that cannot be the posterior.

What is hidden comes in two blocks, z = (z_1, z_2). Write p_kj = p(x, z_1 = k, z_2 = j) for the joint density; it sums
to the evidence p(x). The guess treats the blocks as independent: a_k for z_1 = k, times b_j for z_2 = j. Either block
may itself be a list of variables, so nothing here is for two variables only.

Gaussian targets stand in `variational_gaussian`, the mixture with beliefs about its parameters in
`variational_mixture` and `variational_pruning`, what holds in every exponential family in `variational_natural`.

Source: Neal & Hinton (1998), "A view of the EM algorithm that justifies incremental, sparse, and other variants",
sections 2 and 5; Bishop (2006), "Pattern Recognition and Machine Learning", section 10.1, eqs. (10.5)-(10.17);
Ueda & Nakano (1998), "Deterministic annealing EM algorithm", Neural Networks 11(2), eqs. (10), (13).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from emlib.symbolic import (
    bound,
    variational_gaussian,
    variational_mixture,
    variational_natural,
    variational_pruning,
)
from emlib.symbolic.bound import K, gibbs_for, k, kl, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.inequality import minimum
from emlib.symbolic.likelihood import log_tangent, ratio
from emlib.symbolic.notation import in_order, latex, named, named_entry

i, j, l = sp.symbols("i j l", integer=True)  # noqa: E741
J = sp.Symbol("J", integer=True, positive=True)
columns = (j, 1, J)
a = sp.IndexedBase("a", positive=True)
b = sp.IndexedBase("b", positive=True)
p = sp.IndexedBase("p", positive=True)
product_guess = (sp.Eq(sp.Sum(a[k], states), 1), sp.Eq(sp.Sum(b[j], columns), 1))

evidence = named("p(x)", sp.Sum(p[i, l], (l, 1, J), (i, 1, K)))
posterior_of_blocks = p[k, j] / evidence


def name_of(entry: sp.Expr) -> str:
    """What the page calls the distribution that this is an entry of."""
    tex = latex(entry)
    return tex[: tex.rindex("_")]


def free_energy(left: sp.Expr, right: sp.Expr) -> sp.Expr:
    """F of the guess that gives each block a distribution of its own."""
    log_quotient = in_order(sp.log(p[k, j]), -sp.log(left * right))
    return named(
        f"F({name_of(left)}, {name_of(right)})",
        sp.Sum(left * right * log_quotient, columns, states),
    )


def kl_of_blocks(left: sp.Expr, right: sp.Expr, names: str) -> sp.Expr:
    """KL of two distributions over both blocks."""
    divergence = sp.Sum(left * sp.log(left / right), columns, states)
    return named(rf"\mathrm{{KL}}({names})", divergence)


def entropy(entry: sp.Expr, over: tuple[sp.Expr, ...]) -> sp.Expr:
    """H of a distribution."""
    return named(f"H({name_of(entry)})", -sp.Sum(entry * sp.log(entry), over))


# The best factor of the first block beside a given one of the second.
_pull_on_row = sp.exp(sp.Sum(b[l] * sp.log(p[i, l]), (l, 1, J)))
Z = named("Z", sp.Sum(_pull_on_row, (i, 1, K)))
best_a = named_entry("a^*", k, _pull_on_row.subs(i, k) / Z)


@cache
def entropies_add() -> Derivation:
    """The free energy of a factorised guess is an expected log-joint plus the entropy of each factor."""
    guess = free_energy(a[k], b[j])
    return (
        Derivation("eq-entropies-add", guess, given=product_guess)
        .equals(guess.meaning, because="by definition, with the guess $q_{kj}=a_kb_j$")
        .equals(
            in_order(
                sp.Sum(a[k] * b[j] * sp.log(p[k, j]), columns, states),
                entropy(a[k], states),
                entropy(b[j], columns),
            ),
            because="the logarithm of a product is a sum, and each factor sums to one",
        )
    )


@cache
def block_decomposition() -> Derivation:
    """The log-evidence is the free energy of a factorised guess plus its divergence from the posterior."""
    guess = a[k] * b[j]
    gap = kl_of_blocks(guess, posterior_of_blocks, r"ab \,\|\, r")
    return (
        Derivation("eq-block-decomposition", sp.log(evidence), given=product_guess)
        .equals(
            sp.Sum(guess * sp.log(evidence), columns, states),
            because="an average of a constant is the constant",
        )
        .equals(
            in_order(free_energy(a[k], b[j]), gap),
            because="$p(x)=p_{kj}/r_{kj}$ for every pair of states, with the posterior $r_{kj}$; divide both "
            "$p_{kj}$ and $r_{kj}$ by $a_kb_j$, and split the logarithm",
        )
    )


@cache
def block_bound() -> Derivation:
    """The free energy of a factorised guess is a lower bound of the log-evidence."""
    guess = a[k] * b[j]
    under = log_tangent.at({ratio: posterior_of_blocks / guess}).times(guess)
    return Derivation("eq-block-bound", sp.log(evidence), given=product_guess).at_least(
        free_energy(a[k], b[j]),
        because="the gap is a KL, as in {eq}`eq-gibbs`: average $u-1-\\log u\\ge0$ over $u=r_{kj}/a_kb_j$. It "
        "closes only if the posterior factorises",
        by=under.summed(*columns).summed(*states),
    )


@cache
def best_value() -> Derivation:
    """With the best first factor, the free energy is a log-sum-exp plus the entropy of the other factor."""
    return Derivation("eq-cavi-value", free_energy(best_a(k), b[j]), given=product_guess).equals(
        in_order(sp.log(Z), entropy(b[j], columns)),
        because="$a^*_k=\\exp(\\sum_jb_j\\log p_{kj})/Z$: its logarithm cancels the expected log-joint, and leaves "
        "$\\log Z$",
    )


@cache
def best_factor() -> Derivation:
    """No first factor does better than the exponential of the log-joint expected under the second."""
    gain = in_order(free_energy(best_a(k), b[j]), -free_energy(a[k], b[j]))
    return (
        Derivation("eq-cavi", gain, given=product_guess)
        .equals(
            kl(a[k], best_a(k)),
            because="as a function of $a$ the free energy is $\\log Z+H(b)-\\mathrm{KL}(a\\,\\|\\,a^*)$, with "
            "$a^*_k\\propto\\exp(\\sum_jb_j\\log p_{kj})$",
        )
        .at_least(0, because="KL is never negative", by=gibbs_for(a[k], best_a(k)))
    )


@cache
def independent_blocks() -> Derivation:
    """Where the posterior factorises, one coordinate step finds it, whatever the other factor."""
    alpha, beta = sp.IndexedBase("alpha", positive=True), sp.IndexedBase("beta", positive=True)
    scale = sp.Symbol("c", positive=True)
    pull = sp.exp(sp.Sum(b[j] * sp.log(scale * alpha[k] * beta[j]), columns))
    return Derivation("eq-cavi-exact", pull / pull.subs(k, i), given=product_guess[1:]).equals(
        alpha[k] / alpha[i],
        because="the left side is the odds $a^*_k/a^*_i$ where $p_{kj}=c\\,\\alpha_k\\beta_j$: the expected "
        "logarithm of $c\\,\\beta_j$ cancels, and the odds of the posterior are left",
    )


r = sp.IndexedBase("r", positive=True)
row_total = named_entry(r"\alpha", k, sp.Sum(r[k, l], (l, 1, J)))


@cache
def inclusive() -> Derivation:
    """With the divergence taken the other way round, the best factor is the marginal of the posterior."""
    excess = in_order(
        kl_of_blocks(r[k, j], a[k] * b[j], r"r \,\|\, ab"),
        -kl_of_blocks(r[k, j], row_total(k) * b[j], r"r \,\|\, \alpha b"),
    )
    given = (product_guess[0], sp.Eq(sp.Sum(r[k, j], columns, states), 1))
    return (
        Derivation("eq-inclusive", excess, given=given)
        .equals(
            sp.Sum(r[k, j] * sp.log(row_total(k) / a[k]), columns, states),
            because="$r_{kj}$ and $b_j$ stand in both and cancel",
        )
        .equals(
            kl(row_total(k), a[k]),
            because="add over $j$: only the marginal $\\alpha_k=\\sum_jr_{kj}$ is left of the posterior",
        )
        .at_least(
            0,
            because="KL is never negative; so the marginal is best whatever $b$, and the same holds for $b$",
            by=gibbs_for(row_total(k), a[k]),
        )
    )


@cache
def what_the_bound_gains() -> Derivation:
    """With a guess that is not the posterior, climbing the bound need not climb the likelihood."""
    q = sp.IndexedBase("q", positive=True)
    old_joint, new_joint = bound.joint, bound.new_joint

    def f(joint: sp.IndexedBase, name: str) -> sp.Expr:
        return named(name, sp.Sum(q[k] * sp.log(joint[k] / q[k]), states))

    gain = in_order(sp.log(bound.new_evidence), -sp.log(bound.evidence))
    return Derivation("eq-variational-ascent", gain, given=(bound.q_is_distribution,)).equals(
        in_order(
            in_order(f(new_joint, r"F(q, \theta')"), -f(old_joint, r"F(q, \theta)")),
            in_order(
                kl(q[k], bound.new_posterior(k)),
                -kl(q[k], bound.posterior(k)),
            ),
        ),
        because="take the decomposition at $\\theta'$ and at $\\theta$ with one $q$, and subtract. With "
        "$q=r$ the last term is zero and the one before it never negative; with another $q$ their "
        "difference may be negative, and more so than the bound climbs",
    )


@cache
def nearly_a_point() -> Derivation:
    """The free energy of a guess that puts almost all on one state."""
    joint = bound.joint
    decided = (1 - epsilon) * sp.log(p_0 / (1 - epsilon))
    spread = sp.Sum(epsilon * u[k] * sp.log(joint[k] / (epsilon * u[k])), states)
    rest = named("F_u", sp.Sum(u[k] * sp.log(joint[k] / u[k]), states))
    return Derivation(
        "eq-nearly-a-point",
        in_order(decided, spread),
        given=(sp.Eq(sp.Sum(u[k], states), 1),),
    ).equals(
        in_order(decided, -epsilon * sp.log(epsilon), epsilon * rest),
        because="state 0 has the share $1-\\epsilon$, the others share $\\epsilon$ in proportions $u_k$; take "
        "$\\epsilon$ out of their part, which is a free energy $F_u$ of its own",
    )


@cache
def point_guess() -> Derivation:
    """The free energy of a guess that has decided for one state is the log-joint of that state."""
    rest = sp.Symbol("F_u", real=True)
    decided = (1 - epsilon) * sp.log(p_0 / (1 - epsilon))
    whole = in_order(decided, -epsilon * sp.log(epsilon), epsilon * rest)
    return Derivation(
        "eq-point-guess", sp.Limit(named(r"F_\epsilon", whole), epsilon, 0, "+")
    ).equals(
        sp.log(p_0),
        because="$F_\\epsilon$ is the free energy in {eq}`eq-nearly-a-point`, and $\\epsilon\\log\\epsilon$ goes to "
        "zero: a point has no entropy. Hard EM climbs the log-joint of its decisions",
    )


@cache
def price_of_deciding() -> Derivation:
    """Deciding for one state leaves a gap, the surprise of that decision under the posterior."""
    others = sp.Symbol("R", positive=True)
    extra, base = sp.symbols("c s", positive=True)
    rises = minimum(sp.log(base + extra) - sp.log(extra), base, at=0)
    gap = in_order(sp.log(in_order(p_0, others)), -sp.log(p_0))
    return (
        Derivation("eq-price-of-deciding", gap)
        .equals(
            -sp.log(p_0 / in_order(p_0, others)),
            because="evidence $p_0+R$ less the free energy of the point; the quotient is the "
            "posterior probability of state 0",
        )
        .at_least(
            0,
            because="the rest $R$ of the evidence is positive: the gap closes only as the posterior "
            "itself becomes a point",
            by=rises.at({base: others, extra: p_0}),
        )
    )


beta = sp.Symbol("beta", positive=True)


@cache
def tempered() -> Derivation:
    r"""With the entropy divided by $\beta$, no guess does better than the joint raised to the power $\beta$."""
    joint = bound.joint
    powers = sp.Sum(joint[i] ** beta, (i, 1, K))
    best = named_entry("q^*", k, joint[k] ** beta / powers)
    q = bound.q[k]
    objective = in_order(
        sp.Sum(q * sp.log(joint[k]), states), -sp.Sum(q * sp.log(q), states) / beta
    )
    return (
        Derivation(
            "eq-tempered",
            in_order(sp.log(powers) / beta, -objective),
            given=(bound.q_is_distribution,),
        )
        .equals(
            kl(q, best(k)) / beta,
            because="$q^*_k\\propto p_k^\\beta$, so that $\\log p_k$ is $\\frac1\\beta\\log q^*_k$ and a constant",
        )
        .at_least(0, because="KL is never negative", by=gibbs_for(q, best(k)).times(1 / beta))
    )


# A guess that puts all but epsilon on one state, and spreads epsilon over others in the shares u_k.
epsilon, p_0 = sp.symbols("epsilon p_0", positive=True)
u = sp.IndexedBase("u", positive=True)


@cache
def point_for_parameters() -> Derivation:
    """As the belief about the parameters narrows to a point, the best factor of the hidden states is the E-step's."""
    c = sp.Symbol("c", integer=True)
    elsewhere = sp.Sum(u[l] * sp.log(p[k, l]), (l, 1, J))
    expected = named_entry("L", k, (1 - epsilon) * sp.log(p[k, c]) + epsilon * elsewhere)
    at_point = named_entry("r", k, p[k, c] / sp.Sum(p[i, c], (i, 1, K)))
    odds = sp.exp(in_order(expected(k), -expected(i)))
    return Derivation("eq-em-point", sp.Limit(odds, epsilon, 0, "+")).equals(
        at_point(k) / at_point(i),
        because="let $z_1$ be the hidden states and $z_2=\\theta$ the parameters, with the belief $1-\\epsilon$ at "
        "$\\theta_c$ and $\\epsilon u_l$ at any others: $L_k$ is the expected log-joint, $\\exp(L_k-L_i)$ the odds "
        "$a^*_k/a^*_i$, and $r_k$ the posterior at $\\theta_c$, which is the E-step",
    )


prior = sp.IndexedBase("pi", positive=True)


@cache
def bound_and_prior() -> Derivation:
    """With beliefs about parameters, the bound pays for how far they are from the prior."""
    likelihood = sp.IndexedBase("f", positive=True)
    pull = sp.exp(sp.Sum(b[l] * sp.log(likelihood[i, l]), (l, 1, J)))
    total = named("Z_f", sp.Sum(pull, (i, 1, K)))
    best = named_entry("a^*", k, pull.subs(i, k) / total)
    log_quotient = in_order(
        sp.log(prior[j]), sp.log(likelihood[k, j]), -sp.log(best(k)), -sp.log(b[j])
    )
    divergence = sp.Sum(b[j] * sp.log(b[j] / prior[j]), columns)
    return Derivation(
        "eq-bound-and-prior",
        sp.Sum(best(k) * b[j] * log_quotient, columns, states),
        given=product_guess[1:],
    ).equals(
        in_order(sp.log(total), -named(r"\mathrm{KL}(b \,\|\, \pi)", divergence)),
        because="the joint is a prior $\\pi_j$ times $f_{kj}=p(x,k\\mid\\theta_j)$; the prior does not move "
        "$a^*_k=\\exp(\\sum_jb_j\\log f_{kj})/Z_f$. More observations add one $\\log Z_f$ each",
    )


DERIVATIONS: tuple[Callable[[], Derivation], ...] = (
    entropies_add,
    block_decomposition,
    block_bound,
    best_value,
    best_factor,
    independent_blocks,
    inclusive,
    what_the_bound_gains,
    *variational_gaussian.DERIVATIONS,
    point_for_parameters,
    bound_and_prior,
    nearly_a_point,
    point_guess,
    price_of_deciding,
    tempered,
    *variational_mixture.DERIVATIONS,
    *variational_pruning.DERIVATIONS,
    *variational_natural.DERIVATIONS,
)
