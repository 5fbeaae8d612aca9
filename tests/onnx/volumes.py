"""Convolution, transposed convolution, pooling and resampling of volumes with the options that the backend suite leaves out: the
cases of tests/onnx/volumes.

  python3 tests/onnx/volumes.py     writes the folders, with the answers of ONNX Runtime (CPU, no optimisation)

Needs numpy, onnx and onnxruntime. The numbers depend on the name of the case alone.
"""

import os
import shutil
import zlib

import numpy as np
from answers import write
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "volumes")


def case(name, nodes, x, opset=22, **weights):
    """Nodes from `x` to `y`; `x` is the shape of a volume, `weights` are shapes by name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))

    def draw(shape):
        return rng.uniform(-1, 1, shape).astype(np.float32)

    given = dict(x=draw(x))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(abs(draw(shape)) if n == "var" else draw(shape), n) for n, shape in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    write(os.path.join(HERE, f"test_{name}"), model, given)


def conv(name, x, w, bias=True, **attributes):
    inputs = ["x", "w", "b"] if bias else ["x", "w"]
    case(name, [helper.make_node("Conv", inputs, ["y"], **attributes)], x, w=w, **(dict(b=w[:1]) if bias else {}))


def pool(name, op, x, kernel, **attributes):
    case(name, [helper.make_node(op, ["x"], ["y"], kernel_shape=kernel, **attributes)], x)


def transposed(name, x, w, bias=True, group=1, **attributes):
    inputs = ["x", "w", "b"] if bias else ["x", "w"]
    node = helper.make_node("ConvTranspose", inputs, ["y"], group=group, **attributes)
    case(name, [node], x, w=w, **(dict(b=(w[1] * group,)) if bias else {}))


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    conv("conv_asymmetric", (2, 3, 4, 5, 6), (4, 3, 2, 3, 2), pads=[2, 0, 1, 0, 1, 3])
    conv("conv_groups", (2, 4, 5, 4, 6), (6, 2, 3, 2, 3), group=2, strides=[2, 1, 2], pads=[1, 1, 0, 1, 0, 2])
    conv("conv_depthwise", (1, 3, 4, 6, 5), (6, 1, 3, 3, 2), group=3, bias=False, dilations=[1, 2, 1])
    conv("conv_dilated", (1, 2, 7, 6, 8), (3, 2, 3, 2, 3), dilations=[2, 3, 2], pads=[1, 0, 2, 2, 1, 0])
    conv("conv_same_upper", (1, 3, 4, 5, 6), (2, 3, 2, 4, 3), auto_pad="SAME_UPPER", strides=[1, 2, 3])
    conv("conv_same_lower", (1, 3, 5, 4, 6), (2, 3, 4, 2, 3), auto_pad="SAME_LOWER", strides=[2, 1, 1])
    conv("conv_valid", (1, 2, 4, 5, 6), (2, 2, 2, 1, 3), auto_pad="VALID")
    conv("conv_depth", (2, 3, 6, 3, 4), (4, 3, 3, 1, 1), strides=[2, 1, 1], pads=[2, 0, 0, 1, 0, 0])
    conv("conv_slices", (2, 4, 3, 5, 6), (4, 2, 1, 3, 2), group=2, pads=[0, 1, 0, 0, 2, 1])
    conv("conv_columns", (2, 1, 5, 4, 3), (4, 1, 3, 3, 1), pads=[1, 1, 0, 1, 1, 0])
    conv("conv_point", (2, 5, 3, 2, 4), (3, 5, 1, 1, 1))
    transposed("transposed_strided", (2, 3, 3, 4, 2), (3, 4, 3, 2, 3), strides=[2, 3, 2], pads=[1, 0, 1, 0, 1, 1])
    transposed("transposed_extra", (1, 2, 4, 3, 3), (2, 3, 2, 3, 2), strides=[3, 2, 2], output_padding=[2, 1, 0], bias=False)
    transposed("transposed_dilated", (1, 3, 4, 3, 5), (3, 2, 3, 2, 2), dilations=[2, 3, 1], strides=[3, 1, 2])
    transposed("transposed_groups", (2, 4, 3, 2, 4), (4, 3, 2, 3, 2), group=2, strides=[2, 1, 2], pads=[0, 1, 1, 1, 1, 0])
    transposed("transposed_shape", (1, 2, 3, 4, 3), (2, 2, 3, 3, 3), strides=[2, 2, 3], output_shape=[6, 8, 9])
    transposed("transposed_same_upper", (1, 2, 3, 4, 3), (2, 2, 3, 4, 3), strides=[2, 2, 3], auto_pad="SAME_UPPER")
    transposed("transposed_same_lower", (1, 2, 3, 2, 3), (2, 2, 4, 3, 3), strides=[1, 2, 2], auto_pad="SAME_LOWER")
    transposed("transposed_slices", (2, 3, 3, 2, 4), (3, 2, 1, 2, 3), strides=[1, 2, 2])
    transposed("transposed_columns", (1, 4, 3, 5, 2), (4, 2, 3, 1, 3), group=2, strides=[2, 1, 1])
    transposed("transposed_depth", (1, 3, 3, 2, 4), (3, 2, 4, 1, 1), strides=[2, 1, 1], pads=[1, 0, 0, 1, 0, 0])
    transposed("transposed_point", (2, 3, 3, 2, 4), (3, 5, 1, 1, 1))
    sides = dict(nearest=[("half_pixel", "round_prefer_floor"), ("asymmetric", "floor"), ("align_corners", "ceil")],
                 linear=[("half_pixel", None), ("align_corners", None), ("pytorch_half_pixel", None), ("asymmetric", None)])
    for mode, ways in sides.items():
        for coordinates, rounding in ways:
            resize = dict(mode=mode, coordinate_transformation_mode=coordinates)
            resize |= dict(nearest_mode=rounding) if rounding else {}
            for size in ([5, 7, 4], [2, 3, 9]):
                name = f"resize_{mode}_{coordinates}_{size[0]}"
                inputs = [constant("sizes", np.array([2, 3, *size], np.int64))]
                case(name, [*inputs, helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], **resize)], (2, 3, 4, 5, 6))
        scales = [constant("scales", np.array([1, 1, 2, 1.5, 2.2], np.float32))]
        upsample = helper.make_node("Upsample", ["x", "scales"], ["y"], mode=mode)
        case(f"upsample_{mode}", [*scales, upsample], (2, 3, 3, 4, 5), opset=9)
    node = helper.make_node
    case(
        "conv_block",
        [
            node("Conv", ["x", "w"], ["a"], pads=[1] * 6),
            node("BatchNormalization", ["a", "scale", "shift", "mean", "var"], ["b"]),
            node("Relu", ["b"], ["c"]),
            node("Conv", ["c", "v"], ["d"], pads=[1] * 6),
            node("InstanceNormalization", ["d", "scale", "shift"], ["e"]),
            node("Add", ["e", "c"], ["f"]),
            node("GlobalAveragePool", ["f"], ["g"]),
            node("GlobalMaxPool", ["f"], ["h"]),
            node("Concat", ["g", "h"], ["y"], axis=1),
        ],
        (2, 3, 4, 6, 5),
        **dict(w=(4, 3, 3, 3, 3), v=(4, 4, 3, 3, 3), scale=(4,), shift=(4,), mean=(4,), var=(4,)),
    )
    pool("max_ceil", "MaxPool", (2, 3, 6, 7, 8), [3, 2, 3], strides=[2, 2, 3], ceil_mode=1, pads=[1, 0, 1, 0, 1, 1])
    pool("max_dilated", "MaxPool", (1, 3, 7, 6, 8), [2, 3, 2], dilations=[3, 1, 2], pads=[0, 1, 1, 1, 2, 0])
    pool("max_same", "MaxPool", (1, 3, 5, 6, 7), [2, 3, 3], strides=[2, 1, 2], auto_pad="SAME_LOWER")
    pool("average_ceil", "AveragePool", (1, 3, 6, 5, 7), [3, 2, 3], strides=[2, 2, 3], ceil_mode=1, pads=[1, 1, 0, 1, 0, 1])
    pool("average_counted", "AveragePool", (1, 3, 6, 5, 7), [3, 2, 3], strides=[2, 2, 3], ceil_mode=1, pads=[1, 1, 0, 1, 0, 1],
         count_include_pad=1)
    pool("average_same", "AveragePool", (2, 2, 5, 4, 7), [2, 3, 2], strides=[2, 1, 3], auto_pad="SAME_UPPER")
    pool("lp_ceil", "LpPool", (1, 3, 6, 5, 7), [3, 2, 2], strides=[2, 2, 3], p=3, pads=[1, 0, 1, 0, 1, 0])


if __name__ == "__main__":
    main()
