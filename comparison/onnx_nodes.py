#!/usr/bin/env python3
"""The node cases of the ONNX backend suite through the command line, on each device.

  python3 comparison/onnx_nodes.py RESULTS.jsonl --device cpu --device llvmpipe    runs the cases that the file lacks
  python3 comparison/onnx_nodes.py RESULTS.jsonl --markdown                        prints docs/onnx-suite.md

The cases are those of the onnx package that the running Python has (onnx.backend.test.loader): run it with each version that
the table should have, and with the same file. A case passes if every output has the expected shape and kind of type, integers
and booleans the expected values, and floats the expected values within the suite's tolerance (rtol 1e-3, atol 1e-7; two units
in the last place for bfloat16). `.npy` files have no bfloat16, float8 or 4-bit integers: such inputs are written as a wider
type, and the program writes its outputs so, too.

A case that is not right is *wrong*, unless the program refuses it: exit status 2, with a message that names what it refuses.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import load_model_tests

from results import read

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Groups of refusals: the first whose pattern is found in the message.
REASONS = {
    "the case has an input that this script cannot write as `.npy`": r"by this script",
    "strings": r"type string|operator (String|Regex|TfIdf|LabelEncoder|ImageDecoder)|StringNormalizer",
    "sequences and optionals": r"operator (Sequence|Optional|SplitToSequence|ConcatFromSequence)|sequences, maps",
    "floats of 8 or 4 bits, integers of 4 or 2 bits": r"elements of type (float|u?int|number)",
    "quantised operators": r"operator (\w*[Qq]uantize\w*|QLinear\w*|\w+Integer)\b",
    "random operators": r"operator (Bernoulli|Random\w*|Multinomial)|which is random",
    "convolution and pooling over three axes": r"\d-D \w+ \(1-D (and 2|to 3)-D are supported\)",
    "recurrent layers and loops": r"operator (LSTM|GRU|RNN|Loop|Scan)\b",
    "losses and optimisers": r"operator (\w+Loss|Ada\w+|Momentum)\b",
    "operator sets before 6": r"operator set \d+ \(",
    "attention and rotary embeddings as one operator": r"operator (\w*Attention|RotaryEmbedding|CausalConvWithState)\b",
    "other operators": r"not supported: \S+: operator ",
    "a type that the operator has not here": r" only\)$",
}
RANDOM = {"Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial"}

# Cases whose expected output is not the operator's, and why.
DISPUTED = {
    r"test_maxunpool_export_with_output_shape": "the places are those in a plane of output_shape, as in ONNX Runtime, which makes "
    "it the inverse of a MaxPool of such a plane; the expected output has them in the smaller plane that follows from the windows, "
    "and pads that",
    r"test_resize_downsample_scales_(cubic|linear)_align_corners": "align_corners takes the output's whole length, as the "
    "operator's text, ONNX Runtime and PyTorch do; the expected output is that of input length x scale",
    r"test_attention_4d_causal_fp16_expanded": "the expected output is rounded to f16 after every step, and 5e-4 from the exact "
    "result; this one is computed in f32, within 2.2e-4, and rounded once",
}


PAGE = """\
# The ONNX node suite

Every node case of the ONNX backend suite, run through the command line by `comparison/onnx_nodes.py`, which also writes this
page (`--markdown`); its first lines say what passes. Devices:

{adapters}

A refused case gives exit status 2 and a message that names what is not supported; nothing is computed. A case is *wrong* if the
program answers with something else than expected, or fails in another way.

{counts}

**Wrong.** {wrong}

**Disputed.** The expected output is not what the operator's text says, or less exact than the answer:

{disputed}

## By operator

Of onnx {newest}. An operator's expanded cases (its function in place of the operator) count as the operator's.

{operators}

## Refused for another reason than an operator or an element type

