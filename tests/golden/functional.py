"""The family `functional`: functions of torch and torch.nn.functional; the cases of a function cover all its options."""

import torch
import torch.nn.functional as F
import torchvision.ops

import drawn_functional
import hard
from family import DOUBLE, EDGES, Family, edges, gelu, given, rounded_params
from tables import TRIGONOMETRY, deformed, folded, points, regions, span, unpooled

INF = float("inf")


def convolution(function):
    """A convolution with `padding_mode`, and with a padding that may be both sides of every axis: PyTorch's pad before it."""

    def conv(x, weight, bias=None, *, padding, padding_mode="zeros", dilation, **p):
        axes = weight.dim() - 2
        if padding_mode != "zeros" or isinstance(padding, list) and len(padding) > axes:
            paddings = [padding] * axes if isinstance(padding, str) else split_sides(padding, axes)
            dilations = dilation if isinstance(dilation, list) else [dilation]
            sides = [span(*of_axis) for of_axis in zip(paddings, weight.shape[2:], dilations)]
            mode = "constant" if padding_mode == "zeros" else padding_mode
            x, padding = F.pad(x, [side for axis in reversed(sides) for side in axis], mode=mode), 0
        return function(x, weight, bias, padding=padding, dilation=dilation, **p)

    return conv


def split_sides(padding, axes):
    """The padding of each axis: one number each, or two."""
    padding = padding if isinstance(padding, list) else [padding]
    return padding if len(padding) == axes else [padding[2 * k : 2 * k + 2] for k in range(axes)]


def interpolate(x, **p):
    # PyTorch finds the nearest pixel in the precision of the pixels. Copies are exact.
    single = x.to(torch.float32) if p["mode"].startswith("nearest") else x
    return F.interpolate(single, **p)


def batch_norm(x, running_mean, running_var, weight=None, bias=None, *, eps):
    return F.batch_norm(x, running_mean, running_var, weight, bias, training=False, eps=eps)


def batch_norm_training(x, weight=None, bias=None, running_mean=None, running_var=None, **p):
    # PyTorch writes into the running statistics.
    new = [None if t is None else t.clone() for t in (running_mean, running_var)]
    out = F.batch_norm(x, *new, weight, bias, training=True, **p)
    return given(out=out, new_running_mean=new[0], new_running_var=new[1])


def max_pool2d(x, **p):
    out, indices = F.max_pool2d(x, **p, return_indices=True)
    # PyTorch gives a window that lies in the padding an index outside the plane, convgpu 0.
    outside = indices >= x.shape[2] * x.shape[3]
    assert torch.all(out[outside] == -INF)
    return dict(out=out, indices=torch.where(outside, 0, indices))


def max_unpool2d(x, indices, output_size, **p):
    return F.max_unpool2d(x, indices.to(torch.int64), output_size=output_size, **p)


def deform_conv2d(x, offset, mask=None, *, weight, bias=None, **p):
    return torchvision.ops.deform_conv2d(x, offset, weight, bias, mask=mask, **p)


def prod(x, dim, keepdim):
    # torch.prod takes one axis: the last first, so that the others keep their numbers.
    for axis in sorted((d % x.dim() for d in axes(x, dim)), reverse=True):
        x = torch.prod(x, axis, keepdim, dtype=x.dtype)
    return x


def axes(x, dim):
    return list(range(x.dim())) if dim is None else dim


def over_axes(function):
    return lambda x, dim, keepdim, **p: function(x, dim=axes(x, dim), keepdim=keepdim, **p)


def total(x, **p):
    return torch.sum(x, dtype=x.dtype, **p)


def div(a, b):
    # convgpu's quotient of integers is an integer.
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")


def topk(x, **p):
    values, indices = torch.topk(x, **p)
    return dict(values=values, indices=indices)


def split(x, sizes, dim):
    return {f"out{k}": t for k, t in enumerate(torch.split(x, sizes, dim))}


FUNCTIONS = dict(
    conv1d=convolution(F.conv1d),
    conv2d=convolution(F.conv2d),
    conv3d=convolution(F.conv3d),
    conv_transpose2d=F.conv_transpose2d,
    conv_transpose3d=F.conv_transpose3d,
    deform_conv2d=deform_conv2d,
    linear=F.linear,
    det=torch.linalg.det,
    matmul=torch.matmul,
    scaled_dot_product_attention=F.scaled_dot_product_attention,
    max_pool2d=max_pool2d,
    max_pool3d=F.max_pool3d,
    max_unpool2d=max_unpool2d,
    fold=F.fold,
    avg_pool2d=F.avg_pool2d,
    avg_pool3d=F.avg_pool3d,
    lp_pool2d=F.lp_pool2d,
    lp_pool3d=F.lp_pool3d,
    adaptive_avg_pool2d=F.adaptive_avg_pool2d,
    adaptive_max_pool2d=F.adaptive_max_pool2d,
    adaptive_avg_pool3d=F.adaptive_avg_pool3d,
    adaptive_max_pool3d=F.adaptive_max_pool3d,
    interpolate=interpolate,
    grid_sample=F.grid_sample,
    affine_grid=F.affine_grid,
    roi_align=torchvision.ops.roi_align,
    roi_pool=torchvision.ops.roi_pool,
    pad=F.pad,
    pixel_shuffle=F.pixel_shuffle,
    pixel_unshuffle=F.pixel_unshuffle,
    batch_norm=batch_norm,
    batch_norm_training=batch_norm_training,
    layer_norm=lambda x, weight=None, bias=None, **p: F.layer_norm(x, weight=weight, bias=bias, **p),
    group_norm=lambda x, weight=None, bias=None, **p: F.group_norm(x, weight=weight, bias=bias, **p),
    instance_norm=lambda x, weight=None, bias=None, **p: F.instance_norm(x, weight=weight, bias=bias, **p),
    local_response_norm=F.local_response_norm,
    normalize=F.normalize,
    softmax=F.softmax,
    log_softmax=F.log_softmax,
    gelu=gelu,
    prelu=F.prelu,
    where=torch.where,
    sum=over_axes(total),
    mean=over_axes(torch.mean),
    amax=over_axes(torch.amax),
    amin=over_axes(torch.amin),
    prod=prod,
    norm=over_axes(lambda x, p, **more: torch.linalg.vector_norm(x, p, **more)),
    logsumexp=over_axes(torch.logsumexp),
    argmax=torch.argmax,
    argmin=torch.argmin,
    topk=topk,
    cat=lambda *parts, dim: torch.cat(parts, dim),
    split=split,
    narrow=torch.narrow,
    index_select=lambda x, index, dim: torch.index_select(x, dim, index),
    expand=lambda x, size: x.expand(size),
    tile=torch.tile,
    permute=torch.permute,
    transpose=torch.transpose,
    flatten=torch.flatten,
    reshape=torch.reshape,
)
ACTIVATIONS = "relu relu6 leaky_relu elu selu celu hardsigmoid hardswish silu mish softplus softsign".split()
UNARY = "threshold sigmoid tanh clamp exp log sqrt reciprocal abs neg floor ceil round sign erf sin cos".split()
UNARY.append("fake_quantize_per_tensor_affine")
ARITHMETIC = "add sub mul div maximum minimum pow remainder fmod".split()
COMPARISONS = "eq lt gt le ge".split()
LOGIC = "logical_and logical_or logical_xor".split()
BITS = "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift bitwise_not".split()
FUNCTIONS.update({op: getattr(F, op) for op in ACTIVATIONS})
FUNCTIONS.update({op: getattr(torch, op) for op in UNARY + TRIGONOMETRY + ARITHMETIC + COMPARISONS + LOGIC + BITS}, div=div)

