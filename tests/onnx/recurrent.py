"""Recurrent layers with the options that the backend suite leaves out: the cases of tests/onnx/recurrent.

  python3 tests/onnx/recurrent.py     writes the folders, with the answers of ONNX Runtime (CPU, no optimisation)

Needs numpy, onnx and onnxruntime. The numbers depend on the name of the case alone.
"""

import os
import shutil
import zlib

import numpy as np
from answers import write
from onnx import TensorProto, helper, numpy_helper

GATES = dict(LSTM=4, GRU=3, RNN=1)
STATES = dict(LSTM=["Y_h", "Y_c"], GRU=["Y_h"], RNN=["Y_h"])
HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recurrent")


def case(name, op, steps=5, batch=3, inputs=4, hidden=5, lengths=None, initial=False, peepholes=False, bias=True,
         outputs=None, constant=True, constant_lengths=False, opset=22, scale=1.0, **attributes):
    """`constant`: the weights are in the file; else they are inputs. `outputs`: those that the node has."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    rows = GATES[op] * hidden

    def draw(*shape):
        return (scale * rng.uniform(-1, 1, shape)).astype(np.float32)

    x = 2 * draw(steps, batch, inputs)
    weights = dict(W=draw(directions, rows, inputs), R=draw(directions, rows, hidden))
    if bias:
        weights["B"] = draw(directions, 2 * rows)
    given = dict(X=x)
    if lengths is not None:
        (weights if constant_lengths else given)["sequence_lens"] = np.array(lengths, np.int32)
    if initial:
        given["initial_h"] = draw(directions, batch, hidden)
        if op == "LSTM":
            given["initial_c"] = draw(directions, batch, hidden)
    if peepholes:
        weights["P"] = draw(directions, 3 * hidden)
    if not constant:
        given.update(weights)
        weights = {}
    order = ["X", "W", "R", "B", "sequence_lens", "initial_h"] + (["initial_c", "P"] if op == "LSTM" else [])
    names = [n if n in given or n in weights else "" for n in order]
    while not names[-1]:
        names.pop()
    outputs = outputs or ["Y"] + STATES[op]
    node = helper.make_node(op, names, outputs, hidden_size=hidden, **attributes)
    kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
    graph = helper.make_graph(
        [node],
        name,
        [helper.make_tensor_value_info(n, kinds[v.dtype], v.shape) for n, v in given.items()],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs if n],
        [numpy_helper.from_array(v, n) for n, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    write(os.path.join(HERE, f"test_{name}"), model, given)


def quantised(name, kind, per_channel, steps=4, batch=2, inputs=3, hidden=5, **attributes):
    """DynamicQuantizeLSTM, with the answers of an LSTM whose weights are dequantised: ONNX Runtime quantises x and h as well."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    directions, rows = 2 if attributes.get("direction") == "bidirectional" else 1, 4 * hidden
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    plain, integers = {}, {}
    for n, extent in (("W", inputs), ("R", hidden)):
        shape = [directions, rows] if per_channel else [directions]
        scale = rng.uniform(0.002, 0.01, shape).astype(np.float32)
        zero = rng.integers(low + 100, high - 100, shape).astype(kind)
        q = rng.integers(low, high + 1, (directions, extent, rows)).astype(kind)
        wide = [v.reshape(directions, 1, -1).astype(np.float32) for v in (scale, zero)]
        plain[n] = np.ascontiguousarray(((q.astype(np.float32) - wide[1]) * wide[0]).transpose(0, 2, 1))
        integers.update({n: q, f"{n}_scale": scale, f"{n}_zero": zero})
    more = dict(
        B=rng.uniform(-1, 1, (directions, 2 * rows)).astype(np.float32),
        sequence_lens=np.array(rng.integers(1, steps + 1, batch), np.int32),
        initial_h=rng.uniform(-1, 1, (directions, batch, hidden)).astype(np.float32),
        initial_c=rng.uniform(-1, 1, (directions, batch, hidden)).astype(np.float32),
        P=rng.uniform(-1, 1, (directions, 3 * hidden)).astype(np.float32),
    )
    given = dict(X=rng.uniform(-2, 2, (steps, batch, inputs)).astype(np.float32))
    names = ["X", "W", "R", *more]
    models = []
    for op, domain, weights, last in (
        ("DynamicQuantizeLSTM", "com.microsoft", integers, ["W_scale", "W_zero", "R_scale", "R_zero"]),
        ("LSTM", "", plain, []),
    ):
        node = helper.make_node(op, names + last, ["Y", "Y_h", "Y_c"], domain=domain, hidden_size=hidden, **attributes)
        graph = helper.make_graph(
            [node],
            name,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in given.items()],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in node.output],
            [numpy_helper.from_array(v, n) for n, v in {**weights, **more}.items()],
        )
        opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
        models.append(helper.make_model(graph, opset_imports=opsets, ir_version=10))
    write(os.path.join(HERE, f"test_{name}"), models[0], given, models[1])


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    both, lengths = dict(direction="bidirectional"), [5, 1, 3]
    case("lstm_all", "LSTM", lengths=lengths, initial=True, peepholes=True, clip=0.75, **both)
    case("lstm_all_computed", "LSTM", lengths=lengths, initial=True, peepholes=True, constant=False, **both)
    case("lstm_reverse_lengths", "LSTM", lengths=[2, 5, 4], direction="reverse", constant_lengths=True)
    case("lstm_coupled", "LSTM", input_forget=1, initial=True, hidden=7)
    case("lstm_clip", "LSTM", clip=0.25, scale=2.0, opset=14)
    case("lstm_no_bias", "LSTM", bias=False, opset=7, steps=1, batch=1, inputs=1, hidden=1)
    case("lstm_last_cell", "LSTM", outputs=["", "", "Y_c"], opset=7, **both)
    case("lstm_functions", "LSTM", initial=True, activations=["HardSigmoid", "Softsign", "Relu"],
         activation_alpha=[0.3], activation_beta=[0.4])
    case("lstm_functions_both", "LSTM", activations=["Sigmoid", "Softplus", "Elu"] * 2, activation_alpha=[0.5, 0.5],
         scale=0.5, **both)
    case("lstm_wide", "LSTM", steps=3, batch=2, hidden=67, inputs=9, scale=0.25, **both)
    case("gru_all", "GRU", lengths=lengths, initial=True, clip=0.75, linear_before_reset=1, **both)
    case("gru_before", "GRU", lengths=lengths, initial=True, clip=0.75, linear_before_reset=0, **both)
    case("gru_computed", "GRU", initial=True, linear_before_reset=1, constant=False, direction="reverse")
    case("gru_reverse_lengths", "GRU", lengths=[2, 5, 4], direction="reverse", constant_lengths=True, opset=14)
    case("gru_no_bias", "GRU", bias=False, linear_before_reset=1, opset=7, outputs=["", "Y_h"])
    case("gru_functions", "GRU", activations=["HardSigmoid", "LeakyRelu"], activation_alpha=[0.25, 0.125],
         activation_beta=[0.5], linear_before_reset=1)
    case("gru_wide", "GRU", steps=3, batch=2, hidden=70, inputs=3, scale=0.25)
    case("rnn_all", "RNN", lengths=lengths, initial=True, clip=0.75, **both)
    case("rnn_relu_both", "RNN", activations=["Relu", "Relu"], scale=0.5, opset=14, **both)
    case("rnn_threshold", "RNN", activations=["ThresholdedRelu"], activation_alpha=[0.5], scale=0.5, bias=False)
    case("lstm_affine", "LSTM", initial=True, activations=["Affine", "ScaledTanh", "Affine"], scale=0.5,
         activation_alpha=[0.25, 1.5, 0.5], activation_beta=[0.5, 0.625, -0.25])
    case("gru_scaled_tanh", "GRU", activations=["HardSigmoid", "ScaledTanh"], activation_alpha=[0.25, -1.25],
         activation_beta=[0.5, 0.75], linear_before_reset=1, initial=True)
    # Other functions in reverse: two layers.
    case("lstm_functions_apart", "LSTM", lengths=lengths, initial=True, peepholes=True, clip=1.5, **both,
         activations=["Sigmoid", "Tanh", "Tanh", "HardSigmoid", "Softsign", "ScaledTanh"], activation_alpha=[0.25, 1.5],
         activation_beta=[0.5, 0.5])
    case("gru_functions_apart", "GRU", lengths=lengths, initial=True, linear_before_reset=1, **both,
         activations=["HardSigmoid", "Tanh", "Sigmoid", "LeakyRelu"], activation_alpha=[0.25, 0.125], activation_beta=[0.5])
    case("rnn_functions_apart", "RNN", activations=["Relu", "Affine"], activation_alpha=[0.5], activation_beta=[-0.25],
         scale=0.5, constant=False, outputs=["", "Y_h"], **both)
    quantised("dynamic_quantize_lstm", np.uint8, False, direction="bidirectional")
    quantised("dynamic_quantize_lstm_channels", np.int8, True, direction="reverse", clip=1.5)
    case("rnn_computed", "RNN", lengths=[3, 5, 5], constant=False, direction="reverse", opset=7)


if __name__ == "__main__":
    main()
