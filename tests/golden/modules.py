"""The family `module`: modules of torch.nn with the arguments of their constructors and their state."""

from collections import OrderedDict
from math import prod

import torch

import drawn_modules
import hard
from family import DOUBLE, Family, edges, gelu, rounded, rounded_params

nn = torch.nn


def randomize(module, draw):
    """Gives the module random state, so that no value equals a default."""

    def value(name, tensor):
        kind, shape = name.rsplit(".", 1)[-1], tensor.shape
        if kind == "num_batches_tracked":
            return torch.tensor(int(draw.pick([2, 3, 4])))
        if kind == "running_var":
            return draw.uniform(*shape, low=0.5, high=1.5)
        if len(shape) < 2:
            return draw.normal(*shape, scale=0.5)
        return draw.uniform(*shape, low=-1.0, high=1.0) / prod(shape[1:]) ** 0.5

    module.to(DOUBLE).load_state_dict({k: rounded(value(k, v)) for k, v in module.state_dict().items()})


def run_module(module, x, training):
    """The inputs and the outputs of a case: `x` and the state, `out` and what training changed."""
    module.train(training)
    inputs = dict(x=x, **{f"state.{k}": v.clone() for k, v in module.state_dict().items()})
    out = module(x)
    # A recurrent layer also returns its last states.
    outputs = dict(out=out[0] if isinstance(out, tuple) else out)
    if training:
        buffers = [k for k, _ in module.named_buffers()]
        outputs.update({f"new_state.{k}": module.state_dict()[k].clone() for k in buffers})
    return inputs, outputs


class GELU(nn.GELU):
    def forward(self, x):
        return gelu(x, self.approximate)


def build(op, params):
    if op == "Sequential":
        layers = [(layer["name"], build(layer["op"], layer["params"])) for layer in params["layers"]]
        return nn.Sequential(OrderedDict(layers))
    # Upsample takes a tuple of factors, not a list.
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in rounded_params(params).items()}
    return GELU(**params) if op == "GELU" else getattr(nn, op)(**params)


class Modules(Family):
    def case(self, op, x, training=False, **params):
        """`x` is the input or its shape. `params` are all arguments of the constructor."""
        draw = self.numbers(op)
        x = x if isinstance(x, torch.Tensor) else draw.normal(*x, scale=2.0)
        module = build(op, params)
        randomize(module, draw)
        self.add(op, dict(params, training=training), *run_module(module, x, training))