# Parameters that describe dtypes for the tests. PyTorch has no such options.
NOTES = ("dtype", "input_dtype", "mask_dtype")


def evaluate(op, inputs, params):
    """The outputs by role. Weights and statistics are passed by name, since some may be absent, all others by position."""
    options = {k: v for k, v in rounded_params(params).items() if k not in NOTES}
    named = {"weight", "bias", "running_mean", "running_var"} & inputs.keys() if "x" in inputs else set()
    by_position = [t for role, t in inputs.items() if role not in named]
    out = FUNCTIONS[op](*by_position, **{role: inputs[role] for role in named}, **options)
    return out if isinstance(out, dict) else dict(out=out)


class Functions(Family):
    def case(self, op, inputs, **params):
        """`inputs` are a tensor, the shape of one, or several by role: each a tensor, a shape, or None for no input."""
        draw = self.numbers(op)
        inputs = given(**inputs) if isinstance(inputs, dict) else dict(x=inputs)
        inputs = {role: t if isinstance(t, torch.Tensor) else draw.normal(*t) for role, t in inputs.items()}
        self.add(op, params, inputs, evaluate(op, inputs, params))


def convolutions(f):
    def conv(op, x, weight, stride, padding, dilation, groups, bias=True, **more):
        inputs = dict(x=x, weight=weight, bias=weight[:1] if bias else None)
        f.case(op, inputs, stride=stride, padding=padding, dilation=dilation, groups=groups, **more)

    conv("conv1d", (2, 3, 11), (5, 3, 4), 1, 1, 1, 1)
    conv("conv1d", (3, 3, 14), (6, 1, 4), 2, 3, 1, 3)
    conv("conv1d", (2, 5, 16), (3, 5, 3), 3, 0, 2, 1, bias=False)
    conv("conv1d", (2, 3, 10), (2, 3, 4), 1, "same", 1, 1)
    conv("conv1d", (2, 3, 9), (3, 1, 2), 1, "same", 3, 3, bias=False)
    conv("conv1d", (2, 3, 11), (2, 3, 4), 2, "valid", 2, 1)

    zeros = dict(padding_mode="zeros")
    conv("conv2d", (2, 3, 7, 5), (5, 3, 3, 2), [1, 1], [1, 1], [1, 1], 1, **zeros)
    conv("conv2d", (3, 3, 9, 6), (6, 1, 2, 3), [2, 1], [0, 2], [1, 1], 3, **zeros)
    conv("conv2d", (2, 5, 8, 11), (3, 5, 3, 2), [1, 3], [2, 0], [2, 1], 1, False, **zeros)
    conv("conv2d", (2, 9, 5, 4), (6, 3, 3, 2), [1, 2], [1, 0], [1, 3], 3, False, **zeros)
    conv("conv2d", (2, 3, 4, 6), (7, 3, 1, 1), [2, 1], [0, 0], [1, 1], 1, **zeros)
    conv("conv2d", (2, 3, 7, 6), (4, 3, 4, 2), [1, 1], "same", [1, 1], 1, **zeros)
    conv("conv2d", (2, 3, 7, 6), (3, 1, 3, 2), [1, 1], "same", [2, 3], 3, False, **zeros)
    conv("conv2d", (2, 3, 7, 6), (2, 3, 3, 2), [3, 1], "valid", [1, 2], 1, **zeros)
    conv("conv2d", (2, 3, 6, 7), (3, 3, 3, 4), [2, 1], [2, 1], [1, 1], 1, padding_mode="reflect")
    conv("conv2d", (2, 3, 5, 6), (3, 1, 4, 3), [1, 2], [3, 0], [1, 2], 3, False, padding_mode="replicate")
    conv("conv2d", (2, 3, 4, 6), (2, 3, 3, 2), [1, 1], [1, 3], [2, 1], 1, padding_mode="circular")

    # All three axes, two of them, and one: each is another composition.
    one, none = [1, 1, 1], [0, 0, 0]
    conv("conv3d", (2, 3, 5, 4, 6), (5, 3, 3, 2, 3), one, [1, 0, 2], one, 1, **zeros)
    conv("conv3d", (1, 4, 7, 6, 5), (6, 2, 2, 3, 2), [2, 1, 2], [1, 2, 0], [2, 1, 3], 2, **zeros)
    conv("conv3d", (2, 3, 4, 5, 3), (6, 1, 3, 3, 1), [1, 2, 1], [2, 1, 0], one, 3, False, **zeros)
    conv("conv3d", (2, 3, 4, 5, 7), (4, 3, 1, 3, 2), [1, 2, 1], [0, 1, 1], one, 1, **zeros)
    conv("conv3d", (2, 4, 4, 5, 6), (4, 2, 2, 1, 3), [1, 1, 2], [1, 0, 1], [2, 1, 1], 2, **zeros)
    conv("conv3d", (2, 3, 6, 4, 5), (4, 3, 3, 1, 1), [2, 1, 1], [1, 0, 0], one, 1, **zeros)
    conv("conv3d", (2, 3, 3, 4, 7), (2, 3, 1, 1, 4), [1, 1, 3], [0, 0, 2], one, 1, False, **zeros)
    conv("conv3d", (2, 3, 3, 6, 2), (3, 1, 1, 3, 1), one, [0, 2, 0], [1, 2, 1], 3, **zeros)
    conv("conv3d", (2, 5, 3, 4, 2), (3, 5, 1, 1, 1), one, none, one, 1, **zeros)
    conv("conv3d", (2, 3, 5, 4, 3), (2, 3, 1, 1, 1), [2, 3, 2], none, one, 1, **zeros)
    conv("conv3d", (1, 3, 4, 5, 6), (2, 3, 4, 3, 2), one, "same", [1, 1, 2], 1, **zeros)
    conv("conv3d", (2, 3, 5, 6, 4), (3, 1, 2, 3, 2), [2, 1, 1], "valid", one, 3, False, **zeros)
    conv("conv3d", (1, 3, 4, 3, 5), (2, 3, 2, 3, 2), [1, 2, 1], [3, 0, 1, 2, 0, 1], one, 1, **zeros)
    for mode in ("reflect", "replicate", "circular"):
        conv("conv3d", (2, 3, 4, 5, 3), (2, 3, 3, 2, 2), [2, 1, 1], [2, 0, 1], one, 1, padding_mode=mode)

    def transposed(x, weight, stride, padding, output_padding, dilation, groups, bias=True):
        inputs = dict(x=x, weight=weight, bias=(weight[1] * groups,) if bias else None)
        names = dict(stride=stride, padding=padding, output_padding=output_padding, dilation=dilation, groups=groups)
        f.case(f"conv_transpose{len(stride)}d", inputs, **names)

    transposed((2, 3, 4, 5), (3, 5, 4, 2), [1, 1], [0, 0], [0, 0], [1, 1], 1)
    transposed((3, 3, 5, 3), (3, 2, 3, 4), [2, 3], [1, 2], [1, 0], [1, 1], 3)
    transposed((2, 5, 3, 4), (5, 3, 2, 3), [3, 1], [0, 1], [2, 0], [2, 1], 1, bias=False)
    transposed((2, 3, 3, 5), (3, 2, 3, 2), [2, 2], [2, 0], [0, 1], [3, 2], 1)
    transposed((2, 9, 2, 3), (9, 1, 1, 2), [3, 2], [0, 0], [0, 1], [1, 3], 3, bias=False)

    transposed((2, 3, 3, 4, 2), (3, 4, 3, 2, 3), [1, 1, 1], none, none, one, 1)
    transposed((2, 4, 3, 2, 4), (4, 3, 2, 3, 2), [2, 3, 2], [0, 1, 1], [1, 0, 1], one, 2)
    transposed((1, 3, 4, 3, 2), (3, 2, 3, 3, 2), [2, 1, 3], [2, 1, 0], [1, 0, 2], [2, 1, 1], 1, False)
    transposed((1, 3, 4, 2, 3), (3, 1, 4, 2, 3), [3, 2, 1], [3, 0, 1], [0, 1, 0], [2, 3, 2], 3)
    transposed((2, 3, 3, 2, 4), (3, 2, 1, 2, 3), [1, 2, 2], [0, 0, 1], [0, 1, 1], one, 1)
    transposed((2, 3, 3, 5, 2), (3, 2, 3, 1, 3), [2, 1, 1], [1, 0, 0], none, one, 1, False)
    transposed((1, 4, 3, 2, 4), (4, 2, 2, 2, 1), [2, 3, 1], none, [1, 2, 0], one, 2)
    transposed((2, 3, 3, 2, 4), (3, 4, 4, 1, 1), [2, 1, 1], [1, 0, 0], [1, 0, 0], one, 1)
    transposed((2, 3, 3, 2, 4), (3, 4, 1, 1, 3), [1, 1, 2], [0, 0, 1], [0, 0, 1], one, 1)
    transposed((2, 5, 3, 2, 4), (5, 3, 1, 1, 1), one, none, none, one, 1)
    transposed((2, 3, 2, 3, 2), (3, 2, 1, 1, 1), [2, 1, 3], none, [1, 0, 2], one, 1)
    transposed((2, 3, 3, 2, 4), (3, 2, 1, 2, 2), [1, 2, 2], none, [1, 1, 0], [2, 1, 1], 1)

    def linear(x, weight, bias=True):
        f.case("linear", dict(x=x, weight=weight, bias=weight[:1] if bias else None))

    linear((3, 7), (5, 7))
    linear((2, 3, 5), (9, 5))
    linear((2, 3, 4, 5), (3, 5))
    linear((5, 9), (3, 9), bias=False)
    linear((3, 2, 7), (1, 7), bias=False)

    for a, b in [
        ((3, 5), (5, 4)),
        ((2, 3, 4, 5), (2, 3, 5, 7)),
        ((2, 1, 4, 5), (3, 5, 2)),
        ((4, 7), (3, 7, 5)),
        ((2, 3, 4, 5), (5, 3)),
    ]:
        f.case("matmul", dict(a=a, b=b))


