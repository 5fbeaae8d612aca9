#!/usr/bin/env python3
"""Networks quantised by ONNX Runtime's own tools: convgpu against ONNX Runtime without optimisation.

  python3 comparison/quantised.py MODELS RESULTS.jsonl [--device llvmpipe] [--only NAME]    runs what the file lacks
  python3 comparison/quantised.py MODELS RESULTS.jsonl --time [--keep FOLDER] [--rounds N]  adds the times
  python3 comparison/quantised.py MODELS RESULTS.jsonl --markdown                           prints docs/quantised.md

MODELS is a folder of .onnx files. Each is converted to operator set 13 and quantised in four ways, calibrated on random inputs
that are drawn here. Every node that gives quantised values is then run alone by convgpu, fed with what ONNX Runtime has before
it, and compared integer by integer; and the whole network. Needs onnx and onnxruntime. `--time` measures networks before and
after in turns, so that what else the machine does meets both; FOLDER keeps the quantised files, and `--rounds 0` only makes
them.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper, version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORMS = {
    "QDQ, u8": (QuantFormat.QDQ, False, QuantType.QUInt8, QuantType.QInt8),
    "QDQ, i8 per channel": (QuantFormat.QDQ, True, QuantType.QInt8, QuantType.QInt8),
    "QOperator, u8": (QuantFormat.QOperator, False, QuantType.QUInt8, QuantType.QUInt8),
    "QOperator, i8 per channel": (QuantFormat.QOperator, True, QuantType.QInt8, QuantType.QInt8),
}
CALIBRATION = 4
# What is measured: per channel or not, the kernels are the same.
TIMED = ["QDQ, u8", "QOperator, u8"]
SECONDS = 0.2


class Feeds(CalibrationDataReader):
    def __init__(self, feeds):
        self.feeds = iter(feeds)

    def get_next(self):
        return next(self.feeds, None)


def session(model, optimised=False):
    options = ort.SessionOptions()
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def draw(model, rng):
    """Images: smooth, with values in 0..1 (0..255 where the network begins with integers)."""
    feed = {}
    for value in session(model).get_inputs():
        shape = [d if isinstance(d, int) and d > 0 else 1 if k == 0 else 224 for k, d in enumerate(value.shape)]
        coarse = rng.random([*shape[:2], *[-(-d // 8) for d in shape[2:]]], dtype=np.float32)
        for axis in range(2, len(shape)):
            coarse = coarse.repeat(8, axis).take(range(shape[axis]), axis)
        feed[value.name] = np.ascontiguousarray(0.8 * coarse + 0.2 * rng.random(shape, dtype=np.float32))
    return feed


def with_initialisers(model):
    """Constant nodes as initialisers: ONNX Runtime's quantiser finds weights and biases only there."""
    constants = [n for n in model.graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]
    for node in constants:
        tensor = node.attribute[0].t
        tensor.name = node.output[0]
        model.graph.initializer.append(tensor)
        model.graph.node.remove(node)


def quantised(path, form, folder, rng):
    model = onnx.load(path)
    with_initialisers(model)
    # A file may name the default domain twice.
    versions = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    if next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx")) < 13:
        model = version_converter.convert_version(model, 13)
        model.ir_version = max(model.ir_version, 8)
    source, target = os.path.join(folder, "float.onnx"), os.path.join(folder, "quantised.onnx")
    onnx.save(model, source)
    feeds = [draw(model, rng) for _ in range(CALIBRATION)]
    kind, per_channel, activations, weights = FORMS[form]
    quantize_static(source, target, Feeds(feeds), quant_format=kind, per_channel=per_channel, activation_type=activations,
                    weight_type=weights)
    return model, onnx.load(target), feeds[0]


def everything(model, feed):
    """Every value of a network as ONNX Runtime computes it."""
    all_ = onnx.ModelProto()
    all_.CopyFrom(model)
    known = {o.name for o in all_.graph.output}
    made = [name for node in all_.graph.node for name in node.output if name]
    all_.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made if name not in known)
    names = [o.name for o in all_.graph.output]
    return {**feed, **dict(zip(names, session(all_).run(names, feed)))}


