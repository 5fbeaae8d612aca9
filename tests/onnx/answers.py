"""A case: a model, its inputs, and what ONNX Runtime (CPU, no optimisation) answers."""

import os

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper


def write(folder, model, given, answered_by=None):
    """`given` are the inputs by name, in the order of the graph. `answered_by`: another model that means the same."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession((answered_by or model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    answers = session.run(None, given)
    names = [output.name for output in model.graph.output]

    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data)
    onnx.save(model, os.path.join(folder, "model.onnx"))
    for stem, tensors in (("input", given.items()), ("output", zip(names, answers))):
        for k, (n, v) in enumerate(tensors):
            with open(os.path.join(data, f"{stem}_{k}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(np.asarray(v), n).SerializeToString())
