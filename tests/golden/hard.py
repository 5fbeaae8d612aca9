"""Hard numbers: large means, tiny and huge values, infinities and NaNs, many terms, the limits of functions."""

import math

import numpy as np
import torch

from family import DOUBLE, rounded
from tables import TRIGONOMETRY, fill

INF, NAN = float("inf"), float("nan")
# The smallest subnormal number, others, the largest, and the smallest normal one.
SUBNORMAL = [1.4e-45, 1e-42, 1e-40, 5.877e-39, 1.1754942e-38, 1.1754944e-38]
HUGE, LARGEST = 1e30, 3.4028235e38


def row(*values, rows=1):
    """The values after rounding, as a tensor of rows."""
    return rounded(torch.tensor(values, dtype=DOUBLE).reshape(rows, -1))


def signed(values):
    return [-v for v in reversed(values)] + list(values)


def neighbours(values):
    """Each value rounded to float32, and the float32 numbers before and after it."""
    near = np.asarray(values, dtype=np.float32)
    below, above = (np.nextafter(near, np.float32(to)) for to in (-INF, INF))
    return np.stack([below, near, above], axis=1).reshape(-1).astype(np.float64).tolist()


def far(draw, mean, shape=(2, 3, 3, 4)):
    """Numbers of deviation 1 and this mean, or constant ones: PyTorch's variance of the rounded numbers counts."""
    return draw.normal(*shape, shift=mean)


def normalizations(f):
    shape, c = (2, 3, 3, 4), (3,)
    of_x = {
        "10": lambda draw: far(draw, 10.0),
        "1e3": lambda draw: far(draw, -1e3),
        "1e4": lambda draw: far(draw, 1e4),
        "constant": lambda draw: torch.full(shape, 1234.5, dtype=DOUBLE),
        "zero": lambda draw: torch.zeros(shape, dtype=DOUBLE),
        "small": lambda draw: draw.normal(*shape, scale=1e-7),
        "large": lambda draw: draw.normal(*shape, scale=1e15),
        "subnormal": lambda draw: draw.normal(*shape, scale=1e-40),
    }
    for make in of_x.values():
        draw = f.numbers("batch_norm_training")
        running = dict(running_mean=draw.normal(*c), running_var=draw.uniform(*c, low=0.5, high=1.5))
        inputs = dict(x=make(draw), weight=c, bias=c, **running)
        f.case("batch_norm_training", inputs, momentum=0.1, eps=1e-5)
    for op, options in [
        ("layer_norm", dict(normalized_shape=[3, 3, 4])),
        ("layer_norm", dict(normalized_shape=[4])),
        ("group_norm", dict(num_groups=1)),
        ("group_norm", dict(num_groups=3)),
        ("instance_norm", {}),
    ]:
        affine = options.get("normalized_shape", c)
        for make in of_x.values():
            draw = f.numbers(op)
            f.case(op, dict(x=make(draw), weight=affine, bias=affine), **options, eps=1e-5)
    for mean, var in (([1e4, -1e3, 0.0], [1.0, 0.0, 1e-10]), ([1e15, 0.0, 1e-40], [1e30, 1e-40, 0.25])):
        draw = f.numbers("batch_norm")
        mean, var = row(*mean)[0], row(*var)[0]
        x = rounded(mean.reshape(3, 1, 1) + draw.normal(*shape))
        f.case("batch_norm", dict(x=x, running_mean=mean, running_var=var, weight=c, bias=c), eps=1e-5)
    # Squares stay below the largest f32.
    for scale in (1e-40, 1e-15, 1e15, 1e17):
        x = f.numbers("local_response_norm").normal(2, 5, 2, 3, scale=scale)
        f.case("local_response_norm", x, size=3, alpha=0.5, beta=0.75, k=1.0)

    for op in ("softmax", "log_softmax"):
        for x in (
            row(1e4, -1e4, 0.0, 9999.0, -9999.5, 1e4, rows=2),
            row(1e4, 1e4, 1e4, -1e4, -1e4, -1e4, rows=2),
            row(-INF, 1.0, -2.0, -INF, -INF, 3.0, rows=2),
            row(LARGEST, -LARGEST, 0.0, 1e-40, -1e-40, 1e-45, rows=2),
            row(88.7, 89.0, -104.0, 0.0, -87.5, -88.5, -103.5, 1.0, rows=2),
            row(INF, 1.0, 2.0, NAN, 1.0, 2.0, rows=2),
        ):
            f.case(op, x, dim=1)
        f.case(op, fill(f.numbers(op), (1, 2500), "sixteenths"), dim=-1)
        f.case(op, fill(f.numbers(op), (700, 2), "sixteenths"), dim=0)
    for p, scales in (
        (1, (1e-40, 1e-25, 1e25, 1e37)),
        (2, (1e-15, 1e15)),
        (3.0, (1e-9, 1e9)),
        (INF, (1e-40, 1e-25, 1e25, 1e37)),
    ):
        for scale in scales:
            f.case("normalize", f.numbers("normalize").normal(2, 5, scale=scale), p=p, dim=1, eps=1e-12)


