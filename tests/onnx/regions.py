"""RoiAlign and MaxRoiPool with the options that the backend suite leaves out: the cases of tests/onnx/regions.

  python3 tests/onnx/regions.py     writes the folders, with the answers of ONNX Runtime (CPU, no optimisation)

Needs numpy, onnx and onnxruntime. The numbers depend on the name of the case alone.
"""

import os
import shutil
import zlib

import numpy as np
from answers import write
from onnx import TensorProto, helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "regions")


def boxes(rng, count, size, scale):
    """Corners in an image of this size and about it, of sixteenths."""
    ends = [np.sort(rng.uniform(-0.1, 1.1, (count, 2)) * n, axis=1) for n in (size[1], size[0])]
    corners = np.stack([ends[0][:, 0], ends[1][:, 0], ends[0][:, 1], ends[1][:, 1]], axis=1)
    return (np.round(corners * 16) / 16 / scale).astype(np.float32)


def case(name, op, x, count, opset, scale, **attributes):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    corners = boxes(rng, count, x[2:], scale)
    images = rng.integers(0, x[0], count)
    given = dict(x=rng.uniform(-1, 1, x).astype(np.float32))
    if op == "RoiAlign":
        given.update(boxes=corners, images=images)
    else:
        given.update(boxes=np.concatenate([images[:, None].astype(np.float32), corners], axis=1))
    types = {np.dtype("float32"): TensorProto.FLOAT, np.dtype("int64"): TensorProto.INT64}
    graph = helper.make_graph(
        [helper.make_node(op, list(given), ["y"], spatial_scale=scale, **attributes)],
        name,
        [helper.make_tensor_value_info(n, types[v.dtype], v.shape) for n, v in given.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    write(os.path.join(HERE, f"test_{name}"), model, given)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    x = (2, 3, 14, 11)
    bins = dict(output_height=3, output_width=2)
    case("align_opset_10", "RoiAlign", x, 4, 10, 0.25, sampling_ratio=2, **bins)
    case("align_opset_16", "RoiAlign", x, 4, 16, 0.25, sampling_ratio=2, **bins)
    case("align_adaptive", "RoiAlign", x, 5, 16, 0.0625, output_height=2, output_width=3)
    output = dict(coordinate_transformation_mode="output_half_pixel")
    case("align_adaptive_output", "RoiAlign", x, 5, 16, 1.0, output_height=2, output_width=3, **output)
    case("align_max_adaptive", "RoiAlign", x, 5, 16, 0.125, mode="max", **bins)
    case("align_max_output", "RoiAlign", x, 5, 16, 0.125, mode="max", sampling_ratio=2, **bins, **output)
    case("align_defaults", "RoiAlign", x, 3, 16, 1.0)
    for bins, scale in (([1, 1], 1.0), ([3, 2], 0.5), ([7, 7], 0.0625), ([2, 5], 0.25)):
        case(f"max_pool_{bins[0]}_{bins[1]}", "MaxRoiPool", x, 6, 16, scale, pooled_shape=bins)


if __name__ == "__main__":
    main()
