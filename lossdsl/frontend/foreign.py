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
from lossdsl.ir.ops import function_names


class ForeignWord(NamedTuple):
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
    ForeignWord("ln loge", "log(a)"),
    ForeignWord("lg", "log10(a)"),
    ForeignWord("ld lb", "log2(a)"),
    ForeignWord("power pow_ float_power", "a^b"),
    ForeignWord("squared sqr sq", "a^2"),
    ForeignWord("cube", "a^3"),
    ForeignWord("rsqrt", "1/sqrt(a)"),
    ForeignWord("root nthroot", "a^(1/n)"),
    ForeignWord("hypot", "sqrt(a^2 + b^2)"),
    ForeignWord("logsubexp log_sub_exp log_diff_exp", "a + log(-expm1(b - a))"),
    ForeignWord("log_sum_exp reduce_logsumexp lse logsumexp_", "logsumexp(a)"),
    ForeignWord("log_add_exp logaddexp_", "logaddexp(a, b)"),
    ForeignWord("log1mexp", "log(-expm1(-a))"),
    ForeignWord("xlog1py", "a*log1p(b)"),
    ForeignWord("xlogx entr", "xlogy(a, a)", "`entr` has the other sign"),
    # trigonometry
    ForeignWord("arcsin", "asin(a)"),
    ForeignWord("arccos", "acos(a)"),
    ForeignWord("arctan atan_", "atan(a)"),
    ForeignWord("arctan2 angle", "atan2(a, b)"),
    ForeignWord("arcsinh arsinh", "asinh(a)"),
    ForeignWord("arccosh arcosh", "acosh(a)"),
    ForeignWord("arctanh artanh", "atanh(a)"),
    ForeignWord("sec", "1/cos(a)"),
    ForeignWord("csc cosec", "1/sin(a)"),
    ForeignWord("cot cotan", "1/tan(a)"),
    ForeignWord("sech", "1/cosh(a)"),
    ForeignWord("csch", "1/sinh(a)"),
    ForeignWord("coth", "1/tanh(a)"),
    ForeignWord("sinc", "sin(pi*a)/(pi*a)"),
    ForeignWord("deg2rad radians", "a*pi/180"),
    # special functions
    ForeignWord("gamma gammafn tgamma Γ", "exp(lgamma(a))", "take its logarithm `lgamma(a)` where you can"),
    ForeignWord("gammaln loggamma log_gamma lngamma", "lgamma(a)"),
    ForeignWord("factorial fact", "exp(lgamma(a + 1))"),
    ForeignWord("beta betafn", "exp(lgamma(a) + lgamma(b) - lgamma(a + b))"),
    ForeignWord("betaln lbeta log_beta", "lgamma(a) + lgamma(b) - lgamma(a + b)"),
    ForeignWord("binom comb choose nchoosek", "exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1))"),
    ForeignWord("psi ψ", "digamma(a)"),
    ForeignWord("igamma gamma_inc gammainc_p pgamma gammp gamma_cdf", "gammainc(a, b)", "the shape first"),
    ForeignWord("igammac gammainc_q gammq gamma_sf", "gammaincc(a, b)", "the shape first"),
    ForeignWord("incbeta ibeta betai pbeta beta_inc beta_cdf", "betainc(a, b, c)", "the shapes first"),
    ForeignWord("ndtr normcdf norm_cdf_ cdf Phi Φ phi_cdf", "norm_cdf(a)"),
    ForeignWord("log_ndtr logcdf log_normcdf", "log_norm_cdf(a)"),
    ForeignWord("pdf norm_pdf normpdf normal_pdf gaussian", "exp(-a^2/2)/sqrt(2*pi)"),
    ForeignWord("log_prob logpdf log_pdf norm_logpdf", "", "write the logarithm of the density, as `-(a - m)^2/(2*s^2) - log(s)`"),
    ForeignWord("erfinv ndtri probit ppf", "", "there is no inverse of `erf` or `norm_cdf`"),
    ForeignWord("i0 i0e bessel_i0 besseli0", "log_i0(a)", "that is its logarithm"),
    ForeignWord("iv ive besseli bessel_i", "log_bessel_i(v, a)", "that is its logarithm"),
    # activations
    ForeignWord("expit logistic sigma σ sigmoid_ sigm", "sigmoid(a)"),
    ForeignWord("logit inverse_sigmoid", "log(a) - log1p(-a)"),
    ForeignWord("logsigmoid log_expit log_logistic", "log_sigmoid(a)"),
    ForeignWord("logsoftmax log_softmax_v2", "log_softmax(a)"),
    ForeignWord("soft_max softargmax softmax_", "softmax(a)"),
    ForeignWord("softsign soft_sign", "a/(1 + abs(a))"),
    ForeignWord("silu swish", "a*sigmoid(a)"),
    ForeignWord("gelu", "a*norm_cdf(a)"),
    ForeignWord("mish", "a*tanh(softplus(a))"),
    ForeignWord("elu", "where(a > 0, a, expm1(a))"),
    ForeignWord("leaky_relu leakyrelu", "where(a > 0, a, 0.01*a)"),
    ForeignWord("relu6", "clip(a, 0, 6)"),
    ForeignWord("hardtanh hard_tanh", "clip(a, -1, 1)"),
    ForeignWord("hard_sigmoid hardsigmoid", "clip(a/6 + 0.5, 0, 1)"),
    ForeignWord("positive_part pos plus hinge_ max0 threshold", "relu(a)"),
    # signs, steps, rounding
    ForeignWord("sgn signum", "sign(a)"),
    ForeignWord("absolute fabs magnitude modulus absolute_value", "abs(a)"),
    ForeignWord("rint nearbyint around", "round(a)"),
    ForeignWord("ceiling", "ceil(a)"),
    ForeignWord("trunc fix", "sign(a)*floor(abs(a))"),
    ForeignWord("fmod remainder floormod floor_mod", "mod(a, b)"),
    ForeignWord("floor_divide floordiv", "floor(a/b)"),
    ForeignWord("heaviside step unit_step", "where(a > 0, 1, 0)"),
    ForeignWord("indicator iverson ind kronecker kronecker_delta", "where(condition, 1, 0)"),
    # two and more numbers
    ForeignWord("maximum fmax elementwise_max", "max(a, b)"),
    ForeignWord("minimum fmin elementwise_min", "min(a, b)"),
    ForeignWord("clamp clip_by_value bound", "clip(a, lo, hi)"),
    ForeignWord("clamp_min clip_min", "max(a, lo)"),
    ForeignWord("clamp_max clip_max", "min(a, hi)"),
    ForeignWord("add", "a + b"),
    ForeignWord("subtract sub minus", "a - b"),
    ForeignWord("multiply mul times", "a*b"),
    ForeignWord("divide div truediv true_divide divide_no_nan div_no_nan", "a/b"),
    ForeignWord("negative neg", "-a"),
    ForeignWord("reciprocal inverse", "1/a"),
    ForeignWord("squared_difference sqdiff", "(a - b)^2"),
    ForeignWord("lerp", "a + w*(b - a)"),
    # conditions
    ForeignWord("is_inf isposinf isneginf", "isinf(a)"),
    ForeignWord("is_finite", "isfinite(a)"),
    ForeignWord("is_nan isna isnull notnan", "isnan(a)"),
    ForeignWord("nan_to_num", "where(isnan(a), 0, a)"),
    ForeignWord("equal eq", "a == b"),
    ForeignWord("not_equal ne", "a != b"),
    ForeignWord("greater gt", "a > b"),
    ForeignWord("greater_equal ge gte", "a >= b"),
    ForeignWord("less lt", "a < b"),
    ForeignWord("less_equal le lte", "a <= b"),
    ForeignWord("isclose allclose is_close approx_equal", "abs(a - b) < 1e-6"),
    ForeignWord("logical_and and_ land", "a and b"),
    ForeignWord("logical_or or_ lor", "a or b"),
    ForeignWord("logical_not not_ lnot", "not a"),
    ForeignWord("logical_xor xor", "(a or b) and not (a and b)"),
    ForeignWord("if_else ifelse iif iff cond select switch ternary choose_if", "where(condition, a, b)"),
    ForeignWord("piecewise case case_when", "cases(c1: a, c2: b, else: c)"),
    # sums and other aggregates
    ForeignWord("reduce_sum nansum total summation sum_ sigma_sum Σ", "sum(a)", "over other axes `sum[batch](a)`"),
    ForeignWord("reduce_mean average avg mean_ expectation expected E 𝔼", "mean(a)", "over other axes `mean[batch](a)`"),
    ForeignWord("nanmean masked_mean", "mean[last if not isnan(a)](a)"),
    ForeignWord("reduce_max amax nanmax", "max(a)", "over other axes `max[batch](a)`"),
    ForeignWord("reduce_min amin nanmin", "min(a)", "over other axes `min[batch](a)`"),
    ForeignWord("reduce_prod product Π", "prod(a)"),
    ForeignWord("reduce_any", "any(a)"),
    ForeignWord("reduce_all", "all(a)"),
    ForeignWord("reduce_std stddev stdev std_dev sd nanstd", "std(a)"),
    ForeignWord("reduce_variance variance moments nanvar", "var(a)"),
    ForeignWord("count_nonzero bincount", "count(a != 0)"),
    ForeignWord("cumprod", "exp(cumsum(log(a)))", "for positive numbers"),
    ForeignWord("cumulative_sum", "cumsum(a)"),
    ForeignWord("percentile", "quantile(a, q)", "q lies between 0 and 1"),
    ForeignWord("nanmedian", "median(a)", "choose before it, by `where`, what stands for nan"),
    ForeignWord("argsort", "rank(a)"),
    ForeignWord("topk top_k kthvalue", "sort(a)[-k:]"),
    ForeignWord("sorted", "sort(a)"),
    ForeignWord("arg_max", "argmax(a)"),
    ForeignWord("arg_min", "argmin(a)"),
    ForeignWord("entropy", "-sum(xlogy(p, p))"),
    ForeignWord("Cov cov covariance", "mean((a - mean(a))*(b - mean(b)))", "over samples with `[batch]` behind each `mean`"),
    ForeignWord("corr corrcoef pearsonr pearson correlation", "dot(normalize(a - mean(a)), normalize(b - mean(b)))"),
    ForeignWord("unique histogram histc digitize bucketize", "", "there are no sets: `count(e == k)` tells how often k occurs"),
    # vectors
    ForeignWord("l2norm l2_norm euclidean vector_norm frobenius", "norm(a)"),
    ForeignWord("l1norm l1_norm manhattan", "sum(abs(a))"),
    ForeignWord("linf_norm max_norm", "max(abs(a))"),
    ForeignWord("l2_normalize unit_vector normalise normalized unit_norm", "normalize(a)"),
    ForeignWord("inner vdot inner_product dot_product tensordot batch_dot batch_matmul bmm", "dot(a, b)"),
    ForeignWord("matmul mm mv", "dot(a, b)", "of a matrix parameter w: `sum[j in rows](dot(w[j], x))`"),
    ForeignWord("einsum", "sum(a*b)", "axes are named in brackets, as in `sum[j in batch](a*b[j])`"),
    ForeignWord("cosine cos_sim cosine_sim cosine_distance", "dot(normalize(a), normalize(b))"),
    ForeignWord("cdist pdist pairwise_distance euclidean_distance distance dist", "norm(a - b)", "over pairs `norm(x - x[j])`"),
    ForeignWord("outer cross kron det logdet slogdet inv pinv trace tr eig eigh svd solve cholesky lstsq matrix_inverse diag "
        "diagonal transpose T", "", _MATRICES),
    # elements
    ForeignWord("one_hot to_categorical onehot_ eye", "onehot(t)"),
    ForeignWord("gather take take_along_axis gather_nd index_select batch_gather embedding_lookup", "x[t]", "with `t: label`"),
    ForeignWord("diff ediff1d", "x[1:] - x[:-1]"),
    ForeignWord("shape size numel length rank_of dim ndim get_shape", "len(x)", "along other axes `len[batch](x)`"),
    ForeignWord("arange range linspace meshgrid indices", "self", "that is the position of an element on its axis"),
    # what is not there
    ForeignWord("stop_gradient detach stopgradient stop_grad no_grad lax_stop_gradient block_grad", "stop(a)"),
    ForeignWord("reshape expand_dims squeeze unsqueeze flatten ravel permute moveaxis swapaxes view broadcast_to broadcast tile "
        "repeat stack concat concatenate hstack vstack split unstack chunk pad flip roll newaxis", "", _SHAPES),
    ForeignWord("zeros zeros_like", "0"),
    ForeignWord("ones ones_like", "1"),
    ForeignWord("full full_like fill", "", "write the number itself: it is spread over the axes"),
    ForeignWord("cast astype float float32 float64 to_float int int32 to convert_to_tensor constant tensor array asarray as_tensor "
        "Variable", "", _DTYPES),
    ForeignWord("uniform normal randn rand random random_normal random_uniform sample bernoulli dropout shuffle", "", _RANDOM),
    ForeignWord("print assert check_numerics Assert debug", "", "remove it: `require` and `example` lines say what must hold"),
    ForeignWord("map vmap vectorize map_fn scan fori_loop while_loop reduce apply lambda_", "", "formulas go over all elements by themselves"),
    ForeignWord("grad gradient gradients diff_wrt derivative jacobian hessian autograd backward", "", "gradients are made from the formula: `lossdsl grad` prints them"),
    ForeignWord("integral integrate quad trapz trapezoid", "sum(a)", "over the values at the nodes of a rule"),
    ForeignWord("limit lim sup inf_ supremum infimum argsup", "", "the largest and least elements are `max(a)` and `min(a)`"),
    ForeignWord("masked_fill masked_select boolean_mask mask", "where(condition, a, b)"),
    ForeignWord("fft rfft dft", "spectrum(a)", "that has the magnitudes"),
    ForeignWord("ifft stft conv conv1d conv2d convolve interpolate resize ssim psnr", "", "compute it outside, and hand it in as an input"),
    ForeignWord("open eval exec __import__ getattr system import_module", "", _NO_CALLS),
    ForeignWord("Dense Layer Model model fit compile optimizer Lambda Sequential layers", "", _FOR_MODELS),
    # losses
    ForeignWord("mse_loss MSELoss MSE squared_error se l2_loss L2Loss l2", "(t - x)^2", "`mean_squared_error` has it built in"),
    ForeignWord("l1_loss L1Loss MAE absolute_error l1", "abs(t - x)", "`mean_absolute_error` has it built in"),
    ForeignWord("rmse", "sqrt(mean((t - x)^2))"),
    ForeignWord("smooth_l1_loss SmoothL1Loss smooth_l1", "huber(t, x)"),
    ForeignWord("HuberLoss", "huber(t, x; delta = 1.0)"),
    ForeignWord("cross_entropy crossentropy CrossEntropyLoss ce ce_loss softmax_cross_entropy softmax_cross_entropy_with_logits "
        "categorical_cross_entropy xent", "categorical_crossentropy(t, x; from_logits = true)"),
    ForeignWord("sparse_softmax_cross_entropy_with_logits nll_loss NLLLoss sparse_categorical_cross_entropy nll",
        "-log_softmax(x)[t]", "with `t: label`"),
    ForeignWord("binary_cross_entropy BCELoss bce_loss", "binary_crossentropy(t, x)"),
    ForeignWord("binary_cross_entropy_with_logits BCEWithLogitsLoss sigmoid_cross_entropy_with_logits sigmoid_cross_entropy "
        "bce_with_logits", "binary_crossentropy(t, x; from_logits = true)"),
    ForeignWord("kl kl_div KLDivLoss kldiv kullback_leibler", "kl_divergence(t, x)"),
    ForeignWord("pinball pinball_loss quantile_loss", "quantile(t, x; q = 0.5)"),
    ForeignWord("focal_loss focal sigmoid_focal_loss FocalLoss", "binary_focal_crossentropy(t, x)"),
    ForeignWord("dice_loss DiceLoss soft_dice", "dice(t, x)"),
    ForeignWord("logcosh_loss LogCoshLoss", "log_cosh(t, x)"),
    ForeignWord("HingeEmbeddingLoss hinge_loss", "hinge(t, x)"),
)  # fmt: skip
"""Functions and methods of numpy, TensorFlow, JAX, torch, Keras and mathematics."""

