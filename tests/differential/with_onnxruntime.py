"""Runs ONNX Runtime on the models that tests/differential wrote, and compares.

    CONVGPU_DIFF_FOLDER=/tmp/models CONVGPU_DIFF_SEEDS=2000 cargo test --all-features --test differential engines_agree
    python3 tests/differential/with_onnxruntime.py /tmp/models        (needs the packages onnx and onnxruntime)
    python3 tests/differential/with_onnxruntime.py --self-test

Every folder holds model.onnx, input_0.pb.., and convgpu's output_0.pb.. or refused.txt. Prints a table per kind of model:
models, agreements, refusals by either side, disagreements; then every disagreement and the reasons. Ends with 1
if there is a disagreement. The tolerance is that of tests/support/close.rs.
"""

import collections
import pathlib
import re
import sys

import numpy
import onnx
import onnxruntime


def tensors(folder, prefix):
    """The tensors `prefix_0.pb`.. by name, in order."""
    found = {}
    for k in range(len(list(folder.glob(f"{prefix}_*.pb")))):
        proto = onnx.TensorProto.FromString((folder / f"{prefix}_{k}.pb").read_bytes())
        found[proto.name] = onnx.numpy_helper.to_array(proto)
    return found


def run(folder, inputs, optimised=True):
    """ONNX Runtime's outputs, or its error."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, ["CPUExecutionProvider"])
        read = {i.name for i in session.get_inputs()}
        names = [o.name for o in session.get_outputs()]
        return dict(zip(names, session.run(names, {k: v for k, v in inputs.items() if k in read})))
    except Exception as error:  # its own types are not public
        return str(error)


def difference(actual, expected):
    """What is wrong with the outputs, or None."""
    if list(actual) != list(expected):
        return f"outputs {list(actual)}, expected {list(expected)}"
    for name, wanted in expected.items():
        got = numpy.asarray(actual[name])
        if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
            return f"{name} is {got.dtype}{list(got.shape)}, expected {wanted.dtype}{list(wanted.shape)}"
        if wanted.size == 0:
            continue
        if wanted.dtype.kind != "f":
            wrong = got != wanted
        else:
            finite = numpy.abs(wanted[numpy.isfinite(wanted)])
            bound = 1e-3 * numpy.abs(wanted) + 1e-4 * max(finite.max(initial=0), 1e-6)
            with numpy.errstate(invalid="ignore"):
                close = numpy.isfinite(wanted) & (numpy.abs(got - wanted) <= bound)
            wrong = ~(close | (got == wanted) | (numpy.isnan(got) & numpy.isnan(wanted)))
        if wrong.any():
            k = numpy.argwhere(wrong)[0] if wrong.ndim else ()
            at = tuple(int(i) for i in k)
            return f"{name} {wrong.sum()} of {wrong.size} elements wrong, first at {at}: {got[at]} for {wanted[at]}"
    return None


def described(folder):
    """The nodes of a model."""
    graph = onnx.load(folder / "model.onnx").graph
    return "\n".join("    " + onnx.helper.printable_node(node) for node in graph.node)


def attribute(node, name, default=None):
    """The value of an attribute."""
    found = [onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else default


def is_same(node):
    return attribute(node, "auto_pad", b"") in (b"SAME_UPPER", b"SAME_LOWER")


# Disagreements that are ONNX Runtime's: the operator, the text that says so, and the nodes.
KNOWN = [
    (
        "MeanVarianceNormalization",
        "the operator's function adds 1e-9 to the deviation: 0 / 0 does not occur",
        lambda node, ours, theirs: any(numpy.isnan(v).any() for v in theirs.values()),
    ),
    (
        "ConvTranspose",
        "auto_pad SAME: the output is stride times the input, also where the kernel is smaller than the stride",
        lambda node, ours, theirs: is_same(node) and max(attribute(node, "strides", [1])) > 1,
    ),
    (
        "LpPool",
        "auto_pad SAME: the padding follows from the dilated kernel, and is not negative",
        lambda node, ours, theirs: is_same(node),
    ),
    (
        "MaxPool",
        "auto_pad SAME: the output is the input over the stride, rounded up, with dilations, too",
        lambda node, ours, theirs: is_same(node) and max(attribute(node, "dilations", [1])) > 1,
    ),
    (
        "AveragePool",
        "auto_pad SAME: no padding, and no cropping, where the stride is larger than the kernel",
        lambda node, ours, theirs: is_same(node) and max(attribute(node, "strides", [1])) > 1,
    ),
    *[
        (
            op,
            "auto_pad VALID: ceil_mode does not change the size",
            lambda node, ours, theirs: attribute(node, "auto_pad") == b"VALID" and attribute(node, "ceil_mode", 0) == 1,
        )
        for op in ("AveragePool", "LpPool", "MaxPool")
    ],
]


def known(folder, ours, theirs):
    """Why ONNX Runtime's answer is not expected, if the table says so."""
    for node in onnx.load(folder / "model.onnx").graph.node:
        for op, reason, matches in KNOWN:
            if node.op_type == op and matches(node, ours, theirs):
                return f"{op}: {reason}"
    return None


