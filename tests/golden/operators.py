"""The families that tests/ops reads, one per operator or a kind of operator, and the networks of tests/suite/nn.rs."""

import math

import torch
import torch.nn.functional as F

from family import DOUBLE, Family, gelu, given, rounded, rounded_params
from modules import randomize, run_module

RANDOM_CASES = 12


def conv2d():
    f = Family("conv2d")

    def case(x, weight, bias, stride, padding, dilation, groups, mode="zeros"):
        params = dict(stride=stride, padding=padding, dilation=dilation, groups=groups, padding_mode=mode)
        image, pad = x, padding
        if mode != "zeros":
            (top, left), pad = padding, 0
            image = F.pad(x, (left, left, top, top), mode=mode)
        out = F.conv2d(image, weight, bias, stride, pad, dilation, groups)
        f.add("conv2d", params, given(x=x, weight=weight, bias=bias), dict(out=out))

    def sized(x, weight, *rest, bias=True, uniform=None):
        """A case of these shapes. The notebook has images, or weights, in [0, 1): `uniform` names which."""
        image = f.draw.uniform if uniform == "x" else f.draw.normal
        filters = f.draw.uniform if uniform == "weight" else f.draw.normal
        case(image(*x), filters(*weight), filters(weight[0]) if bias else None, *rest)

    # the notebook's shapes
    sized((1, 1, 28, 28), (3, 1, 3, 3), [1, 1], [0, 0], [1, 1], 1, uniform="x")
    sized((1, 1, 28, 28), (3, 1, 3, 3), [1, 1], [1, 1], [1, 1], 1, uniform="x")
    sized((1, 1, 28, 28), (3, 1, 3, 3), [2, 2], [1, 1], [1, 1], 1, uniform="x")
    sized((1, 3, 28, 28), (16, 3, 5, 5), [1, 1], [1, 1], [1, 1], 1, uniform="weight")
    # depthwise, one filter per channel and two
    sized((2, 8, 13, 11), (8, 1, 3, 3), [1, 1], [1, 1], [1, 1], 8, bias=False)
    sized((1, 8, 13, 11), (16, 1, 5, 3), [2, 1], [2, 1], [1, 2], 8)
    # pointwise
    sized((1, 16, 9, 9), (24, 16, 1, 1), [1, 1], [0, 0], [1, 1], 1)
    sized((1, 16, 9, 9), (24, 16, 1, 1), [2, 2], [0, 0], [1, 1], 1, bias=False)
    # "same", with an odd kernel and with an even one
    sized((2, 5, 10, 7), (7, 5, 3, 3), [1, 1], "same", [1, 1], 1)
    sized((2, 4, 10, 7), (6, 2, 4, 2), [1, 1], "same", [2, 1], 2)
    for mode in ("reflect", "replicate", "circular"):
        sized((1, 3, 8, 9), (4, 3, 3, 5), [1, 1], [1, 2], [1, 1], 1, mode)
    sized((1, 1, 1, 1), (1, 1, 1, 1), [1, 1], [0, 0], [1, 1], 1)
    # the kernel covers the input
    sized((1, 2, 5, 5), (3, 2, 5, 5), [1, 1], [0, 0], [1, 1], 1)
    sized((1, 32, 17, 19), (32, 32, 3, 3), [1, 1], [1, 1], [1, 1], 1)
    sized((1, 12, 12, 12), (36, 4, 3, 3), [1, 1], [1, 1], [1, 1], 3)
    for _ in range(RANDOM_CASES):
        pick = f.draw.pick
        groups = pick([1, 1, 1, 2, 4])
        ci, co = groups * pick([1, 2, 3, 5]), groups * pick([1, 2, 4, 7])
        kh, kw = pick([1, 2, 3, 5, 7]), pick([1, 2, 3, 4])
        dilation = [pick([1, 1, 2, 3]), pick([1, 1, 2])]
        padding = [pick([0, 1, 2, 3]), pick([0, 1, 2])]
        h = max((kh - 1) * dilation[0] + 1 - 2 * padding[0], 1) + pick([0, 1, 5, 8])
        w = max((kw - 1) * dilation[1] + 1 - 2 * padding[1], 1) + pick([0, 2, 5, 9])
        n, stride, bias = pick([1, 2, 3]), [pick([1, 2, 3]), pick([1, 2])], pick([False, True])
        sized((n, ci, h, w), (co, ci // groups, kh, kw), stride, padding, dilation, groups, bias=bias)
    return f


def conv1d():
    f = Family("conv1d")
    for n, ci, co, length, k, stride, padding, dilation, groups in [
        (2, 3, 4, 20, 3, 1, 1, 1, 1),
        (1, 4, 8, 31, 5, 2, 2, 1, 2),
        (2, 6, 6, 17, 4, 3, 0, 2, 6),
        (1, 1, 1, 5, 5, 1, 0, 1, 1),
    ]:
        params = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        draw = f.draw
        inputs = dict(x=draw.normal(n, ci, length), weight=draw.normal(co, ci // groups, k), bias=draw.normal(co))
        f.add("conv1d", params, inputs, dict(out=F.conv1d(inputs["x"], inputs["weight"], inputs["bias"], **params)))
    return f


def conv_transpose2d():
    f = Family("conv_transpose2d")
    for i in range(6 + RANDOM_CASES // 2):
        pick, normal = f.draw.pick, f.draw.normal
        groups = [1, 1, 2, 1, 4, 1][i] if i < 6 else pick([1, 2])
        ci, co = groups * pick([1, 2, 3]), groups * pick([1, 2, 5])
        size, kernel = [pick([1, 4, 7]), pick([3, 6])], [pick([1, 2, 3, 4]), pick([2, 3, 5])]
        stride, dilation = [pick([1, 2, 3]), pick([1, 2])], [pick([1, 2]), 1]
        output_padding = [pick(range(max(stride[0], dilation[0]))), 0]
        # No padding that would leave nothing.
        whole = [(size[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + output_padding[a] + 1 for a in (0, 1)]
        padding = [min(pick([0, 1]), (whole[a] - 1) // 2) for a in (0, 1)]
        x, weight = normal(pick([1, 2]), ci, *size), normal(ci, co // groups, *kernel)
        bias = pick([None, normal(co)])
        params = dict(stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, groups=groups)
        out = F.conv_transpose2d(x, weight, bias, **params)
        f.add("conv_transpose2d", params, given(x=x, weight=weight, bias=bias), dict(out=out))
    return f


def linear():
    f = Family("linear")
    for lead, i, o, biased in [
        ((1,), 784, 256, True),
        ((4,), 256, 256, True),
        ((2,), 256, 10, True),
        ((3, 5), 7, 11, False),
        ((2, 2, 3), 1, 1, True),
        ((1,), 1, 9, False),
        ((5,), 130, 67, True),
    ]:
        x, weight = f.draw.normal(*lead, i), f.draw.normal(o, i, scale=1 / math.sqrt(i))
        bias = f.draw.normal(o) if biased else None
        f.add("linear", {}, given(x=x, weight=weight, bias=bias), dict(out=F.linear(x, weight, bias)))
    return f


def pool2d():
    f = Family("pool2d")

    def maximum(x, kernel, stride, padding, dilation, ceil_mode):
        params = dict(kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
        out, indices = F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
        f.add("max_pool2d", params, dict(x=x), dict(out=out, indices=indices))

    def mean(x, kernel, stride, padding, ceil_mode, count, divisor):
        params = dict(kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        params.update(count_include_pad=count, divisor_override=divisor)
        out = F.avg_pool2d(x, kernel, stride, padding, ceil_mode, count, divisor)
        f.add("avg_pool2d", params, dict(x=x), dict(out=out))

    x = f.draw.normal(1, 16, 26, 26)
    maximum(x, [2, 2], [2, 2], [0, 0], [1, 1], False)
    mean(x, [2, 2], [2, 2], [0, 0], False, True, None)
    # The padding must not be the maximum, even of negative values and minus infinity.
    maximum(torch.full((1, 1, 4, 4), -3.0, dtype=DOUBLE), [3, 3], [1, 1], [1, 1], [1, 1], False)
    maximum(torch.full((1, 1, 4, 4), -math.inf, dtype=DOUBLE), [2, 2], [2, 2], [0, 0], [1, 1], False)
    # A NaN gives NaN.
    x = f.draw.normal(1, 1, 6, 6)
    x[0, 0, 2, 2] = math.nan
    maximum(x, [3, 3], [1, 1], [1, 1], [1, 1], False)
    # The first of equal values counts.
    maximum(torch.zeros(1, 2, 4, 4, dtype=DOUBLE), [2, 2], [2, 2], [0, 0], [1, 1], False)
    for _ in range(6 + RANDOM_CASES):
        pick = f.draw.pick
        kernel, stride = [pick([1, 2, 3, 5]), pick([1, 2, 3])], [pick([1, 2, 3]), pick([1, 2, 4])]
        padding = [pick(range(kernel[a] // 2 + 1)) for a in (0, 1)]
        x = f.draw.normal(pick([1, 2]), pick([1, 3, 5]), pick([7, 10, 13]), pick([5, 8, 11]))
        fits = (kernel[0] - 1) * 2 + 1 <= x.shape[2] + 2 * padding[0]
        dilation = [pick([1, 1, 2]) if fits else 1, 1]
        ceil_modes, count, divisor = [pick([True, False]) for _ in "12"], pick([True, False]), pick([None, None, 3])
        maximum(x, kernel, stride, padding, dilation, ceil_modes[0])
        mean(x, kernel, stride, padding, ceil_modes[1], count, divisor)
    return f


def adaptive_pool2d():
    f = Family("adaptive_pool2d")
    for output in ([1, 1], [2, 3], [7, 7], [5, 1], [10, 9]):
        x = f.draw.normal(2, 3, 10, 9)
        for op in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
            f.add(op, dict(output=output), dict(x=x), dict(out=getattr(F, op)(x, output)))
    return f


def upsample2d():
    f = Family("upsample2d")

    def case(x, mode, align_corners, to):
        out = F.interpolate(x, mode=mode, align_corners=align_corners, **to)
        f.add("interpolate", dict(mode=mode, align_corners=align_corners, **to), dict(x=x), dict(out=out))

    for factor in (2, 3):
        case(f.draw.normal(1, 4, 26, 26), "nearest", None, dict(scale_factor=[factor, factor]))
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        for align_corners in (None,) if mode.startswith("nearest") else (False, True):
            for to in (
                dict(size=[9, 5]),
                dict(size=[3, 11]),
                dict(size=[1, 1]),
                dict(scale_factor=[1.5, 2.3]),
                dict(scale_factor=[0.6, 3.0]),
            ):
                case(f.draw.normal(2, 3, 7, 6), mode, align_corners, to)
    x = f.draw.normal(2, 12, 5, 4)
    f.add("pixel_shuffle", dict(factor=2), dict(x=x), dict(out=F.pixel_shuffle(x, 2)))
    x = f.draw.normal(1, 3, 8, 6)
    f.add("pixel_unshuffle", dict(factor=2), dict(x=x), dict(out=F.pixel_unshuffle(x, 2)))
    return f


def norm():
    f = Family("norm")

    def batch_norm(x, affine, training, momentum, track, eps=1e-5, steps=1):
        c = x.shape[1]
        params = dict(eps=eps, momentum=momentum, training=training, affine=affine)
        params.update(track_running_stats=track, steps=steps)
        kind = torch.nn.BatchNorm2d if x.dim() == 4 else torch.nn.BatchNorm1d
        options = dict(eps=rounded(eps), momentum=rounded(momentum), affine=affine, track_running_stats=track)
        module = kind(c, **options).to(DOUBLE)
        inputs = dict(x=x)
        if affine:
            inputs.update(weight=f.draw.normal(c), bias=f.draw.normal(c))
        if track:
            inputs.update(running_mean=f.draw.normal(c), running_var=f.draw.uniform(c, low=0.5, high=1.5))
        state = {k: v.clone() for k, v in inputs.items() if k != "x"}
        module.load_state_dict(state, strict=False)
        module.train(training)
        for _ in range(steps):
            outputs = dict(out=module(x))
        if track and training:
            outputs.update(new_running_mean=module.running_mean, new_running_var=module.running_var)
        f.add("batch_norm", params, inputs, outputs)

    batch_norm(f.draw.uniform(10, 16, 98), True, True, 0.1, True)
    batch_norm(f.draw.normal(4, 16, 7, 7), True, True, 0.1, True)
    batch_norm(f.draw.normal(4, 16, 7, 7), True, False, 0.1, True)
    batch_norm(f.draw.normal(4, 3, 5, 6), False, True, 0.1, True)
    batch_norm(f.draw.normal(4, 3, 5, 6), True, True, None, True, steps=3)
    batch_norm(f.draw.normal(4, 3, 5, 6), True, True, 0.1, False)
    batch_norm(f.draw.normal(4, 3, 5, 6), True, False, 0.1, False)
    batch_norm(f.draw.normal(6, 3), True, True, 0.1, True)
    batch_norm(f.draw.normal(6, 3), True, False, 0.1, True)
    # large means, the first with a tiny variance
    batch_norm(f.draw.normal(2, 4, 3, 3, scale=1e-3, shift=1e3), True, True, 0.1, True)
    batch_norm(f.draw.normal(8, 2, 33, 31, scale=50.0, shift=-400.0), True, True, 0.3, True, eps=1e-3)

    eps = rounded(1e-5)
    for shape, normalized in (
        ((6, 3, 784), [784]),
        ((4, 5, 6), [5, 6]),
        ((2, 3, 4, 5), [3, 4, 5]),
        ((3, 1), [1]),
        ((2, 7), [7]),
    ):
        for affine in (True, False):
            x = f.draw.normal(*shape)
            weight, bias = (f.draw.normal(*normalized), f.draw.normal(*normalized)) if affine else (None, None)
            out = F.layer_norm(x, normalized, weight, bias, eps)
            params = dict(normalized_shape=normalized, eps=1e-5)
            f.add("layer_norm", params, given(x=x, weight=weight, bias=bias), dict(out=out))
    for shape in ((6, 3, 784), (2, 4, 5, 6), (1, 3, 17, 16)):
        for affine in (True, False):
            x = f.draw.normal(*shape)
            weight, bias = (f.draw.normal(shape[1]), f.draw.normal(shape[1])) if affine else (None, None)
            out = F.instance_norm(x, weight=weight, bias=bias, eps=eps)
            f.add("instance_norm", dict(eps=1e-5), given(x=x, weight=weight, bias=bias), dict(out=out))
    for groups in (1, 2, 4):
        inputs = dict(x=f.draw.normal(2, 8, 5, 3), weight=f.draw.normal(8), bias=f.draw.normal(8))
        out = F.group_norm(inputs["x"], groups, inputs["weight"], inputs["bias"], eps)
        f.add("group_norm", dict(groups=groups, eps=1e-5), inputs, dict(out=out))
    for size in (2, 3, 5):
        x, params = f.draw.normal(1, 7, 4, 4), dict(size=size, alpha=1e-2, beta=0.75, k=1.0)
        f.add("local_response_norm", params, dict(x=x), dict(out=F.local_response_norm(x, **rounded_params(params))))
    return f


def activation():
    f = Family("activation")
    below = [-math.inf, -1e30, -88.8, -20.0, -6.0, -3.0, -1.0, -1e-6, -0.0]
    above = [0.0, 1e-6, 0.5, 1.0, 3.0, 6.0, 20.0, 88.8, 1e30, math.inf]
    edges = torch.tensor([below + above], dtype=DOUBLE)
    for op, function, params in [
        ("relu", F.relu, {}),
        ("relu6", F.relu6, {}),
        ("leaky_relu", F.leaky_relu, dict(negative_slope=0.1)),
        ("elu", F.elu, dict(alpha=1.5)),
        ("selu", F.selu, {}),
        ("gelu", gelu, dict(approximate="none")),
        ("gelu_tanh", gelu, dict(approximate="tanh")),
        ("sigmoid", torch.sigmoid, {}),
        ("tanh", torch.tanh, {}),
        ("hardsigmoid", F.hardsigmoid, {}),
        ("hardswish", F.hardswish, {}),
        ("silu", F.silu, {}),
        ("mish", F.mish, {}),
        ("softplus", F.softplus, dict(beta=1, threshold=20)),
        ("clamp", torch.clamp, dict(min=-0.7, max=2.5)),
        ("exp", torch.exp, {}),
        ("sqrt", lambda x, of: torch.sqrt(x.abs()), dict(of="abs")),
    ]:
        for x in (f.draw.normal(2, 3, 5, 7, scale=4.0), rounded(edges)):
            if op == "exp":
                x = x.clamp(-80, 80)
            f.add(op, params, dict(x=x), dict(out=function(x, **rounded_params(params))))
    x, slope = f.draw.normal(2, 3, 4, 5), f.draw.normal(3)
    f.add("prelu", {}, dict(x=x, slope=slope), dict(out=F.prelu(x, slope)))
    for dim, shape in ((1, (4, 10)), (1, (2, 5, 4, 3)), (3, (1, 2, 3, 17)), (0, (6, 2)), (1, (1, 1000))):
        x = f.draw.normal(*shape, scale=5.0)
        f.add("softmax", dict(dim=dim), dict(x=x), dict(out=F.softmax(x, dim)))
        f.add("log_softmax", dict(dim=dim), dict(x=x), dict(out=F.log_softmax(x, dim)))
    x = torch.tensor([[1e4, -1e4, 1e4, 0.0]], dtype=DOUBLE)
    f.add("softmax", dict(dim=1), dict(x=x), dict(out=F.softmax(x, 1)))
    return f


def elementwise():
    f = Family("elementwise")
    for op in ("add", "sub", "mul", "div", "maximum", "minimum"):
        for sa, sb in (
            ((2, 3, 4, 5), (2, 3, 4, 5)),
            ((2, 3, 4, 5), (3, 1, 1)),
            ((1, 3, 1, 5), (2, 1, 4, 1)),
            ((4,), ()),
        ):
            a, b = f.draw.normal(*sa), f.draw.normal(*sb, shift=2.0 if op == "div" else 0.0)
            f.add(op, {}, dict(a=a, b=b), dict(out=getattr(torch, op)(a, b)))
    for mode in ("constant", "reflect", "replicate", "circular"):
        x, pad, value = f.draw.normal(1, 2, 5, 6), [2, 1, 3, 0], 0.5 if mode == "constant" else None
        params = dict(mode=mode, pad=pad, value=value, order="left,right,top,bottom")
        f.add("pad2d", params, dict(x=x), dict(out=F.pad(x, pad, mode, value)))
    inputs = dict(a=f.draw.normal(1, 2, 3, 4), b=f.draw.normal(1, 5, 3, 4), c=f.draw.normal(1, 1, 3, 4))
    f.add("concat", dict(dim=1), inputs, dict(out=torch.cat(list(inputs.values()), 1)))
    return f


def network():
    nn = torch.nn
    f = Family("network")

    def case(op, net, x, training=False):
        randomize(net, f.draw)
        f.add(op, {}, *run_module(net, x, training))

    hidden = [nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
    case("mlp_784_256_256_256_10", nn.Sequential(*hidden, nn.Linear(256, 10)), f.draw.uniform(2, 784))
    first = [nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2, 2)]
    second = [nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2, 2), nn.Flatten()]
    dense = [nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)]
    case("lenet5", nn.Sequential(*first, *second, *dense), f.draw.uniform(2, 1, 28, 28))
    for training in (False, True):
        unit = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.MaxPool2d(2, 2), nn.ReLU())
        case("unit_conv_bn_pool_relu", unit, f.draw.normal(4, 3, 12, 12), training)
    return f


FAMILIES = [
    conv2d,
    conv1d,
    conv_transpose2d,
    linear,
    pool2d,
    adaptive_pool2d,
    upsample2d,
    norm,
    activation,
    elementwise,
    network,
]