def windows(f):
    names = dict(kernel_size=[2, 3], stride=[2, 2], padding=[1, 1], dilation=[1, 1], ceil_mode=True)
    for fixed in (-INF, INF, NAN, -LARGEST, 1e-40):
        x = f.numbers("max_pool2d").normal(1, 2, 4, 5)
        x[:, 1], x[0, 0, 1, 2] = fixed, fixed
        x = rounded(x)
        f.case("max_pool2d", x, **names)
    for fixed in (-INF, NAN, 1e-40):
        x = f.numbers("adaptive_max_pool2d").normal(1, 2, 4, 5)
        x[:, 1], x[0, 0, 1, 2] = fixed, fixed
        f.case("adaptive_max_pool2d", rounded(x), output_size=[3, 2])
    mean = dict(
        kernel_size=[2, 3],
        stride=[2, 2],
        padding=[1, 1],
        ceil_mode=True,
        count_include_pad=False,
        divisor_override=None,
    )
    for scale in (1e-40, 1e37):
        f.case("avg_pool2d", f.numbers("avg_pool2d").normal(1, 2, 4, 5, scale=scale), **mean)
        f.case(
            "adaptive_avg_pool2d", f.numbers("adaptive_avg_pool2d").normal(1, 2, 4, 5, scale=scale), output_size=[3, 2]
        )
    x = f.numbers("avg_pool2d").normal(1, 1, 4, 5)
    x[0, 0, 1, 2], x[0, 0, 3, 4] = INF, NAN
    f.case("avg_pool2d", x, **mean)
    whole = dict(
        kernel_size=[31, 33],
        stride=None,
        padding=[0, 0],
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    )
    f.case("avg_pool2d", fill(f.numbers("avg_pool2d"), (1, 1, 31, 33), "sixteenths"), **whole)
    for op in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        f.case(op, fill(f.numbers(op), (1, 1, 31, 33), "sixteenths"), output_size=[1, 1])
    for order, scale in ((2, 1e-25), (2, 1e17), (1, 1e-40), (1, 1e37), (4, 1e-6), (4, 1e6)):
        x = f.numbers("lp_pool2d").normal(1, 2, 4, 5, scale=scale)
        f.case("lp_pool2d", x, norm_type=order, kernel_size=[2, 3], stride=[1, 2], ceil_mode=False)
    # A negative sum of cubes has no root.
    f.case(
        "lp_pool2d",
        row(1.0, 2.0, -3.0, -1.0).reshape(1, 1, 2, 2),
        norm_type=3,
        kernel_size=[1, 2],
        stride=None,
        ceil_mode=False,
    )
    for mode in ("bilinear", "bicubic"):
        for scale in (1e-40, 1e37):
            x = f.numbers("interpolate").normal(1, 2, 3, 4, scale=scale)
            f.case("interpolate", x, size=[5, 7], scale_factor=None, mode=mode, align_corners=False)


