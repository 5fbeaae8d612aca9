"""Cases of `functional` whose options are drawn from tables: combinations that nobody would write down."""

from math import gcd, prod

import torch

from family import rounded
from tables import KINDS, NORMAL, TRIGONOMETRY, away, deformed, extent, fill, folded, least, picture, points, regions, span, table, unpooled

INF = float("inf")
PAIR = [[1, 1], [1, 1], [2, 1], [1, 3], [3, 2]]
SPATIAL = [(1, 1), (1, 4), (3, 1), (2, 3), (4, 2), (3, 5)]
REST = [(0, 0), (1, 0), (0, 1), (1, 2)]
MODES = ["zeros", "zeros", "zeros", "reflect", "replicate", "circular"]
# Inputs, outputs and groups of a convolution.
CHANNELS = [
    *((1, 1, 1), (3, 5, 1), (4, 8, 1), (8, 4, 1), (1, 7, 1), (7, 1, 1), (5, 4, 1), (12, 3, 1)),
    *((6, 6, 6), (8, 8, 8), (5, 10, 5), (4, 8, 4), (6, 4, 2), (12, 8, 4), (9, 3, 3), (8, 12, 2)),
]
SHAPES = [
    (),
    (1,),
    (7,),
    (5, 3),
    (1, 9),
    (2, 3, 5),
    (3, 1, 4),
    (2, 4, 3, 2),
    (1, 5, 2, 3),
    (2, 8, 1, 1),
    (1, 2, 3, 2, 2),
]
# Shapes with a channel axis and more than one value per channel.
IMAGES = [
    (5, 3),
    (7, 4),
    (2, 1, 6),
    (3, 8, 2),
    (1, 5, 7),
    (2, 3, 4, 5),
    (1, 4, 3, 2),
    (1, 8, 1, 3),
    (2, 6, 3, 1),
    (1, 3, 2, 3, 2),
]


def part(o, draw, *shapes):
    """Tensors of the row's kind of numbers."""
    return [fill(draw, shape, o.kind) for shape in shapes]


def affine(o, draw, shape):
    """Weight and bias, of which the row may have one alone or none."""
    return {role: draw.normal(*shape) for role in ("weight", "bias") if role in o.affine}


AFFINE = ["weight bias", "weight bias", "", "weight", "bias"]