def pools(f):
    def maximum(x, kernel, stride, padding, dilation, ceil_mode):
        names = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
        f.case(f"max_pool{len(kernel)}d", x, **names)

    maximum((2, 3, 7, 8), [3, 2], None, [0, 0], [1, 1], False)
    maximum((3, 3, 8, 9), [2, 3], [3, 2], [1, 0], [1, 1], True)
    maximum((2, 5, 9, 7), [3, 2], [2, 1], [1, 1], [2, 3], False)
    maximum((2, 3, 6, 9), [2, 3], [1, 2], [0, 1], [3, 1], True)
    maximum((2, 3, 5, 7), [2, 2], None, [0, 1], [1, 2], True)

    one, none = [1, 1, 1], [0, 0, 0]
    maximum((2, 3, 5, 7, 6), [2, 3, 2], None, none, one, False)
    maximum((2, 3, 7, 6, 8), [3, 2, 3], [2, 3, 1], [1, 0, 1], one, True)
    maximum((1, 4, 8, 7, 9), [2, 3, 2], [1, 2, 2], [1, 1, 0], [3, 1, 2], False)
    maximum((2, 3, 7, 5, 6), [3, 2, 2], [2, 2, 3], [1, 1, 1], [2, 1, 3], True)
    maximum((2, 3, 7, 4, 3), [3, 1, 1], [2, 1, 1], [1, 0, 0], one, True)
    maximum((2, 3, 4, 7, 6), [1, 3, 2], [1, 2, 3], [0, 1, 1], one, True)
    maximum((2, 3, 4, 5, 3), one, [1, 2, 1], none, one, False)
    maximum((2, 3, 2, 4, 3), one, None, none, one, False)

    def mean(x, kernel, stride, padding, ceil_mode, count, divisor):
        names = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        f.case(f"avg_pool{len(kernel)}d", x, **names, count_include_pad=count, divisor_override=divisor)

    mean((2, 3, 7, 8), [3, 2], None, [0, 0], False, True, None)
    mean((3, 3, 8, 6), [2, 3], [3, 2], [1, 1], True, True, None)
    mean((2, 5, 6, 7), [3, 4], [2, 2], [1, 2], True, False, None)
    mean((2, 3, 5, 8), [2, 3], [1, 2], [1, 0], False, False, 5)
    mean((2, 3, 6, 8), [4, 3], [3, 2], [2, 1], True, True, 7)
    mean((2, 3, 6, 5), [3, 2], [1, 2], [1, 1], False, False, None)

    mean((2, 3, 5, 7, 6), [2, 3, 2], None, none, False, True, None)
    mean((2, 3, 6, 8, 6), [3, 2, 3], [2, 3, 2], [1, 1, 1], True, True, None)
    mean((1, 4, 5, 6, 7), [2, 3, 4], [2, 2, 3], [1, 1, 2], True, False, None)
    mean((2, 3, 6, 5, 8), [3, 2, 3], [2, 1, 2], [1, 1, 0], False, False, 5)
    mean((2, 3, 5, 6, 8), [2, 4, 3], [2, 3, 2], [1, 2, 1], True, True, 7)
    mean((2, 3, 7, 3, 4), [3, 1, 1], [2, 1, 1], [1, 0, 0], True, True, 4)
    mean((2, 3, 3, 7, 4), [1, 3, 2], [1, 2, 1], [0, 1, 1], True, False, 3)
    mean((2, 3, 5, 4, 3), one, [2, 1, 1], none, False, True, None)

    def power(x, norm_type, kernel, stride, ceil_mode):
        op = f"lp_pool{len(kernel)}d"
        f.case(op, x, norm_type=norm_type, kernel_size=kernel, stride=stride, ceil_mode=ceil_mode)

    power((2, 3, 7, 8), 2, [3, 2], None, False)
    power((3, 3, 8, 7), 1, [2, 3], [2, 1], False)
    power((2, 5, 8, 7), 2, [3, 2], [2, 3], True)
    power((2, 3, 8, 7), 1, [3, 2], None, True)
    power((2, 3, 5, 6), 2, [2, 3], [1, 2], True)
    power((2, 3, 5, 4, 6), 2, [3, 2, 2], None, False)
    power((1, 3, 5, 6, 4), 1, [2, 3, 2], [2, 1, 1], False)
    power((2, 2, 5, 4, 7), 2, [2, 3, 2], [2, 1, 3], True)
    power((1, 3, 4, 5, 6), 3, [2, 2, 3], [2, 3, 2], True)
    power((2, 2, 4, 3, 5), 4, [2, 3, 2], None, False)

    for op in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        f.case(op, (2, 3, 7, 5), output_size=[3, 2])
        f.case(op, (3, 3, 5, 8), output_size=[1, 4])
        f.case(op, (2, 5, 4, 3), output_size=[6, 5])
        f.case(op, (2, 3, 5, 4), output_size=[5, 1])
    for op in ("adaptive_avg_pool3d", "adaptive_max_pool3d"):
        f.case(op, (2, 3, 7, 5, 4), output_size=[3, 2, 4])
        f.case(op, (1, 3, 5, 3, 8), output_size=[1, 4, 5])
        f.case(op, (2, 5, 2, 4, 3), output_size=[3, 6, 2])
        f.case(op, (3, 2, 6, 5, 4), output_size=[6, 5, 1])
        f.case(op, (1, 2, 40, 6, 5), output_size=[1, 1, 1])