def convolutions(f):
    def conv(op, x, channels, kernel, stride, padding, dilation, groups=1, bias=True, mode="zeros"):
        names = dict(in_channels=channels[0], out_channels=channels[1], kernel_size=kernel, stride=stride)
        names.update(padding=padding, dilation=dilation, groups=groups, bias=bias, padding_mode=mode)
        f.case(op, x, **names)

    conv("Conv1d", (2, 3, 11), (3, 5), 4, 1, 0, 1)
    conv("Conv1d", (3, 3, 13), (3, 6), 4, 2, 3, 1, groups=3)
    conv("Conv1d", (2, 5, 14), (5, 3), 3, 3, 2, 2, bias=False)
    conv("Conv1d", (2, 3, 9), (3, 2), 4, 1, "same", 2)
    conv("Conv1d", (2, 3, 9), (3, 2), 4, 2, "valid", 1)
    for mode in ("reflect", "replicate", "circular"):
        conv("Conv1d", (2, 3, 8), (3, 2), 4, 2, 3, 1, mode=mode)

    conv("Conv2d", (2, 3, 7, 5), (3, 5), [3, 2], [1, 1], [0, 0], [1, 1])
    conv("Conv2d", (3, 3, 9, 6), (3, 6), [2, 3], [2, 1], [1, 2], [1, 1], groups=3)
    conv("Conv2d", (2, 5, 8, 11), (5, 3), [3, 2], [1, 3], [2, 0], [2, 1], bias=False)
    conv("Conv2d", (2, 3, 7, 6), (3, 4), [4, 2], [1, 1], "same", [1, 3])
    conv("Conv2d", (2, 3, 7, 8), (3, 2), [4, 3], [2, 1], "valid", [1, 2], bias=False)
    for mode in ("reflect", "replicate", "circular"):
        conv("Conv2d", (2, 3, 6, 7), (3, 3), [3, 4], [2, 1], [2, 1], [1, 1], mode=mode)
        conv("Conv2d", (2, 3, 5, 7), (3, 3), [4, 3], [1, 1], "same", [1, 2], groups=3, mode=mode)

    conv("Conv3d", (2, 3, 5, 4, 6), (3, 5), [3, 2, 3], [1, 1, 1], [0, 1, 2], [1, 1, 1])
    conv("Conv3d", (2, 4, 6, 7, 5), (4, 6), [2, 3, 2], [2, 1, 2], [1, 2, 0], [2, 1, 3], groups=2)
    conv("Conv3d", (2, 3, 4, 5, 7), (3, 4), [1, 3, 2], [1, 2, 1], [0, 1, 1], [1, 1, 1], bias=False)
    conv("Conv3d", (2, 3, 6, 4, 5), (3, 4), [3, 1, 1], [2, 1, 1], [1, 0, 0], [1, 1, 1])
    conv("Conv3d", (1, 3, 4, 5, 6), (3, 2), [4, 3, 2], [1, 1, 1], "same", [1, 1, 2])
    for mode in ("reflect", "replicate", "circular"):
        conv("Conv3d", (2, 3, 4, 5, 3), (3, 3), [3, 2, 2], [2, 1, 1], [2, 0, 1], [1, 1, 1], groups=3, mode=mode)

    def transposed(x, channels, kernel, stride, padding, output_padding, groups, bias, dilation):
        names = dict(in_channels=channels[0], out_channels=channels[1], kernel_size=kernel, stride=stride)
        names.update(padding=padding, output_padding=output_padding, groups=groups, bias=bias, dilation=dilation)
        f.case(f"ConvTranspose{len(stride)}d", x, **names)

    transposed((2, 3, 4, 5), (3, 5), [4, 2], [1, 1], [0, 0], [0, 0], 1, True, [1, 1])
    transposed((3, 3, 5, 3), (3, 6), [3, 4], [2, 3], [1, 2], [1, 0], 3, True, [1, 1])
    transposed((2, 5, 3, 4), (5, 3), [2, 3], [3, 1], [0, 1], [2, 0], 1, False, [2, 1])
    transposed((2, 3, 3, 5), (3, 2), [3, 2], [2, 2], [2, 0], [0, 1], 1, True, [3, 2])
    transposed((2, 3, 3, 4, 2), (3, 4), [3, 2, 3], [1, 1, 1], [0, 0, 0], [0, 0, 0], 1, True, [1, 1, 1])
    transposed((2, 4, 3, 2, 4), (4, 6), [2, 3, 2], [2, 3, 2], [0, 1, 1], [1, 0, 1], 2, False, [1, 1, 1])
    transposed((1, 3, 4, 3, 2), (3, 2), [3, 3, 2], [2, 1, 3], [2, 1, 0], [1, 0, 2], 1, True, [2, 1, 1])
    transposed((2, 3, 3, 2, 4), (3, 2), [1, 2, 3], [1, 2, 2], [0, 0, 1], [0, 1, 1], 1, True, [1, 1, 1])

    f.case("Linear", (3, 7), in_features=7, out_features=5, bias=True)
    f.case("Linear", (2, 3, 5), in_features=5, out_features=9, bias=False)
    f.case("Linear", (2, 3, 4, 5), in_features=5, out_features=3, bias=True)


