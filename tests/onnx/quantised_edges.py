"""Quantised tensors of numbers that are none, scales that are 0 or negative, and integers of 4 bits outside of initialisers: the
cases `test_edges_*` and `test_nibbles_*` of tests/onnx/quantised.

  python3 tests/onnx/quantised_edges.py     writes the folders, with the answers of ONNX Runtime (CPU, no optimisation)

Needs numpy, onnx and onnxruntime.
"""

import glob
import os
import shutil

import numpy as np
from answers import write
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "quantised")
NAN, INF = float("nan"), float("inf")
EDGES = [NAN, INF, -INF, -0.0, 0.0, 1e38, -1e38, 0.74, -0.76, 2.5, -2.5, 63.0, -65.0]
F, I8, U8, I16, U16 = TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16


def case(name, nodes, given, outputs, constants, domain=""):
    """`outputs`: name and type. `constants`: name, type, shape, values."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in given.items()],
        [helper.make_tensor_value_info(n, t, None) for n, t in outputs],
        [helper.make_tensor(n, t, shape, np.ravel(values).tolist()) for n, t, shape, values in constants],
    )
    opsets = [helper.make_opsetid("", 21)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    write(os.path.join(HERE, f"test_{name}"), model, given)


def steps(name, kind, zero, scale, x, **attributes):
    """Integers, and what they stand for."""
    shape = list(np.shape(zero))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], **attributes),
    ]
    constants = [("scale", F, list(np.shape(scale)), scale), ("zero", kind, shape, zero)]
    case(name, nodes, dict(x=np.array(x, np.float32)), [("q", kind), ("y", F)], constants)


def constant(name, kind, shape, values):
    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, kind, shape, np.ravel(values).tolist()))


def main():
    for folder in glob.glob(os.path.join(HERE, "test_edges_*")) + glob.glob(os.path.join(HERE, "test_nibbles_*")):
        shutil.rmtree(folder)
    for name, kind, zero in [("i8", I8, 3), ("u8", U8, 7), ("i16", I16, -9), ("u16", U16, 5)]:
        steps(f"edges_{name}", kind, zero, 0.5, EDGES)
    steps("edges_per_axis", I8, [3, -4], [0.5, 2.0], [EDGES, EDGES[::-1]], axis=0)
    # Scales of what is only dequantised.
    rng = np.random.default_rng(3)
    q = rng.integers(-128, 128, (5, 4))
    scales = [0.0, -0.5, 0.25, INF, NAN]
    dequantize = [helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], axis=0)]
    zeros = [3, 3, 0, -128, 5]
    case("edges_scales", dequantize, dict(q=q.astype(np.int8)), [("y", F)], [("scale", F, [5], scales), ("zero", I8, [5], zeros)])
    conv = helper.make_node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    constants = [
        ("xs", F, [], 0.5),
        ("xz", U8, [], 9),
        ("w", I8, [4, 3, 2, 2], rng.integers(-128, 128, (4, 3, 2, 2))),
        ("ws", F, [4], [0.0, 0.01, -0.02, 0.03]),
        ("wz", I8, [4], [0, 0, 0, 0]),
        ("ys", F, [], 2.0),
        ("yz", U8, [], 100),
    ]
    x = rng.integers(0, 256, (2, 3, 4, 5)).astype(np.uint8)
    case("edges_conv_scales", [conv], dict(x=x), [("y", U8)], constants)
    product = helper.make_node("QLinearMatMul", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"], ["y"])
    constants = [
        ("xs", F, [], -0.5),
        ("xz", U8, [], 9),
        ("w", I8, [6, 4], rng.integers(-128, 128, (6, 4))),
        ("ws", F, [], 0.01),
        ("wz", I8, [], 2),
        ("ys", F, [], 2.0),
        ("yz", U8, [], 100),
    ]
    case("edges_product_scale", [product], dict(x=rng.integers(0, 256, (3, 6)).astype(np.uint8)), [("y", U8)], constants)
    # A range that f32 does not have, and one of zeros.
    dynamic = [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"])]
    outputs = [("q", U8), ("scale", F), ("zero", U8)]
    case("edges_dynamic_wide", dynamic, dict(x=np.array([1.0, INF], np.float32)), outputs, [])
    case("edges_dynamic_zeros", dynamic, dict(x=np.array([0.0, -0.0], np.float32)), outputs, [])

    # Integers of 4 bits in Constant nodes, and in a branch, as initialisers and as nodes.
    for name, kind, low in [("i4", TensorProto.INT4, -8), ("u4", TensorProto.UINT4, 0)]:
        weight = rng.integers(low, low + 16, (6, 3))
        nodes = [
            constant("w", kind, [6, 3], weight),
            constant("zero", kind, [3], [low + 5, low + 2, low + 9]),
            helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["v"], axis=1),
            helper.make_node("MatMul", ["x", "v"], ["y"]),
        ]
        given = dict(x=rng.integers(-9, 10, (2, 6)).astype(np.float32))
        case(f"nibbles_weight_{name}", nodes, given, [("y", F)], [("scale", F, [3], [0.5, 0.25, 2.0])])
        nodes = [
            constant("zero", kind, [], [low + 3]),
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
        ]
        case(f"nibbles_steps_{name}", nodes, dict(x=np.array(EDGES, np.float32)), [("y", F)], [("scale", F, [], 0.5)])
    branches = {}
    for branch, inside in [("then", True), ("else", False)]:
        nodes = [] if inside else [constant("zero", TensorProto.INT4, [], [1])]
        tensors = [helper.make_tensor("zero", TensorProto.INT4, [], [3])] if inside else []
        nodes += [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], [f"y_{branch}"]),
        ]
        branches[f"{branch}_branch"] = helper.make_graph(
            nodes, branch, [], [helper.make_tensor_value_info(f"y_{branch}", F, None)], tensors
        )
    for name, condition in [("then", True), ("else", False)]:
        nodes = [helper.make_node("If", ["condition"], ["y"], **branches)]
        constants = [("scale", F, [], 0.5), ("condition", TensorProto.BOOL, [], condition)]
        case(f"nibbles_branch_{name}", nodes, dict(x=np.array(EDGES, np.float32)), [("y", F)], constants)


if __name__ == "__main__":
    main()
