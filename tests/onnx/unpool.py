"""MaxUnpool over one, two and three axes, with and without a shape of the output: the cases of tests/onnx/unpool.

  python3 tests/onnx/unpool.py     writes the folders, with the answers of ONNX Runtime (CPU, no optimisation)

Needs numpy, onnx and onnxruntime. The numbers depend on the name of the case alone.
"""

import os
import shutil
import zlib

import numpy as np
from answers import write
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unpool")


def case(name, x, output, given=False, twice=False, **attributes):
    """`output` is the shape of the output: an input of the node if it is given; some values have the same place if `twice`."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    places = rng.choice(np.prod(output), np.prod(x), replace=twice).reshape(x).astype(np.int64)
    inputs = dict(x=rng.uniform(-1, 1, x).astype(np.float32), places=places)
    graph = helper.make_graph(
        [helper.make_node("MaxUnpool", ["x", "places", "shape"] if given else ["x", "places"], ["y"], **attributes)],
        name,
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, x),
            helper.make_tensor_value_info("places", TensorProto.INT64, x),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(output), "shape")] if given else [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    write(os.path.join(HERE, f"test_{name}"), model, inputs)


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    case("row", (2, 3, 4), (2, 3, 8), kernel_shape=[2], strides=[2])
    case("pads", (1, 2, 3, 4), (1, 2, 5, 8), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0])
    case("strides", (2, 2, 3, 4), (2, 2, 4, 6), kernel_shape=[2, 3])
    case("shape", (2, 2, 3, 4), (2, 2, 7, 9), given=True, kernel_shape=[2, 2], strides=[2, 2])
    case("volume", (1, 2, 2, 3, 2), (1, 2, 4, 6, 5), given=True, kernel_shape=[2, 2, 2], strides=[2, 2, 2])
    case("twice", (1, 3, 6, 5), (1, 3, 7, 6), twice=True, kernel_shape=[2, 2])


if __name__ == "__main__":
    main()
