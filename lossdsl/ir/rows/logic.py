"""Choices, comparisons, changes of kind, and what differentiation sees."""

from __future__ import annotations

from lossdsl.ir.bounds import UNIT, Bounds
from lossdsl.ir.op import Op
from lossdsl.ir.rows.writing import BOOL, INT, REAL, errors, spelled
from lossdsl.ir.traits import Trait

LOGIC = (
    Op("where", "cab", "a where the condition holds, b elsewhere", lambda m, c, a, b: m.where(c, a, b),
       ("", "c", "not c"), spelled("np.where(c, a, b)", "tf.where(c, a, b)", "(a if c else b)"),
       takes=(BOOL, REAL, REAL), bounds=lambda c, a, b: a.join(b), cost=2, whole=True, ulps=errors("0")),
    Op("lt", "ab", "less than", lambda m, a, b: m.lt(a, b), (), spelled("a < b"), gives=BOOL, infix="<", precedence=40,
       public=False, latex="<", compares=True, ulps=errors("0")),
    Op("le", "ab", "at most", lambda m, a, b: m.le(a, b), (), spelled("a <= b"), gives=BOOL, infix="<=", precedence=40,
       public=False, latex=r"\le", compares=True, ulps=errors("0")),
    Op("gt", "ab", "greater than", lambda m, a, b: m.gt(a, b), (), spelled("a > b"), gives=BOOL, infix=">",
       precedence=40, public=False, latex=">", compares=True, ulps=errors("0")),
    Op("ge", "ab", "at least", lambda m, a, b: m.ge(a, b), (), spelled("a >= b"), gives=BOOL, infix=">=",
       precedence=40, public=False, latex=r"\ge", compares=True, ulps=errors("0")),
    Op("eq", "ab", "equal", lambda m, a, b: m.eq(a, b), (), spelled("a == b"), gives=BOOL, infix="==", precedence=40,
       public=False, latex="=", ulps=errors("0")),
    Op("ne", "ab", "not equal", lambda m, a, b: m.ne(a, b), (), spelled("a != b"), gives=BOOL, infix="!=",
       precedence=40, public=False, latex=r"\ne", ulps=errors("0")),
    Op("and", "ab", "both", lambda m, a, b: m.both(a, b), (), spelled("a & b", "", "(a and b)"), takes=(BOOL, BOOL),
       gives=BOOL, infix="and", precedence=20, public=False, latex=r"\land", ulps=errors("0")),
    Op("or", "ab", "at least one of the two", lambda m, a, b: m.either(a, b), (), spelled("a | b", "", "(a or b)"),
       takes=(BOOL, BOOL), gives=BOOL, infix="or", precedence=10, public=False, latex=r"\lor", ulps=errors("0")),
    Op("not", "a", "negation", lambda m, a: m.negate(a), (), spelled("~a", "", "not a"), takes=(BOOL,), gives=BOOL,
       infix="not", precedence=30, public=False, latex=r"\lnot", ulps=errors("0")),
    Op("isnan", "a", "whether a is not a number", lambda m, a: m.isnan(a), (),
       spelled("np.isnan(a)", "tf.math.is_nan(a)", "math.isnan(a)"), gives=BOOL, ulps=errors("0")),
    Op("isinf", "a", "whether a is infinite", lambda m, a: m.eq(m.abs(a), m.inf), (),
       spelled("np.isinf(a)", "tf.math.is_inf(a)", "math.isinf(a)"), gives=BOOL, ulps=errors("0")),
    Op("isfinite", "a", "whether a is a number and not infinite", lambda m, a: m.lt(m.abs(a), m.inf), (),
       spelled("np.isfinite(a)", "tf.math.is_finite(a)", "math.isfinite(a)"), gives=BOOL, ulps=errors("0")),
    Op("truth", "a", "1 where a condition holds, else 0", lambda m, a: m.where(a, 1, 0), ("",),
       spelled("a.astype(dtype)", "tf.cast(a, dtype)", "float(a)", "a.to(dtype)", "ops.cast(a, dtype)"), takes=(BOOL,),
       bounds=lambda a: UNIT, trait=Trait(is_continuous=False, image=Bounds(0, 1)), public=False,
       latex=r"\left[#1\right]", ulps=errors("0")),
    Op("real", "a", "a whole number as a number", lambda m, a: a, ("",),
       spelled("a.astype(dtype)", "tf.cast(a, dtype)", "float(a)", "a.to(dtype)", "ops.cast(a, dtype)"), takes=(INT,),
       defined=(Bounds(-(2.0**24), 2.0**24),), trait=Trait(lambda a: a, direction=1, is_affine=True), public=False,
       ulps=errors("0")),
    Op("whole", "a", "the whole number below, as an index", lambda m, a: m.floor(a), ("",),
       spelled("np.floor(a).astype(int)", "tf.cast(tf.math.floor(a), tf.int32)", "math.floor(a)",
               "torch.floor(a).long()", "ops.cast(ops.floor(a), 'int32')"),
       gives=INT, defined=(Bounds(-(2.0**30), 2.0**30),), trait=Trait(is_continuous=False), public=False,
       latex=r"\left\lfloor #1 \right\rfloor", ulps=errors("0")),
    Op("via", "abc", "a, which is differentiated as c times b is", lambda m, a, b, c: a, ("", "c", ""), spelled("a"),
       bounds=lambda a, b, c: a, public=False, written="a", ulps=errors("0")),
    Op("stop", "a", "a, through which no gradient passes", lambda m, a: m.stop(a), ("",),
       {**spelled("a", "tf.stop_gradient(a)", "a", "a.detach()", "ops.stop_gradient(a)"),
        "jax": "jax.lax.stop_gradient(a)"},
       trait=Trait(lambda a: a, direction=1, is_affine=True), whole=True, ulps=errors("0")),
)  # fmt: skip