CONSTANTS = (
    ForeignWord("N", "len[batch](x)", "a sum divided by it is `mean[batch](a)`"),
    ForeignWord("e euler", "exp(1)", "a power `e^a` is `exp(a)`"),
    ForeignWord("eps EPS Eps ε EPSILON tiny finfo machine_epsilon", "epsilon", "that is 1e-7"),
    ForeignWord("π PI Pi", "pi"),
    ForeignWord("tau_ two_pi", "2*pi"),
    ForeignWord("infinity Infinity Inf INF oo infty PINF", "inf"),
    ForeignWord("NINF", "-inf"),
    ForeignWord("nan NaN NAN NA", "", "nan cannot be written: `isnan(a)` asks for it"),
    ForeignWord("otherwise default", "", "the last piece of `cases` begins with `else`"),
    ForeignWord("E 𝔼", "mean(a)"),
    ForeignWord("True TRUE yes", "true"),
    ForeignWord("False FALSE no", "false"),
    ForeignWord("None null nil NULL undefined", "0", "a choice without a value is written with the value that it has then"),
    ForeignWord("axis dim dims", "sum[last](e)", "axes stand in square brackets"),
    ForeignWord("y y_true target targets label labels y_target ground_truth gt truth", "t",
        "a header gives it this name: `loss mine(y_true, y_pred)`"),
    ForeignWord("y_pred prediction predictions pred preds output outputs y_hat yhat ŷ logits", "x",
        "a header gives it this name: `loss mine(y_true, y_pred)`"),
    ForeignWord("batch_size N_batch", "len[batch](x)"),
    ForeignWord("n_classes num_classes C_classes nclasses", "len(x)"),
)  # fmt: skip
"""Names that stand for a number or for an input."""