def norms(f):
    def batch(op, x, training, eps=1e-5, momentum=0.1, affine=True, track=True):
        names = dict(num_features=x[1], eps=eps, momentum=momentum, affine=affine, track_running_stats=track)
        f.case(op, x, training, **names)

    for x in ((5, 3), (3, 5, 4)):
        for training in (False, True):
            batch("BatchNorm1d", x, training)
    batch("BatchNorm1d", (4, 3, 5), True, momentum=None, affine=False)
    batch("BatchNorm1d", (4, 5), True, eps=0.125, track=False)
    for training in (False, True):
        batch("BatchNorm2d", (2, 3, 4, 5), training)
        batch("BatchNorm2d", (3, 5, 3, 2), training, eps=0.25, momentum=0.375, affine=False)
        batch("BatchNorm2d", (2, 3, 5, 4), training, momentum=None)
        batch("BatchNorm2d", (2, 3, 3, 4), training, track=False)
    batch("BatchNorm2d", (3, 3, 2, 4), True, eps=1e-3, affine=False, track=False)

    for training in (False, True):
        batch("BatchNorm3d", (2, 3, 4, 2, 5), training)
        batch("BatchNorm3d", (3, 5, 2, 3, 2), training, eps=0.25, momentum=0.375, affine=False)
    batch("BatchNorm3d", (2, 3, 2, 4, 3), True, momentum=None)
    batch("BatchNorm3d", (2, 3, 3, 2, 4), False, track=False)

    def layer(x, shape, eps, affine):
        f.case("LayerNorm", x, normalized_shape=shape, eps=eps, elementwise_affine=affine)

    layer((3, 7), [7], 1e-5, True)
    layer((2, 3, 4, 5), [4, 5], 0.25, True)
    layer((2, 3, 5), [3, 5], 1e-3, False)
    layer((3, 3, 2, 5), [3, 2, 5], 1e-5, True)

    def group(x, groups, eps, affine):
        f.case("GroupNorm", x, num_groups=groups, num_channels=x[1], eps=eps, affine=affine)

    group((2, 9, 3, 4), 3, 1e-5, True)
    group((3, 5, 4, 3), 5, 0.25, True)
    group((2, 6, 5, 3), 2, 1e-3, False)
    group((2, 3, 7), 1, 1e-5, True)

    def instance(x, eps, affine):
        f.case(f"InstanceNorm{len(x) - 2}d", x, num_features=x[1], eps=eps, affine=affine)

    instance((2, 3, 4, 5), 1e-5, False)
    instance((3, 5, 5, 3), 0.25, True)
    instance((2, 3, 7, 2), 1e-3, True)
    instance((2, 3, 4, 5, 3), 1e-5, False)
    instance((3, 5, 2, 3, 5), 0.25, True)
    instance((1, 4, 7, 2, 3), 1e-3, True)

    f.case("LocalResponseNorm", (2, 7, 3, 4), size=2, alpha=0.5, beta=0.75, k=1.0)
    f.case("LocalResponseNorm", (3, 5, 4, 3), size=3, alpha=1e-4, beta=0.5, k=2.0)
    f.case("LocalResponseNorm", (2, 5, 2, 5), size=7, alpha=0.25, beta=1.5, k=0.5)


def pools(f):
    def maximum(x, kernel, stride, padding, dilation, ceil_mode):
        names = dict(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode)
        f.case(f"MaxPool{len(kernel)}d", x, **names)

    maximum((2, 3, 7, 8), [3, 2], None, [0, 0], [1, 1], False)
    maximum((3, 3, 8, 9), [2, 3], [3, 2], [1, 0], [1, 1], True)
    maximum((2, 5, 9, 7), [3, 2], [2, 1], [1, 1], [2, 3], False)
    maximum((2, 3, 6, 9), [2, 3], [1, 2], [0, 1], [3, 1], True)

    maximum((2, 3, 5, 7, 6), [2, 3, 2], None, [0, 0, 0], [1, 1, 1], False)
    maximum((2, 3, 7, 6, 8), [3, 2, 3], [2, 3, 1], [1, 0, 1], [1, 1, 1], True)
    maximum((1, 4, 8, 7, 9), [2, 3, 2], [1, 2, 2], [1, 1, 0], [3, 1, 2], False)

    def mean(x, kernel, stride, padding, ceil_mode, count, divisor):
        names = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        f.case(f"AvgPool{len(kernel)}d", x, **names, count_include_pad=count, divisor_override=divisor)

    mean((2, 3, 7, 8), [3, 2], None, [0, 0], False, True, None)
    mean((3, 3, 8, 6), [2, 3], [3, 2], [1, 1], True, True, None)
    mean((2, 5, 6, 7), [3, 4], [2, 2], [1, 2], True, False, None)
    mean((2, 3, 5, 8), [2, 3], [1, 2], [1, 0], False, False, 5)

    mean((2, 3, 5, 7, 6), [2, 3, 2], None, [0, 0, 0], False, True, None)
    mean((1, 4, 5, 6, 7), [2, 3, 4], [2, 2, 3], [1, 1, 2], True, False, None)
    mean((2, 3, 5, 6, 8), [2, 4, 3], [2, 3, 2], [1, 2, 1], True, True, 7)

    def power(x, norm_type, kernel, stride, ceil_mode):
        op = f"LPPool{len(kernel)}d"
        f.case(op, x, norm_type=norm_type, kernel_size=kernel, stride=stride, ceil_mode=ceil_mode)

    power((2, 3, 7, 8), 2, [3, 2], None, False)
    power((3, 3, 8, 7), 1, [2, 3], [2, 1], False)
    power((2, 5, 8, 7), 2, [3, 2], [2, 3], True)
    power((2, 3, 8, 7), 1, [3, 2], None, True)
    power((2, 3, 5, 4, 6), 2, [3, 2, 2], None, False)
    power((1, 3, 5, 6, 4), 1, [2, 3, 2], [2, 1, 3], True)
    power((2, 2, 4, 3, 5), 2, [2, 3, 2], [1, 1, 2], True)

    for op in ("AdaptiveAvgPool3d", "AdaptiveMaxPool3d"):
        f.case(op, (2, 3, 7, 5, 4), output_size=[3, 2, 4])
        f.case(op, (1, 3, 5, 3, 8), output_size=[1, 4, 5])
        f.case(op, (2, 2, 2, 4, 3), output_size=[3, 6, 2])
    for op in ("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"):
        f.case(op, (2, 3, 7, 5), output_size=[3, 2])
        f.case(op, (3, 3, 5, 8), output_size=[1, 4])
        f.case(op, (2, 5, 4, 3), output_size=[6, 5])


