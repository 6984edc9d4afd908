"""Words of other libraries, papers and configurations, and what stands for each here: tables, a row a word.

A row has the words, separated by spaces, and what to write; a text in the language stands alone, anything else is a
sentence. The hints of messages (`foreign.py`) and docs/words.md are made of them.
"""

from __future__ import annotations

from typing import NamedTuple


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
    ForeignWord("polygamma", "digamma(a)", "of higher orders there is `trigamma(a)` alone"),
    ForeignWord("zeta hyp2f1 expi expint lambertw jv yv kv legendre", "",
        "there is no such function: compute it outside, and hand it in as an input"),
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
    ForeignWord("frac fractional", "a - floor(a)"),
    ForeignWord("fmod remainder floormod floor_mod", "mod(a, b)"),
    ForeignWord("floor_divide floordiv", "floor(a/b)"),
    ForeignWord("heaviside step unit_step", "where(a > 0, 1, 0)"),
    ForeignWord("indicator iverson ind I Ind 𝟙 kronecker kronecker_delta", "where(condition, 1, 0)"),
    # two and more numbers
    ForeignWord("maximum fmax elementwise_max", "max(a, b)"),
    ForeignWord("minimum fmin elementwise_min", "min(a, b)"),
    ForeignWord("clamp clip_by_value bound", "clip(a, lo, hi)"),
    ForeignWord("clamp_min clip_min", "max(a, lo)"),
    ForeignWord("clamp_max clip_max", "min(a, hi)"),
    ForeignWord("logaddexp2", "log2(exp2(a) + exp2(b))"),
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
    ForeignWord("mean_batch batch_mean", "mean[batch](a)"),
    ForeignWord("sum_batch batch_sum", "sum[batch](a)"),
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
    ForeignWord("batch_norm batchnorm batch_normalization", "(a - mean[batch](a))/(std[batch](a) + epsilon)", "what it learns belongs to the model"),
    ForeignWord("layer_norm layernorm layer_normalization", "(a - mean(a))/(std(a) + epsilon)", "what it learns belongs to the model"),
    ForeignWord("zeros zeros_like", "0"),
    ForeignWord("ones ones_like", "1"),
    ForeignWord("full full_like fill", "", "write the number itself: it is spread over the axes"),
    ForeignWord("cast astype long half double type_as bfloat16 float16 float float32 float64 to_float int int32 bool str complex to convert_to_tensor constant tensor array asarray as_tensor "
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
    ForeignWord("HuberLoss huber_loss", "huber(t, x; delta = 1.0)"),
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
    ForeignWord("Var", "var(a)"),
    ForeignWord("Cov", "mean((a - mean(a))*(b - mean(b)))"),
    ForeignWord("True TRUE yes", "true"),
    ForeignWord("False FALSE no", "false"),
    ForeignWord("None null nil NULL undefined", "0", "a choice without a value is written with the value that it has then"),
    ForeignWord("axis dim dims", "sum[last](e)", "axes stand in square brackets"),
    ForeignWord("y y_true target targets label labels y_target ground_truth gt truth", "t",
        "a header gives it this name: `loss mine(y_true, y_pred)`"),
    ForeignWord("y_pred prediction predictions pred preds output outputs y_hat yhat ŷ x̂ x_hat logits", "x",
        "a header gives it this name: `loss mine(y_true, y_pred)`"),
    ForeignWord("sample_weight sample_weights", "",
        "weights of samples are given where the loss is called, as to Keras; those of the loss are an input: `loss mine(t, x, w)`"),
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

AXES = (
    ForeignWord("batches samples sample examples minibatch batch_size N B", "batch"),
    ForeignWord("classes class channels channel features vocabulary vocab units C D", "last"),
    ForeignWord("time steps timesteps tokens pixels height width H W", "space"),
)
"""What axes are called elsewhere."""

STATEMENTS = (
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
