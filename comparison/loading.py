#!/usr/bin/env python3
"""convgpu and ONNX Runtime on large models: the time and the memory of loading one and running it once, as a table.

  python3 comparison/loading.py                  models of 100 MB, 500 MB and 1.6 GB, three rounds
  python3 comparison/loading.py --pairs 1 5      other sizes: pairs of a MatMul and a Conv of 50 MB each

Needs numpy, onnx and onnxruntime. The models have seeded random weights in an external file; they are written into a scratch
folder and deleted at the end. The images and rows that they read are small, so that loading is what takes time. In each round
the engines take turns, each in a new process, the files being in the page cache. A number is the median over the rounds: for
convgpu of the whole process `convgpu run`; for ONNX Runtime (CPU provider) the seconds of InferenceSession and one run, without
the start of Python, and the peak memory of the process, Python included. Memory is the largest resident set. On a software
adapter it includes that of the device. Answers that differ by more than 1e-3 of the largest element are reported.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WIDTH = 3536  # a matrix of 50 MB
CHANNELS = 1179  # 3 x 3 filters of 50 MB
WIDEST = 1e-3


def make(folder, pairs):
    """Writes a model of this many pairs and its inputs; the bytes of its weights."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper

    random = np.random.default_rng(0)
    nodes, weights, offset = [], [], 0
    with open(os.path.join(folder, "weights.bin"), "wb") as file:
        for k in range(pairs):
            shapes = {f"m{k}": (WIDTH, WIDTH), f"c{k}": (CHANNELS, CHANNELS, 3, 3)}
            for name, shape in shapes.items():
                terms = shape[0] if len(shape) == 2 else 4 * shape[1]
                values = random.standard_normal(shape, np.float32) * np.float32(terms**-0.5)
                tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
                entries = {"location": "weights.bin", "offset": offset, "length": values.nbytes}
                tensor.external_data.extend(onnx.StringStringEntryProto(key=k, value=str(v)) for k, v in entries.items())
                weights.append(tensor)
                values.tofile(file)
                offset += values.nbytes
            nodes.append(helper.make_node("MatMul", [f"rows{k}", f"m{k}"], [f"rows{k + 1}"]))
            nodes.append(helper.make_node("Conv", [f"image{k}", f"c{k}"], [f"image{k + 1}"], pads=[1] * 4))
    shapes = {"rows": (1, WIDTH), "image": (1, CHANNELS, 2, 2)}
    info = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name.strip("0123456789")])
    graph = helper.make_graph(
        nodes, "loading", [info("rows0"), info("image0")], [info(f"rows{pairs}"), info(f"image{pairs}")], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    for name, shape in shapes.items():
        np.save(os.path.join(folder, f"{name}.npy"), random.standard_normal(shape, np.float32))
    return offset


def run_ort(folder):
    """In a process of its own: prints the seconds and keeps the answers."""
    import numpy as np
    import onnxruntime

    inputs = {f"{name}0": np.load(os.path.join(folder, f"{name}.npy")) for name in ("rows", "image")}
    start = time.monotonic()
    session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), providers=["CPUExecutionProvider"])
    outputs = session.run(None, inputs)
    print(json.dumps({"seconds": time.monotonic() - start}))
    for output, value in zip(session.get_outputs(), outputs):
        np.save(os.path.join(folder, f"ort_{output.name}.npy"), value)


def measure(command, folder):
    """What a process prints, its seconds, and its largest resident set in bytes."""
    with open(os.path.join(folder, "printed"), "w+") as file:
        start = time.monotonic()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, text=True)
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        if status:
            sys.exit(f"{command[0]} failed: {errors.strip()[-300:]}")
        file.seek(0)
        return file.read(), seconds, usage.ru_maxrss * 1024


def once(engine, args, folder):
    """Seconds and bytes."""
    if engine == "ONNX Runtime":
        printed, _, peak = measure([sys.executable, __file__, "--run-ort", folder], folder)
        return json.loads(printed)["seconds"], peak
    inputs = [f"--input=rows0={folder}/rows.npy", f"--input=image0={folder}/image.npy"]
    line = [args.convgpu, "run", f"{folder}/model.onnx", *inputs, f"--output-dir={folder}/out", "--device", args.device]
    _, seconds, peak = measure(line, folder)
    return seconds, peak


def difference(folder, pairs):
    """The largest distance of an answer from ONNX Runtime's, over the largest element."""
    import numpy as np

    worst = 0.0
    for name in (f"rows{pairs}", f"image{pairs}"):
        expected = np.load(os.path.join(folder, f"ort_{name}.npy"))
        actual = np.load(os.path.join(folder, "out", f"{name}.npy"))
        worst = max(worst, float(np.abs(actual - expected).max() / np.abs(expected).max()))
    return worst


def row(pairs, args):
    with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
        # A process of its own, so that its memory is free before the engines run.
        made, _, _ = measure([sys.executable, __file__, "--make", folder, str(pairs)], folder)
        found = {"convgpu": [], "ONNX Runtime": []}
        for _ in range(args.rounds):
            for engine, samples in found.items():
                samples.append(once(engine, args, folder))
        worst = difference(folder, pairs)
        if not worst <= WIDEST:
            print(f"the answers differ by {worst:.1e} of the largest element", file=sys.stderr)
    (ours, our_peak), (theirs, their_peak) = ([statistics.median(v) for v in zip(*found[engine])] for engine in found)
    cells = [f"{int(made) / 1e6:.0f} MB", f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}"]
    cells += [f"{our_peak / 1e6:.0f}", f"{their_peak / 1e6:.0f}", f"{our_peak / their_peak:.2f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--convgpu", default=os.path.join(ROOT, "target", "release", "convgpu"))
    p.add_argument("--device", default="auto")
    p.add_argument("--pairs", type=int, nargs="+", default=[1, 5, 16])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--scratch", help="where the models are written")
    p.add_argument("--make", nargs=2, help=argparse.SUPPRESS)
    p.add_argument("--run-ort", help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.make:
        print(make(args.make[0], int(args.make[1])))
    elif args.run_ort:
        run_ort(args.run_ort)
    else:
        columns = [f"{engine} {unit}" for unit in ("s", "MB") for engine in ("convgpu", "ONNX Runtime")]
        print("| " + " | ".join(["weights", *columns[:2], "ratio", *columns[2:], "ratio"]) + " |")
        print("|---|" + "---:|" * 6)
        for pairs in args.pairs:
            row(pairs, args)


if __name__ == "__main__":
    main()