def resampling(f):
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        for align_corners in (None,) if mode.startswith("nearest") else (False, True):
            for x, size, factor in [
                ((2, 3, 4, 5), [7, 3], None),
                ((2, 3, 5, 3), None, [2.0, 2.0]),
                ((3, 1, 4, 7), None, [2.6, 0.7]),
            ]:
                f.case("Upsample", x, size=size, scale_factor=factor, mode=mode, align_corners=align_corners)
    f.case("Upsample", (2, 3, 3, 4, 2), size=[5, 3, 7], scale_factor=None, mode="trilinear", align_corners=True)
    f.case("Upsample", (1, 2, 3, 4, 5), size=None, scale_factor=[2.0, 1.5, 0.7], mode="trilinear", align_corners=False)
    f.case("Upsample", (1, 2, 3, 4, 5), size=None, scale_factor=[2.0, 1.5, 0.7], mode="nearest", align_corners=None)
    f.case("PixelShuffle", (2, 12, 3, 2), upscale_factor=2)
    f.case("PixelShuffle", (2, 9, 2, 5), upscale_factor=3)
    f.case("PixelShuffle", (3, 3, 4, 3), upscale_factor=1)
    f.case("PixelUnshuffle", (2, 3, 6, 4), downscale_factor=2)
    f.case("PixelUnshuffle", (2, 1, 6, 9), downscale_factor=3)
    f.case("PixelUnshuffle", (3, 3, 4, 3), downscale_factor=1)
    for op in ("ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d", "CircularPad2d"):
        f.case(op, (2, 3, 4, 5), padding=[1, 2, 3, 0])
        f.case(op, (3, 1, 5, 3), padding=[2, 0, 0, 4])
        f.case(op, (2, 5, 3, 4), padding=[0, 3, 1, 2])


def shapes(f):
    f.case("Flatten", (2, 3, 4, 5), start_dim=1, end_dim=-1)
    f.case("Flatten", (3, 5, 2, 4), start_dim=2, end_dim=3)
    f.case("Flatten", (2, 3, 4, 5), start_dim=0, end_dim=-2)
    for op in ("Softmax", "LogSoftmax"):
        f.case(op, (3, 7), dim=1)
        f.case(op, (2, 3, 4, 5), dim=-3)
        f.case(op, (5, 3, 2), dim=0)
    f.case("Identity", (2, 3, 4, 5))
    f.case("Identity", (3, 7))
    f.case("Identity", edges())
    for x, p in (((2, 3, 4, 5), 0.5), ((3, 7), 0.125), ((3, 2, 5), 1.0)):
        f.case("Dropout", x, p=p)


def activations(f):
    inputs = [(2, 3, 4, 5), edges(), (3, 2, 5)]

    def cases(op, *options):
        for k, x in enumerate(inputs):
            f.case(op, x, **options[k % len(options)])

    for op in ("ReLU", "ReLU6", "SELU", "Sigmoid", "Tanh", "Hardsigmoid", "Hardswish", "SiLU", "Mish", "Softsign"):
        cases(op, {})
    cases("LeakyReLU", dict(negative_slope=0.01), dict(negative_slope=0.25), dict(negative_slope=-0.5))
    cases("ELU", dict(alpha=1.0), dict(alpha=0.5), dict(alpha=1.75))
    cases("CELU", dict(alpha=1.0), dict(alpha=0.5), dict(alpha=1.75))
    for approximate in ("none", "tanh"):
        cases("GELU", dict(approximate=approximate))
    cases("Softplus", dict(beta=1.0, threshold=20.0), dict(beta=2.0, threshold=5.0), dict(beta=0.5, threshold=1.0))
    cases("Threshold", *(dict(threshold=t, value=v) for t, v in ((0.5, 20.0), (-1.5, -3.0), (1.0, 0.0))))
    f.case("PReLU", (2, 3, 4, 5), num_parameters=1)
    f.case("PReLU", (2, 5, 3, 4), num_parameters=5)
    f.case("PReLU", (3, 7), num_parameters=7)
    f.case("PReLU", (2, 3, 5), num_parameters=3)