def convolutions(f):
    channels = dict(n=[1, 2, 3], channels=CHANNELS, bias=[True, True, False], kind=KINDS)
    kernels = [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2), (3, 3), (5, 2), (4, 1), (1, 5)]
    paddings = [[0, 0], [0, 0], [1, 0], [0, 2], [2, 3], "same", "valid", [1, 0, 2, 3], [0, 2, 0, 1]]
    window = dict(kernel=kernels, dilation=PAIR, out=SPATIAL, rest=REST, stride=PAIR)

    def inputs(o, draw, size, weight, outputs):
        x, w, b = part(o, draw, (o.n, o.channels[0], *size), weight, (outputs,))
        return dict(x=x, weight=w, bias=b if o.bias else None)

    for o in table("conv2d", 110, **channels, **window, padding=paddings, mode=MODES):
        (ic, oc, groups), draw = o.channels, f.numbers("conv2d")
        o.stride = [1, 1] if o.padding == "same" else o.stride
        of_axis = [o.padding] * 2 if isinstance(o.padding, str) else o.padding
        of_axis = [of_axis[:2], of_axis[2:]] if len(of_axis) == 4 else of_axis
        sides = [span(*axis) for axis in zip(of_axis, o.kernel, o.dilation)]
        given = inputs(o, draw, picture(o, sides), (oc, ic // groups, *o.kernel), oc)
        names = dict(stride=o.stride, padding=o.padding, dilation=o.dilation, groups=groups, padding_mode=o.mode)
        f.case("conv2d", given, **names)

    line = dict(kernel=[1, 2, 3, 4, 5], dilation=[1, 1, 2, 3], out=[1, 2, 5, 6], rest=[0, 1, 2], stride=[1, 1, 2, 3])
    paddings = [0, 0, 1, 3, "same", "valid", [1, 2], [3, 0]]
    for o in table("conv1d", 60, **channels, **line, padding=paddings, mode=MODES):
        (ic, oc, groups), draw = o.channels, f.numbers("conv1d")
        o.stride = 1 if o.padding == "same" else o.stride
        sides = span(o.padding, o.kernel, o.dilation)
        length = extent(o.out, o.kernel, o.stride, sum(sides), o.dilation, o.rest, least(o.mode, sides))
        given = inputs(o, draw, (length,), (oc, ic // groups, o.kernel), oc)
        names = dict(stride=o.stride, padding=o.padding, dilation=o.dilation, groups=groups, padding_mode=o.mode)
        f.case("conv1d", given, **names)

    window["out"] = [(1, 1), (1, 3), (3, 1), (2, 3), (3, 2)]
    more = dict(padding=[[0, 0], [0, 0], [1, 0], [0, 2], [2, 1]], extra=[[0, 0], [0, 0], [1, 0], [0, 2], [1, 1]])
    for o in table("conv_transpose2d", 80, **channels, **window, **more):
        (ic, oc, groups), draw = o.channels, f.numbers("conv_transpose2d")
        extra = [min(e, max(s, d) - 1) for e, s, d in zip(o.extra, o.stride, o.dilation)]
        # The result has a pixel at least.
        whole = [(n - 1) * s + d * (k - 1) + e for n, s, d, k, e in zip(o.out, o.stride, o.dilation, o.kernel, extra)]
        names = dict(stride=o.stride, padding=[min(p, w // 2) for p, w in zip(o.padding, whole)])
        given = inputs(o, draw, o.out, (ic, oc // groups, *o.kernel), oc)
        f.case("conv_transpose2d", given, **names, output_padding=extra, dilation=o.dilation, groups=groups)

    lead = [(), (1,), (3,), (5,), (2, 3), (1, 4), (1, 2, 3)]
    for o in table(
        "linear",
        24,
        lead=lead,
        size=[(1, 1), (3, 5), (4, 8), (8, 3), (9, 1), (1, 6), (16, 4)],
        bias=[True, False],
        kind=KINDS,
    ):
        (i, k), draw = o.size, f.numbers("linear")
        x, w, b = part(o, draw, (*o.lead, i), (k, i), (k,))
        f.case("linear", dict(x=x, weight=w, bias=b if o.bias else None))

    pairs = [
        *(((5,), (5,)), ((4,), (4, 3)), ((3, 4), (4,)), ((7,), (2, 7, 3)), ((2, 3, 5), (5,)), ((1, 1), (1, 1))),
        *(((1, 6), (6, 1)), ((6, 1), (1, 6)), ((1, 3, 4), (5, 4, 2)), ((2, 1, 1, 4), (3, 4, 8)), ((8, 4), (4, 8))),
        *(((2, 3, 4), (4, 5)), ((3, 1, 2, 5), (1, 2, 5, 1)), ((4, 3, 1), (1, 7)), ((2, 2, 1, 3, 2), (2, 1, 2, 4))),
    ]
    for o in table("matmul", 30, pair=pairs, kind=KINDS):
        a, b = part(o, f.numbers("matmul"), *o.pair)
        f.case("matmul", dict(a=a, b=b))


def pools(f):
    image = dict(n=[1, 2, 3], channels=[1, 3, 4, 5, 8], kind=KINDS, out=SPATIAL, rest=REST)
    window = dict(
        kernel=[[1, 1], [2, 3], [3, 2], [1, 4], [4, 1], [3, 3], [2, 2]], stride=[None, *PAIR], ceil_mode=[False, True]
    )
    paddings = [[0, 0], [9, 0], [0, 9], [9, 9], [1, 0]]

    def drawn(op, rows, **more):
        for o in table(op, rows, **image, **window, **more):
            # At most half the kernel.
            o.padding = [min(p, k // 2) for p, k in zip(getattr(o, "padding", [0, 0]), o.kernel)]
            o.dilation = getattr(o, "dilation", [1, 1])
            size = picture(o, [[p, p] for p in o.padding])
            yield o, fill(f.numbers(op), (o.n, o.channels, *size), o.kind)

    for o, x in drawn("max_pool2d", 60, padding=paddings, dilation=PAIR):
        names = dict(
            kernel_size=o.kernel, stride=o.stride, padding=o.padding, dilation=o.dilation, ceil_mode=o.ceil_mode
        )
        f.case("max_pool2d", x, **names)
    for o, x in drawn("avg_pool2d", 70, padding=paddings, count=[True, False], divisor=[None, None, 1, 5]):
        names = dict(kernel_size=o.kernel, stride=o.stride, padding=o.padding, ceil_mode=o.ceil_mode)
        f.case("avg_pool2d", x, **names, count_include_pad=o.count, divisor_override=o.divisor)
    for o, x in drawn("lp_pool2d", 48, order=[1, 2, 2, 3, 4, 1.5, 0.5, -1]):
        # Other powers of a negative number are NaN.
        x = x if o.order in (1, 2) else away(x)
        f.case("lp_pool2d", x, norm_type=o.order, kernel_size=o.kernel, stride=o.stride, ceil_mode=o.ceil_mode)
    sizes = [(1, 1), (1, 5), (7, 1), (2, 3), (4, 6), (5, 7), (3, 2)]
    for op in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        for o in table(op, 28, n=[1, 2, 3], channels=[1, 3, 4, 8], size=sizes, out=sizes, kind=KINDS):
            f.case(op, fill(f.numbers(op), (o.n, o.channels, *o.size), o.kind), output_size=list(o.out))


def resampling(f):
    sizes = [(1, 1), (1, 5), (6, 1), (2, 3), (4, 3), (3, 7), (5, 2)]
    modes = ["nearest", "nearest-exact", "bilinear", "bicubic"]
    factors = [None, None, [2.0, 3.0], [1.0, 1.5], [0.4, 1.0], [1.7, 0.6], [2.5, 3.3], [1 / 3, 4.0]]
    image = dict(n=[1, 2], channels=[1, 3, 4, 5, 8], size=sizes, kind=NORMAL)
    for o in table(
        "interpolate",
        110,
        **image,
        mode=modes,
        align=[False, True],
        out=sizes,
        factor=factors,
        recompute=[None, False, True],
    ):
        x = fill(f.numbers("interpolate"), (o.n, o.channels, *o.size), o.kind)
        # Every image has a pixel.
        factor = o.factor and [max(k, 1 / n) for k, n in zip(o.factor, o.size)]
        names = dict(size=None if factor else list(o.out), scale_factor=factor, mode=o.mode)
        names.update(recompute_scale_factor=o.recompute if factor else None)
        f.case("interpolate", x, **names, align_corners=None if o.mode.startswith("nearest") else o.align)

    # One, two and three axes; negative sides crop.
    sides = [
        [1, 2],
        [0, 3],
        [-1, 2],
        [2, -1],
        [1, 0, 0, 2],
        [2, 1, -1, 0],
        [0, 0, 1, 1],
        [-2, -1, 3, 1],
        [0, 1, 2, 0, 1, 1],
    ]
    shapes = [(4,), (3, 5), (1, 6), (2, 4, 5), (1, 3, 4), (2, 4, 3, 5), (1, 1, 5, 4), (1, 2, 3, 3, 4)]
    for o in table("pad", 60, shape=shapes, sides=sides, value=[None, 0.5, -INF, -2.0, 1e30], kind=[*KINDS, "int32"]):
        value = None if o.value is None else -3.0 if o.kind == "int32" else o.value
        f.case(
            "pad",
            fill(f.numbers("pad"), o.shape, o.kind),
            pad=o.sides[: 2 * len(o.shape)],
            mode="constant",
            value=value,
        )
    # The other modes take one to three axes, behind one or two.
    for o in table(
        "pad/modes",
        42,
        mode=MODES[3:],
        axes=[1, 1, 2, 2, 3],
        lead=[1, 2],
        first=sides[:4],
        second=sides[:4],
        kind=KINDS,
    ):
        shape = (1, 2)[2 - o.lead :] + (5, 4, 6)[: o.axes]
        names = dict(pad=(o.first + o.second + [1, 1])[: 2 * o.axes], mode=o.mode, value=None)
        f.case("pad", fill(f.numbers("pad"), shape, o.kind), **names)

    for op, name in (("pixel_shuffle", "upscale_factor"), ("pixel_unshuffle", "downscale_factor")):
        for o in table(
            op, 12, factor=[1, 2, 3, 4], n=[1, 2], channels=[1, 3, 4], size=[(1, 1), (1, 3), (2, 1), (3, 2)], kind=KINDS
        ):
            r, (h, w) = o.factor, o.size
            shape = (o.n, o.channels * r * r, h, w) if op == "pixel_shuffle" else (o.n, o.channels, h * r, w * r)
            f.case(op, fill(f.numbers(op), shape, o.kind), **{name: r})

    beyond = dict(padding_mode=["zeros", "border", "reflection"], align_corners=[False, True])
    for o in table("grid_sample", 60, **image, out=sizes, mode=["bilinear", "nearest", "bicubic"], **beyond):
        draw = f.numbers("grid_sample")
        x, grid = fill(draw, (o.n, o.channels, *o.size), o.kind), points(draw, (o.n, *o.out, 2))
        names = dict(mode=o.mode, padding_mode=o.padding_mode, align_corners=o.align_corners)
        f.case("grid_sample", dict(x=x, grid=grid), **names)
    depths = dict(depth=[1, 2, 3, 5], out_depth=[1, 2, 4])
    for o in table("grid_sample/volumes", 24, **image, **depths, out=sizes, mode=["bilinear", "nearest"], **beyond):
        draw = f.numbers("grid_sample")
        x = fill(draw, (o.n, o.channels, o.depth, *o.size), o.kind)
        grid = points(draw, (o.n, o.out_depth, *o.out, 3))
        names = dict(mode=o.mode, padding_mode=o.padding_mode, align_corners=o.align_corners)
        f.case("grid_sample", dict(x=x, grid=grid), **names)

    windows = dict(n=[1, 2], channels=[1, 3], kernel=[[1, 2], [2, 2], [3, 2], [3, 3]], stride=PAIR, padding=[[0, 0], [0, 1], [1, 1]])
    for o in table("max_unpool2d", 24, **windows, places=[(3, 4), (4, 3), (5, 5)], more=[None, None, 0, 1], kind=KINDS):
        options = dict(kernel_size=o.kernel, stride=o.stride, padding=[min(p, k // 2) for p, k in zip(o.padding, o.kernel)])
        size = None
        if o.more is not None:
            axes = zip(o.places, o.stride, o.kernel, options["padding"])
            size = [(n - 1) * s + k - 2 * p + min(o.more, s - 1) for n, s, k, p in axes]
        room = size or [(n - 1) * s + k - 2 * p for n, s, k, p in zip(o.places, o.stride, o.kernel, options["padding"])]
        if room[0] * room[1] < o.places[0] * o.places[1]:
            continue
        f.numbers("max_unpool2d")
        x, indices = unpooled(f.draw, o.n, o.channels, options, o.places, size, o.kind)
        f.case("max_unpool2d", dict(x=x, indices=indices), output_size=size, **options)
    for o in table("fold", 24, **windows, size=[(5, 6), (7, 8), (9, 7)], dilation=PAIR, kind=KINDS):
        options = dict(kernel_size=o.kernel, stride=o.stride, padding=o.padding, dilation=o.dilation)
        x = fill(f.numbers("fold"), folded(o.n, o.channels, o.size, **options), o.kind)
        f.case("fold", x, output_size=list(o.size), **options)

    windows = dict(n=[1, 2], kernel=[[1, 1], [2, 3], [3, 3]], stride=PAIR, padding=[[0, 0], [0, 1], [1, 1]], dilation=PAIR)
    groups = dict(channels=[(1, 1), (4, 2), (4, 6), (6, 3)], groups=[(1, 1), (1, 1), (0, 1), (1, 0)])
    for o in table(
        "deform_conv2d", 32, **windows, **groups, more=["", "bias", "mask", "bias mask"], size=[(7, 7), (8, 9)], kind=KINDS
    ):
        options = dict(stride=o.stride, padding=o.padding, dilation=o.dilation)
        # 0 is as many groups as divide the channels.
        count = [gcd(*o.channels) if o.groups[0] == 0 else 1, o.channels[0] if o.groups[1] == 0 else 1]
        tensors = deformed(f.numbers("deform_conv2d"), o.n, o.channels, o.size, o.kernel, count, o.more, options, o.kind)
        f.case("deform_conv2d", tensors, **options)

    for o in table("det", 16, lead=[(), (3,), (2, 2)], n=[2, 3, 4, 6, 9], kind=NORMAL):
        f.case("det", fill(f.numbers("det"), (*o.lead, o.n, o.n), o.kind))

    parts = dict(bins=[(1, 1), (2, 3), (7, 7), (5, 2)], scale=[1.0, 0.5, 0.0625, 0.3], k=[1, 2, 4])
    images = dict(n=[1, 2], channels=[1, 3, 5], size=[(1, 1), (6, 9), (14, 5), (11, 11)], kind=KINDS)
    for o in table("roi_align", 48, **images, **parts, samples=[-1, -1, 1, 2, 3], aligned=[False, True]):
        draw = f.numbers("roi_align")
        # Sums that are 0 would be 0 but for the rounding of float64.
        x, boxes = fill(draw, (o.n, o.channels, *o.size)), regions(draw, o.k, o.n, *o.size, o.scale, o.kind)
        names = dict(output_size=list(o.bins), spatial_scale=o.scale, sampling_ratio=o.samples, aligned=o.aligned)
        f.case("roi_align", dict(x=x, boxes=boxes), **names)
    for o in table("roi_pool", 32, **images, **parts):
        draw = f.numbers("roi_pool")
        x, boxes = fill(draw, (o.n, o.channels, *o.size), o.kind), regions(draw, o.k, o.n, *o.size, o.scale, o.kind)
        f.case("roi_pool", dict(x=x, boxes=boxes), output_size=list(o.bins), spatial_scale=o.scale)

    extents = [(1, 1), (3, 1), (2, 5), (4, 3), (1, 2, 3), (3, 4, 2), (2, 1, 5)]
    for o in table("affine_grid", 20, n=[1, 2, 3], extents=extents, align_corners=[False, True], kind=KINDS):
        axes = len(o.extents)
        theta = fill(f.numbers("affine_grid"), (o.n, axes, axes + 1), o.kind)
        f.case("affine_grid", dict(theta=theta), size=[o.n, 3, *o.extents], align_corners=o.align_corners)


def norms(f):
    eps = [1e-5, 1e-3, 0.25]
    for o in table("batch_norm", 32, shape=[*IMAGES, (1, 4, 1, 1), (1, 3)], affine=AFFINE, eps=eps, kind=NORMAL):
        c, draw = o.shape[1:2], f.numbers("batch_norm")
        statistics = dict(running_mean=draw.normal(*c), running_var=draw.uniform(*c, low=0.0625, high=4.0))
        f.case("batch_norm", dict(x=fill(draw, o.shape, o.kind), **affine(o, draw, c), **statistics), eps=o.eps)
    op, momenta = "batch_norm_training", [0.1, 0.1, 0.5, 1.0, 0.0]
    for o in table(
        op, 50, shape=IMAGES, affine=AFFINE, eps=eps, kind=NORMAL, momentum=momenta, running=[True, True, False]
    ):
        c, draw = o.shape[1:2], f.numbers(op)
        statistics = (
            dict(running_mean=draw.normal(*c), running_var=draw.uniform(*c, low=0.0625, high=4.0)) if o.running else {}
        )
        inputs = dict(x=fill(draw, o.shape, o.kind), **affine(o, draw, c), **statistics)
        f.case(op, inputs, momentum=o.momentum, eps=o.eps)

    for o in table(
        "layer_norm", 40, shape=[(6,), (1, 2), *IMAGES], axes=[1, 1, 2, 3], affine=AFFINE, eps=eps, kind=NORMAL
    ):
        draw, shape = f.numbers("layer_norm"), o.shape[-o.axes :]
        inputs = dict(x=fill(draw, o.shape, o.kind), **affine(o, draw, shape))
        f.case("layer_norm", inputs, normalized_shape=list(shape), eps=o.eps)
    shapes = [(4, 8), (2, 6, 5), (1, 4, 7), (3, 12, 1), (2, 6, 3, 2), (1, 8, 2, 3), (2, 4, 5, 1), (1, 6, 2, 3, 2)]
    for o in table(
        "group_norm", 36, shape=shapes, groups=["1", "2", "c / 2", "c"], affine=AFFINE, eps=eps, kind=NORMAL
    ):
        c, draw = o.shape[1], f.numbers("group_norm")
        groups = {"1": 1, "2": 2, "c / 2": c // 2, "c": c if prod(o.shape[2:]) > 1 else 1}[o.groups]
        inputs = dict(x=fill(draw, o.shape, o.kind), **affine(o, draw, (c,)))
        f.case("group_norm", inputs, num_groups=groups, eps=o.eps)
    for o in table("instance_norm", 28, shape=IMAGES[2:], affine=AFFINE, eps=eps, kind=NORMAL):
        draw = f.numbers("instance_norm")
        inputs = dict(x=fill(draw, o.shape, o.kind), **affine(o, draw, o.shape[1:2]))
        f.case("instance_norm", inputs, eps=o.eps)
    numbers = dict(size=[1, 2, 3, 4, 5, 9], alpha=[1e-4, 0.5, 2.0, 0.0], beta=[0.75, 0.5, 1.0, 2.5], k=[1.0, 2.0, 0.5])
    for o in table("local_response_norm", 30, shape=IMAGES[2:], kind=KINDS, **numbers):
        x = fill(f.numbers("local_response_norm"), o.shape, o.kind)
        f.case("local_response_norm", x, size=o.size, alpha=o.alpha, beta=o.beta, k=o.k)
    for o in table(
        "normalize",
        40,
        shape=SHAPES[1:],
        p=[1, 2, 2, 3.0, 0.5, INF],
        dim=[0, 1, 2, -1, -2],
        eps=[1e-12, 1e-12, 1.5],
        kind=KINDS,
    ):
        names = dict(p=o.p, dim=min(max(o.dim, -len(o.shape)), len(o.shape) - 1), eps=o.eps)
        f.case("normalize", fill(f.numbers("normalize"), o.shape, o.kind), **names)
    for op in ("softmax", "log_softmax"):
        for o in table(op, 24, shape=SHAPES[1:], dim=[0, 1, 2, -1, -2, -3], kind=KINDS, scale=[1, 1, 8]):
            x = fill(f.numbers(op), o.shape, o.kind) * o.scale
            f.case(op, x, dim=min(max(o.dim, -len(o.shape)), len(o.shape) - 1))


# Further options of unary functions.
OPTIONS = dict(
    leaky_relu=dict(negative_slope=[0.0, 0.01, 0.2, 1.0, 3.0, -1.0]),
    elu=dict(alpha=[0.1, 1.0, 3.0]),
    celu=dict(alpha=[0.1, 1.0, 3.0, -0.5]),
    gelu=dict(approximate=["none", "tanh"]),
    softplus=dict(beta=[1.0, 0.25, 3.0, 10.0], threshold=[20.0, 2.0, 0.0]),
    threshold=dict(threshold=[0.0, 0.1, -2.0, 3.0], value=[0.0, -1.0, 6.5]),
    clamp=dict(min=[None, -1.0, 0.0, 2.0], max=[0.25, 1.0, 6.0]),
)


def unary(f):
    ops = "relu relu6 leaky_relu elu selu celu gelu sigmoid tanh hardsigmoid hardswish silu mish softplus softsign".split()
    ops += "threshold clamp exp log sqrt reciprocal abs neg floor ceil round sign erf sin cos".split()
    ops += TRIGONOMETRY
    for op in ops:
        options = OPTIONS.get(op, {})
        for o in table(op, 8 if options else 6, shape=SHAPES, kind=KINDS, scale=[0.125, 1, 1, 4, 16], **options):
            x = fill(f.numbers(op), o.shape, o.kind)
            x = (away(x) if op in ("log", "sqrt", "reciprocal") else x) * o.scale
            f.case(op, x, **{name: getattr(o, name) for name in options})
    for o in table("prelu", 16, shape=IMAGES, one=[True, False], kind=KINDS):
        x, weight = part(o, f.numbers("prelu"), o.shape, (1,) if o.one else o.shape[1:2])
        f.case("prelu", dict(x=x, weight=weight))


BROADCASTS = [
    *(
        ((1,), (1,)),
        ((), ()),
        ((5,), (1,)),
        ((7, 1), (1, 3)),
        ((2, 3, 4), (4,)),
        ((4, 1, 1), (2, 4, 1, 3)),
        ((8,), (3, 8)),
    ),
    *(
        ((1, 1, 5), (2, 3, 1)),
        ((2, 1, 2, 1, 3), (4, 1, 2, 3)),
        ((1, 8, 1, 1), (1, 8, 2, 3)),
        ((2, 1), (2, 5)),
        ((3, 4), (3, 4)),
    ),
]


def binary(f):
    for op in "add sub mul div maximum minimum pow remainder fmod eq lt gt le ge".split():
        for o in table(op, 14, shapes=BROADCASTS, kind=[*KINDS, "int32"]):
            a, b = part(o, f.numbers(op), *o.shapes)
            if op == "pow":
                a, b = (a, b.abs() % 4) if o.kind == "int32" else (away(a), b)
            if op in ("div", "remainder", "fmod"):
                b = rounded(b + torch.where(b < 0, -1, 1).to(b.dtype))
            f.case(op, dict(a=a, b=b), **(dict(dtype="bool") if op in ("eq", "lt", "gt", "le", "ge") else {}))
    for op in "logical_and logical_or logical_xor".split():
        for o in table(op, 10, shapes=BROADCASTS, truths=[True, False]):
            draw = f.numbers(op)
            of = draw.booleans if o.truths else lambda *shape: draw.integers(*shape, low=-1, high=1)
            inputs = dict(a=of(*o.shapes[0]), b=of(*o.shapes[1]))
            f.case(op, inputs, dtype="bool", input_dtype="bool" if o.truths else "float32")
    for op in "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift".split():
        for o in table(op, 10, shapes=BROADCASTS):
            draw, (a, b) = f.numbers(op), o.shapes
            low, high = (0, 8) if "shift" in op else (-100, 100)
            whole = lambda shape, low, high: draw.integers(*shape, low=low, high=high).to(torch.int32)
            f.case(op, dict(a=whole(a, -(2**31), 2**31 - 1), b=whole(b, low, high)))
    for o in table("bitwise_not", 4, shapes=[(1,), (3, 5), (2, 1, 4), (2, 3, 4, 5)]):
        x = f.numbers("bitwise_not").integers(*o.shapes, low=-(2**31), high=2**31 - 1)
        f.case("bitwise_not", x.to(torch.int32))
    for o in table("where", 14, shapes=BROADCASTS, other=[(), (1,), None], kind=[*KINDS, "int32"]):
        draw, (condition, a) = f.numbers("where"), o.shapes
        a, b = part(o, draw, a, a if o.other is None else o.other)
        f.case("where", dict(condition=draw.booleans(*condition), a=a, b=b))


# Shapes and the axes that are reduced.
REDUCED = [
    *(((1,), [0]), ((9,), None), ((3, 5), [0]), ((3, 5), [-1]), ((4, 1), [1]), ((2, 3, 4), [1]), ((2, 3, 4), [-1, 0])),
    *(
        ((1, 4, 5), [0, 1, 2]),
        ((2, 4, 3, 2), [2, 3]),
        ((2, 8, 1, 3), [-3]),
        ((1, 3, 4, 2), [0, -1]),
        ((2, 2, 3, 2, 2), [1, -2]),
    ),
    *(((2, 1, 7), None), ((16, 2), [0]), ((2, 4, 2, 3), [1, 2, 3])),
]


def reductions(f):
    for op in ("sum", "mean", "amax", "amin", "prod", "logsumexp", "norm"):
        kinds = [*KINDS, "int32"] if op in ("sum", "amax", "amin", "prod") else KINDS
        orders = dict(p=[1, 2, INF, -INF, 0, 3, 0.5, -1, 2.5, 4]) if op == "norm" else {}
        for o in table(op, 40 if orders else 18, reduced=REDUCED, keepdim=[False, True], kind=kinds, **orders):
            (shape, dim), p = o.reduced, getattr(o, "p", 1)
            x = fill(f.numbers(op), shape, o.kind)
            # PyTorch's small integers: those whose product fits, or zeros that a negative power makes infinite.
            x = x.clamp(-2, 2) if op == "prod" and o.kind == "int32" else x
            f.case(op, x, **(dict(p=p) if orders else {}), dim=dim, keepdim=o.keepdim)
    axes = dict(shape=SHAPES[1:], keepdim=[False, True])
    for op in ("argmax", "argmin"):
        for o in table(op, 16, **axes, dim=[None, 0, -1, 1, -2], kind=["normal", "integers"]):
            dim = None if o.dim is None else min(max(o.dim, -len(o.shape)), len(o.shape) - 1)
            f.case(op, fill(f.numbers(op), o.shape, o.kind), dim=dim, keepdim=o.keepdim)
    for o in table("topk", 22, shape=SHAPES[1:], dim=[0, -1, 1, -2], k=[1, 2, 3, 99], largest=[True, False]):
        dim = min(max(o.dim, -len(o.shape)), len(o.shape) - 1)
        x = f.numbers("topk").distinct(*o.shape)
        f.case("topk", x, k=min(o.k, o.shape[dim]), dim=dim, largest=o.largest)


def movement(f):
    kinds = [*KINDS, "int32"]
    axes = dict(shape=SHAPES[1:], dim=[0, 1, -1, -2], kind=kinds)

    def drawn(op, rows, **more):
        for o in table(op, rows, **axes, **more):
            o.dim = min(max(o.dim, -len(o.shape)), len(o.shape) - 1)
            o.extent = o.shape[o.dim]
            yield o, f.numbers(op)

    for o, draw in drawn("cat", 18, parts=[[1], [2, 1], [3, 4], [1, 1, 1], [4, 8], [2, 5, 1, 3]]):
        shapes = [[n if k == o.dim % len(o.shape) else e for k, e in enumerate(o.shape)] for n in o.parts]
        f.case("cat", {f"in{k}": x for k, x in enumerate(part(o, draw, *shapes))}, dim=o.dim)
    for o, draw in drawn("split", 20, sizes=[1, 2, 3, 99, [1], [2, 1]]):
        sizes = o.sizes
        if isinstance(sizes, list):
            sizes = [n for n in sizes if n < o.extent]
            sizes = (sizes if sum(sizes) < o.extent else []) + [o.extent - (sum(sizes) if sum(sizes) < o.extent else 0)]
        f.case("split", fill(draw, o.shape, o.kind), sizes=sizes, dim=o.dim)
    for o, draw in drawn("narrow", 16, start=[0, 1, -1, -2], length=[1, 2, 99]):
        start = min(max(o.start, -o.extent), o.extent - 1)
        length = min(o.length, o.extent - start % o.extent)
        f.case("narrow", fill(draw, o.shape, o.kind), dim=o.dim, start=start, length=length)
    for o, draw in drawn("index_select", 16, n=[1, 2, 5, 9]):
        f.case("index_select", dict(x=fill(draw, o.shape, o.kind), index=draw.indices(o.n, o.extent)), dim=o.dim)

    sizes = [
        ((1,), [5]),
        ((1, 1), [3, 4]),
        ((3, 1), [-1, 7]),
        ((1, 4, 1), [2, 4, 3]),
        ((5,), [3, 2, 5]),
        ((1, 2, 1, 3), [4, -1, 2, -1]),
    ]
    sizes += [((2, 1, 3), [2, 1, 2, 4, 3]), ((1, 1, 1), [1, 1, 1])]
    for o in table("expand", 14, case=sizes, kind=kinds):
        f.case("expand", fill(f.numbers("expand"), o.case[0], o.kind), size=o.case[1])
    for o in table(
        "tile", 16, shape=SHAPES, dims=[[1], [3], [2, 1], [1, 4], [2, 2, 1], [1, 3, 1, 2], [2, 1, 1, 1, 1]], kind=kinds
    ):
        f.case("tile", fill(f.numbers("tile"), o.shape, o.kind), dims=o.dims)
    for o in table("permute", 20, shape=SHAPES, negative=[True, False], kind=kinds):
        draw, rank = f.numbers("permute"), len(o.shape)
        dims = [int(k) - (rank if o.negative else 0) for k in draw.random.permutation(rank)]
        f.case("permute", fill(draw, o.shape, o.kind), dims=dims)
    for o, draw in drawn("transpose", 14, other=[0, 1, -1, -2]):
        other = min(max(o.other, -len(o.shape)), len(o.shape) - 1)
        f.case("transpose", fill(draw, o.shape, o.kind), dim0=o.dim, dim1=other)
    for o, draw in drawn("flatten", 14, other=[-1, -2, 2]):
        start, end = sorted((o.dim % len(o.shape), min(max(o.other, -len(o.shape)), len(o.shape) - 1) % len(o.shape)))
        end = end - len(o.shape) if o.other < 0 else end
        f.case("flatten", fill(draw, o.shape, o.kind), start_dim=start, end_dim=end)
    shapes = [[-1], [1, -1], [24], [2, -1, 3], [4, 6], [3, 2, 4], [1, 24, 1], [2, 3, 2, 2]]
    for o in table(
        "reshape", 14, x=[(24,), (4, 6), (2, 3, 4), (1, 2, 3, 4), (2, 2, 3, 2, 1)], shape=shapes, kind=kinds
    ):
        f.case("reshape", fill(f.numbers("reshape"), o.x, o.kind), shape=o.shape)


def cases(f):
    for draw in (convolutions, pools, resampling, norms, unary, binary, reductions, movement):
        draw(f)