def resampling(f):
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        for align_corners in (None,) if mode.startswith("nearest") else (False, True):
            for x, size, factor in [
                ((2, 3, 4, 5), [7, 3], None),
                ((2, 3, 7, 4), [3, 9], None),
                ((2, 3, 3, 5), None, [2.0, 3.0]),
                ((3, 1, 4, 7), None, [2.6, 0.7]),
            ]:
                f.case("interpolate", x, size=size, scale_factor=factor, mode=mode, align_corners=align_corners)
    for mode in ("nearest", "nearest-exact", "trilinear"):
        for align_corners in (None,) if mode.startswith("nearest") else (False, True):
            for x, size, factor, recompute in [
                ((2, 3, 4, 5, 3), [7, 3, 5], None, None),
                ((2, 3, 3, 4, 6), [2, 9, 4], None, None),
                ((1, 3, 1, 5, 4), [4, 5, 1], None, None),
                ((2, 1, 3, 2, 5), None, [2.0, 3.0, 2.0], None),
                ((1, 3, 4, 7, 3), None, [2.6, 0.7, 1.0], None),
                ((2, 3, 5, 4, 3), None, [1.0, 1.3, 2.2], False),
                ((2, 3, 5, 4, 3), None, [1.1, 1.0, 0.4], True),
                ((1, 2, 5, 2, 2), None, [1.3, 2.0, 1.0], False),
            ]:
                names = dict(size=size, scale_factor=factor, mode=mode, align_corners=align_corners)
                f.case("interpolate", x, **names, recompute_scale_factor=recompute)

    def pad(x, sides, mode="constant", value=None):
        f.case("pad", x, pad=sides, mode=mode, value=value)

    pad((2, 3, 4, 5), [1, 2, 3, 0], value=0.5)
    pad((3, 5, 2, 4), [0, 2, 2, 1])
    pad((2, 3, 4, 5), [1, 0, 2, 1, 0, 3], value=-1.5)
    pad((2, 3, 2, 3), [2, 1, 2, 0, 1, 1, 0, 2], value=2.0)
    pad((3, 5), [2, 1], value=1.25)
    pad((3, 5), [1, 0, 0, 2])
    pad((2, 3, 5), [0, 3], value=-INF)
    pad((2, 3, 4), [2, 0, 0, 2, 3, 1], value=0.25)
    # A negative side crops.
    pad((2, 3, 5, 6), [-1, -2, 0, -3])
    pad((2, 3, 4, 5), [-2, 3, 2, -1], value=7.0)
    pad((3, 7), [-3, 1, 2, -1], value=-0.5)
    for mode in ("reflect", "replicate", "circular"):
        pad((2, 3, 4, 5), [1, 2, 3, 0], mode)
        pad((3, 1, 5, 4), [3, 0, 1, 4], mode)
        pad((2, 3, 6), [2, 4], mode)
        pad((3, 5), [4, 1], mode)
        pad((3, 4, 5), [2, 1, 0, 3], mode)
    pad((2, 3, 2, 3), [5, 0, 4, 7], "replicate")
    pad((2, 3, 2, 3), [3, 3, 2, 1], "circular")

    f.case("pixel_shuffle", (2, 12, 3, 2), upscale_factor=2)
    f.case("pixel_shuffle", (2, 9, 2, 5), upscale_factor=3)
    f.case("pixel_shuffle", (3, 3, 4, 3), upscale_factor=1)
    f.case("pixel_unshuffle", (2, 3, 6, 4), downscale_factor=2)
    f.case("pixel_unshuffle", (2, 1, 6, 9), downscale_factor=3)
    f.case("pixel_unshuffle", (3, 3, 4, 3), downscale_factor=1)

    for mode in ("bilinear", "nearest", "bicubic"):
        for padding_mode in ("zeros", "border", "reflection"):
            for align_corners in (False, True):
                options = dict(mode=mode, padding_mode=padding_mode, align_corners=align_corners)
                grid = points(f.numbers("grid_sample"), (2, 3, 5, 2))
                f.case("grid_sample", dict(x=(2, 3, 4, 6), grid=grid), **options)
                if mode != "bicubic":
                    grid = points(f.numbers("grid_sample"), (2, 2, 3, 4, 3))
                    f.case("grid_sample", dict(x=(2, 3, 3, 4, 5), grid=grid), **options)

    for theta, size in [
        ((2, 2, 3), [2, 3, 4, 5]),
        ((3, 2, 3), [3, 1, 1, 7]),
        ((1, 2, 3), [1, 5, 3, 1]),
        ((2, 3, 4), [2, 1, 2, 3, 4]),
        ((1, 3, 4), [1, 2, 5, 1, 3]),
    ]:
        for align_corners in (False, True):
            f.case("affine_grid", dict(theta=theta), size=size, align_corners=align_corners)


    for output_size, options in (
        (None, dict(kernel_size=[2, 2], stride=None, padding=[0, 0])),
        ([9, 7], dict(kernel_size=[2, 3], stride=[2, 2], padding=[0, 1])),
        ([8, 8], dict(kernel_size=[3, 2], stride=[2, 2], padding=[1, 0])),
    ):
        f.numbers("max_unpool2d")
        x, indices = unpooled(f.draw, 2, 3, options, [4, 4], output_size)
        f.case("max_unpool2d", dict(x=x, indices=indices), output_size=output_size, **options)
    for output_size, options in (
        ([5, 6], dict(kernel_size=[2, 3], stride=[1, 1], padding=[0, 0], dilation=[1, 1])),
        ([7, 9], dict(kernel_size=[3, 2], stride=[2, 3], padding=[1, 0], dilation=[1, 1])),
        ([8, 6], dict(kernel_size=[2, 2], stride=[1, 2], padding=[0, 2], dilation=[3, 2])),
    ):
        f.case("fold", folded(2, 3, output_size, **options), output_size=output_size, **options)
    for more, options in (
        ("", dict(stride=[1, 1], padding=[0, 0], dilation=[1, 1])),
        ("bias mask", dict(stride=[2, 1], padding=[1, 0], dilation=[1, 2])),
        ("mask", dict(stride=[1, 1], padding=[1, 1], dilation=[1, 1])),
    ):
        tensors = deformed(f.numbers("deform_conv2d"), 2, (4, 6), [7, 8], [3, 2], (2, 2), more, options)
        f.case("deform_conv2d", tensors, **options)
    for shape in ((1, 1), (2, 2), (3, 5, 5), (2, 3, 4, 4), (8, 8)):
        f.case("det", shape)
    # Of integers every step of which is exact, and a matrix without a rank.
    f.case("det", torch.tensor([[0.0, 2, 1], [4, 2, 8], [2, 1, 5]], dtype=DOUBLE))
    f.case("det", torch.tensor([[1.0, 2], [2, 4]], dtype=DOUBLE))
    f.case("det", torch.zeros(2, 0, 0, dtype=DOUBLE))
    for sampling_ratio in (-1, 1, 2):
        for aligned in (False, True):
            options = dict(sampling_ratio=sampling_ratio, aligned=aligned)
            boxes = regions(f.numbers("roi_align"), 3, 2, 9, 7, 0.25)
            f.case("roi_align", dict(x=(2, 3, 9, 7), boxes=boxes), output_size=[3, 2], spatial_scale=0.25, **options)
    for output_size, scale in (([3, 2], 1.0), ([7, 7], 0.0625), ([1, 4], 0.5)):
        boxes = regions(f.numbers("roi_pool"), 3, 2, 9, 7, scale)
        f.case("roi_pool", dict(x=(2, 3, 9, 7), boxes=boxes), output_size=output_size, spatial_scale=scale)