def compare(folders):
    """Counts per kind, and the lines to print."""
    table = collections.defaultdict(collections.Counter)
    reasons, lines = collections.Counter(), []
    for folder in folders:
        kind = folder.name.split(" ", 1)[1]
        count = table[kind]
        count["models"] += 1
        inputs = tensors(folder, "input")
        theirs = run(folder, inputs)
        refused = folder / "refused.txt"
        if isinstance(theirs, str):
            count["refused by ONNX Runtime"] += 1
            if not refused.exists():
                reasons["refused by ONNX Runtime", kind, re.sub(r"\d+", "", theirs)[:400]] += 1
            continue
        if refused.exists():
            count["refused by convgpu"] += 1
            reasons["refused by convgpu alone", kind, re.sub(r"\d+", "", refused.read_text())[:400]] += 1
            continue
        ours = tensors(folder, "output")
        what = difference(theirs, ours)
        if what is None:
            count["agree"] += 1
            continue
        plain = run(folder, inputs, optimised=False)
        if not isinstance(plain, str) and difference(plain, ours) is None:
            count["agree without its optimiser"] += 1
            lines.append(f"{folder.name}: ONNX Runtime disagrees with itself without its optimiser: {what}\n{described(folder)}")
            continue
        reason = known(folder, ours, theirs)
        if reason:
            count["known"] += 1
            reasons["ONNX Runtime's answer is not expected", kind, reason] += 1
            continue
        count["disagree"] += 1
        lines.append(f"{folder.name}: {what}\n{described(folder)}")
    return table, reasons, lines


COLUMNS = ["models", "agree", "agree without its optimiser", "refused by ONNX Runtime", "refused by convgpu", "known", "disagree"]


def main(folder):
    folders = sorted(path for path in pathlib.Path(folder).iterdir() if path.is_dir())
    table, reasons, lines = compare(folders)
    print("| kind | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    total = sum(table.values(), collections.Counter())
    for kind, count in [*sorted(table.items()), ("all", total)]:
        print(f"| {kind} | " + " | ".join(str(count[c]) for c in COLUMNS) + " |")
    for (engine, kind, why), n in sorted(reasons.items()):
        print(f"{n} {engine}, {kind}: {why}")
    print("\n".join(lines))
    return 1 if total["disagree"] else 0


def self_test():
    """A wrong element, type, shape and name are each seen."""
    right = {"y": numpy.array([1.0, -2.0, 0.0], numpy.float32)}
    assert difference(right, right) is None
    wrong = [numpy.array([1.0, -2.01, 0.0], numpy.float32), right["y"].astype(float), right["y"][None]]
    for array in wrong:
        assert difference({"y": array}, right), array
    assert difference({"z": right["y"]}, right)
    whole = {"y": numpy.array([1, 2])}
    assert difference({"y": numpy.array([1, 3])}, whole)
    print("a wrong answer is reported")


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1]))
