r"""What each TeX command and character is called in Typst mathematics: tables, and nothing else.

Keys are command names without the backslash; values are Typst source, ready to stand in a formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    """Read a set written as words."""
    return frozenset(text.split())


def _pairs(text: str) -> Mapping[str, str]:
    """Read a table written as alternating names and values."""
    words = text.split()
    return MappingProxyType(dict(zip(words[::2], words[1::2], strict=True)))


SYMBOLS = MappingProxyType(
    dict(
        _pairs(r"""
        alpha α  beta β  gamma γ  delta δ  epsilon ϵ  varepsilon ε  zeta ζ  eta η  theta θ
        vartheta ϑ
        iota ι  kappa κ  lambda λ  mu μ  nu ν  xi ξ  pi π  varpi ϖ  rho ρ  varrho ϱ  sigma σ
        varsigma ς
        tau τ  upsilon υ  phi ϕ  varphi φ  chi χ  psi ψ  omega ω
        Gamma Γ  Delta Δ  Theta Θ  Lambda Λ  Xi Ξ  Pi Π  Sigma Σ  Upsilon Υ  Phi Φ  Psi Ψ  Omega Ω
        ell ℓ  hbar ℏ  Re ℜ  Im ℑ  aleph ℵ  wp ℘  infty ∞  partial ∂  nabla ∇  prime ′  degree °
        forall ∀  exists ∃  nexists ∄  emptyset ∅  varnothing ∅  neg ¬  lnot ¬  top ⊤  bot ⊥
        sum ∑  prod ∏  coprod ∐  int ∫  iint ∬  iiint ∭  oint ∮
        bigcup ⋃  bigcap ⋂  bigvee ⋁  bigwedge ⋀  bigoplus ⨁  bigotimes ⨂
        cdot ⋅  times ×  div ÷  pm ±  mp ∓  ast ∗  star ⋆  circ ∘  bullet ∙
        oplus ⊕  ominus ⊖  otimes ⊗  odot ⊙  cup ∪  cap ∩  setminus ∖
        wedge ∧  land ∧  vee ∨  lor ∨  dagger †  ddagger ‡
        le ≤  leq ≤  leqslant ⩽  ge ≥  geq ≥  geqslant ⩾  ll ≪  gg ≫  lt \<  gt \>  ne ≠  neq ≠
        equiv ≡  approx ≈  sim ∼  simeq ≃  cong ≅  propto ∝  asymp ≍  lesssim ≲  gtrsim ≳
        prec ≺  succ ≻  preceq ⪯  succeq ⪰  subset ⊂  subseteq ⊆  supset ⊃  supseteq ⊇
        in ∈  notin ∉  ni ∋  mid ∣  nmid ∤  parallel ∥  perp ⊥  vdash ⊢  models ⊨
        coloneqq ≔  eqqcolon ≕  triangleq ≜  therefore ∴  because ∵
        to →  rightarrow →  leftarrow ←  gets ←  leftrightarrow ↔  uparrow ↑  downarrow ↓
        Rightarrow ⇒  Leftarrow ⇐  Leftrightarrow ⇔  implies ⟹  impliedby ⟸  iff ⟺
        longrightarrow ⟶  longleftarrow ⟵  Longrightarrow ⟹  Longleftarrow ⟸  Longleftrightarrow ⟺
        mapsto ↦  longmapsto ⟼  hookrightarrow ↪  nearrow ↗  searrow ↘
        dots …  ldots …  dotsc …  cdots ⋯  dotsb ⋯  vdots ⋮  ddots ⋱
        angle ∠  square □  Box □  blacksquare ■  checkmark ✓
        lbrace \{  rbrace \}  lbrack \[  rbrack \]  backslash ∖
        langle \⟨  rangle \⟩  lfloor \⌊  rfloor \⌋  lceil \⌈  rceil \⌉
        { \{  } \}  % %  & \&  # \#  $ \$  _ \_
        quad quad  qquad wide  enspace space.en  thinspace thin  , thin  : med  > med  ; thick
        """),
        **{
            " ": "space",
            "!": "#h(-0.1667em)",
            "colon": 'class("punctuation", :)',
            "vert": 'class("normal", |)',
            "Vert": 'class("normal", ‖)',
            "|": 'class("normal", ‖)',
            "lvert": 'class("opening", |)',
            "rvert": 'class("closing", |)',
            "lVert": 'class("opening", ‖)',
            "rVert": 'class("closing", ‖)',
            "bmod": 'class("binary", "mod")',
            "mathstrut": '""',
        },
    )
)

# Characters that mean something else in Typst mathematics than in TeX.
CHARACTERS = MappingProxyType(
    {
        **{character: "\\" + character for character in ',;()[]/<>@#$"`'},
        "*": "∗",
        "-": "−",
        ":": 'class("relation", :)',
        "|": 'class("normal", |)',
        "~": "space.nobreak",
    }
)

# After \left, \right, \middle and \big.
DELIMITERS = _pairs(
    r"""
    ( \(  ) \)  [ \[  ] \]  / \/  | |  < \⟨  > \⟩
    \{ \{  \} \}  \lbrace \{  \rbrace \}  \lbrack \[  \rbrack \]  \| ‖  \vert |  \Vert ‖  \mid |
    \lvert |  \rvert |  \lVert ‖  \rVert ‖  \langle \⟨  \rangle \⟩  \lfloor \⌊  \rfloor \⌋
    \lceil \⌈  \rceil \⌉  \backslash ∖  \uparrow ↑  \downarrow ↓
    """
)
BIG_SIZES = MappingProxyType({"big": "1.2em", "Big": "1.8em", "bigg": "2.4em", "Bigg": "3em"})
BIG_CLASSES = MappingProxyType({"": "normal", "l": "opening", "r": "closing", "m": "relation"})

OPERATORS = _words(
    "log ln lg exp sin cos tan sinh cosh tanh cot sec csc arcsin arccos arctan arg deg dim ker hom"
)
LIMIT_OPERATORS = MappingProxyType(
    {
        **{name: name for name in ("max", "min", "sup", "inf", "lim", "det", "Pr", "gcd")},
        "limsup": "lim sup",
        "liminf": "lim inf",
    }
)

ACCENTS = _pairs(
    """
    hat hat  widehat hat  tilde tilde  widetilde tilde  bar macron  overline overline
    underline underline  vec arrow  overrightarrow arrow  dot dot  ddot dot.double
    check caron  breve breve  acute acute  grave grave
    """
)
FONTS = MappingProxyType(
    {
        "mathrm": "upright({})",
        "mathup": "upright({})",
        "mathbf": "bold(upright({}))",
        "boldsymbol": "bold({})",
        "bm": "bold({})",
        "mathcal": "cal({})",
        "mathscr": "scr({})",
        "mathbb": "bb({})",
        "mathfrak": "frak({})",
        "mathsf": "sans({})",
        "mathtt": "mono({})",
        "mathit": "italic({})",
        "mathnormal": "{}",
    }
)
TEXT_FONTS = MappingProxyType(
    {
        **dict.fromkeys(("text", "textrm", "textnormal", "mbox"), "{}"),
        "textbf": "bold({})",
        "textit": "italic({})",
        "emph": "italic({})",
        "texttt": "mono({})",
    }
)
STYLES = _pairs(
    """
    displaystyle display  textstyle inline  scriptstyle script  scriptscriptstyle sscript
    """
)
CLASSES = _pairs(
    """
    mathbin binary  mathrel relation  mathord normal  mathinner normal
    mathopen opening  mathclose closing  mathpunct punctuation
    """
)
NEGATIONS = _pairs(
    r"""
    ∈ ∉  = ≠  ∼ ≁  ≡ ≢  ⊂ ⊄  ⊆ ⊈  ∣ ∤  → ↛  \< ≮  \> ≯  ≤ ≰  ≥ ≱  ∃ ∄  ∥ ∦  ≈ ≉
    """
)
BRACES = _words("underbrace overbrace underbracket overbracket")

# Environments whose rows are lines, with the columns aligned in pairs.
ALIGNED = _words("align aligned alignat alignedat split eqnarray gather gathered multline equation")
CASES = _words("cases dcases rcases")
MATRICES = MappingProxyType(
    {
        "matrix": "#none",
        "smallmatrix": "#none",
        "array": "#none",
        "pmatrix": '"("',
        "bmatrix": '"["',
        "Bmatrix": '"{"',
        "vmatrix": '"|"',
        "Vmatrix": '"‖"',
    }
)