def norms(f):
    def statistics(op, x, affine, running):
        c, draw = x[1:2], f.numbers(op)
        weights = dict(weight=c, bias=c) if affine else {}
        means = dict(running_mean=c, running_var=draw.uniform(*c, low=0.5, high=1.5)) if running else {}
        return dict(x=x, **weights, **means)

    for x, affine, eps in [
        ((2, 3, 4, 5), True, 1e-5),
        ((3, 5, 3, 2), False, 0.25),
        ((5, 3), True, 1e-3),
        ((3, 3, 7), False, 1e-5),
        ((2, 5, 4), True, 0.5),
    ]:
        f.case("batch_norm", statistics("batch_norm", x, affine, True), eps=eps)
    for x, affine, running, momentum, eps in [
        ((2, 3, 4, 5), True, True, 0.1, 1e-5),
        ((3, 5, 3, 2), False, True, 0.375, 0.25),
        ((5, 3), True, True, 1.0, 1e-3),
        ((3, 3, 7), True, False, 0.1, 0.5),
        ((2, 5, 2, 4), False, False, 0.1, 1e-5),
        ((4, 3, 5), False, True, 0.0, 1e-5),
    ]:
        inputs = statistics("batch_norm_training", x, affine, running)
        f.case("batch_norm_training", inputs, momentum=momentum, eps=eps)

    for x, shape, affine, eps in [
        ((3, 7), [7], True, 1e-5),
        ((2, 3, 4, 5), [4, 5], True, 0.25),
        ((2, 3, 5), [3, 5], False, 1e-3),
        ((3, 3, 2, 5), [3, 2, 5], True, 1e-5),
        ((2, 3, 4, 5), [5], False, 1e-5),
    ]:
        inputs = dict(x=x, weight=shape if affine else None, bias=shape if affine else None)
        f.case("layer_norm", inputs, normalized_shape=shape, eps=eps)
    for x, groups, affine, eps in [
        ((2, 9, 3, 4), 3, True, 1e-5),
        ((3, 5, 4, 3), 5, True, 0.25),
        ((2, 6, 5, 3), 2, False, 1e-3),
        ((2, 3, 7), 1, True, 1e-5),
    ]:
        inputs = dict(x=x, weight=x[1:2] if affine else None, bias=x[1:2] if affine else None)
        f.case("group_norm", inputs, num_groups=groups, eps=eps)
    for x, affine, eps in [
        ((2, 3, 4, 5), False, 1e-5),
        ((3, 5, 5, 3), True, 0.25),
        ((2, 3, 7), True, 1e-3),
        ((3, 5, 4), False, 0.5),
    ]:
        inputs = dict(x=x, weight=x[1:2] if affine else None, bias=x[1:2] if affine else None)
        f.case("instance_norm", inputs, eps=eps)

    f.case("local_response_norm", (2, 7, 3, 4), size=2, alpha=0.5, beta=0.75, k=1.0)
    f.case("local_response_norm", (3, 5, 4, 3), size=3, alpha=1e-4, beta=0.5, k=2.0)
    f.case("local_response_norm", (2, 5, 2, 5), size=7, alpha=0.25, beta=1.5, k=0.5)
    f.case("local_response_norm", (2, 3, 4, 3), size=1, alpha=2.0, beta=0.75, k=1.0)

    f.case("normalize", (2, 3, 4, 5), p=2, dim=1, eps=1e-12)
    f.case("normalize", (3, 7), p=1, dim=-1, eps=1e-12)
    f.case("normalize", (2, 5, 3), p=2, dim=0, eps=1.5)
    f.case("normalize", (3, 2, 4), p=1, dim=-2, eps=1.25)
    zero = f.numbers("normalize").normal(3, 5)
    zero[1] = 0.0
    f.case("normalize", zero, p=2, dim=1, eps=1e-12)

    for op in ("softmax", "log_softmax"):
        f.case(op, (3, 7), dim=1)
        f.case(op, (2, 3, 4, 5), dim=-3)
        f.case(op, (5, 3, 2), dim=0)
        f.case(op, f.numbers(op).normal(3, 5, 4, scale=100.0), dim=-1)


