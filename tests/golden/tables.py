"""For the cases that are drawn: tables of options, extents that suit a window, numbers of several kinds."""

from types import SimpleNamespace

import numpy as np
import torch

from family import Draw, rounded

TRIGONOMETRY = "tan asin acos atan sinh cosh asinh acosh atanh".split()

# Multiples of 1/16 and small integers take few bytes in a compressed file.
KINDS = ["normal", "sixteenths", "sixteenths", "integers"]
# For functions that compute a difference in float64: of such numbers it may be 0 but for the rounding of PyTorch.
NORMAL = ["normal"]


def table(key, rows, **options):
    """Rows of options. The values of an option are in equally many rows, in an order that depends on its name alone."""

    def column(name, values):
        random = Draw(f"{key}/{name}").random
        rounds = [random.permutation(len(values)) for _ in range(-(-rows // len(values)))]
        return [values[i] for i in np.concatenate(rounds)[:rows]]

    columns = {name: column(name, values) for name, values in options.items()}
    return [SimpleNamespace(**dict(zip(columns, row))) for row in zip(*columns.values())]


def fill(draw, shape, kind="normal"):
    """A tensor of this kind of numbers."""
    if kind == "normal":
        return draw.normal(*shape, scale=2.0)
    if kind == "sixteenths":
        return draw.integers(*shape, low=-48, high=48) / 16
    if kind == "integers":
        return draw.integers(*shape, low=-4, high=4)
    if kind == "positive":
        return draw.integers(*shape, low=1, high=64) / 16
    assert kind == "int32", kind
    return draw.integers(*shape, low=-9, high=9).to(torch.int32)


def points(draw, shape):
    """Points of a grid: some within an image and some about it, some at its corners, some far from it."""
    near = draw.uniform(*shape, low=-1.3, high=1.3)
    corners = draw.integers(*shape, low=-1, high=1)
    far = draw.uniform(*shape, low=-9.0, high=9.0)
    kind = draw.integers(*shape, low=0, high=9)
    return torch.where(kind == 0, corners, torch.where(kind == 1, far, near))


def regions(draw, k, n, h, w, scale, kind="normal"):
    """Boxes `[k, 5]` in `n` images of this size and about it, in units of pixels / scale: an image, x1, y1, x2, y2. `sixteenths` are
    whole and half pixels."""

    def axis(extent):
        a, b = draw.uniform(k, low=-0.15, high=1.15) * extent, draw.uniform(k, low=-0.15, high=1.15) * extent
        if kind != "normal":
            a, b = torch.round(a * 2) / 2, torch.round(b * 2) / 2
        return torch.minimum(a, b) / scale, torch.maximum(a, b) / scale

    (x1, x2), (y1, y2) = axis(w), axis(h)
    return rounded(torch.stack([draw.integers(k, low=0, high=n - 1), x1, y1, x2, y2], 1))


def unpooled(draw, n, c, window, places, size, kind="normal"):
    """Values `[n, c, places]`, and a place for each in its plane of `size`, or of the one that follows: no two have the same."""
    if size is None:
        stride = window["stride"] or window["kernel_size"]
        axes = zip(places, stride, window["kernel_size"], window["padding"])
        size = [(o - 1) * s + k - 2 * p for o, s, k, p in axes]
    x = fill(draw, (n, c, *places), kind)
    planes = [draw.random.permutation(size[0] * size[1])[: places[0] * places[1]] for _ in range(n * c)]
    return x, torch.from_numpy(np.stack(planes)).reshape(x.shape).to(torch.int32)


def folded(n, c, size, kernel_size, stride, padding, dilation):
    """The shape of the windows of an image of this size."""
    axes = zip(size, kernel_size, stride, padding, dilation)
    h, w = [(i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in axes]
    return (n, c * kernel_size[0] * kernel_size[1], h * w)


def deformed(draw, n, channels, size, kernel, groups, more, window, kind="normal"):
    """Image, offsets, weight, and the bias and the mask that `more` names. `groups` are those of channels and those of offsets; some
    taps are moved by whole pixels, some far."""
    ic, oc = channels
    axes = zip(size, kernel, window["stride"], window["padding"], window["dilation"])
    places = [(i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in axes]
    entries = groups[1] * kernel[0] * kernel[1]
    x, weight = fill(draw, (n, ic, *size), kind), fill(draw, (oc, ic // groups[0], *kernel), kind)
    shape = (n, 2 * entries, *places)
    near, far = draw.uniform(*shape, low=-2.0, high=2.0), draw.uniform(*shape, low=-30.0, high=30.0)
    which = draw.integers(*shape, low=0, high=7)
    offset = rounded(torch.where(which == 0, torch.round(near), torch.where(which == 1, far, near)))
    if kind != "normal":
        offset = torch.round(offset * 16) / 16
    tensors = dict(x=x, offset=offset, weight=weight)
    if "bias" in more:
        tensors["bias"] = fill(draw, (oc,), kind)
    if "mask" in more:
        tensors["mask"] = draw.integers(n, entries, *places, low=-8, high=24) / 16
    return tensors


def away(x, by=0.0625):
    """Positive numbers, none of them near 0."""
    return rounded(x.abs() + by)


def extent(out, kernel, stride=1, padding=0, dilation=1, rest=0, least=1):
    """The extent that gives `out` windows and leaves up to `rest` elements; more windows if it would be below `least`."""
    return max(least, (out - 1) * stride + dilation * (kernel - 1) + 1 - padding + min(rest, stride - 1))


def span(padding, kernel, dilation):
    """The padding of an axis, before and after: PyTorch's number, 'same' or 'valid', or both sides."""
    if padding == "valid":
        return [0, 0]
    if padding == "same":
        total = dilation * (kernel - 1)
        return [total // 2, total - total // 2]
    return [padding, padding] if isinstance(padding, int) else list(padding)


def least(mode, sides):
    """The smallest extent that a padding of this mode takes: reflections need more than they add, a circle as much."""
    return {"reflect": max(sides) + 1, "circular": max(1, *sides)}.get(mode, 1)


def picture(o, padding):
    """Height and width for the window of a row: `padding` has both sides of both axes."""
    mode = getattr(o, "mode", "zeros")
    axes = zip(o.out, o.kernel, o.stride or o.kernel, padding, o.dilation, o.rest)
    return tuple(extent(n, k, s, sum(p), d, r, least(mode, p)) for n, k, s, p, d, r in axes)
