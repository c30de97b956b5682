"""Answers to the tasks of tutorial 04: right ones, and wrong ones with a word of what each must be told."""

import numpy as np

from resnet_scratch.exercises import ch04_batchnorm as solved

AXES = (0, 1, 2)


def forward(axes=AXES, ddof=0, root=np.sqrt, shift=True):
    def answer(x, weight, bias, eps=1e-5):
        mean, var = x.mean(axes, keepdims=True), x.var(axes, ddof=ddof, keepdims=True)
        return weight * (x - shift * mean) / root(var + eps) + bias

    return answer


def eps_outside(x, weight, bias, eps=1e-5):
    return weight * (x - x.mean(AXES)) / (x.std(AXES) + eps) + bias


def forward_in_place(x, weight, bias, eps=1e-5):
    x -= x.mean(AXES)
    return weight * x / np.sqrt((x * x).mean(AXES) + eps) + bias


def channel_by_channel(x, weight, bias, eps=1e-5):
    y = np.zeros_like(x)
    for c in range(x.shape[-1]):
        channel = x[..., c]
        mean = sum(channel.flat) / channel.size
        var = sum((value - mean) ** 2 for value in channel.flat) / channel.size
        y[..., c] = weight[c] * (channel - mean) / (var + eps) ** 0.5 + bias[c]
    return y


def as_factor_and_shift(x, weight, bias, eps=1e-5):
    rows = x.reshape(-1, x.shape[-1])
    mean = np.ones(len(rows)) @ rows / len(rows)
    var = np.einsum("mc,mc->c", rows, rows) / len(rows) - mean**2
    factor = weight / np.sqrt(var + eps)
    return (rows * factor + (bias - mean * factor)).reshape(x.shape)


def channels_first(x, weight, bias, eps=1e-5):
    x = x.transpose(3, 0, 1, 2).reshape(x.shape[3], -1), x.shape
    flat = (x[0] - x[0].mean(1)[:, None]) / np.hypot(x[0].std(1), eps**0.5)[:, None]
    return (flat * weight[:, None] + bias[:, None]).reshape(x[1][3], *x[1][:3]).transpose(1, 2, 3, 0)


def backward(mean=1, variance=1, reduce=np.mean):
    def answer(grad_y, xhat, inverse_std, weight):
        grad_x = grad_y - mean * reduce(grad_y, AXES) - variance * xhat * reduce(grad_y * xhat, AXES)
        return weight * inverse_std * grad_x, (grad_y * xhat).sum(AXES), grad_y.sum(AXES)

    return answer


def changed(change):
    """A right backward pass, changed by change(grad_x, grad_weight, grad_bias, xhat, weight)."""

    def answer(grad_y, xhat, inverse_std, weight):
        return change(*solved.batch_norm_backward(grad_y, xhat, inverse_std, weight), xhat, weight)

    return answer


def backward_in_place(grad_y, xhat, inverse_std, weight):
    result = solved.batch_norm_backward(grad_y, xhat, inverse_std, weight)
    grad_y -= grad_y.mean(AXES)
    return result


def inverse_std_in_place(grad_y, xhat, inverse_std, weight):
    result = solved.batch_norm_backward(grad_y, xhat, inverse_std, weight)
    inverse_std *= weight
    return result


def in_steps(grad_y, xhat, inverse_std, weight):
    M = grad_y[..., 0].size
    d, s = xhat / inverse_std, inverse_std
    grad_xhat = grad_y * weight
    grad_s = (grad_xhat * d).sum(AXES)
    grad_var = grad_s * -0.5 * s**3
    grad_d = grad_xhat * s + grad_var * 2 * d / M
    grad_mean = -grad_d.sum(AXES)
    return [grad_d + grad_mean / M, np.einsum("nhwc,nhwc->c", grad_y, xhat), np.add.reduce(grad_y, AXES)]


def with_jacobians(grad_y, xhat, inverse_std, weight):
    grad_x, grad_weight = np.empty(grad_y.shape), []
    for c in range(len(weight)):
        g, h = grad_y[..., c].ravel(), xhat[..., c].ravel()
        jacobian = np.eye(len(g)) - 1 / len(g) - np.outer(h, h) / len(g)
        grad_x[..., c] = (weight[c] * inverse_std[c] * jacobian.T @ g).reshape(grad_y.shape[:3])
        grad_weight.append(g @ h)
    return grad_x, grad_weight, [grad_y[..., c].sum() for c in range(len(weight))]