def unary(f):
    def cases(op, *options, values=EDGES, nan=True, positive=False):
        """At least three cases, the second with the edge cases. If there are fewer options, they are repeated."""
        for k in range(max(3, len(options))):
            x = f.numbers(op).normal(*((2, 3, 4, 5) if k == 0 else (3, 5, 2)), scale=3.0)
            x = x.abs() if positive else x
            f.case(op, edges(values, nan) if k == 1 else x, **options[k % len(options)])

    for op in ("relu", "relu6", "selu", "hardsigmoid", "hardswish", "silu", "mish", "softsign", "sigmoid", "tanh"):
        cases(op, {})
    cases("leaky_relu", dict(negative_slope=0.01), dict(negative_slope=0.25), dict(negative_slope=-0.5))
    cases("elu", dict(alpha=1.0), dict(alpha=0.5), dict(alpha=1.75))
    cases("celu", dict(alpha=1.0), dict(alpha=0.5), dict(alpha=1.75))
    cases("gelu", *(dict(approximate=a) for a in ("none", "none", "tanh")))
    f.case("gelu", edges(), approximate="tanh")
    cases("softplus", dict(beta=1.0, threshold=20.0), dict(beta=2.0, threshold=5.0), dict(beta=0.5, threshold=1.0))
    cases("threshold", *(dict(threshold=t, value=v) for t, v in ((0.5, 20.0), (-1.5, -3.0), (1.0, 0.0))))
    steps = [(0.25, 0, -128, 127), (0.1, 128, 0, 255), (0.5, -3, -8, 7), (0.0123, 30000, 0, 65535), (1.7, 127, -128, 127),
             (0.03, 7, 0, 15), (3.0, 0, -2, 1), (0.007, -100, -128, 127)]
    names = ("scale", "zero_point", "quant_min", "quant_max")
    cases("fake_quantize_per_tensor_affine", *(dict(zip(names, s)) for s in steps))
    limits = [dict(min=-0.75, max=2.5), dict(min=-1.0, max=1.5), dict(min=None, max=0.5), dict(min=-0.25, max=None)]
    # The maximum wins over a larger minimum.
    cases("clamp", *limits, dict(min=1.0, max=-1.0))
    for op in ("abs", "neg", "exp", "reciprocal", "erf", "sin", "cos"):
        cases(op, {})
    for op in ("log", "sqrt"):
        cases(op, {}, positive=True)
    for op in TRIGONOMETRY:
        cases(op, {})
    # Halves, and the adjacent numbers.
    near = [0.49999997, 0.50000006, 0.99999994, 2.4999998, 3.5, 4.5, 1023.5, 4194304.5, 8388607.5, 16777216.0]
    ties = EDGES[:-1] + [-v for v in near] + near + [7.5, -7.5, 0.75, -0.25, EDGES[-1]]
    for op in ("floor", "ceil", "round"):
        cases(op, {}, values=ties)
    # PyTorch's sign of a NaN is 0.
    cases("sign", {}, nan=False)

    f.case("prelu", dict(x=(2, 3, 4, 5), weight=(1,)))
    f.case("prelu", dict(x=(2, 5, 3, 4), weight=(5,)))
    f.case("prelu", dict(x=(3, 7), weight=(7,)))
    f.case("prelu", dict(x=(2, 3, 5), weight=(3,)))
    f.case("prelu", dict(x=edges(), weight=(1,)))