def parts(model):
    """Nodes that give integers, each with what is between it and the integers before it."""
    graph = model.graph
    constants = {t.name: t for t in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    integers = {node.output[0] for node in graph.node
                if node.op_type.startswith(("QLinear", "QuantizeLinear")) or node.op_type == "QGemm"}

    def needed(name, nodes, inputs, first):
        if not name or name in constants:
            return
        if name not in makers or (not first and name in integers):
            inputs.add(name)
            return
        node = makers[name]
        if node in nodes:
            return
        for before in node.input:
            needed(before, nodes, inputs, False)
        nodes.append(node)

    for name in sorted(integers):
        nodes, inputs = [], set()
        needed(name, nodes, inputs, True)
        used = {n for node in nodes for n in node.input}
        yield name, nodes, sorted(inputs), [constants[n] for n in sorted(used & constants.keys())]


def single(model, nodes, inputs, constants, output, values):
    def info(name):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape)
    graph = helper.make_graph(nodes, "part", [info(name) for name in inputs], [info(output)], constants)
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def convgpu(args, model, feed, outputs, folder):
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    call = [args.convgpu, "run", path, "--output-dir", os.path.join(folder, "out"), "--json", "--device", args.device]
    for k, (name, array) in enumerate(feed.items()):
        file = os.path.join(folder, f"in{k}.npy")
        np.save(file, array)
        call += ["--input", f"{name}={file}"]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}")
    read = lambda name: np.load(os.path.join(folder, "out", name.replace("/", "_").replace(":", "_") + ".npy"))
    return [read(name) for name in outputs]


def compare_nodes(args, model, values, folder):
    """Of all integers of all nodes: how many are equal, one step away, and farther; and the nodes with the fewest equal."""
    equal = off = far = 0
    worst, count, failed = (1.0, ""), 0, []
    for name, nodes, inputs, constants in parts(model):
        one = single(model, nodes, inputs, constants, name, values)
        try:
            [got] = convgpu(args, one, {n: values[n] for n in inputs}, [name], folder)
        except RuntimeError as e:
            failed.append(f"{name}: {e}")
            continue
        difference = np.abs(got.astype(np.int64) - values[name].astype(np.int64))
        share = float((difference == 0).mean())
        worst = min(worst, (share, name))
        equal += int((difference == 0).sum())
        off += int((difference == 1).sum())
        far += int((difference > 1).sum())
        count += 1
        if sys.stderr.isatty():
            print(f"\r{count} nodes ", end="", file=sys.stderr)
    return dict(nodes=count, equal=equal, one_step=off, farther=far, worst=worst, failed=failed)


def distance(a, b):
    """The largest difference over the largest element."""
    return max(float(np.abs(x.astype(np.float64) - y).max() / max(np.abs(y).max(), 1e-30)) for x, y in zip(a, b))


def run(args, path, form):
    name = os.path.splitext(os.path.basename(path))[0]
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        plain, model, feed = quantised(path, form, folder, rng)
        values = everything(model, feed)
        outputs = [o.name for o in model.graph.output]
        right = [values[name] for name in outputs]
        result = dict(name=name, form=form, device=args.device, onnxruntime=ort.__version__)
        result.update(compare_nodes(args, model, values, folder))
        result["optimised"] = distance(session(model, True).run(outputs, feed), right)
        result["float"] = distance(session(plain).run(None, feed), right)
        try:
            result["end"] = distance(convgpu(args, model, feed, outputs, folder), right)
        except RuntimeError as e:
            result["failed"].append(f"the network: {e}")
        return result


def kept(args, path, folder):
    """The network in operator set 13 and its quantised forms, as files."""
    files = {}
    for form in TIMED:
        stem = os.path.join(folder, os.path.splitext(os.path.basename(path))[0])
        files[form] = f"{stem}-{form.replace(', ', '-')}.onnx"
        files["f32"] = f"{stem}-f32.onnx"
        if os.path.exists(files[form]):
            continue
        try:
            with tempfile.TemporaryDirectory() as scratch:
                plain, model, _ = quantised(path, form, scratch, np.random.default_rng(1))
        except Exception as e:  # the quantiser's own failures
            print(f"{path}, {form}: {type(e).__name__}: {e}", file=sys.stderr)
            del files[form]
            continue
        onnx.save(plain, files["f32"])
        onnx.save(model, files[form])
    return files


def median_time(args, path):
    """The median time of a run in milliseconds, as `convgpu bench` measures it."""
    call = [args.convgpu, "bench", path, "--device", args.device, "--seconds", str(SECONDS), "--json"]
    for value in session(onnx.load(path)).get_inputs():
        if any(not isinstance(d, int) or d < 1 for d in value.shape):
            shape = [d if isinstance(d, int) and d > 0 else 1 if k == 0 else 224 for k, d in enumerate(value.shape)]
            call += ["--shape", f"{value.name}={'x'.join(map(str, shape))}"]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout.strip() or done.stderr.strip())
    return json.loads(done.stdout)["median_ms"]