def sums(f):
    one = dict(stride=[1, 1], padding=[0, 0], dilation=[1, 1], groups=1, padding_mode="zeros")
    for scale in (1e-20, 1e15):
        draw = f.numbers("conv2d")
        f.case(
            "conv2d", dict(x=draw.normal(1, 3, 4, 5, scale=scale), weight=draw.normal(2, 3, 3, 2, scale=scale)), **one
        )
    for c, size, kernel in ((700, (1, 1), (1, 1)), (256, (1, 2), (1, 1)), (64, (3, 4), (3, 3))):
        draw = f.numbers("conv2d")
        inputs = dict(x=fill(draw, (1, c, *size), "integers"), weight=fill(draw, (2, c, *kernel), "integers"))
        f.case("conv2d", inputs, **one)
    for n in (1024, 3000):
        draw = f.numbers("linear")
        x, weight = fill(draw, (1, n), "sixteenths"), fill(draw, (2, n), "integers")
        f.case("linear", dict(x=x, weight=weight, bias=(2,)))
    for n in (1500, 4096):
        draw = f.numbers("matmul")
        f.case("matmul", dict(a=fill(draw, (1, n), "sixteenths"), b=fill(draw, (n, 1), "integers")))
    f.case("matmul", dict(a=row(1e20, 1.0, -1e20, 1e-40), b=row(1e15, 3.0, 1e15, 1.0).T.contiguous()))

    # The powers of these are no normal f32 numbers, so they are not for norms of order 2 and 3.
    beyond = [
        row(*signed(SUBNORMAL), rows=3),
        row(1e37, -2e37, 3e37, 1e37, 1e30, -1e20, rows=2),
        row(1e-25, -2e-25, 3e-25, 1e-22, 1e-30, 0.0, rows=2),
    ]
    many = [((1, 4096), [1]), ((3000, 2), [0]), ((2, 41, 43), None)]
    for op in ("sum", "mean", "amax", "amin", "logsumexp", "norm"):
        for p in (1, 2, 3, INF) if op == "norm" else (None,):
            order = dict(p=p) if p else {}
            for shape, dim in many:
                f.case(op, fill(f.numbers(op), shape, "sixteenths"), **order, dim=dim, keepdim=False)
            for x in (
                row(1e8, 1.0, -1e8, 1e-3, 1.0, 1e4, -1e4, 1e-4, rows=2),
                row(-INF, -INF, -INF, INF, 1.0, 2.0, NAN, 1.0, INF, rows=3),
                *([] if p in (2, 3) else beyond),
            ):
                f.case(op, x, **order, dim=[1], keepdim=True)
    for x in (row(1e4, -1e4, 0.0, -1e4, -1e4, -1e4, rows=2), row(1e4, 1e4, 9999.0, -9999.0, -1e4, -INF, rows=2)):
        f.case("logsumexp", x, dim=[1], keepdim=False)
    f.case("prod", fill(f.numbers("prod"), (2, 300), "sixteenths").sign() * 0.75, dim=[1], keepdim=False)
    f.case(
        "prod",
        row(1e10, 1e10, 1e-10, 1e-10, 1e-10, 1e-10, 1e10, 1e10, 0.0, 5.0, -2.0, 1e-40, rows=3),
        dim=[1],
        keepdim=False,
    )
    f.case("prod", row(INF, 0.0, 1.0, INF, -2.0, 1.0, NAN, 0.0, 1.0, rows=3), dim=[1], keepdim=True)
    for op in ("argmax", "argmin"):
        for x in (
            row(-INF, -INF, -INF, INF, INF, INF, rows=2),
            row(1.0, NAN, 2.0, NAN, -INF, NAN, rows=2),
            row(0.0, -0.0, 0.0, -0.0, 0.0, -0.0, rows=2),
            row(1e-40, 1.4e-45, 0.0, -1e-40, -1.4e-45, 0.0, rows=2),
        ):
            f.case(op, x, dim=1, keepdim=False)
        f.case(op, f.numbers(op).distinct(1500), dim=None, keepdim=False)
    for largest in (True, False):
        # With a NaN only the largest: of the smallest it is the last in PyTorch, the first in convgpu.
        f.case("topk", row(1.0, NAN if largest else 0.5, INF, -INF, 2.0, -3.0), k=6, dim=1, largest=largest)
        f.case("topk", row(*signed(neighbours([1.0, 1e-3, 1e30]))), k=7, dim=1, largest=largest)
        f.case("topk", f.numbers("topk").distinct(1, 1500), k=5, dim=1, largest=largest)