KEYWORDS = (
    ForeignWord("descending reverse", "-sort(-a)"),
    ForeignWord("axis dim dims", "", "axes stand in square brackets, as in `mean[batch](e)`; without them it is the last one"),
    ForeignWord("keepdims keepdim keep_dims", "", "leave it out: axes meet by name, and what lacks one is spread along it"),
    ForeignWord("dtype name reduction", "", "this is an option of `compile`, and of YAML beside the loss"),
    ForeignWord("from_logits label_smoothing ignore_class delta gamma alpha beta margin q", "",
        "parameters of a loss follow a semicolon, as in `huber(t, x; delta = 0.5)`"),
    ForeignWord("weight weights sample_weight pos_weight class_weight", "",
        "weights are an input or parameter of the loss, and a factor: `w*(t - x)^2`"),
    ForeignWord("min max a_min a_max clip_value_min clip_value_max", "", "it has no name: `clip(a, lo, hi)`"),
    ForeignWord("ord p", "", "`norm(a)` is the Euclidean one; others are sums, as `sum(abs(a)^p)^(1/p)`"),
    ForeignWord("depth num_classes", "", "`onehot(t)` has as many classes as the prediction"),
    ForeignWord("base", "", "a logarithm to another base b is `log(a)/log(b)`"),
    ForeignWord("ddof correction unbiased", "", "leave it out: `var(a)` divides by the number of elements"),
    ForeignWord("x y a b condition input other", "", "arguments have no names: give them in order"),
)  # fmt: skip
"""Names of arguments in a call."""