def in_rows(grad_y, xhat, inverse_std, weight):
    g, h = grad_y.reshape(-1, len(weight)), xhat.reshape(-1, len(weight))
    grad_weight, grad_bias = np.diag(g.T @ h), g.sum(0)
    grad_x = (len(g) * g - grad_bias - h * grad_weight) * (weight * inverse_std / len(g))
    return grad_x.reshape(xhat.shape), grad_weight, grad_bias


def running(ddof=1, old=False, spread=np.var):
    def answer(mean, var, x, momentum=0.1):
        m = 1 - momentum if old else momentum
        return (1 - m) * mean + m * x.mean(AXES), (1 - m) * var + m * spread(x, AXES, ddof=ddof)

    return answer


def running_in_place(mean, var, x, momentum=0.1):
    mean += momentum * (x.mean(AXES) - mean)
    var += momentum * (x.var(AXES, ddof=1) - var)
    return mean, var


def images_counted(mean, var, x, momentum=0.1):
    N = len(x)
    return mean + momentum * (x.mean(AXES) - mean), var + momentum * (x.var(AXES) * N / (N - 1) - var)


def a_step_towards(mean, var, x, momentum=0.1):
    M = x.size / len(mean)
    return mean + momentum * (x.mean(AXES) - mean), var + momentum * (x.var(AXES) * M / (M - 1) - var)


def in_a_loop(mean, var, x, momentum=0.1):
    means, variances = [], []
    for c, channel in enumerate(x.reshape(-1, x.shape[-1]).T):
        middle = sum(channel) / len(channel)
        unbiased = sum((channel - middle) ** 2) / (len(channel) - 1)
        means.append(mean[c] * (1 - momentum) + middle * momentum)
        variances.append(var[c] * (1 - momentum) + unbiased * momentum)
    return np.array(means), np.array(variances)


def with_covariance(mean, var, x, momentum=0.1):
    rows = x.reshape(-1, x.shape[-1])
    batch = np.stack([rows.mean(0), np.diag(np.atleast_2d(np.cov(rows.T)))])
    return list(np.average([[mean, var], batch], axis=0, weights=[1 - momentum, momentum]))


class OverTheBatch(solved.LayerNorm):
    def forward(self, x, training=False):
        xhat = (x - x.mean(0)) / np.sqrt(x.var(0) + self.eps)
        return self.weight.value * xhat + self.bias.value, xhat


class WeightOutside(solved.LayerNorm):
    def backward(self, grad_y, cache):
        xhat, inverse_std = cache
        self.weight.grad, self.bias.grad = (grad_y * xhat).sum(0), grad_y.sum(0)
        means = grad_y.mean(1, keepdims=True) + xhat * (grad_y * xhat).mean(1, keepdims=True)
        return self.weight.value * inverse_std * (grad_y - means)


class NoScale(solved.LayerNorm):
    def forward(self, x, training=False):
        _, cache = super().forward(x)
        return cache[0], cache


def with_std(std):
    """LayerNorm with another standard deviation of x (N, C), given eps."""

    class Wrong(solved.LayerNorm):
        def forward(self, x, training=False):
            inverse_std = 1 / std(x, self.eps)
            xhat = (x - x.mean(1, keepdims=True)) * inverse_std
            return self.weight.value * xhat + self.bias.value, (xhat, inverse_std)

    return Wrong


class CacheForgotten(solved.LayerNorm):
    def forward(self, x, training=False):
        return super().forward(x)[0]


class CacheOfNone(solved.LayerNorm):
    def forward(self, x, training=False):
        return super().forward(x)[0], None


class HalfACache(solved.LayerNorm):
    def forward(self, x, training=False):
        y, (xhat, _) = super().forward(x)
        return y, xhat


class KeptInTheLayer(solved.LayerNorm):
    def forward(self, x, training=False):
        y, self.kept = super().forward(x)
        return y, None

    def backward(self, grad_y, cache):
        return super().backward(grad_y, self.kept)