{messages}
"""


class Case:
    """A model with the tensors of its first data set; None where a value is no tensor."""

    def __init__(self, test):
        self.name, self.rtol, self.atol, self.adapter = test.name, test.rtol, test.atol, None
        self.model = test.model
        if self.model is None:
            self.model = onnx.load(os.path.join(test.model_dir, "model.onnx"))
            folder = os.path.join(test.model_dir, "test_data_set_0")
            self.inputs = [stored(folder, "input", k, v) for k, v in enumerate(self.model.graph.input)]
            self.outputs = [stored(folder, "output", k, v) for k, v in enumerate(self.model.graph.output)]
        else:
            self.inputs, self.outputs = (list(map(array, values)) for values in test.data_sets[0])

    def random(self):
        """Whether the expected outputs are those of one random generator."""
        used = {n.op_type for n in self.model.graph.node} | {n.op_type for f in self.model.functions for n in f.node}
        return bool(used & RANDOM)


def array(value):
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, (np.ndarray, np.generic)) else None


def stored(folder, stem, k, declared):
    if declared.type.WhichOneof("value") != "tensor_type":
        return None
    return numpy_helper.to_array(onnx.load_tensor(os.path.join(folder, f"{stem}_{k}.pb")))


def wider(values):
    """The same numbers in a type that NumPy has by itself."""
    values = np.asarray(values)
    if values.dtype.kind in "fiubc":
        return values
    integer = values.dtype.name.lstrip("u").startswith("int")
    return values.astype(np.int8 if integer else np.float32)


def difference(actual, expected, case):
    """What is wrong with an output, or None."""
    if actual.shape != expected.shape:
        return f"shape {list(actual.shape)}, not {list(expected.shape)}"
    bfloat16 = expected.dtype.name == "bfloat16"
    expected = wider(expected)
    kind = lambda a: a.dtype.kind.replace("u", "i")
    if kind(actual) != kind(expected):
        return f"type {actual.dtype}, not {expected.dtype}"
    if actual.dtype.kind == "f":
        rtol = max(case.rtol, 2**-6) if bfloat16 else case.rtol
        right = np.isclose(actual.astype(float), expected.astype(float), rtol=rtol, atol=case.atol, equal_nan=True)
    else:
        right = actual == expected
    if right.all():
        return None
    at = tuple(int(i) for i in np.argwhere(~right)[0])
    return f"{int((~right).sum())} of {right.size} elements, first {list(at)}: {actual[at]}, not {expected[at]}"


def run(case, convgpu, device, folder):
    """(result, text) of a case: passed, refused, wrong or unchecked."""
    model = os.path.join(folder, "model.onnx")
    onnx.save(case.model, model)
    command = [convgpu, "run", model, "--json", "--device", device, "--output-dir", os.path.join(folder, "out")]
    unwritten = []
    for k, (declared, values) in enumerate(zip(case.model.graph.input, case.inputs)):
        if values is None or np.asarray(values).dtype.kind in "OSU":
            unwritten.append(declared.name)
            continue
        file = os.path.join(folder, f"input_{k}.npy")
        np.save(file, wider(values))
        command += ["--input", f"{declared.name}={file}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "wrong", "no answer in 120 seconds"
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and "XDG_RUNTIME_DIR" not in line]
        text = said[-1].replace(folder + "/", "") if said else ""
        if unwritten and "--input" in text:
            return "refused", f"by this script: .npy files cannot hold the inputs {', '.join(unwritten)} ({text})"
        return ("refused" if done.returncode == 2 else "wrong"), text or f"status {done.returncode}"
    report = json.loads(done.stdout)
    case.adapter = report["device"]
    names = [o["name"] for o in report["outputs"]]
    if names != [o.name for o in case.model.graph.output]:
        return "wrong", f"outputs {names}"
    if case.random():
        return "unchecked", "the expected output is that of one random generator"
    for output, expected in zip(report["outputs"], case.outputs):
        if expected is None or np.asarray(expected).dtype.kind in "OSU":
            return "unchecked", f"{output['name']} is no tensor of numbers"
        if text := difference(np.load(output["file"]), np.asarray(expected), case):
            return "wrong", f"{output['name']}: {text}"
    return "passed", ""


def operator(case):
    """The operator that a case is about; an expanded case has the name of its operator's case in front."""
    return case.model.graph.node[0].op_type


