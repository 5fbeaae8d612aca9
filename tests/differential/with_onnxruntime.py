"""Runs ONNX Runtime on the models that tests/differential wrote, and compares.

    CONVGPU_DIFF_FOLDER=/tmp/models CONVGPU_DIFF_SEEDS=2000 cargo test --all-features --test differential engines_agree
    python3 tests/differential/with_onnxruntime.py /tmp/models        (needs the packages onnx and onnxruntime)
    python3 tests/differential/with_onnxruntime.py --self-test

Every folder holds model.onnx, input_0.pb.., and convgpu's output_0.pb.. or refused.txt. Prints a table per kind of model:
models, agreements, refusals by either side, disagreements; then the reasons, how many models that agree have an operator, and
every disagreement. Ends with 1 if there is one. The tolerance is that of tests/support/close.rs.
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


def wrong(got, wanted):
    """Which elements of a tensor are not close to what is wanted."""
    if wanted.dtype.kind != "f":
        return got != wanted
    finite = numpy.abs(wanted[numpy.isfinite(wanted)])
    bound = 1e-3 * numpy.abs(wanted) + 1e-4 * max(finite.max(initial=0), 1e-6)
    with numpy.errstate(invalid="ignore"):
        close = numpy.isfinite(wanted) & (numpy.abs(got - wanted) <= bound)
    return ~(close | (got == wanted) | (numpy.isnan(got) & numpy.isnan(wanted)))


def difference(actual, expected):
    """What is wrong with the outputs, or None."""
    if list(actual) != list(expected):
        return f"outputs {list(actual)}, expected {list(expected)}"
    for name, wanted in expected.items():
        got = numpy.asarray(actual[name])
        if (got.dtype, got.shape) != (wanted.dtype, wanted.shape):
            return f"{name} is {got.dtype}{list(got.shape)}, expected {wanted.dtype}{list(wanted.shape)}"
        bad = wrong(got, wanted)
        if bad.any():
            k = numpy.argwhere(bad)[0] if bad.ndim else ()
            at = tuple(int(i) for i in k)
            return f"{name} {bad.sum()} of {bad.size} elements wrong, first at {at}: {got[at]} for {wanted[at]}"
    return None


def described(folder):
    """The nodes of a model."""
    graph = onnx.load(folder / "model.onnx").graph
    return "\n".join("    " + onnx.helper.printable_node(node) for node in graph.node)


def attribute(node, name, default=None):
    """The value of an attribute."""
    found = [onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else default


def is_same(case):
    return attribute(case.node, "auto_pad", b"") in (b"SAME_UPPER", b"SAME_LOWER")


def larger(case, name):
    """Whether one of the strides or dilations is not 1."""
    return max(attribute(case.node, name, [1])) > 1


def only(case, values):
    """Whether convgpu has one of these values wherever the answers differ."""
    pairs = list(zip(map(numpy.asarray, case.theirs.values()), case.ours.values()))
    return all(t.shape == o.shape and numpy.isin(o[wrong(t, o)], values).all() for t, o in pairs)


def is_between(case):
    """Whether GridSample reads at the middle of two pixels, where the edges of pixels are the corners of the image."""
    x, grid = (case.values[name] for name in case.node.input)
    middles = (grid + 1) * x.shape[:1:-1] / 2 % 1 == 0
    return attribute(case.node, "align_corners", 0) == 0 and middles.any()


# A node, the values that are known before it runs, and the answers.
Case = collections.namedtuple("Case", "node values ours theirs")

# Disagreements that are ONNX Runtime's: the operator, the text that says so, and the nodes.
KNOWN = [
    (
        "AffineGrid",
        "PyTorch, whose function it is, has 0 for an axis of one element with align_corners = 1; the text's function is 0 / 0",
        lambda case: attribute(case.node, "align_corners", 0) == 1 and 1 in case.values[case.node.input[1]][2:],
    ),
    (
        "Attention",
        "a key that is not allowed has the score minus infinity, and a query without keys gives 0",
        lambda case: only(case, [0, -numpy.inf]),
    ),
    (
        "Attention",
        "is_causal: a query reads the keys up to its own, also where it is the only one; ONNX's reference evaluator agrees",
        lambda case: attribute(case.node, "is_causal", 0) == 1 and case.values[case.node.input[0]].shape[-2] == 1,
    ),
    (
        "Bernoulli",
        "1 has the probability x; ONNX Runtime expands a function that gives it 1 - x, ONNX's reference evaluator does not",
        lambda case: all((t != o).all() for t, o in zip(case.theirs.values(), case.ours.values())),
    ),
    (
        "Cast",
        "beyond the range of 32-bit integers the text leaves the result open: here it is the nearest one",
        lambda case: only(case, [-(2**31), 2**31 - 1]),
    ),
    (
        "Col2Im",
        "dilations over one or three axes: ONNX's reference evaluator has the sum of the taps as well",
        lambda case: larger(case, "dilations") and len(attribute(case.node, "dilations")) != 2,
    ),
    (
        "DynamicQuantizeLSTM",
        "weights are quantised, x and the state are not: it rounds them to 8 bits at every step",
        lambda case: all(numpy.abs(t - o).max() < 0.1 for t, o in zip(case.theirs.values(), case.ours.values())),
    ),
    (
        "GridSample",
        "PyTorch, whose function it is, reflects places beyond the image before it rounds them to pixels, not after it",
        lambda case: [attribute(case.node, name) for name in ("mode", "padding_mode")] == [b"nearest", b"reflection"]
        and is_between(case),
    ),
    (
        "MeanVarianceNormalization",
        "the operator's function adds 1e-9 to the deviation: 0 / 0 does not occur",
        lambda case: any(numpy.isnan(v).any() for v in case.theirs.values()),
    ),
    (
        "ConvTranspose",
        "auto_pad SAME: the output is stride times the input, also where the kernel is smaller than the stride",
        lambda case: is_same(case) and larger(case, "strides"),
    ),
    (
        "LpPool",
        "auto_pad SAME: the padding follows from the dilated kernel, and is not negative",
        is_same,
    ),
    *[
        (
            op,
            "auto_pad SAME: the output is the input over the stride, rounded up, with dilations, too",
            lambda case: is_same(case) and larger(case, "dilations"),
        )
        for op in ("AveragePool", "MaxPool")
    ],
    (
        "AveragePool",
        "auto_pad SAME: no padding, and no cropping, where the stride is larger than the kernel",
        lambda case: is_same(case) and larger(case, "strides"),
    ),
    *[
        (
            op,
            "auto_pad VALID: ceil_mode does not change the size",
            lambda case: attribute(case.node, "auto_pad") == b"VALID" and attribute(case.node, "ceil_mode", 0) == 1,
        )
        for op in ("AveragePool", "LpPool", "MaxPool")
    ],
]


def known(folder, inputs, ours, theirs):
    """Why ONNX Runtime's answer is not expected, if the table says so."""
    graph = onnx.load(folder / "model.onnx").graph
    constants = [*graph.initializer, *(attribute(node, "value") for node in graph.node if node.op_type == "Constant")]
    values = inputs | {t.name: onnx.numpy_helper.to_array(t) for t in constants}
    for node in graph.node:
        for op, reason, matches in KNOWN:
            if node.op_type == op and matches(Case(node, values, ours, theirs)):
                return f"{op}: {reason}"
    return None