INPUT_KINDS = (
    ForeignWord("float double number tensor array vector_ float32 Tensor ndarray", "", "leave it out: an input is a real number"),
    ForeignWord("labels int integer int64 int32 long class class_id sparse categorical index", "label"),
    ForeignWord("probability probabilities probs proba softmax", "prob", "a whole distribution along `last` is a `simplex`"),
    ForeignWord("distribution dist softlabels", "simplex"),
    ForeignWord("one_hot one-hot onehots", "onehot"),
    ForeignWord("bool boolean", "binary"),
    ForeignWord("mask weight weights", "scalar", "that is one number a sample; with the last axis it is `nonneg`"),
)
"""Kinds of inputs."""

PARAMETER_KINDS = (
    ForeignWord("float double number scalar positive", "real", "which may be left out"),
    ForeignWord("boolean flag", "bool"),
    ForeignWord("integer int32 int64 long whole", "int"),
    ForeignWord("list array tensor tuple", "vector"),
)
"""Kinds of parameters."""

LATEX = (
    ForeignWord("frac dfrac tfrac cfrac", "(a)/(b)"),
    ForeignWord("sqrt", "sqrt(a)"),
    ForeignWord("log ln lg", "log(a)"),
    ForeignWord("exp", "exp(a)"),
    ForeignWord("cdot times ast bullet odot", "a*b"),
    ForeignWord("div", "a/b"),
    ForeignWord("sum", "sum[j](x[j])", "over the last axis `sum(x)`"),
    ForeignWord("prod", "prod(a)"),
    ForeignWord("max", "max(a, b)"),
    ForeignWord("min", "min(a, b)"),
    ForeignWord("lvert rvert vert mid", "abs(a)"),
    ForeignWord("lVert rVert Vert", "norm(a)"),
    ForeignWord("left right big Big bigl bigr", "", "brackets are plain round ones: `(a)`"),
    ForeignWord("begin end", "cases(c1: a, c2: b, else: c)"),
    ForeignWord("arg argmax", "argmax(a)"),
    ForeignWord("argmin", "argmin(a)"),
    ForeignWord("alpha beta gamma delta zeta eta theta kappa lambda mu nu xi rho tau phi chi psi omega Delta Gamma Lambda Omega ell", "",
        "it is a name like any other: leave out the backslash, or write the letter"),
    ForeignWord("text mathrm mathbf mathcal mathbb operatorname boldsymbol bm", "", "a name is a word, as `loss` or `x_hat`"),
    ForeignWord("hat tilde bar overline widehat", "x_hat", "that is a name like any other"),
    ForeignWord("leq le leqslant", "a <= b"),
    ForeignWord("geq ge geqslant", "a >= b"),
    ForeignWord("neq ne", "a != b"),
    ForeignWord("infty", "inf"),
    ForeignWord("pi", "pi"),
    ForeignWord("epsilon varepsilon", "epsilon", "that is 1e-7; a parameter is called `eps` or `ε`"),
    ForeignWord("sigma", "sigmoid(a)", "a parameter is called `sigma` or `σ`"),
    ForeignWord("lfloor rfloor", "floor(a)"),
    ForeignWord("lceil rceil", "ceil(a)"),
    ForeignWord("langle rangle", "dot(a, b)"),
    ForeignWord("land wedge", "a and b"),
    ForeignWord("lor vee", "a or b"),
    ForeignWord("neg lnot", "not a"),
    ForeignWord("mathbb1 mathbf1 mathds", "where(condition, 1, 0)"),
    ForeignWord("partial nabla", "", "gradients are made from the formula: `lossdsl grad` prints them"),
    ForeignWord("quad qquad hspace", "", "remove it: space means nothing"),
)
"""Commands of LaTeX, without the backslash."""