class HalfKeptInTheLayer(solved.LayerNorm):
    def forward(self, x, training=False):
        y, cache = super().forward(x)
        self.kept = cache[0]
        return y, cache

    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.weight.grad = (grad_y * self.kept).sum(0)
        return grad_x


class ReturnsAList(solved.LayerNorm):
    def forward(self, x, training=False):
        return list(super().forward(x))


class MeansWithoutAxis(solved.LayerNorm):
    def backward(self, grad_y, cache):
        xhat, inverse_std = cache
        self.weight.grad, self.bias.grad = (grad_y * xhat).sum(0), grad_y.sum(0)
        g = grad_y * self.weight.value
        return inverse_std * (g - g.mean(1) - xhat * (g * xhat).mean(1))


class AddsToGradients(solved.LayerNorm):
    def backward(self, grad_y, cache):
        self.weight.grad += (grad_y * cache[0]).sum(0)
        self.bias.grad += grad_y.sum(0)


class CentresInPlace(solved.LayerNorm):
    def forward(self, x, training=False):
        x -= x.mean(1, keepdims=True)
        return super().forward(x)


class GradientsForgotten(solved.LayerNorm):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.weight.grad = None
        return grad_x


class MeanGradients(solved.LayerNorm):
    def backward(self, grad_y, cache):
        grad_x = super().backward(grad_y, cache)
        self.bias.grad = grad_y.mean(0)
        return grad_x


class NothingReturned(solved.LayerNorm):
    def backward(self, grad_y, cache):
        super().backward(grad_y, cache)


class InSteps(solved.LayerNorm):
    def forward(self, x, training=False):
        C = x.shape[1]
        d = x - (x.sum(1) / C)[:, None]
        s = ((d * d).sum(1) / C + self.eps) ** -0.5
        return d * s[:, None] * self.weight.value + self.bias.value, {"d": d, "s": s[:, None]}

    def backward(self, grad_y, cache):
        d, s = cache["d"], cache["s"]
        grad_xhat = grad_y * self.weight.value
        self.weight.grad, self.bias.grad = np.sum(grad_y * d * s, axis=0), np.sum(grad_y, axis=0)
        grad_var = (grad_xhat * d).sum(1, keepdims=True) * -0.5 * s**3
        grad_d = grad_xhat * s + grad_var * 2 * d / d.shape[1]
        return grad_d - grad_d.mean(1, keepdims=True)


class RowByRow(solved.LayerNorm):
    def forward(self, x, training=False):
        y = [self.weight.value * (row - row.mean()) / (row.var() + self.eps) ** 0.5 + self.bias.value for row in x]
        return np.array(y), x

    def backward(self, grad_y, x):
        self.weight.grad, self.bias.grad, grad_x = np.zeros(x.shape[1]), np.zeros(x.shape[1]), []
        for g, row in zip(grad_y, x):
            std = (row.var() + self.eps) ** 0.5
            xhat = (row - row.mean()) / std
            self.weight.grad += g * xhat
            self.bias.grad += g
            h = g * self.weight.value
            grad_x.append((h - h.mean() - xhat * np.dot(h, xhat) / len(row)) / std)
        return grad_x


class Transposed(solved.LayerNorm):
    def forward(self, x, training=False):
        C = x.shape[1]
        centring = np.eye(C) - 1 / C
        d = x @ centring
        std = np.sqrt(np.einsum("nc,nc->n", d, d) / C + self.eps)
        xhat = (d.T / std).T
        return np.einsum("nc,c->nc", xhat, self.weight.value) + self.bias.value, [xhat, std, centring]

    def backward(self, grad_y, cache):
        xhat, std, centring = cache
        self.weight.grad = np.einsum("nc,nc->c", grad_y, xhat)
        self.bias.grad = np.ones(len(xhat)) @ grad_y
        grad = grad_y @ np.diag(self.weight.value)
        along = np.einsum("nc,nc->n", grad, xhat) / xhat.shape[1]
        return ((grad - along[:, None] * xhat) / std[:, None]) @ centring


class ReturnsAllGradients(solved.LayerNorm):
    def backward(self, grad_y, cache):
        return super().backward(grad_y, cache), self.weight.grad