# Where functions overflow, underflow, or change their formula.
LIMITS = [
    1e-38,
    1e-20,
    1e-10,
    1e-5,
    0.01,
    0.49999997,
    1.9999999,
    2.9999998,
    3.0000002,
    3.9,
    5.9999995,
    6.0000005,
    8.9,
    10.1,
]
LIMITS += [
    16.6,
    19.999998,
    20.000002,
    44.9,
    87.3,
    87.4,
    88.7,
    88.73,
    91.0,
    103.2,
    103.9,
    104.1,
    1e4,
    1e10,
    1e38,
    LARGEST,
]
SMOOTH = "sigmoid tanh elu selu celu gelu silu mish softplus softsign exp erf hardsigmoid hardswish reciprocal".split()
SPECIAL = dict(
    elu=dict(alpha=1.5),
    celu=dict(alpha=1.5),
    softplus=dict(beta=1.0, threshold=20.0),
    gelu=dict(approximate="none"),
    leaky_relu=dict(negative_slope=0.25),
    threshold=dict(threshold=0.0, value=-1.0),
    clamp=dict(min=-1.0, max=1e-39),
)


def elementwise(f):
    for op in SMOOTH:
        f.case(op, row(*signed(LIMITS), rows=2), **SPECIAL.get(op, {}))
    f.case("gelu", row(*signed(LIMITS), rows=2), approximate="tanh")
    f.case("softplus", row(*signed(LIMITS), rows=2), beta=4.0, threshold=3.0)
    for op in SMOOTH + "relu relu6 leaky_relu threshold clamp abs neg floor ceil round sign sin cos".split():
        f.case(op, row(*signed(SUBNORMAL), rows=2), **SPECIAL.get(op, {}))
    for op in ("log", "sqrt"):
        # A device may take a subnormal number for 0, of which the logarithm is infinite.
        tiny = SUBNORMAL[-1:] * 6 if op == "log" else SUBNORMAL
        f.case(op, row(*neighbours([0.5, 1.0, 2.0, 4.0, 1e-30, 1e30]), *tiny, 0.0, LARGEST, rows=2))
        f.case(op, row(-1.0, -1e-20, -INF, -0.0, INF, NAN))
    f.case("clamp", row(-INF, -1.0, 0.0, 2.0, INF, NAN), min=-INF, max=1.0)
    f.case("clamp", row(-INF, -1.0, 0.0, 2.0, INF, NAN), min=0.5, max=INF)

    quarters = neighbours([k * math.pi / 2 for k in (1, 2, 3, 4, 5, 6, 11, 100, 355, 710, 1001, 2608, 5215)])
    near = neighbours([8191.0, 8191.5, 8192.0, 8187.6])
    for op in ("sin", "cos"):
        f.case(op, row(*signed(quarters), rows=2))
        f.case(op, row(*signed(near), rows=2))
        f.case(op, row(*signed([8193.0, 1e4, 12345.678, 65536.0]), rows=2))
        f.case(op, f.numbers(op).uniform(4, 16, low=-8192.0, high=8192.0))

    edges = neighbours([1e-20, 1e-4, 0.39, 0.41421356, 0.5, 0.70710677, 0.75, 1.0, 1.5, 2.4142135, 3.0, 20.0, 8192.0, 1e19, 1e30])
    for op in TRIGONOMETRY:
        f.case(op, row(*signed(edges), 1e38, LARGEST, rows=2))
        f.case(op, row(*signed(SUBNORMAL), rows=2))
        f.case(op, row(-INF, -LARGEST, -0.0, 0.0, INF, NAN))
    f.case("tan", row(*signed(quarters), rows=2))
    f.case("tan", f.numbers("tan").uniform(4, 16, low=-8190.0, high=8190.0))
    for op in ("asin", "acos", "atanh"):
        f.case(op, f.numbers(op).uniform(4, 16, low=-1.0, high=1.0))
    for op in ("sinh", "cosh"):
        f.case(op, f.numbers(op).uniform(4, 16, low=-89.0, high=89.0))

    numbers = [-INF, -LARGEST, -1.5, -1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0, 2.0, LARGEST, INF, NAN]
    column, line = row(*numbers, rows=len(numbers)), row(*numbers)[0]
    for op in "add sub mul div maximum minimum eq lt gt le ge".split():
        notes = dict(dtype="bool") if op in ("eq", "lt", "gt", "le", "ge") else {}
        f.case(op, dict(a=column, b=line), **notes)
        tiny = signed(SUBNORMAL) + [0.0, 1.0]
        f.case(op, dict(a=row(*tiny, rows=len(tiny)), b=row(*tiny)[0]), **notes)
        near = neighbours([1.0, 3.0, 1e-3, 16777216.0])
        f.case(op, dict(a=row(*near, rows=len(near)), b=row(*near)[0]), **notes)
    base = row(*[-INF, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0, INF, NAN], rows=11)
    f.case("pow", dict(a=base, b=row(-INF, -3.0, -2.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, INF, NAN)[0]))
    f.case("pow", dict(a=row(*neighbours([1.0, 10.0, 0.1]), rows=9), b=row(-37.0, -10.0, 0.1, 10.0, 37.5, 100.0)[0]))
    for op in ("remainder", "fmod"):
        f.case(op, dict(a=row(-7.5, -1.0, 0.0, 1.0, 7.5, 1000.25, rows=6), b=row(-INF, -2.0, 0.0, 0.25, 3.0, INF)[0]))
        f.case(op, dict(a=row(*signed([5.0, 2.5, 1023.0, 65536.0]), rows=8), b=row(-0.75, 0.1, 0.3, 7.0)[0]))
    # Sums and products of integers wrap.
    whole = torch.tensor([-(2**31), -(2**30) - 1, -65537, -1, 0, 3, 65536, 2**30 + 7, 2**31 - 1], dtype=torch.int32)
    for op in "add sub mul maximum minimum".split():
        f.case(op, dict(a=whole.reshape(9, 1), b=whole))
    for op in "eq lt gt le ge".split():
        f.case(op, dict(a=whole.reshape(9, 1), b=whole), dtype="bool")
    for op in "bitwise_and bitwise_or bitwise_xor".split():
        f.case(op, dict(a=whole.reshape(9, 1), b=whole))
    # By nothing, by all bits but one, by all, by more, and by less than nothing.
    by = torch.tensor([0, 1, 7, 31, 32, 33, 1000, -1, -32], dtype=torch.int32)
    for op in ("bitwise_left_shift", "bitwise_right_shift"):
        f.case(op, dict(a=whole.reshape(9, 1), b=by))
    f.case("bitwise_not", whole)
    for op in "relu relu6 abs neg floor ceil round sign".split():
        f.case(op, whole)
    f.case("clamp", whole, min=-65537, max=3)
    f.case("clamp", whole, min=None, max=-1)
    square = whole.reshape(3, 3)
    f.case("matmul", dict(a=whole.reshape(9, 1), b=whole.reshape(1, 9)))
    f.case("matmul", dict(a=square, b=square))
    for op in ("argmax", "argmin"):
        f.case(op, square, dim=0, keepdim=True)
    for largest in (True, False):
        f.case("topk", square, k=2, dim=1, largest=largest)
    for op in ("sum", "prod", "amax", "amin"):
        f.case(op, whole.reshape(3, 3), dim=[1], keepdim=False)