CHARACTERS = (
    ForeignWord("|", "abs(a)", "a choice of conditions is `a or b`"),
    ForeignWord("&", "a and b"),
    ForeignWord("!", "not a", "unequal is `a != b`"),
    ForeignWord("{ }", "", "use round brackets, and `cases(c1: a, c2: b, else: c)` for pieces"),
    ForeignWord(";", "", "put each definition on a line of its own; `;` stands only before parameters"),
    ForeignWord("@", "", "write `dot(a, b)` or `sum(a*b)`"),
    ForeignWord("%", "mod(a, b)"),
    ForeignWord("?", "where(condition, a, b)"),
    ForeignWord("~", "not a"),
    ForeignWord("'", "", "only documentation is text, and it stands in triple double quotes"),
    ForeignWord('" “ ” „ ‟ « »', "", 'only documentation is text, and it stands in triple double quotes, """like this"""'),
    ForeignWord("‘ ’ ‚ ′ ″ `", "", "remove it: a name has letters, digits and `_`, as in `x_1`"),
    ForeignWord("$", "", "remove the `$`: a formula stands as it is"),
    ForeignWord("\\", "", "remove it: functions are written as plain words"),
    ForeignWord("− – — ‐ ‑ ﹣ －", "a - b"),
    ForeignWord("× · ⋅ ∗ ⊙ ∘ • ∙ ✕ ⨯ ⊗ ＊", "a*b"),
    ForeignWord("÷ ∕ ⁄ ／", "a/b"),
    ForeignWord("＋", "a + b"),
    ForeignWord("± ∓", "", "write two formulas, or a parameter that is 1 or -1"),
    ForeignWord("≤ ⩽ ≦", "a <= b"),
    ForeignWord("≥ ⩾ ≧", "a >= b"),
    ForeignWord("≠", "a != b"),
    ForeignWord("≈ ≃ ≅ ∼", "abs(a - b) < 1e-6"),
    ForeignWord("≡ ≔ ← :=", "name = a", "a comparison is `a == b`"),
    ForeignWord("²", "a^2"),
    ForeignWord("³", "a^3"),
    ForeignWord("⁻ ⁺ ⁿ ᵀ", "a^(-1)", "a power is written with `^`"),
    ForeignWord("½", "1/2"),
    ForeignWord("⅓", "1/3"),
    ForeignWord("¼", "1/4"),
    ForeignWord("¾", "3/4"),
    ForeignWord("√ ∛", "sqrt(a)", "a cube root is `cbrt(a)`"),
    ForeignWord("∞", "inf"),
    ForeignWord("∑", "sum(a)"),
    ForeignWord("∏", "prod(a)"),
    ForeignWord("∫", "sum(a)", "over the values at the nodes of a rule"),
    ForeignWord("‖ ∥ ǁ", "norm(a)"),
    ForeignWord("∣ ❘", "abs(a)"),
    ForeignWord("⟨ ⟩ 〈 〉", "dot(a, b)"),
    ForeignWord("⌊ ⌋", "floor(a)"),
    ForeignWord("⌈ ⌉", "ceil(a)"),
    ForeignWord("∧", "a and b"),
    ForeignWord("∨", "a or b"),
    ForeignWord("¬", "not a"),
    ForeignWord("∈", "j in batch", "an index and its axis, as in `sum[j in batch](x[j])`"),
    ForeignWord("∂ ∇", "", "gradients are made from the formula: `lossdsl grad` prints them"),
    ForeignWord("→ ↦ ⇒", "->", "it stands in examples alone"),
    ForeignWord("… ⋯", "", "write all of it, or a sum over an index"),
    ForeignWord("（ ） ［ ］ ， ： ；", "", "write the bracket or sign of the Latin keyboard"),
    ForeignWord("𝟙 𝟏", "where(condition, 1, 0)"),
)
"""Characters that are no part of the language."""

