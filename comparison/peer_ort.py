#!/usr/bin/env python3
"""ONNX Runtime as a peer: peer_ort.py cpu|webgpu. The WebGPU one is the package onnxruntime-webgpu, which replaces onnxruntime."""
import os
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import worker

provider = {"cpu": "CPUExecutionProvider", "webgpu": "WebGpuExecutionProvider"}[sys.argv[1]]
if provider not in onnxruntime.get_available_providers():
    sys.exit(f"this onnxruntime has no {provider}")


def model(layer):
    l = layer
    weight = (np.random.randn(*worker.weight_shape(l)) * 0.1).astype(np.float32)
    attributes = {
        "kernel_shape": [l["k"]] * 2,
        "strides": [l["s"]] * 2,
        "pads": [l["p"]] * 4,
        "dilations": [l["d"]] * 2,
        "group": l["g"],
    }
    op = {"conv": "Conv", "conv_transpose": "ConvTranspose"}[l["op"]]
    node = helper.make_node(op, ["x", "w"], ["y"], **attributes)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [l["n"], l["ci"], l["h"], l["w"]])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "layer", [x], [y], [numpy_helper.from_array(weight, "w")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def prepare(layer):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = os.cpu_count()
    session = onnxruntime.InferenceSession(model(layer), options, providers=[provider])
    if session.get_providers()[0] != provider:
        raise RuntimeError(f"fell back to {session.get_providers()[0]}")
    image = np.random.rand(layer["n"], layer["ci"], layer["h"], layer["w"]).astype(np.float32)
    return lambda: session.run(None, {"x": image})[0]


worker.serve(prepare)