def copies(f):
    """Every number passes unchanged through what only moves it."""
    x = row(*signed([*SUBNORMAL, 0.0, 1.0, HUGE, LARGEST, INF]), NAN, 7.0, rows=4)
    whole = torch.tensor([[-(2**31), -1, 0], [1, 16777217, 2**31 - 1]], dtype=torch.int32)
    for x in (x, whole):
        h, w = x.shape
        f.case("permute", x, dims=[1, 0])
        f.case("cat", dict(in0=x, in1=x[:, :1].contiguous()), dim=1)
        f.case("narrow", x, dim=1, start=1, length=2)
        f.case("index_select", dict(x=x, index=torch.tensor([1, 0, 1])), dim=0)
        f.case("expand", x, size=[2, h, w])
        f.case("tile", x, dims=[2, 1])
        f.case("pad", x, pad=[1, 0, 0, 1], mode="constant", value=None)
        f.case("reshape", x, shape=[w, h])
        f.case("split", x, sizes=1, dim=0)
    # An axis of extent 0.
    f.case("cat", dict(in0=(2, 0, 3), in1=(2, 4, 3)), dim=1)
    f.case("narrow", (3, 5), dim=1, start=2, length=0)
    f.case("pad", (2, 0), pad=[1, 2], mode="constant", value=1.5)
    f.case("sum", (3, 0), dim=[1], keepdim=False)
    f.case("relu", (2, 0, 3))
    for op in ("pixel_shuffle", "interpolate"):
        y = row(*signed([*SUBNORMAL, LARGEST, INF]), rows=4).reshape(1, 4, 2, 2)
        names = (
            dict(upscale_factor=2)
            if op == "pixel_shuffle"
            else dict(size=[3, 5], scale_factor=None, mode="nearest", align_corners=None)
        )
        f.case(op, y, **names)