def operators(folder):
    nodes = onnx.load(folder / "model.onnx").graph.node
    return {f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in nodes}


def compare(folders):
    """Counts per kind, reasons, the lines to print, and how many models that agree have an operator."""
    table = collections.defaultdict(collections.Counter)
    reasons, lines, compared = collections.Counter(), [], collections.Counter()
    for folder in folders:
        kind = folder.name.split(" ", 1)[1]
        count = table[kind]
        count["models"] += 1
        compared.update({op: 0 for op in operators(folder)})
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
            compared.update(operators(folder))
            continue
        plain = run(folder, inputs, optimised=False)
        if not isinstance(plain, str) and difference(plain, ours) is None:
            count["agree without its optimiser"] += 1
            lines.append(f"{folder.name}: ONNX Runtime disagrees with itself without its optimiser: {what}\n{described(folder)}")
            continue
        reason = known(folder, inputs, ours, theirs)
        if reason:
            count["known"] += 1
            reasons["ONNX Runtime's answer is not expected", kind, reason] += 1
            continue
        count["disagree"] += 1
        lines.append(f"{folder.name}: {what}\n{described(folder)}")
    return table, reasons, lines, compared


COLUMNS = ["models", "agree", "agree without its optimiser", "refused by ONNX Runtime", "refused by convgpu", "known", "disagree"]


def main(folder):
    folders = sorted(path for path in pathlib.Path(folder).iterdir() if path.is_dir())
    table, reasons, lines, compared = compare(folders)
    print("| kind | " + " | ".join(COLUMNS) + " |\n|---|" + "---|" * len(COLUMNS))
    total = sum(table.values(), collections.Counter())
    for kind, count in [*sorted(table.items()), ("all", total)]:
        print(f"| {kind} | " + " | ".join(str(count[c]) for c in COLUMNS) + " |")
    for (engine, kind, why), n in sorted(reasons.items()):
        print(f"{n} {engine}, {kind}: {why}")
    print("operators of models that agree: " + ", ".join(f"{op} {n}" for op, n in sorted(compared.items())))
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
