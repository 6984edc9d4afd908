"""What other libraries, papers and configurations write, and what stands for it here: tables, a row a word.

Messages and "did you mean" read them, and the table in docs/language.md is written from them. A row has the words,
separated by spaces, and what to write; a text in the language stands alone, anything else is a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lossdsl.errors import did_you_mean
from lossdsl.frontend.scripts import as_latin


class Row(NamedTuple):
    """Some words, what is written for them here, and a sentence where that needs one."""

    words: str
    here: str
    more: str = ""

    def hint(self, word: str) -> str:
        """What to do about the word."""
        head = f"`{word}` is `{self.here}` here" if self.here else ""
        return "; ".join(part for part in (head, self.more) if part)


_SHAPES = "leave it out: axes have names here, and an aggregate says over which it goes, as in `sum[batch](e)`"
_RANDOM = "a loss draws no random numbers: draw them outside, and hand them in as an input of the loss"
_MATRICES = "there is no linear algebra of matrices: a loss is written with sums and products along named axes"
_DTYPES = "leave it out: every number is real, and the dtype is an option of `compile`"
_NO_CALLS = "a loss calls no code: what it needs is an input, or is written as a formula"
_FOR_MODELS = "this belongs to the model or its training, not to the loss"

FUNCTIONS = (
    # logarithms, exponentials, powers
    Row("ln loge", "log(a)"),
    Row("lg", "log10(a)"),
    Row("ld lb", "log2(a)"),
    Row("power pow_ float_power", "a^b"),
    Row("squared sqr sq", "a^2"),
    Row("cube", "a^3"),
    Row("rsqrt", "1/sqrt(a)"),
    Row("root nthroot", "a^(1/n)"),
    Row("hypot", "sqrt(a^2 + b^2)"),
    Row("logsubexp log_sub_exp log_diff_exp", "a + log(-expm1(b - a))"),
    Row("log_sum_exp reduce_logsumexp lse logsumexp_", "logsumexp(a)"),
    Row("log_add_exp logaddexp_", "logaddexp(a, b)"),
    Row("log1mexp", "log(-expm1(-a))"),
    Row("xlog1py", "a*log1p(b)"),
    Row("xlogx entr", "xlogy(a, a)", "`entr` has the other sign"),
    # trigonometry
    Row("arcsin", "asin(a)"),
    Row("arccos", "acos(a)"),
    Row("arctan atan_", "atan(a)"),
    Row("arctan2 atan2", "atan(a/b)", "that is the angle where b is positive"),
    Row("arcsinh arsinh", "asinh(a)"),
    Row("arccosh arcosh", "acosh(a)"),
    Row("arctanh artanh", "atanh(a)"),
    Row("sec", "1/cos(a)"),
    Row("csc cosec", "1/sin(a)"),
    Row("cot cotan", "1/tan(a)"),
    Row("sech", "1/cosh(a)"),
    Row("csch", "1/sinh(a)"),
    Row("coth", "1/tanh(a)"),
    Row("sinc", "sin(pi*a)/(pi*a)"),
    Row("deg2rad radians", "a*pi/180"),
    # special functions
    Row("gamma gammafn tgamma Γ", "exp(lgamma(a))", "take its logarithm `lgamma(a)` where you can"),
    Row("gammaln loggamma log_gamma lngamma", "lgamma(a)"),
    Row("factorial fact", "exp(lgamma(a + 1))"),
    Row("beta betafn", "exp(lgamma(a) + lgamma(b) - lgamma(a + b))"),
    Row("betaln lbeta log_beta", "lgamma(a) + lgamma(b) - lgamma(a + b)"),
    Row("binom comb choose nchoosek", "exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1))"),
    Row("psi ψ", "digamma(a)"),
    Row("ndtr normcdf norm_cdf_ cdf Phi Φ phi_cdf", "norm_cdf(a)"),
    Row("log_ndtr logcdf log_normcdf", "log_norm_cdf(a)"),
    Row("pdf norm_pdf normpdf normal_pdf gaussian", "exp(-a^2/2)/sqrt(2*pi)"),
    Row("erfinv ndtri probit ppf", "", "there is no inverse of `erf` or `norm_cdf`"),
    Row("i0 i0e bessel_i0 besseli0", "log_i0(a)", "that is its logarithm"),
    Row("iv ive besseli bessel_i", "log_bessel_i(v, a)", "that is its logarithm"),
    # activations
    Row("expit logistic sigma σ sigmoid_ sigm", "sigmoid(a)"),
    Row("logit inverse_sigmoid", "log(a) - log1p(-a)"),
    Row("logsigmoid log_expit log_logistic", "log_sigmoid(a)"),
    Row("logsoftmax log_softmax_v2", "log_softmax(a)"),
    Row("soft_max softargmax softmax_", "softmax(a)"),
    Row("softsign soft_sign", "a/(1 + abs(a))"),
    Row("silu swish", "a*sigmoid(a)"),
    Row("gelu", "a*norm_cdf(a)"),
    Row("mish", "a*tanh(softplus(a))"),
    Row("elu", "where(a > 0, a, expm1(a))"),
    Row("leaky_relu leakyrelu", "where(a > 0, a, 0.01*a)"),
    Row("relu6", "clip(a, 0, 6)"),
    Row("hardtanh hard_tanh", "clip(a, -1, 1)"),
    Row("hard_sigmoid hardsigmoid", "clip(a/6 + 0.5, 0, 1)"),
    Row("positive_part pos plus hinge_ max0 threshold", "relu(a)"),
    # signs, steps, rounding
    Row("sgn signum", "sign(a)"),
    Row("absolute fabs magnitude modulus absolute_value", "abs(a)"),
    Row("rint nearbyint around", "round(a)"),
    Row("ceiling", "ceil(a)"),
    Row("trunc fix", "sign(a)*floor(abs(a))"),
    Row("fmod remainder floormod floor_mod", "mod(a, b)"),
    Row("floor_divide floordiv", "floor(a/b)"),
    Row("heaviside step unit_step", "where(a > 0, 1, 0)"),
    Row("indicator iverson ind kronecker kronecker_delta", "where(condition, 1, 0)"),
    # two and more numbers
    Row("maximum fmax elementwise_max", "max(a, b)"),
    Row("minimum fmin elementwise_min", "min(a, b)"),
    Row("clamp clip_by_value bound", "clip(a, lo, hi)"),
    Row("clamp_min clip_min", "max(a, lo)"),
    Row("clamp_max clip_max", "min(a, hi)"),
    Row("add", "a + b"),
    Row("subtract sub minus", "a - b"),
    Row("multiply mul times", "a*b"),
    Row("divide div truediv true_divide divide_no_nan div_no_nan", "a/b"),
    Row("negative neg", "-a"),
    Row("reciprocal inverse", "1/a"),
    Row("squared_difference sqdiff", "(a - b)^2"),
    Row("lerp", "a + w*(b - a)"),
    # conditions
    Row("isinf is_inf", "abs(a) == inf"),
    Row("isfinite is_finite", "abs(a) < inf"),
    Row("is_nan isna isnull notnan", "isnan(a)"),
    Row("nan_to_num", "where(isnan(a), 0, a)"),
    Row("equal eq", "a == b"),
    Row("not_equal ne", "a != b"),
    Row("greater gt", "a > b"),
    Row("greater_equal ge gte", "a >= b"),
    Row("less lt", "a < b"),
    Row("less_equal le lte", "a <= b"),
    Row("isclose allclose is_close approx_equal", "abs(a - b) < 1e-6"),
    Row("logical_and and_ land", "a and b"),
    Row("logical_or or_ lor", "a or b"),
    Row("logical_not not_ lnot", "not a"),
    Row("logical_xor xor", "(a or b) and not (a and b)"),
    Row("if_else ifelse iif iff cond select switch ternary choose_if", "where(condition, a, b)"),
    Row("piecewise case case_when", "cases(c1: a, c2: b, else: c)"),
    # sums and other aggregates
    Row("reduce_sum nansum total summation sum_ sigma_sum Σ", "sum(a)", "over other axes `sum[batch](a)`"),
    Row("reduce_mean average avg mean_ expectation expected E 𝔼", "mean(a)", "over other axes `mean[batch](a)`"),
    Row("nanmean masked_mean", "mean[last if not isnan(a)](a)"),
    Row("reduce_max amax nanmax", "max(a)", "over other axes `max[batch](a)`"),
    Row("reduce_min amin nanmin", "min(a)", "over other axes `min[batch](a)`"),
    Row("reduce_prod product Π", "prod(a)"),
    Row("reduce_any", "any(a)"),
    Row("reduce_all", "all(a)"),
    Row("reduce_std stddev stdev std_dev sd nanstd", "std(a)"),
    Row("reduce_variance variance moments nanvar", "var(a)"),
    Row("count_nonzero bincount", "count(a != 0)"),
    Row("cumprod", "exp(cumsum(log(a)))", "for positive numbers"),
    Row("cumulative_sum", "cumsum(a)"),
    Row("median", "sort(a)[k]", "with k the middle of an axis of fixed length"),
    Row("quantile percentile", "sort(a)[k]", "the built-in loss `quantile` learns one"),
    Row("argsort", "rank(a)"),
    Row("topk top_k kthvalue", "sort(a)[-k:]"),
    Row("sorted", "sort(a)"),
    Row("arg_max", "argmax(a)"),
    Row("arg_min", "argmin(a)"),
    Row("entropy", "-sum(xlogy(p, p))"),
    # vectors
    Row("l2norm l2_norm euclidean vector_norm frobenius", "norm(a)"),
    Row("l1norm l1_norm manhattan", "sum(abs(a))"),
    Row("linf_norm max_norm", "max(abs(a))"),
    Row("l2_normalize unit_vector normalise normalized unit_norm", "normalize(a)"),
    Row("inner vdot inner_product dot_product tensordot batch_dot batch_matmul bmm", "dot(a, b)"),
    Row("matmul mm mv", "dot(a, b)", "of a matrix parameter w: `sum[j in rows](dot(w[j], x))`"),
    Row("einsum", "sum(a*b)", "axes are named in brackets, as in `sum[j in batch](a*b[j])`"),
    Row("cosine cos_sim cosine_sim cosine_distance", "dot(normalize(a), normalize(b))"),
    Row("cdist pdist pairwise_distance euclidean_distance distance dist", "norm(a - b)", "over pairs `norm(x - x[j])`"),
    Row("outer cross kron det logdet slogdet inv pinv trace tr eig eigh svd solve cholesky lstsq matrix_inverse diag "
        "diagonal transpose T", "", _MATRICES),
    # elements
    Row("one_hot to_categorical onehot_ eye", "onehot(t)"),
    Row("gather take take_along_axis gather_nd index_select batch_gather embedding_lookup", "x[t]", "with `t: label`"),
    Row("diff ediff1d", "x[1:] - x[:-1]"),
    Row("shape size numel length rank_of dim ndim get_shape", "len(x)", "along other axes `len[batch](x)`"),
    Row("arange range linspace meshgrid indices", "self", "that is the position of an element on its axis"),
    # what is not there
    Row("stop_gradient detach stopgradient stop_grad no_grad lax_stop_gradient block_grad", "stop(a)"),
    Row("reshape expand_dims squeeze unsqueeze flatten ravel permute moveaxis swapaxes view broadcast_to broadcast tile "
        "repeat stack concat concatenate hstack vstack split unstack chunk pad flip roll newaxis", "", _SHAPES),
    Row("zeros zeros_like", "0"),
    Row("ones ones_like", "1"),
    Row("full full_like fill", "", "write the number itself: it is spread over the axes"),
    Row("cast astype float float32 float64 to_float int int32 to convert_to_tensor constant tensor array asarray as_tensor "
        "Variable", "", _DTYPES),
    Row("uniform normal randn rand random random_normal random_uniform sample bernoulli dropout shuffle", "", _RANDOM),
    Row("print assert check_numerics Assert debug", "", "remove it: `require` and `example` lines say what must hold"),
    Row("map vmap vectorize map_fn scan fori_loop while_loop reduce apply lambda_", "", "formulas go over all elements by themselves"),
    Row("grad gradient gradients diff_wrt derivative jacobian hessian autograd backward", "", "gradients are made from the formula: `lossdsl grad` prints them"),
    Row("integral integrate quad trapz trapezoid", "sum(a)", "over the values at the nodes of a rule"),
    Row("limit lim sup inf_ supremum infimum argsup", "", "the largest and least elements are `max(a)` and `min(a)`"),
    Row("masked_fill masked_select boolean_mask mask", "where(condition, a, b)"),
    Row("fft rfft ifft stft conv conv1d conv2d convolve interpolate resize ssim psnr", "", "compute it outside, and hand it in as an input"),
    Row("open eval exec __import__ getattr system import_module", "", _NO_CALLS),
    Row("Dense Layer Model model fit compile optimizer Lambda Sequential layers", "", _FOR_MODELS),
    # losses
    Row("mse_loss MSELoss MSE squared_error se l2_loss L2Loss l2", "(t - x)^2", "`mean_squared_error` has it built in"),
    Row("l1_loss L1Loss MAE absolute_error l1", "abs(t - x)", "`mean_absolute_error` has it built in"),
    Row("rmse", "sqrt(mean((t - x)^2))"),
    Row("smooth_l1_loss SmoothL1Loss smooth_l1", "huber(t, x)"),
    Row("HuberLoss", "huber(t, x; delta = 1.0)"),
    Row("cross_entropy crossentropy CrossEntropyLoss ce ce_loss softmax_cross_entropy softmax_cross_entropy_with_logits "
        "categorical_cross_entropy xent", "categorical_crossentropy(t, x; from_logits = true)"),
    Row("sparse_softmax_cross_entropy_with_logits nll_loss NLLLoss sparse_categorical_cross_entropy nll",
        "-log_softmax(x)[t]", "with `t: label`"),
    Row("binary_cross_entropy BCELoss bce_loss", "binary_crossentropy(t, x)"),
    Row("binary_cross_entropy_with_logits BCEWithLogitsLoss sigmoid_cross_entropy_with_logits sigmoid_cross_entropy "
        "bce_with_logits", "binary_crossentropy(t, x; from_logits = true)"),
    Row("kl kl_div KLDivLoss kldiv kullback_leibler", "kl_divergence(t, x)"),
    Row("pinball pinball_loss quantile_loss", "quantile(t, x; q = 0.5)"),
    Row("focal_loss focal sigmoid_focal_loss FocalLoss", "binary_focal_crossentropy(t, x)"),
    Row("dice_loss DiceLoss soft_dice", "dice(t, x)"),
    Row("logcosh_loss LogCoshLoss", "log_cosh(t, x)"),
    Row("HingeEmbeddingLoss hinge_loss", "hinge(t, x)"),
)  # fmt: skip
"""Functions and methods of numpy, TensorFlow, JAX, torch, Keras and mathematics."""

CONSTANTS = (
    Row("e euler", "exp(1)", "a power `e^a` is `exp(a)`"),
    Row("eps EPS Eps ε EPSILON tiny finfo machine_epsilon", "epsilon", "that is 1e-7"),
    Row("π PI Pi", "pi"),
    Row("tau_ two_pi", "2*pi"),
    Row("infinity Infinity Inf INF oo infty PINF", "inf"),
    Row("NINF", "-inf"),
    Row("nan NaN NAN NA", "", "nan cannot be written: `isnan(a)` asks for it"),
    Row("otherwise default", "", "the last piece of `cases` begins with `else`"),
    Row("E 𝔼", "mean(a)"),
    Row("True TRUE yes", "true"),
    Row("False FALSE no", "false"),
    Row("None null nil NULL undefined", "0", "a choice without a value is written with the value that it has then"),
    Row("axis dim dims", "sum[last](e)", "axes stand in square brackets"),
    Row("y y_true target targets label labels y_target ground_truth gt truth", "t",
        "a header gives it this name: `loss mine(y_true, y_pred)`"),
    Row("y_pred prediction predictions pred preds output outputs y_hat yhat ŷ logits", "x",
        "a header gives it this name: `loss mine(y_true, y_pred)`"),
    Row("batch_size N_batch", "len[batch](x)"),
    Row("n_classes num_classes C_classes nclasses", "len(x)"),
)  # fmt: skip
"""Names that stand for a number or for an input."""

KEYWORDS = (
    Row("axis dim dims", "", "axes stand in square brackets, as in `mean[batch](e)`; without them it is the last one"),
    Row("keepdims keepdim keep_dims", "", "leave it out: axes meet by name, and what lacks one is spread along it"),
    Row("dtype name reduction", "", "this is an option of `compile`, and of YAML beside the loss"),
    Row("from_logits label_smoothing ignore_class delta gamma alpha beta margin q", "",
        "parameters of a loss follow a semicolon, as in `huber(t, x; delta = 0.5)`"),
    Row("weight weights sample_weight pos_weight class_weight", "",
        "weights are an input or parameter of the loss, and a factor: `w*(t - x)^2`"),
    Row("min max a_min a_max clip_value_min clip_value_max", "", "it has no name: `clip(a, lo, hi)`"),
    Row("ord p", "", "`norm(a)` is the Euclidean one; others are sums, as `sum(abs(a)^p)^(1/p)`"),
    Row("depth num_classes", "", "`onehot(t)` has as many classes as the prediction"),
    Row("x y a b condition input other", "", "arguments have no names: give them in order"),
)  # fmt: skip
"""Names of arguments in a call."""

INPUT_KINDS = (
    Row("float double number tensor array vector_ float32 Tensor ndarray", "", "leave it out: an input is a real number"),
    Row("labels int integer int64 int32 long class class_id sparse categorical index", "label"),
    Row("probability probabilities probs proba softmax", "prob", "a whole distribution along `last` is a `simplex`"),
    Row("distribution dist softlabels", "simplex"),
    Row("one_hot one-hot onehots", "onehot"),
    Row("bool boolean", "binary"),
    Row("mask weight weights", "scalar", "that is one number a sample; with the last axis it is `nonneg`"),
)
"""Kinds of inputs."""

PARAMETER_KINDS = (
    Row("float double number scalar positive", "real", "which may be left out"),
    Row("boolean flag", "bool"),
    Row("integer int32 int64 long whole", "int"),
    Row("list array tensor tuple", "vector"),
)
"""Kinds of parameters."""

LATEX = (
    Row("frac dfrac tfrac cfrac", "(a)/(b)"),
    Row("sqrt", "sqrt(a)"),
    Row("log ln lg", "log(a)"),
    Row("exp", "exp(a)"),
    Row("cdot times ast bullet odot", "a*b"),
    Row("div", "a/b"),
    Row("sum", "sum[j](x[j])", "over the last axis `sum(x)`"),
    Row("prod", "prod(a)"),
    Row("max", "max(a, b)"),
    Row("min", "min(a, b)"),
    Row("lvert rvert vert mid", "abs(a)"),
    Row("lVert rVert Vert", "norm(a)"),
    Row("left right big Big bigl bigr", "", "brackets are plain round ones: `(a)`"),
    Row("begin end", "cases(c1: a, c2: b, else: c)"),
    Row("text mathrm mathbf mathcal mathbb operatorname boldsymbol bm", "", "a name is a word, as `loss` or `x_hat`"),
    Row("hat tilde bar overline widehat", "x_hat", "that is a name like any other"),
    Row("leq le leqslant", "a <= b"),
    Row("geq ge geqslant", "a >= b"),
    Row("neq ne", "a != b"),
    Row("infty", "inf"),
    Row("pi", "pi"),
    Row("epsilon varepsilon", "epsilon", "that is 1e-7; a parameter is called `eps` or `ε`"),
    Row("sigma", "sigmoid(a)", "a parameter is called `sigma` or `σ`"),
    Row("lfloor rfloor", "floor(a)"),
    Row("lceil rceil", "ceil(a)"),
    Row("langle rangle", "dot(a, b)"),
    Row("land wedge", "a and b"),
    Row("lor vee", "a or b"),
    Row("neg lnot", "not a"),
    Row("mathbb1 mathbf1 mathds", "where(condition, 1, 0)"),
    Row("partial nabla", "", "gradients are made from the formula: `lossdsl grad` prints them"),
    Row("quad qquad hspace", "", "remove it: space means nothing"),
)
"""Commands of LaTeX, without the backslash."""

CHARACTERS = (
    Row("|", "abs(a)", "a choice of conditions is `a or b`"),
    Row("&", "a and b"),
    Row("!", "not a", "unequal is `a != b`"),
    Row("{ }", "", "use round brackets, and `cases(c1: a, c2: b, else: c)` for pieces"),
    Row(";", "", "put each definition on a line of its own; `;` stands only before parameters"),
    Row("@", "", "write `dot(a, b)` or `sum(a*b)`"),
    Row("%", "mod(a, b)"),
    Row("?", "where(condition, a, b)"),
    Row("~", "not a"),
    Row("'", "", "only documentation is text, and it stands in triple double quotes"),
    Row('" “ ” „ ‟ « »', "", 'only documentation is text, and it stands in triple double quotes, """like this"""'),
    Row("‘ ’ ‚ ′ ″ `", "", "remove it: a name has letters, digits and `_`, as in `x_1`"),
    Row("$", "", "remove the `$`: a formula stands as it is"),
    Row("\\", "", "remove it: functions are written as plain words"),
    Row("− – — ‐ ‑ ﹣ －", "a - b"),
    Row("× · ⋅ ∗ ⊙ ∘ • ∙ ✕ ⨯ ⊗ ＊", "a*b"),
    Row("÷ ∕ ⁄ ／", "a/b"),
    Row("＋", "a + b"),
    Row("± ∓", "", "write two formulas, or a parameter that is 1 or -1"),
    Row("≤ ⩽ ≦", "a <= b"),
    Row("≥ ⩾ ≧", "a >= b"),
    Row("≠", "a != b"),
    Row("≈ ≃ ≅ ∼", "abs(a - b) < 1e-6"),
    Row("≡ ≔ ← :=", "name = a", "a comparison is `a == b`"),
    Row("²", "a^2"),
    Row("³", "a^3"),
    Row("⁻ ⁺ ⁿ ᵀ", "a^(-1)", "a power is written with `^`"),
    Row("½", "1/2"),
    Row("⅓", "1/3"),
    Row("¼", "1/4"),
    Row("¾", "3/4"),
    Row("√ ∛", "sqrt(a)", "a cube root is `cbrt(a)`"),
    Row("∞", "inf"),
    Row("∑", "sum(a)"),
    Row("∏", "prod(a)"),
    Row("∫", "sum(a)", "over the values at the nodes of a rule"),
    Row("‖ ∥ ǁ", "norm(a)"),
    Row("∣ ❘", "abs(a)"),
    Row("⟨ ⟩ 〈 〉", "dot(a, b)"),
    Row("⌊ ⌋", "floor(a)"),
    Row("⌈ ⌉", "ceil(a)"),
    Row("∧", "a and b"),
    Row("∨", "a or b"),
    Row("¬", "not a"),
    Row("∈", "j in batch", "an index and its axis, as in `sum[j in batch](x[j])`"),
    Row("∂ ∇", "", "gradients are made from the formula: `lossdsl grad` prints them"),
    Row("→ ↦ ⇒", "->", "it stands in examples alone"),
    Row("… ⋯", "", "write all of it, or a sum over an index"),
    Row("（ ） ［ ］ ， ： ；", "", "write the bracket or sign of the Latin keyboard"),
    Row("𝟙 𝟏", "where(condition, 1, 0)"),
)
"""Characters that are no part of the language."""

_PYTHON_WORDS = (
    Row("lambda", "", "a local function is written `f(u) = expr`"),
    Row("def", "", "a loss starts with `loss name(t, x)`, a local function is written `f(u) = expr`"),
    Row("return", "", "the last line is the loss; no `return` is needed"),
    Row("import from", "", "a formula uses the functions of the language only"),
    Row("let var const set def_", "e = a", "a definition begins with its name"),
    Row("class", "", "a loss starts with `loss name(t, x)`"),
    Row("while try with raise global", "", "a loss is a formula: there are no statements"),
    Row("assert", "", "a condition on parameters is a line `require a > 0`"),
)
"""Words at the beginning of a line of another language."""


def _by_word(rows: Iterable[Row]) -> dict[str, Row]:
    return {word: row for row in rows for word in row.words.split()}


_FUNCTIONS, _CONSTANTS, _KEYWORDS = map(_by_word, (FUNCTIONS, CONSTANTS, KEYWORDS))
_INPUT_KINDS, _PARAMETER_KINDS = map(_by_word, (INPUT_KINDS, PARAMETER_KINDS))
_LATEX, _CHARACTERS, _STATEMENTS = map(_by_word, (LATEX, CHARACTERS, _PYTHON_WORDS))
_ANY_CASE = {word.lower(): row for word, row in _FUNCTIONS.items()}


def function_hint(word: str, known: Iterable[str] = ()) -> str | None:
    """What to do about a function that is not there: what it is here, or the near miss among those that are known."""
    names = list(known)
    row = _FUNCTIONS.get(word)
    if row is None and word.lower() not in map(str.lower, names):
        row = _ANY_CASE.get(word.lower())
    return row.hint(word) if row is not None else _near(word, names)


def name_hint(word: str, known: Iterable[str] = ()) -> str | None:
    """What to do about a name that stands for nothing: what it is here, or the near miss among those that are known."""
    names = list(known)
    row = _CONSTANTS.get(word)
    if row is not None and row.here in ("t", "x") and row.here not in names:
        row = None  # the loss has a header, and calls its inputs otherwise
    return row.hint(word) if row is not None else _near(word, names)


def is_foreign_name(word: str) -> bool:
    """Whether a name is known to stand for a number or input elsewhere."""
    return word in _CONSTANTS


def keyword_hint(word: str) -> str | None:
    """What to do about an argument with a name."""
    row = _KEYWORDS.get(word)
    return row.hint(word) if row is not None else None


def kind_hint(word: str, known: Iterable[str], *, of_input: bool) -> str | None:
    """What to do about a kind that is not there."""
    row = (_INPUT_KINDS if of_input else _PARAMETER_KINDS).get(word)
    return row.hint(word) if row is not None else did_you_mean(word, known)


def latex_hint(word: str) -> str:
    """What to do about a command of LaTeX."""
    row = _LATEX.get(word)
    return row.hint(f"\\{word}") if row is not None else "formulas are plain text here, as in `sqrt(a^2 + 1)`"


def character_hint(char: str) -> str | None:
    """What to do about a character."""
    row = _CHARACTERS.get(char)
    if row is None:
        return None
    return f"write `{row.here}`{f'; {row.more}' if row.more else ''}" if row.here else row.more


def statement_hint(word: str) -> str | None:
    """What to do about a line that begins with this word."""
    row = _STATEMENTS.get(word)
    return row.hint(word) if row is not None else None


def _near(word: str, known: list[str]) -> str | None:
    latin = as_latin(word)
    if latin != word and latin in known:
        return f"its letters only look like those of `{latin}`: write it on a Latin keyboard"
    return did_you_mean(word, known)


def is_code(text: str) -> bool:
    """Whether what stands for a word is a text in the language, and not a pattern with a blank in it."""
    return re.search(r"\bcondition\b|…|->|name =", text) is None