RIGHT = [
    ("4.1", channel_by_channel),
    ("4.1", as_factor_and_shift),
    ("4.1", channels_first),
    ("4.2", in_steps),
    ("4.2", with_jacobians),
    ("4.2", in_rows),
    ("4.3", a_step_towards),
    ("4.3", in_a_loop),
    ("4.3", with_covariance),
    ("4.4", InSteps),
    ("4.4", RowByRow),
    ("4.4", Transposed),
    ("4.4", ReturnsAList),
]

WRONG = [
    ("4.1", forward(axes=(1, 2)), "by itself"),
    ("4.1", forward(ddof=1), "M - 1"),
    ("4.1", forward(root=lambda v: v), "square root"),
    ("4.1", forward(shift=False), "subtract the mean"),
    ("4.1", forward(axes=(0, 1, 2, 3)), "mixed the channels"),
    ("4.1", eps_outside, "eps to the variance"),
    ("4.1", forward_in_place, "in place"),
    ("4.1", lambda x, weight, bias, eps: solved.batch_norm(x, weight, 0 * bias, eps), "the bias is missing"),
    ("4.1", lambda x, weight, bias, eps: solved.batch_norm(x, weight / weight, bias, eps), "the weight is missing"),
    ("4.2", backward(mean=0, variance=0), "constants"),
    ("4.2", backward(variance=0), "the variance is missing"),
    ("4.2", backward(mean=0), "the mean is missing"),
    ("4.2", backward(variance=-1), "wrong sign"),
    ("4.2", backward(reduce=np.sum), "two sums by M"),
    ("4.2", backward(reduce=lambda a, axes: a.sum(axes) / len(a)), "not N"),
    ("4.2", changed(lambda x, w, b, xhat, weight: (x / weight, w, b)), "the weight is missing"),
    ("4.2", changed(lambda x, w, b, xhat, weight: (x, w * weight.size / xhat.size, b)), "grad_weight is a sum"),
    ("4.2", changed(lambda x, w, b, xhat, weight: (x, b, w)), "swapped"),
    ("4.2", changed(lambda x, w, b, xhat, weight: (x, w * weight, b)), "grad_weight should be"),
    ("4.2", changed(lambda x, w, b, xhat, weight: x), "three arrays"),
    ("4.2", backward_in_place, "grad_y was changed"),
    ("4.2", inverse_std_in_place, "inverse_std was changed"),
    ("4.3", running(old=True), "weight of the new batch"),
    ("4.3", running(ddof=0), "biased"),
    ("4.3", running(spread=np.std), "standard deviation"),
    ("4.3", running_in_place, "in place"),
    ("4.3", images_counted, "not N"),
    ("4.4", OverTheBatch, "over the batch"),
    ("4.4", WeightOutside, "inside the two means"),
    ("4.4", NoScale, "its own weight"),
    ("4.4", CacheForgotten, "must return"),
    ("4.4", CacheOfNone, "the cache of forward"),
    ("4.4", HalfACache, "the cache of forward"),
    ("4.4", with_std(lambda x, eps: x.std(1, keepdims=True)), "add self.eps to the variance"),
    ("4.4", with_std(lambda x, eps: x.std(1, keepdims=True) + eps), "before the root"),
    ("4.4", with_std(lambda x, eps: np.sqrt(x.var(1, keepdims=True) + 1e-5)), "add self.eps to the variance"),
    ("4.4", KeptInTheLayer, "kept on self"),
    ("4.4", HalfKeptInTheLayer, "kept on self"),
    ("4.4", MeansWithoutAxis, "needs keepdims=True"),
    ("4.4", AddsToGradients, "do not add to it"),
    ("4.4", CentresInPlace, "x was changed in place"),
    ("4.4", GradientsForgotten, "must set self.weight.grad"),
    ("4.4", MeanGradients, "a sum over the rows"),
    ("4.4", NothingReturned, "backward returns nothing"),
    ("4.3", lambda *arguments: (None, None), r"returned \(None, None\), which the check cannot use"),
    ("4.4", ReturnsAllGradients, "backward must return grad_x only, got a tuple of 2"),
]