BROADCASTS = [((2, 3, 4, 5), (3, 1, 1)), ((2, 3, 1, 5), (1, 4, 1)), ((3, 7), ()), ((), (2, 5)), ((3, 5, 2), (3, 5, 2))]


def binary(f):
    for op in ARITHMETIC:
        for sa, sb in BROADCASTS:
            draw = f.numbers(op)
            a, b = draw.normal(*sa, scale=2.0), draw.normal(*sb, scale=2.0)
            if op == "pow":
                a = a.abs()
            if op in ("div", "remainder", "fmod"):
                # Both signs, and not near 0.
                b = torch.where(b < 0, -1.0, 1.0) * draw.uniform(*sb, low=0.5, high=3.0)
            f.case(op, dict(a=a, b=b))
    # Every pair of signs, and quotients that are whole.
    halves = torch.arange(-6, 7).to(DOUBLE).reshape(13, 1) / 2
    for op in ("remainder", "fmod"):
        f.case(op, dict(a=halves, b=torch.tensor([-3.0, -2.0, -0.5, 1.0, 1.5, 2.0], dtype=DOUBLE)))
    base = torch.tensor([[-2.0], [-0.5], [0.0], [0.5], [1.0], [3.0]], dtype=DOUBLE)
    f.case("pow", dict(a=base, b=torch.tensor([-2.0, -1.0, 0.0, 0.5, 3.0], dtype=DOUBLE)))

    for op in COMPARISONS:
        for sa, sb in BROADCASTS:
            draw = f.numbers(op)
            # Some are equal.
            a, b = draw.integers(*sa, low=-2, high=2), draw.integers(*sb, low=-1, high=1)
            f.case(op, dict(a=a, b=b), dtype="bool")
        # Signed zeros are equal, and a NaN is neither equal nor ordered.
        a = torch.tensor([[-INF], [-8.0], [-0.0], [0.0], [1.5], [INF], [float("nan")]], dtype=DOUBLE)
        f.case(op, dict(a=a, b=torch.tensor([-INF, 0.0, 1.5, float("nan")], dtype=DOUBLE)), dtype="bool")
    for op in LOGIC:
        for sa, sb in BROADCASTS:
            draw = f.numbers(op)
            f.case(op, dict(a=draw.booleans(*sa), b=draw.booleans(*sb)), dtype="bool", input_dtype="bool")
        # Every number but 0 is true.
        draw = f.numbers(op)
        a, b = draw.integers(3, 7, low=-1, high=1) / 2, draw.integers(7, low=-1, high=1)
        f.case(op, dict(a=a, b=b), dtype="bool", input_dtype="float32")

    for condition, a, b in [
        ((2, 3, 4, 5), (2, 3, 4, 5), (2, 3, 4, 5)),
        ((3, 1, 5), (2, 1, 4, 1), (4, 5)),
        ((3, 7), (), (7,)),
        ((2, 1, 4), (3, 1), ()),
    ]:
        f.case("where", dict(condition=f.numbers("where").booleans(*condition), a=a, b=b))


def reductions(f):
    for op in ("sum", "mean", "amax", "amin", "prod", "norm", "logsumexp"):
        for x, dim, keepdim, p in [
            ((2, 3, 4, 5), [1], False, 1),
            ((3, 5, 2, 4), [0, 2], True, 2),
            ((2, 3, 4, 5), [-1, 1], False, 1),
            ((3, 7), None, False, 2),
            ((2, 5, 3), [-1], True, 2),
        ]:
            f.case(op, x, **(dict(p=p) if op == "norm" else {}), dim=dim, keepdim=keepdim)
    f.case("logsumexp", f.numbers("logsumexp").normal(3, 5, scale=300.0), dim=[1], keepdim=False)
    f.case("norm", (3, 5, 4), p=1, dim=None, keepdim=True)

    for op in ("argmax", "argmin"):
        f.case(op, f.numbers(op).distinct(2, 3, 4, 5), dim=1, keepdim=False)
        f.case(op, f.numbers(op).distinct(3, 5, 2), dim=-1, keepdim=True)
        f.case(op, f.numbers(op).distinct(5, 3), dim=None, keepdim=False)
        # The first of equal values counts.
        f.case(op, f.numbers(op).integers(3, 7, low=-1, high=1), dim=1, keepdim=False)
    for shape, k, dim, largest in [
        ((2, 5, 3, 4), 3, 1, True),
        ((3, 7), 2, -1, False),
        ((5, 3), 5, 0, True),
        ((2, 3, 9), 1, 2, False),
    ]:
        f.case("topk", f.numbers("topk").distinct(*shape), k=k, dim=dim, largest=largest)


