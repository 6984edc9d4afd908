"""Losses that the language does not say, as a paper would have them written: what each lacks, and where it is told."""

REFUSED: dict[str, tuple[str, str]] = {
    # Graves et al. (2006), equations 6 and 7: alphas are sums of alphas of the step before
    "connectionist temporal classification": (
        "loss ctc(t: label, x)\na[i in space] = log_softmax(x[i])[t[0 in space]] + a[i - 1]\n-a[-1]",
        "a recursion along places",
    ),
    # Cuturi and Blondel (2017), equation 1 and algorithm 1
    "soft dynamic time warping": (
        "loss sdtw(t, x)\nr[i, j] = (x[i] - t[j])^2 - log(exp(-r[i - 1, j]) + exp(-r[i, j - 1]))\nr[-1, -1]",
        "a recursion along two indices",
    ),
    # Lafferty, McCallum and Pereira (2001): the forward pass of a linear chain
    "conditional random field": (
        "loss crf(t: label, x; T: matrix = [[0, 1], [1, 0]])\nplaces step\n"
        "f[i in step, k] = x[i, k] + logsumexp[l](f[i - 1, l] + T[l, k])\nlogsumexp[k](f[-1, k])",
        "a recursion along places",
    ),
    # Graves (2012), equation 16
    "transducer": (
        "loss rnnt(t: label, x)\na[i, j] = logaddexp(a[i - 1, j] + x[i], a[i, j - 1] + x[j])\n-a[-1, -1]",
        "a recursion along two indices",
    ),
    # Zhao et al. (2019), region mutual information, equation 14
    "region mutual information": (
        "loss rmi(t, x)\nc[k, l] = mean[batch](x[k]*x[l])\n0.5*logdet[k, l](c[k, l])",
        "the determinant of a matrix",
    ),
    # Carion et al. (2020), equation 1: the cheapest matching of predictions and objects
    "set prediction": (
        "loss detr(t, x)\nd[i in space, j in space] = norm(x[i] - t[j])\n"
        "min[s in permutations](sum[i in space](d[i, s]))",
        "a matching",
    ),
    # Song et al. (2020), sliced score matching: a Jacobian of the model
    "sliced score matching": (
        "loss ssm(v, x)\nsum(v*derivative(x, v)) + 0.5*dot(v, x)^2",
        "the derivative of a model in its input",
    ),
}
