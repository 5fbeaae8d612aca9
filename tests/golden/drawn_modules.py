"""Cases of `module` whose constructors' arguments are drawn from tables."""

from drawn_functional import CHANNELS, IMAGES, MODES, PAIR, REST, SHAPES, SPATIAL
from tables import KINDS, NORMAL, away, extent, fill, least, picture, span, table


def convolutions(f):
    channels = dict(n=[1, 2, 3], channels=CHANNELS, bias=[True, True, False], kind=KINDS)
    kernels = [[1, 1], [1, 3], [3, 1], [2, 3], [3, 2], [3, 3], [4, 1]]
    window = dict(kernel=kernels, dilation=PAIR, out=SPATIAL[:5], rest=REST, stride=PAIR)

    def named(o):
        ic, oc, groups = o.channels
        return dict(
            in_channels=ic, out_channels=oc, kernel_size=o.kernel, dilation=o.dilation, groups=groups, bias=o.bias
        )

    for o in table(
        "Conv2d", 48, **channels, **window, padding=[[0, 0], [1, 0], [0, 2], [2, 1], "same", "valid"], mode=MODES
    ):
        o.stride = [1, 1] if o.padding == "same" else o.stride
        paddings = [o.padding] * 2 if isinstance(o.padding, str) else o.padding
        size = picture(o, [span(*axis) for axis in zip(paddings, o.kernel, o.dilation)])
        x = fill(f.numbers("Conv2d"), (o.n, o.channels[0], *size), o.kind)
        f.case("Conv2d", x, **named(o), stride=o.stride, padding=o.padding, padding_mode=o.mode)

    line = dict(kernel=[1, 2, 3, 5], dilation=[1, 1, 2, 3], out=[1, 2, 5], rest=[0, 1, 2], stride=[1, 1, 2, 3])
    for o in table("Conv1d", 30, **channels, **line, padding=[0, 1, 3, "same", "valid"], mode=MODES):
        o.stride = 1 if o.padding == "same" else o.stride
        sides = span(o.padding, o.kernel, o.dilation)
        length = extent(o.out, o.kernel, o.stride, sum(sides), o.dilation, o.rest, least(o.mode, sides))
        x = fill(f.numbers("Conv1d"), (o.n, o.channels[0], length), o.kind)
        f.case("Conv1d", x, **named(o), stride=o.stride, padding=o.padding, padding_mode=o.mode)

    more = dict(padding=[[0, 0], [0, 0], [1, 0], [0, 2]], extra=[[0, 0], [0, 0], [1, 0], [0, 2]])
    for o in table("ConvTranspose2d", 32, **channels, **window, **more):
        extra = [min(e, max(s, d) - 1) for e, s, d in zip(o.extra, o.stride, o.dilation)]
        whole = [(n - 1) * s + d * (k - 1) + e for n, s, d, k, e in zip(o.out, o.stride, o.dilation, o.kernel, extra)]
        padding = [min(p, w // 2) for p, w in zip(o.padding, whole)]
        x = fill(f.numbers("ConvTranspose2d"), (o.n, o.channels[0], *o.out), o.kind)
        f.case("ConvTranspose2d", x, **named(o), stride=o.stride, padding=padding, output_padding=extra)

    for o in table(
        "Linear",
        14,
        lead=[(), (1,), (3,), (2, 3), (1, 4, 2)],
        i=[1, 3, 4, 8, 9],
        k=[1, 4, 5, 8],
        bias=[True, False],
        kind=KINDS,
    ):
        x = fill(f.numbers("Linear"), (*o.lead, o.i), o.kind)
        f.case("Linear", x, in_features=o.i, out_features=o.k, bias=o.bias)


def norms(f):
    options = dict(
        training=[False, True],
        eps=[1e-5, 1e-3, 0.25],
        affine=[True, True, False],
        track=[True, True, False],
        kind=NORMAL,
    )
    momenta = [0.1, 0.5, 1.0, 0.0, None]
    images = [(2, 3, 4, 5), (1, 4, 3, 2), (1, 8, 1, 3), (2, 6, 3, 1), (3, 1, 2, 5), (5, 4, 1, 2)]
    for op, shapes, rows in [
        ("BatchNorm1d", [(5, 3), (7, 4), (2, 1), (2, 1, 6), (3, 8, 2), (1, 5, 7)], 30),
        ("BatchNorm2d", [*images, (3, 4, 1, 1)], 36),
        ("InstanceNorm2d", images, 40),
    ]:
        for o in table(op, rows, shape=shapes, momentum=momenta, **options):
            names = dict(num_features=o.shape[1], eps=o.eps, momentum=o.momentum, affine=o.affine)
            f.case(op, fill(f.numbers(op), o.shape, o.kind), o.training, **names, track_running_stats=o.track)
    more = dict(eps=options["eps"], affine=[True, True, False], kind=NORMAL)
    for o in table("LayerNorm", 24, shape=[(6,), *IMAGES], axes=[1, 2, 3], bias=[True, False], **more):
        names = dict(normalized_shape=list(o.shape[-o.axes :]), eps=o.eps, elementwise_affine=o.affine, bias=o.bias)
        f.case("LayerNorm", fill(f.numbers("LayerNorm"), o.shape, o.kind), **names)
    for o in table(
        "GroupNorm",
        20,
        shape=[(4, 8), (2, 6, 5), (1, 4, 7), (2, 6, 3, 2), (1, 8, 2, 3), (2, 4, 5, 1)],
        groups=[1, 2, "c / 2"],
        **more,
    ):
        c = o.shape[1]
        names = dict(num_groups=c // 2 if o.groups == "c / 2" else o.groups, num_channels=c, eps=o.eps, affine=o.affine)
        f.case("GroupNorm", fill(f.numbers("GroupNorm"), o.shape, o.kind), **names)
    numbers = dict(size=[1, 2, 3, 5, 9], alpha=[1e-4, 0.5, 2.0], beta=[0.75, 0.5, 1.0, 2.5], k=[1.0, 2.0, 0.5])
    for o in table("LocalResponseNorm", 12, shape=IMAGES[2:], kind=KINDS, **numbers):
        x = fill(f.numbers("LocalResponseNorm"), o.shape, o.kind)
        f.case("LocalResponseNorm", x, size=o.size, alpha=o.alpha, beta=o.beta, k=o.k)


def pools(f):
    image = dict(n=[1, 2, 3], channels=[1, 3, 4, 5, 8], kind=KINDS, out=SPATIAL, rest=REST)
    window = dict(kernel=[[1, 1], [2, 3], [3, 2], [1, 4], [3, 3]], stride=[None, *PAIR], ceil_mode=[False, True])
    paddings = [[0, 0], [9, 0], [0, 9], [9, 9]]

    def drawn(op, rows, **more):
        for o in table(op, rows, **image, **window, **more):
            # At most half the kernel.
            o.padding = [min(p, k // 2) for p, k in zip(getattr(o, "padding", [0, 0]), o.kernel)]
            o.dilation = getattr(o, "dilation", [1, 1])
            size = picture(o, [[p, p] for p in o.padding])
            names = dict(kernel_size=o.kernel, stride=o.stride, ceil_mode=o.ceil_mode)
            yield o, fill(f.numbers(op), (o.n, o.channels, *size), o.kind), names

    for o, x, names in drawn("MaxPool2d", 24, padding=paddings, dilation=PAIR):
        f.case("MaxPool2d", x, **names, padding=o.padding, dilation=o.dilation)
    for o, x, names in drawn("AvgPool2d", 28, padding=paddings, count=[True, False], divisor=[None, None, 1, 5]):
        f.case("AvgPool2d", x, **names, padding=o.padding, count_include_pad=o.count, divisor_override=o.divisor)
    for o, x, names in drawn("LPPool2d", 18, order=[1, 2, 2, 4]):
        f.case("LPPool2d", x if o.order in (1, 2) else away(x), **names, norm_type=o.order)
    sizes = [(1, 1), (1, 5), (7, 1), (2, 3), (4, 6), (5, 7)]
    for op in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"):
        for o in table(op, 14, n=[1, 2, 3], channels=[1, 3, 4, 8], size=sizes, out=sizes, kind=KINDS):
            f.case(op, fill(f.numbers(op), (o.n, o.channels, *o.size), o.kind), output_size=list(o.out))


def resampling(f):
    sizes = [(1, 1), (1, 5), (6, 1), (2, 3), (4, 3), (3, 7)]
    factors = [None, None, [2.0, 3.0], [1.0, 1.5], [0.5, 1.0], [1.75, 0.625]]
    image = dict(
        n=[1, 2],
        channels=[1, 3, 4, 5, 8],
        size=sizes,
        kind=NORMAL,
        mode=["nearest", "nearest-exact", "bilinear", "bicubic"],
    )
    for o in table(
        "Upsample", 40, **image, align=[False, True], out=sizes, factor=factors, recompute=[None, False, True]
    ):
        # Every image has a pixel.
        factor = o.factor and [max(k, 1 / n) for k, n in zip(o.factor, o.size)]
        names = dict(size=None if factor else list(o.out), scale_factor=factor, mode=o.mode)
        names.update(recompute_scale_factor=o.recompute if factor else None)
        x = fill(f.numbers("Upsample"), (o.n, o.channels, *o.size), o.kind)
        f.case("Upsample", x, **names, align_corners=None if o.mode.startswith("nearest") else o.align)
    for op, name in (("PixelShuffle", "upscale_factor"), ("PixelUnshuffle", "downscale_factor")):
        for o in table(
            op, 8, factor=[1, 2, 3, 4], n=[1, 2], channels=[1, 3, 4], size=[(1, 1), (1, 3), (2, 1)], kind=KINDS
        ):
            r, (h, w) = o.factor, o.size
            shape = (o.n, o.channels * r * r, h, w) if op == "PixelShuffle" else (o.n, o.channels, h * r, w * r)
            f.case(op, fill(f.numbers(op), shape, o.kind), **{name: r})
    sides = [[1, 2, 3, 0], [0, 0, 1, 1], [2, 0, 0, 2], [-1, 2, 1, -2], [3, 3, 3, 3], [-1, -1, -1, 0], [0, 1, 0, 0]]
    for op in ("ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"):
        for o in table(
            op, 14, sides=sides, n=[1, 2, 3], channels=[1, 3, 4, 8], size=[(4, 5), (5, 4), (4, 4)], kind=KINDS
        ):
            f.case(op, fill(f.numbers(op), (o.n, o.channels, *o.size), o.kind), padding=o.sides)


def shapes(f):
    for o in table(
        "Flatten", 10, shape=SHAPES[5:], ends=[(1, -1), (0, -1), (0, 1), (-2, -1), (-3, -2), (2, 2)], kind=KINDS
    ):
        f.case("Flatten", fill(f.numbers("Flatten"), o.shape, o.kind), start_dim=o.ends[0], end_dim=o.ends[1])
    for op in ("Softmax", "LogSoftmax"):
        for o in table(op, 12, shape=SHAPES[5:], dim=[0, 1, 2, -1, -2, -3], kind=KINDS):
            f.case(op, fill(f.numbers(op), o.shape, o.kind), dim=o.dim)
    for o in table("Dropout", 6, shape=SHAPES[2:], p=[0.0, 0.25, 1.0], kind=KINDS):
        # Without a probability training drops nothing either.
        f.case("Dropout", fill(f.numbers("Dropout"), o.shape, o.kind), o.p == 0.0, p=o.p)


OPTIONS = dict(
    LeakyReLU=dict(negative_slope=[0.0, 0.01, 0.2, 1.0, 3.0, -1.0]),
    ELU=dict(alpha=[0.1, 1.0, 3.0]),
    CELU=dict(alpha=[0.1, 1.0, 3.0, -0.5]),
    GELU=dict(approximate=["none", "tanh"]),
    Softplus=dict(beta=[1.0, 0.25, 3.0, 10.0], threshold=[20.0, 2.0, 0.0]),
    Threshold=dict(threshold=[0.0, 0.1, -2.0, 3.0], value=[0.0, -1.0, 6.5]),
)


def activations(f):
    ops = "ReLU ReLU6 SELU Sigmoid Tanh Hardsigmoid Hardswish SiLU Mish Softsign".split() + list(OPTIONS)
    for op in ops:
        options = OPTIONS.get(op, {})
        for o in table(op, 6 if options else 4, shape=SHAPES, kind=KINDS, scale=[0.125, 1, 4, 16], **options):
            x = fill(f.numbers(op), o.shape, o.kind) * o.scale
            f.case(op, x, **{name: getattr(o, name) for name in options})
    for o in table("PReLU", 12, shape=IMAGES, one=[True, False], kind=KINDS):
        f.case("PReLU", fill(f.numbers("PReLU"), o.shape, o.kind), num_parameters=1 if o.one else o.shape[1])


def sequences(f):
    """A convolution, a norm, an activation, a pool and a classifier, each of several sorts."""
    batch = dict(eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
    pools = [
        ("MaxPool2d", dict(kernel_size=[2, 2], stride=None, padding=[0, 0], dilation=[1, 1], ceil_mode=True)),
        (
            "AvgPool2d",
            dict(
                kernel_size=[2, 1],
                stride=[1, 2],
                padding=[0, 0],
                ceil_mode=False,
                count_include_pad=True,
                divisor_override=None,
            ),
        ),
        ("AdaptiveAvgPool2d", dict(output_size=[1, 2])),
        ("AdaptiveMaxPool2d", dict(output_size=[2, 1])),
        ("LPPool2d", dict(norm_type=2, kernel_size=[2, 2], stride=None, ceil_mode=False)),
    ]
    activations = [
        ("ReLU", {}),
        ("SiLU", {}),
        ("Hardswish", {}),
        ("LeakyReLU", dict(negative_slope=0.125)),
        ("GELU", dict(approximate="none")),
    ]
    norms = ["BatchNorm2d", "GroupNorm", "InstanceNorm2d", None]
    channels = [(1, 4), (3, 8), (2, 6)]
    for o in table(
        "Sequential",
        16,
        channels=channels,
        norm=norms,
        act=activations,
        pool=pools,
        training=[False, True],
        mode=MODES[2:],
        n=[1, 2, 3],
    ):
        ic, oc = o.channels
        conv = dict(in_channels=ic, out_channels=oc, kernel_size=[3, 2], stride=[1, 1], padding=[1, 1], dilation=[1, 1])
        of_norm = {
            "BatchNorm2d": dict(batch, num_features=oc),
            "GroupNorm": dict(num_groups=2, num_channels=oc, eps=1e-5, affine=True),
            "InstanceNorm2d": dict(batch, num_features=oc),
        }
        stem = [("Conv2d", conv | dict(groups=1, bias=o.norm is None, padding_mode=o.mode))]
        stem += [(o.norm, of_norm[o.norm])] if o.norm else []
        layers = [
            ("Sequential", dict(layers=numbered(stem))),
            o.act,
            o.pool,
            ("Flatten", dict(start_dim=2, end_dim=-1)),
        ]
        f.case(
            "Sequential", fill(f.numbers("Sequential"), (o.n, ic, 4, 5), "normal"), o.training, layers=numbered(layers)
        )
    f.case("Sequential", (2, 3), layers=[])


def numbered(layers):
    return [dict(name=str(k), op=op, params=params) for k, (op, params) in enumerate(layers)]


def cases(f):
    for draw in (convolutions, norms, pools, resampling, shapes, activations, sequences):
        draw(f)