def measure(args):
    done = {(r["onnx"], r["case"], r["device"]) for r in read(args.results)}
    version = subprocess.run([args.convgpu, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    tests = sorted(load_model_tests(kind="node"), key=lambda t: t.name)
    operators = {}
    with open(args.results, "a", encoding="utf-8") as file:
        for k, test in enumerate(tests):
            print(f"\r{k + 1}/{len(tests)} {test.name[:70]:70}", end="", file=sys.stderr, flush=True)
            case = Case(test)
            base = re.sub(r"_expanded.*", "", case.name)
            about = operators.setdefault(base, operator(case))
            for device in args.device:
                if (onnx.__version__, case.name, device) in done:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    result, text = run(case, args.convgpu, device, folder)
                row = {"onnx": onnx.__version__, "case": case.name, "operator": about, "device": device}
                row |= {"result": result, "text": text, "convgpu": version, "adapter": case.adapter}
                file.write(json.dumps(row) + "\n")
                file.flush()
    print(file=sys.stderr)


def group(row):
    """The group of a result in the first table."""
    if row["result"] == "refused":
        found = next((name for name, pattern in REASONS.items() if re.search(pattern, row["text"])), "other reasons")
        return f"refused: {found}"
    if row["result"] == "wrong" and any(re.fullmatch(pattern, row["case"]) for pattern in DISPUTED):
        return "disputed"
    return {"unchecked": "not checked: random"}.get(row["result"], row["result"])


def wrapped(text):
    return textwrap.fill(text, 128, subsequent_indent="  " if text.startswith("- ") else "", break_long_words=False)


def counts(rows):
    """Results per version and device."""
    columns = sorted({(r["onnx"], r["device"]) for r in rows}, key=lambda c: (list(map(int, c[0].split("."))), c[1]))
    found = collections.Counter((group(r), r["onnx"], r["device"]) for r in rows)
    total = collections.Counter(group(r) for r in rows)
    refused = sorted((g for g in total if g.startswith("refused")), key=lambda g: -total[g])
    groups = ["passed", *refused, *sorted(total.keys() - {"passed", "wrong", *refused}), "wrong"]
    lines = ["| result | " + " | ".join(f"onnx {v}, {d}" for v, d in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {g} | " + " | ".join(str(found[g, *c]) for c in columns) + " |" for g in groups]
    sums = [sum(n for key, n in found.items() if key[1:] == c) for c in columns]
    return "\n".join([*lines, "| all | " + " | ".join(map(str, sums)) + " |"])


def operators(rows):
    """Operators of which cases do not pass, and those of which all do, for one version."""
    found = collections.defaultdict(lambda: collections.defaultdict(dict))
    for r in rows:
        found[r["operator"]][r["case"]][r["device"]] = r
    whole, lines = [], ["| operator | cases | passed | the others |", "|---|---|---|---|"]
    for name, cases in sorted(found.items()):
        rest = [rs for rs in cases.values() if any(r["result"] != "passed" for r in rs.values())]
        if not rest:
            whole.append(f"{name} {len(cases)}")
            continue
        why = collections.Counter(", ".join(sorted({group(r).removeprefix("refused: ") for r in rs.values()})) for rs in rest)
        text = "; ".join(f"{n} {reason}" for reason, n in why.most_common())
        lines.append(f"| {name} | {len(cases)} | {len(cases) - len(rest)} | {text} |")
    return wrapped(f"All cases pass of: {', '.join(whole)}.") + "\n\n" + "\n".join(lines)


def messages(rows):
    """The messages of what is refused other than by the name of an operator or of an element type."""
    plain = re.compile(r"operator [\w.]+( of [\w.]+)?(;|$)|elements of type")
    texts = collections.defaultdict(set)
    for r in rows:
        if r["result"] == "refused" and not plain.search(r["text"]):
            text = r["text"].removeprefix("convgpu: ").removeprefix("model.onnx: ")
            text = re.sub(r"(?<=[a-z])_\d+\b", "", re.sub(r"\[[\d, ]*\]", "[..]", text))
            texts[text].add(r["case"])
    named = lambda cases: ", ".join(sorted(cases)[:3]) + (f" and {len(cases) - 3} more" if len(cases) > 3 else "")
    return "\n".join(wrapped(f"- {text} ({named(cases)})") for text, cases in sorted(texts.items()))


def page(rows):
    newest = max((r["onnx"] for r in rows), key=lambda v: list(map(int, v.split("."))))
    last = [r for r in rows if r["onnx"] == newest]
    wrong = [f"- {r['case']} on {r['device']}: {r['text']}" for r in rows if group(r) == "wrong"]
    disputed = {reason: set() for reason in DISPUTED.values()}
    for r in rows:
        for pattern, reason in DISPUTED.items():
            if group(r) == "disputed" and re.fullmatch(pattern, r["case"]):
                disputed[reason].add(r["case"])
    adapters = sorted({f"- {r['device']}: {r['adapter']}" for r in rows if r["adapter"]})
    return PAGE.format(
        adapters="\n".join(adapters),
        counts=counts(rows),
        newest=newest,
        operators=operators(last),
        messages=messages(last),
        disputed="\n".join(wrapped(f"- {', '.join(sorted(cases))}: {reason}.") for reason, cases in disputed.items() if cases),
        wrong="\n".join(wrong) or "None.",
    )


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("results", help="JSON lines, one per version, case and device; kept and continued")
    p.add_argument("--convgpu", default=os.path.join(ROOT, "target", "release", "convgpu"))
    p.add_argument("--device", action="append", help="repeatable")
    p.add_argument("--markdown", action="store_true", help="prints the page of the results and runs nothing")
    return p.parse_args()


def main():
    args = arguments()
    if not args.markdown:
        measure(args)
        return
    print(page(read(args.results)), end="")


if __name__ == "__main__":
    main()