def movement(f):
    def cat(dim, *parts):
        f.case("cat", {f"in{k}": shape for k, shape in enumerate(parts)}, dim=dim)

    cat(1, (2, 3, 4, 5), (2, 1, 4, 5), (2, 5, 4, 5))
    cat(-1, (3, 2, 7), (3, 2, 3))
    cat(0, (1, 5), (3, 5), (2, 5), (1, 5))
    cat(-2, (2, 3, 1, 4), (2, 3, 5, 4))

    f.case("split", (2, 9, 4, 5), sizes=[3, 1, 5], dim=1)
    f.case("split", (3, 2, 7), sizes=[3, 3, 1], dim=-1)
    f.case("split", (5, 4), sizes=[2, 3], dim=0)
    f.case("narrow", (2, 9, 4, 5), dim=1, start=3, length=4)
    f.case("narrow", (3, 2, 7), dim=-1, start=2, length=5)
    f.case("narrow", (5, 3), dim=0, start=-3, length=2)

    for shape, dim, n in (((2, 5, 4, 3), 1, 7), ((3, 2, 7), -1, 4), ((5, 3), 0, 9)):
        draw = f.numbers("index_select")
        f.case("index_select", dict(x=draw.normal(*shape), index=draw.indices(n, shape[dim])), dim=dim)

    f.case("expand", (2, 1, 4, 1), size=[2, 3, 4, 5])
    f.case("expand", (3, 1), size=[2, 5, 3, 4])
    f.case("expand", (3, 1, 2), size=[-1, 7, -1])
    f.case("expand", (), size=[3, 5])
    f.case("tile", (2, 3, 4, 5), dims=[2, 1, 3, 1])
    f.case("tile", (3, 2, 5), dims=[2])
    f.case("tile", (3, 2), dims=[3, 1, 2])
    f.case("permute", (2, 3, 4, 5), dims=[0, 2, 3, 1])
    f.case("permute", (3, 5, 2), dims=[2, 0, 1])
    f.case("permute", (2, 3, 4, 5), dims=[-1, 0, -2, 1])
    f.case("transpose", (2, 3, 4, 5), dim0=1, dim1=3)
    f.case("transpose", (3, 5, 2), dim0=-1, dim1=0)
    f.case("transpose", (3, 7), dim0=0, dim1=-1)
    f.case("flatten", (2, 3, 4, 5), start_dim=1, end_dim=-1)
    f.case("flatten", (3, 5, 2, 4), start_dim=-3, end_dim=2)
    f.case("flatten", (2, 3, 4, 5), start_dim=0, end_dim=-1)
    f.case("flatten", (), start_dim=0, end_dim=-1)
    f.case("reshape", (2, 3, 4, 5), shape=[6, 20])
    f.case("reshape", (3, 5, 2, 4), shape=[3, -1, 8])
    f.case("reshape", (2, 9), shape=[3, 1, 6])
    f.case("reshape", (1, 1), shape=[])


def attention(f):
    op = "scaled_dot_product_attention"

    def case(query, key=None, value=None, mask=None, is_causal=False, scale=None, gqa=False):
        draw = f.numbers(op)
        key = key or query
        inputs = {"query": draw.normal(*query), "key": draw.normal(*key), "value": draw.normal(*(value or key))}
        notes = {}
        if mask is not None:
            inputs["attn_mask"] = mask(draw) if callable(mask) else mask
            if inputs["attn_mask"].dtype == torch.bool:
                notes = dict(mask_dtype="bool")
        f.case(op, inputs, is_causal=is_causal, scale=scale, enable_gqa=gqa, **notes)

    def seen(*shape):
        """Booleans by which every query sees its first key."""

        def draw_mask(draw):
            mask = draw.booleans(*shape)
            mask[..., 0] = True
            return mask

        return draw_mask

    def added(*shape, hidden=False):
        def draw_mask(draw):
            mask = draw.normal(*shape)
            return torch.where(seen(*shape)(draw), mask, -INF) if hidden else mask

        return draw_mask

    case((2, 3, 5, 4))
    case((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    case((3, 5, 4), (3, 2, 4), (3, 2, 1))
    case((2, 3, 5, 4), scale=0.75)
    case((2, 3, 5, 4), scale=-1.5)
    case((2, 3, 5, 4), is_causal=True)
    case((2, 3, 6, 4), (2, 3, 3, 4), is_causal=True)
    case((3, 2, 4), (3, 7, 4), is_causal=True)
    case((2, 6, 5, 4), (2, 2, 7, 4), gqa=True)
    case((6, 5, 4), (3, 7, 4), is_causal=True, gqa=True)
    case((2, 4, 5, 3), (2, 1, 6, 3), mask=seen(2, 4, 5, 6), gqa=True)
    for shape in ((5, 7), (1, 7), (2, 1, 5, 7), (2, 3, 5, 7), (3, 1, 7), (1, 1, 5, 7)):
        case((2, 3, 5, 4), (2, 3, 7, 4), mask=seen(*shape))
        case((2, 3, 5, 4), (2, 3, 7, 4), mask=added(*shape, hidden=True), scale=0.5)
    case((3, 5, 4), (3, 7, 4), mask=added(3, 5, 7))
    case((3, 5, 4), (3, 7, 4), mask=added(5, 1))
    # A query that sees no key gives 0.
    none = torch.ones(5, 7).bool()
    none[1], none[3] = False, False
    case((2, 3, 5, 4), (2, 3, 7, 4), mask=none)
    case((2, 3, 5, 4), (2, 3, 7, 4), mask=torch.where(none, 0.5, -INF).to(DOUBLE))
    case((3, 5, 4), (3, 7, 4), mask=torch.zeros(3, 1, 7).bool())
    # Softmaxes of many keys.
    case((1, 3, 20, 24))
    case((1, 4, 17, 8), (1, 2, 64, 8), mask=seen(1, 1, 1, 64), gqa=True)


def functional():
    f = Functions("functional")
    for cases in (convolutions, pools, resampling, norms, unary, binary, reductions, movement):
        cases(f)
    f.part = "/drawn"
    drawn_functional.cases(f)
    f.part = "/hard"
    hard.functional(f)
    # Last, so that the ids of the others stay.
    f.part = ""
    attention(f)
    return f


FAMILIES = [functional]
