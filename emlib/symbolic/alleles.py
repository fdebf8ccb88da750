"""The derivations on allele counting (emlib/models/alleles.py): gene frequencies from what can be seen.

Under random mating a child draws two genes, one from each parent. A genotype of two different alleles a, b then has
probability 2 p_a p_b, and one of twice the same p_a^2. What is seen is the phenotype, as which several genotypes may
show. Source: Ceppellini, Siniscalco & Smith (1955), Annals of Human Genetics 20.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from emlib.symbolic.bound import K, gibbs_for, k, states
from emlib.symbolic.derivation import Derivation
from emlib.symbolic.notation import in_order, named, named_entry

c, j = sp.symbols("c j", integer=True)
G = sp.Symbol("G", integer=True, positive=True)
individuals = sp.Symbol("N", positive=True)
frequency = sp.IndexedBase("p", positive=True)
genotype_count = sp.IndexedBase("n", nonnegative=True)
copies = sp.IndexedBase("m", integer=True, nonnegative=True)
orders = sp.IndexedBase("o", positive=True)
genes = sp.IndexedBase("g", positive=True)
genotypes = (c, 1, G)
frequencies_add_up = sp.Eq(sp.Sum(frequency[k], states), 1)
genes_add_up = sp.Eq(sp.Sum(genes[k], states), 2 * individuals)


@cache
def hardy_weinberg() -> Derivation:
    """The probabilities of all pairs of genes add up to one, for any number of alleles."""
    pairs = sp.Sum(sp.Sum(frequency[k] * frequency[j], (j, 1, K)), states)
    return Derivation("eq-hardy-weinberg", pairs, given=(frequencies_add_up,)).equals(
        1,
        because="the two genes are drawn independently: the double sum is the product of two sums",
    )


@cache
def gene_surrogate() -> Derivation:
    """The surrogate of allele counting holds the expected genotype counts only through the number of genes."""
    counted = named_entry("g", k, sp.Sum(genotype_count[c] * copies[c, k], genotypes))
    of_genes = sp.Sum(genotype_count[c] * copies[c, k] * sp.log(frequency[k]), genotypes)
    of_orders = sp.Sum(genotype_count[c] * sp.log(orders[c]), genotypes)
    return Derivation("eq-gene-surrogate", in_order(sp.Sum(of_genes, states), of_orders)).equals(
        in_order(sp.Sum(counted(k) * sp.log(frequency[k]), states), of_orders),
        because="genotype $c$ holds $m_{ck}$ genes of allele $k$, so that its log-probability is "
        "$\\sum_k m_{ck}\\log p_k+\\log o_c$, with $o_c=2$ for two different genes; "
        "$g_k=\\sum_c n_cm_{ck}$ counts the genes",
    )


@cache
def gene_counting() -> Derivation:
    """No allele frequencies do better than the shares of the genes, for any number of alleles."""
    share = genes[k] / (2 * individuals)
    shortfall = in_order(
        sp.Sum(genes[k] * sp.log(share), states),
        -sp.Sum(genes[k] * sp.log(frequency[k]), states),
    )
    return (
        Derivation("eq-gene-counting", shortfall, given=(genes_add_up, frequencies_add_up))
        .equals(
            2 * individuals * sp.Sum(share * sp.log(share / frequency[k]), states),
            because="$N$ individuals have $2N$ genes; gather the logarithms",
        )
        .at_least(
            0,
            because="a divergence is never negative",
            by=gibbs_for(share, frequency[k]).times(2 * individuals),
        )
    )


class Locus:
    """A locus with three alleles, the last of which has what the others leave."""

    def __init__(self, alleles: str, phenotypes: dict[str, tuple[str, ...]]) -> None:
        """Alleles are single letters, genotypes pairs of them; phenotypes name the genotypes that they show."""
        first, second, third = tuple(alleles)
        self.p = {a: sp.Symbol(f"p_{a}", positive=True) for a in (first, second)}
        self.p[third] = named(f"p_{{{third}}}", 1 - self.p[first] - self.p[second])
        self.seen = {name: sp.Symbol(f"x_{{{name}}}", positive=True) for name in phenotypes}
        self.total = named("N", sp.Add(*self.seen.values()))
        self.phenotypes = phenotypes

    def genotype(self, pair: str) -> sp.Expr:
        """The probability of a genotype."""
        a, b = tuple(pair)
        return self.p[a] * self.p[b] * (1 if a == b else 2)

    def phenotype(self, name: str) -> sp.Expr:
        """The probability of a phenotype."""
        return in_order(*map(self.genotype, self.phenotypes[name]))

    def count(self, pair: str) -> sp.Expr:
        """The expected count of a genotype: its share of those who show as it does."""
        (name,) = (name for name, pairs in self.phenotypes.items() if pair in pairs)
        share = self.genotype(pair) / self.phenotype(name)
        return named(f"n_{{{pair}}}", self.seen[name] * share)

    def update(self, allele: str) -> sp.Expr:
        """The share of an allele among all genes, from the expected counts."""
        pairs = (pair for pairs in self.phenotypes.values() for pair in pairs if allele in pair)
        genes = in_order(*(pair.count(allele) * self.count(pair) for pair in pairs))
        return genes / (2 * self.total)


moths = Locus("CIT", {"C": ("CC", "CI", "CT"), "I": ("II", "IT"), "T": ("TT",)})
blood = Locus("ABO", {"A": ("AA", "AO"), "B": ("BB", "BO"), "AB": ("AB",), "O": ("OO",)})


def everyone(locus: Locus) -> sp.Expr:
    """The probabilities of all phenotypes added."""
    return in_order(*map(locus.phenotype, locus.phenotypes))


@cache
def moth_phenotypes() -> Derivation:
    """The three wing colours of the peppered moth have probabilities that add up to one."""
    return Derivation("eq-moth-phenotypes", everyone(moths)).equals(
        1,
        because="C shows over I and T, and I over T; by columns: carbonaria, insularia, typica. "
        "The six terms are $(p_C+p_I+p_T)^2$",
    )


@cache
def moth_posterior() -> Derivation:
    """The share of the dark moths that is expected to hold two dark genes."""
    p = moths.p
    return (
        Derivation("eq-moth-posterior", moths.genotype("CC") / moths.phenotype("C"))
        .equals(
            p["C"] / in_order(p["C"], 2 * p["I"], 2 * p["T"]),
            because="the genotype's probability over that of all who look alike; cancel $p_C$",
        )
        .equals(p["C"] / (2 - p["C"]), because="the three frequencies add up to one")
    )


@cache
def moth_update_c() -> Derivation:
    """The update for the dark allele of the moths, by counting its genes."""
    p, x, total = moths.p, moths.seen, moths.total
    genes = moths.update("C")
    return (
        Derivation("eq-moth-update-c", genes)
        .equals(
            x["C"]
            / total
            * in_order(p["C"], p["I"], p["T"])
            / in_order(p["C"], 2 * p["I"], 2 * p["T"]),
            because="each count is its share of the dark moths, as $n_{CC}=x_Cp_C^2/(p_C^2+2p_Cp_I+2p_Cp_T)$; "
            "$2p_C^2+2p_Cp_I+2p_Cp_T$ is $2p_C$ times the sum of all three",
        )
        .equals(
            x["C"] / (total * (2 - p["C"])),
            because="the three frequencies add up to one, so that $p_C+2p_I+2p_T=2-p_C$",
        )
    )


@cache
def moth_update_i() -> Derivation:
    """The update for the middle allele of the moths."""
    p, x, total = moths.p, moths.seen, moths.total
    return Derivation("eq-moth-update-i", moths.update("I")).equals(
        in_order(
            x["C"] * p["I"] / (total * (2 - p["C"])),
            x["I"] * (1 - p["C"]) / (total * in_order(p["I"], 2 * p["T"])),
        ),
        because="one gene from each dark moth that carries I; of the middle colour two from those with II "
        "and one from those with IT",
    )


@cache
def moth_update_t() -> Derivation:
    """The update for the light allele of the moths."""
    p, x, total = moths.p, moths.seen, moths.total
    return Derivation("eq-moth-update-t", moths.update("T")).equals(
        in_order(
            x["C"] * p["T"] / (total * (2 - p["C"])),
            x["I"] * p["T"] / (total * in_order(p["I"], 2 * p["T"])),
            x["T"] / total,
        ),
        because="one gene from each carrier, and two from each light moth",
    )


def moth_step(number: str, allele: str, start: tuple[sp.Rational, ...]) -> Derivation:
    """The share of one allele after a step from frequencies of C and I, for the moths that were caught."""
    old = (moths.p["C"], moths.p["I"], *moths.seen.values())
    caught = (sp.Integer(85), sp.Integer(196), sp.Integer(341))
    update = named(f"p_{{{allele}}}'", moths.update(allele))
    return Derivation(f"eq-moth-{number}-{allele.lower()}", sp.Subs(update, old, (*start, *caught)))


START = (sp.Rational(1, 3), sp.Rational(1, 3))
FIRST = (sp.Rational(51, 622), sp.Rational(443, 1866))


@cache
def moth_first_c() -> Derivation:
    """The first step on the moths, as a fraction: the dark allele."""
    return moth_step("first", "C", START).equals(FIRST[0], because="insert the counts: .081994")


@cache
def moth_first_i() -> Derivation:
    """The first step on the moths, as a fraction: the middle allele."""
    return moth_step("first", "I", START).equals(FIRST[1], because="insert the counts: .237406")


@cache
def moth_second_c() -> Derivation:
    """The second step on the moths, as a fraction: the dark allele."""
    return moth_step("second", "C", FIRST).equals(
        sp.Rational(85, 1193), because="insert the counts and the first step: .071249"
    )


@cache
def moth_second_i() -> Derivation:
    """The second step on the moths, as a fraction: the middle allele."""
    return moth_step("second", "I", FIRST).equals(
        sp.Rational(1313966957, 6640569654),
        because="insert the counts and the first step: .197870",
    )


# The shares of moths that are not dark, and of light ones, are squares of these.
a, b = sp.symbols("a b", positive=True)
n_moths = sp.Symbol("N", positive=True)


old_frequencies, limits = (moths.p["C"], moths.p["I"]), (1 - a, a - b)
counts_at_limit = (n_moths * (1 - a**2), n_moths * (a**2 - b**2), n_moths * b**2)


def update_at_limit(allele: str) -> sp.Expr:
    """The update of an allele, from where EM on the moths ends."""
    old, new = (*old_frequencies, *moths.seen.values()), (*limits, *counts_at_limit)
    return sp.Subs(named(f"p_{{{allele}}}'", moths.update(allele)), old, new)


@cache
def moth_limit_c() -> Derivation:
    """The frequency of the dark allele where EM on the moths ends, in closed form: it stays as it is."""
    return Derivation("eq-moth-limit-c", update_at_limit("C")).equals(
        1 - a,
        because="with $a^2$ the share of moths that are not dark: $(1-a^2)/(2-(1-a))=1-a$; "
        "for the moths caught $1-a=1-\\sqrt{537/622}$, which is .070837",
    )


@cache
def moth_limit_i() -> Derivation:
    """The frequency of the middle allele where EM on the moths ends, in closed form."""
    return Derivation("eq-moth-limit-i", update_at_limit("I")).equals(
        a - b,
        because="with $b^2$ the share of light moths; for the moths caught "
        "$a-b=\\sqrt{537/622}-\\sqrt{341/622}$, which is .188737",
    )


@cache
def moth_fit_c() -> Derivation:
    """Where EM on the moths ends, the model gives dark moths the share that was seen."""
    return Derivation(
        "eq-moth-fit-c", sp.Subs(moths.phenotype("C"), old_frequencies, limits)
    ).equals(
        1 - a**2,
        because="$(1-a)^2+2(1-a)a$: a child is dark unless both genes are not, and $a$ is the share "
        "of the other two alleles",
    )


@cache
def moth_fit_i() -> Derivation:
    """Where EM on the moths ends, the model gives all three colours the shares that were seen: no fit is better."""
    return Derivation(
        "eq-moth-fit-i", sp.Subs(moths.phenotype("I"), old_frequencies, limits)
    ).equals(
        a**2 - b**2,
        because="$(a-b)^2+2(a-b)b$, which leaves $b^2$ for the light ones; no "
        "probabilities of three colours do better than their shares, "
        "by {eq}`eq-gibbs`",
    )


@cache
def blood_phenotypes() -> Derivation:
    """The four blood groups have probabilities that add up to one."""
    return Derivation("eq-blood-phenotypes", everyone(blood)).equals(
        1,
        because="A and B show over O, and both beside each other; the six terms are $(p_A+p_B+p_O)^2$",
    )


@cache
def blood_update_a() -> Derivation:
    """The update for the allele A of the blood groups; that for B has the letters exchanged."""
    p, x, total = blood.p, blood.seen, blood.total
    return Derivation("eq-blood-update-a", blood.update("A")).equals(
        in_order(
            x["A"] * (1 - p["B"]) / (total * in_order(p["A"], 2 * p["O"])), x["AB"] / (2 * total)
        ),
        because="$2p_A^2+2p_Ap_O$ over $p_A^2+2p_Ap_O$ genes for each of group A, with $p_A+p_O=1-p_B$; "
        "one gene for each of group AB",
    )


@cache
def blood_update_o() -> Derivation:
    """The update for the allele O of the blood groups."""
    p, x, total = blood.p, blood.seen, blood.total
    carriers = (x[g] * p["O"] / (total * in_order(p[g], 2 * p["O"])) for g in ("A", "B"))
    return Derivation("eq-blood-update-o", blood.update("O")).equals(
        in_order(*carriers, x["O"] / total),
        because="one gene from each carrier in groups A and B, and two from each of group O",
    )


@cache
def blood_genes() -> Derivation:
    """The updated frequencies of the blood groups add up to one: all genes are counted."""
    return Derivation("eq-blood-genes", in_order(*map(blood.update, "ABO"))).equals(
        1, because="the six expected counts add up to $N$ individuals, with two genes each"
    )


DERIVATIONS = (
    hardy_weinberg,
    gene_surrogate,
    gene_counting,
    moth_phenotypes,
    moth_posterior,
    moth_update_c,
    moth_update_i,
    moth_update_t,
    moth_first_c,
    moth_first_i,
    moth_second_c,
    moth_second_i,
    moth_limit_c,
    moth_limit_i,
    moth_fit_c,
    moth_fit_i,
    blood_phenotypes,
    blood_update_a,
    blood_update_o,
    blood_genes,
)