def time_network(args, path, folder):
    """Rounds of the network and its quantised forms in turns: the medians, and those of the ratios of a round."""
    files = kept(args, path, folder)
    if args.rounds == 0 or len(files) < 2:
        return None
    rounds = [{form: median_time(args, file) for form, file in files.items()} for _ in range(args.rounds)]
    middle = lambda values: float(np.median(list(values)))
    return dict(
        name=os.path.splitext(os.path.basename(path))[0],
        timed=args.device,
        rounds=args.rounds,
        ms={form: middle(r[form] for r in rounds) for form in files},
        ratio={form: middle(r[form] / r["f32"] for r in rounds) for form in files if form != "f32"},
    )


HEAD = """\
# Quantised networks

Networks quantised by ONNX Runtime's own tools (`quantize_static`, version {version}, calibrated on {calibration} random images), on
{device}. `comparison/quantised.py` makes the results and this page.

Each node that gives integers runs alone, fed with ONNX Runtime's integers (optimisations off), and is compared integer by
integer: *equal*, or one step away, where a sum lies so near the middle of two steps that rounding decides; *worst* is the node
with the fewest equal. *End to end* is the largest difference of the outputs, over the largest output: of convgpu; of ONNX
Runtime with all optimisations; and of the network before it was quantised. Constant nodes are made initialisers first, where the
quantiser looks for weights and biases.

| network | form | nodes | equal | one step | farther | worst node | convgpu | ONNX Runtime optimised | not quantised |
|---|---|---|---|---|---|---|---|---|---|"""


TIME = """
## Time

The median time of a run in milliseconds on {device}, and the ratio to the network before it was quantised: the median of
{rounds} rounds, in each of which all three were measured one after another ({seconds} s each). `comparison/quantised.py --time`.
A quantised network is computed in f32 here, and rounds to steps besides, so it is no faster: what it saves is the size of its
file.

| network | f32 | {forms} | {ratios} |
|---|{line}"""


def times(results):
    if not results:
        return
    first = results[0]
    print(TIME.format(device=first["timed"], rounds=first["rounds"], seconds=SECONDS, forms=" | ".join(TIMED),
                      ratios=" | ".join(f"{form}: ratio" for form in TIMED), line="---|" * (1 + 2 * len(TIMED))))
    number = lambda of, form, digits: f"{of[form]:.{digits}f}" if form in of else "-"
    for r in sorted(results, key=lambda r: r["name"]):
        cells = [number(r["ms"], form, 1) for form in ["f32", *TIMED]] + [number(r["ratio"], form, 2) for form in TIMED]
        print(f"| {r['name']} | {' | '.join(cells)} |")


def markdown(results):
    times_of = [r for r in results if "timed" in r]
    results = [r for r in results if "timed" not in r]
    first = results[0]
    print(HEAD.format(version=first["onnxruntime"], device=first["device"], calibration=CALIBRATION))
    number = lambda x: "failed" if x is None else f"{x:.2g}"
    for r in sorted(results, key=lambda r: (r["name"], list(FORMS).index(r["form"]))):
        total = max(r["equal"] + r["one_step"] + r["farther"], 1)
        print(f"| {r['name']} | {r['form']} | {r['nodes']} | {100 * r['equal'] / total:.4f} % | {r['one_step']} | {r['farther']} "
              f"| {100 * r['worst'][0]:.2f} % | {number(r.get('end'))} | {number(r['optimised'])} | {number(r['float'])} |")
    times(times_of)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models")
    parser.add_argument("results")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", default="")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--keep", default=tempfile.gettempdir())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--convgpu", default=os.path.join(ROOT, "target/release/convgpu"))
    args = parser.parse_args()
    results = [json.loads(line) for line in open(args.results)] if os.path.exists(args.results) else []
    if args.markdown:
        return markdown(results)
    if args.time:
        timed = {r["name"] for r in results if "timed" in r}
        os.makedirs(args.keep, exist_ok=True)
        for file in sorted(f for f in os.listdir(args.models) if f.endswith(".onnx") and args.only in f):
            if file.removesuffix(".onnx") in timed:
                continue
            result = time_network(args, os.path.join(args.models, file), args.keep)
            if result:
                print(json.dumps(result), flush=True)
                with open(args.results, "a") as f:
                    f.write(json.dumps(result) + "\n")
        return
    done = {(r["name"], r["form"]) for r in results if "form" in r}
    for file in sorted(f for f in os.listdir(args.models) if f.endswith(".onnx") and args.only in f):
        for form in FORMS:
            if (file.removesuffix(".onnx"), form) in done:
                continue
            try:
                result = run(args, os.path.join(args.models, file), form)
            except Exception as e:  # the quantiser's own failures
                print(f"{file}, {form}: {type(e).__name__}: {e}", file=sys.stderr)
                continue
            print(json.dumps(result), flush=True)
            with open(args.results, "a") as f:
                f.write(json.dumps(result) + "\n")


main()
