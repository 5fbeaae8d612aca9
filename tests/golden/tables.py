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