def sequences(f):
    def layers(*entries):
        return [dict(name=name, op=op, params=params) for name, op, params in entries]

    def conv(i, o, kernel, **more):
        names = dict(in_channels=i, out_channels=o, kernel_size=kernel, stride=[1, 1], padding=[0, 0], dilation=[1, 1])
        return dict(names, groups=1, bias=True, padding_mode="zeros") | more

    batch = dict(eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
    pool = dict(kernel_size=[2, 2], stride=None, padding=[0, 0], dilation=[1, 1], ceil_mode=True)
    unit = layers(
        ("0", "Conv2d", conv(3, 5, [3, 2], bias=False)),
        ("1", "BatchNorm2d", dict(batch, num_features=5)),
        ("2", "ReLU", {}),
        ("3", "MaxPool2d", pool),
        ("4", "Flatten", dict(start_dim=1, end_dim=-1)),
        ("5", "Linear", dict(in_features=30, out_features=7, bias=True)),
        ("6", "LogSoftmax", dict(dim=1)),
    )
    for training in (False, True):
        f.case("Sequential", (3, 3, 6, 7), training, layers=unit)
    inner = layers(
        ("conv", "Conv2d", conv(1, 3, [3, 2], padding=[1, 1], padding_mode="reflect")),
        ("norm", "GroupNorm", dict(num_groups=3, num_channels=3, eps=1e-5, affine=True)),
        ("act", "GELU", dict(approximate="tanh")),
    )
    nested = layers(
        ("first", "Sequential", dict(layers=inner)),
        ("up", "Upsample", dict(size=None, scale_factor=[2.0, 2.0], mode="bilinear", align_corners=False)),
        ("drop", "Dropout", dict(p=0.5)),
        ("slope", "PReLU", dict(num_parameters=3)),
        ("last", "Conv2d", conv(3, 2, [2, 3], stride=[2, 1])),
    )
    f.case("Sequential", (2, 1, 4, 5), layers=nested)
    vector = layers(
        ("0", "Linear", dict(in_features=7, out_features=5, bias=False)),
        ("1", "BatchNorm1d", dict(batch, num_features=5, momentum=None)),
        ("2", "Tanh", {}),
        ("3", "LayerNorm", dict(normalized_shape=[5], eps=1e-5, elementwise_affine=True)),
        ("4", "Linear", dict(in_features=5, out_features=3, bias=True)),
        ("5", "Softmax", dict(dim=-1)),
    )
    f.case("Sequential", (4, 7), True, layers=vector)


def recurrent(f):
    def layer(op, x, hidden, layers=1, bias=True, batch_first=False, both=False, **more):
        names = dict(input_size=x[-1], hidden_size=hidden, num_layers=layers, bias=bias, batch_first=batch_first)
        f.case(op, x, **names, bidirectional=both, **more)

    for op in ("LSTM", "GRU", "RNN"):
        layer(op, (5, 3, 4), 6)
        layer(op, (1, 1, 1), 1, bias=False)
        layer(op, (3, 4, 2), 5, layers=2, both=True)
        layer(op, (2, 5, 3), 7, layers=3, batch_first=True, bias=False)
        layer(op, (2, 3, 5), 4, batch_first=True, both=True)
        layer(op, (4, 3), 5, both=True)
        layer(op, (6, 2), 3, layers=2, batch_first=True)
        layer(op, (2, 2, 9), 33)
        layer(op, (12, 2, 3), 4)
    for both in (False, True):
        layer("RNN", (4, 2, 3), 5, layers=2, both=both, nonlinearity="relu")


def module():
    f = Modules("module")
    for cases in (convolutions, norms, pools, resampling, shapes, activations, sequences):
        cases(f)
    f.part = "/drawn"
    drawn_modules.cases(f)
    f.part = "/hard"
    hard.modules(f)
    # Last, so that the ids of the others stay.
    f.part = ""
    recurrent(f)
    return f


FAMILIES = [module]