def grids(f):
    """Coordinates that are not finite, far ones, those of ties and of pixels, and one pixel along an axis."""
    modes = ("bilinear", "nearest", "bicubic")
    far = [NAN, INF, -INF, 1e30, -1e30, LARGEST, -LARGEST, 3e9, 1e6, -1e6, 1.0, -1.0, 0.25]
    # A mirrored image has no digits of the far ones, and of some of these PyTorch has others in float64 and in float32.
    mirrored = [NAN, INF, -INF, 1e3, -1e3, 65.5, -65.5, 1.0, -1.0, 0.25]
    sixteenths = [k / 16 for k in range(-40, 41)]
    for mode in modes:
        for padding_mode in ("zeros", "border", "reflection"):
            values = mirrored if padding_mode == "reflection" else far
            pairs = [(v, 0.25) for v in values] + [(0.125, v) for v in values] + [(v, v) for v in values]
            # Halves between pixels of even and odd extents, on both axes, and pixels.
            ties = [(v, -0.5) for v in sixteenths] + [(0.25, v) for v in sixteenths]
            for align_corners in (False, True):
                options = dict(mode=mode, padding_mode=padding_mode, align_corners=align_corners)
                for shape, places in (((1, 2, 3, 4), pairs), ((1, 1, 5, 8), ties), ((1, 2, 1, 4), ties), ((1, 1, 1, 1), pairs)):
                    grid = row(*[v for pair in places for v in pair]).reshape(1, 1, -1, 2)
                    f.case("grid_sample", dict(x=f.numbers("grid_sample").normal(*shape), grid=grid), **options)
    # Beyond zeros a volume has zeros for what is not finite.
    for mode in modes[:2]:
        grid = row(*[w for v in far for w in (0.25, v, -0.5)]).reshape(1, 1, 1, -1, 3)
        x = f.numbers("grid_sample").normal(1, 2, 2, 3, 4)
        f.case("grid_sample", dict(x=x, grid=grid), mode=mode, padding_mode="zeros", align_corners=False)
    # The nearest pixel is a copy, whatever it is.
    x = row(*signed([*SUBNORMAL, LARGEST, INF]), rows=2).reshape(1, 1, 2, 8)
    grid = row(*[w for k in range(8) for w in ((2 * k + 1) / 8 - 1, 0.5 - k % 2)]).reshape(1, 2, 4, 2)
    f.case("grid_sample", dict(x=x, grid=grid), mode="nearest", padding_mode="zeros", align_corners=False)