_LETTERED = ("mathbf", "mathbb", "mathds", "mathbbm", "mathrm", "operatorname", "text", "boldsymbol", "bm")
"""Commands that set a word in letters of their own."""

AXES = (
    ForeignWord("batches samples sample examples minibatch batch_size N B", "batch"),
    ForeignWord("classes class channels channel features vocabulary vocab units C D", "last"),
    ForeignWord("time steps timesteps tokens pixels height width H W", "space"),
)
"""What axes are called elsewhere."""

_PYTHON_WORDS = (
    ForeignWord("function func fn fun sub procedure", "", "a loss starts with `loss name(t, x)`, a local function is written `f(u) = expr`"),
    ForeignWord("for", "", "a sum over an index is written `sum[j](x[j])`"),
    ForeignWord("lambda", "", "a local function is written `f(u) = expr`"),
    ForeignWord("def", "", "a loss starts with `loss name(t, x)`, a local function is written `f(u) = expr`"),
    ForeignWord("return", "", "the last line is the loss; no `return` is needed"),
    ForeignWord("import from", "", "a formula uses the functions of the language only"),
    ForeignWord("let var const set def_", "e = a", "a definition begins with its name"),
    ForeignWord("class", "", "a loss starts with `loss name(t, x)`"),
    ForeignWord("while try with raise global", "", "a loss is a formula: there are no statements"),
    ForeignWord("assert", "", "a condition on parameters is a line `require a > 0`"),
)
"""Words at the beginning of a line of another language."""