def regions(f):
    """Boxes without an extent, inside out, far out, at the end of what counts as the image, and all of it."""
    far = [[0, 2, 3, 2, 3], [0, 4, 4, 1, 2], [0, -1, -1, 6, 5], [0, -50, -40, 60, 70], [0, 90, 2, 95, 4], [0, -9, 1, 0.5, 2]]
    ends = [[0, -1.5, -0.5, 6.5, 6], [0, -2, -2, -1, -1], [0, 6, 5, 8, 7], [0, 0, 0, 6, 5], [0, 5.5, 4.5, 6.5, 5.5]]
    boxes = row(*[v for box in far + ends for v in box]).reshape(-1, 5)
    for bins in ([1, 1], [2, 2], [4, 4]):
        for samples in (-1, 1, 2):
            for aligned in (False, True):
                x = f.numbers("roi_align").normal(1, 2, 5, 6)
                names = dict(output_size=bins, spatial_scale=1.0, sampling_ratio=samples, aligned=aligned)
                f.case("roi_align", dict(x=x, boxes=boxes), **names)
        x = f.numbers("roi_pool").normal(1, 2, 5, 6)
        f.case("roi_pool", dict(x=x, boxes=boxes), output_size=bins, spatial_scale=1.0)
    x = row(*signed([*SUBNORMAL, LARGEST, INF]), rows=2).reshape(1, 1, 2, 8)
    boxes = row(0, 0, 0, 7, 1, 0, 1, 0, 4, 0).reshape(2, 5)
    f.case("roi_pool", dict(x=x, boxes=boxes), output_size=[2, 3], spatial_scale=1.0)


def functional(f):
    for cases in (normalizations, windows, sums, elementwise, copies, grids, regions):
        cases(f)


def modules(f):
    means = (10.0, -1e3, 1e4)
    batch = dict(num_features=3, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
    for op, shape in (
        ("BatchNorm1d", (7, 3)),
        ("BatchNorm1d", (3, 3, 5)),
        ("BatchNorm2d", (2, 3, 3, 4)),
        ("InstanceNorm2d", (2, 3, 3, 4)),
    ):
        for mean in means:
            f.case(op, far(f.numbers(op), mean, shape), True, **batch)
        f.case(op, torch.full(shape, -321.5, dtype=DOUBLE), True, **batch)
    for mean in means:
        f.case(
            "LayerNorm",
            far(f.numbers("LayerNorm"), mean),
            normalized_shape=[3, 4],
            eps=1e-5,
            elementwise_affine=True,
            bias=True,
        )
        f.case("GroupNorm", far(f.numbers("GroupNorm"), mean), num_groups=1, num_channels=3, eps=1e-5, affine=True)
    for op in ("Softmax", "LogSoftmax"):
        f.case(op, row(1e4, -1e4, 0.0, 9999.0, -9999.5, 1e4, rows=2), dim=-1)
        f.case(op, row(-INF, 1.0, -2.0, -INF, -INF, 3.0, rows=2), dim=-1)
    names = dict(kernel_size=[2, 3], stride=[2, 1], padding=[1, 1], dilation=[1, 1], ceil_mode=True)
    f.case("MaxPool2d", torch.full((1, 2, 3, 4), -INF, dtype=DOUBLE), **names)
    f.case("AdaptiveMaxPool2d", torch.full((1, 2, 3, 4), -INF, dtype=DOUBLE), output_size=[2, 3])
    for op, options in dict(
        Sigmoid={}, Tanh={}, SiLU={}, Mish={}, SELU={}, ELU=dict(alpha=1.5), GELU=dict(approximate="none")
    ).items():
        f.case(op, row(*signed(LIMITS), rows=2), **options)
        f.case(op, row(*signed(SUBNORMAL), rows=2), **options)