def _by_word(rows: Iterable[ForeignWord]) -> dict[str, ForeignWord]:
    return {word: row for row in rows for word in row.words.split()}


_FUNCTIONS, _CONSTANTS, _KEYWORDS = map(_by_word, (FUNCTIONS, CONSTANTS, KEYWORDS))
_INPUT_KINDS, _PARAMETER_KINDS = map(_by_word, (INPUT_KINDS, PARAMETER_KINDS))
_LATEX, _CHARACTERS, _STATEMENTS, _AXES = map(_by_word, (LATEX, CHARACTERS, _PYTHON_WORDS, AXES))
_ANY_CASE = {word.lower(): row for word, row in _FUNCTIONS.items()}


def function_hint(word: str, known: Iterable[str] = ()) -> str | None:
    """What to do about a function that is not there: what it is here, or the near miss among those that are known."""
    names = list(known)
    row = _FUNCTIONS.get(word) or _STATEMENTS.get(word)
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


def constant_hint(word: str) -> str | None:
    """What a number or truth value is called here that has this name elsewhere."""
    row = _CONSTANTS.get(word)
    is_constant = row is not None and row.here in ("true", "false", "inf", "-inf", "pi", "epsilon")
    return row.hint(word) if row is not None and is_constant else None


def axis_hint(word: str) -> str | None:
    """What an axis is called here that has this name elsewhere."""
    row = _AXES.get(word)
    return row.hint(word) if row is not None else None


def keyword_hint(word: str) -> str | None:
    """What to do about an argument with a name."""
    row = _KEYWORDS.get(word)
    return row.hint(word) if row is not None else None


def kind_hint(word: str, known: Iterable[str], *, of_input: bool) -> str | None:
    """What to do about a kind that is not there."""
    row = (_INPUT_KINDS if of_input else _PARAMETER_KINDS).get(word)
    return row.hint(word) if row is not None else did_you_mean(word, known)


def latex_hint(word: str, rest: str = "") -> str:
    """What to do about a command of LaTeX, with what follows it."""
    inside = re.match(r"\s*\{?\s*([A-Za-z]\w*|1)\s*\}?", rest)
    if inside and word in _LETTERED:
        if inside[1] in ("1", "I"):
            return "an indicator is written `where(condition, 1, 0)`"
        if inside[1] == "E":
            return "an expectation is `mean(a)` here"
        if inside[1] in function_names():
            return f"write `{inside[1]}(…)`"
    if word not in _LATEX and word in function_names():
        return f"write `{word}(…)`"
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
