#!/usr/bin/env python3
"""Random calls of the command line: options x files x environments, seeded.

  python3 comparison/command_line.py [--calls 20000] [--seed 1] [--jobs 2] [--convgpu target/release/convgpu]

Every call must end within 10 s by itself, with status 0, 1 or 2, without a panic. A failure is one line on stderr that begins
with "convgpu: "; with --json stdout is one JSON object, whatever happens, and its ok, if it has one, says whether the status is 0.
Calls that break a rule are printed, to be run again; exit status 1 if there are any. Needs onnx and numpy.
"""
import argparse
import concurrent.futures
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 10


def save(path, nodes, inputs, outputs, weights=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def value(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def models(folder):
    """Small networks of several kinds, and files that are none."""
    weight = numpy_helper.from_array(np.full((3, 3, 3, 3), 0.1, "f"), "w")
    conv = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    save(folder + "/image.onnx", [conv], [value("x", [1, 3, 12, 9])], [value("y", None)], [weight])
    save(folder + "/open.onnx", [conv], [value("x", ["n", 3, "h", "w"])], [value("y", None)], [weight])
    classes = [helper.make_node("GlobalAveragePool", ["x"], ["p"]), helper.make_node("Flatten", ["p"], ["y"])]
    save(folder + "/classes.onnx", classes, [value("x", ["n", 3, 12, 9])], [value("y", None)])
    cast = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
    save(folder + "/bytes.onnx", [cast], [value("x", [1, 12, 9, 3], TensorProto.UINT8)], [value("y", None)])
    two = [helper.make_node("Add", ["a=1", "b"], ["sum/0"]), helper.make_node("Relu", ["b"], ["sum:0"])]
    save(folder + "/two.onnx", two, [value("a=1", [4]), value("b", [4])], [value("sum/0", None), value("sum:0", None)])
    save(folder + "/log.onnx", [helper.make_node("Log", ["x"], ["y"])], [value("x", [3])], [value("y", None)])
    huge = helper.make_node("ConstantOfShape", ["n"], ["y"])
    save(folder + "/huge.onnx", [huge], [], [value("y", None)], [numpy_helper.from_array(np.array([1 << 40]), "n")])
    loop = helper.make_node("NoSuchOperator", ["x"], ["y"])
    save(folder + "/unsupported.onnx", [loop], [value("x", [3])], [value("y", None)])
    data = open(folder + "/image.onnx", "rb").read()
    open(folder + "/cut.onnx", "wb").write(data[: len(data) // 2])
    noise = bytearray(data)
    for k in range(0, len(noise), 37):
        noise[k] ^= 0x55
    open(folder + "/noise.onnx", "wb").write(noise)
    open(folder + "/empty.onnx", "wb").close()


def inputs(folder):
    """Arrays and pictures that fit some network, and files that fit none."""
    random_numbers = np.random.RandomState(0)
    arrays = {
        "image": random_numbers.rand(1, 3, 12, 9).astype("f"),
        "batch": random_numbers.rand(4, 3, 12, 9).astype("f"),
        "bytes": random_numbers.randint(0, 256, (1, 12, 9, 3)).astype("u1"),
        "four": random_numbers.rand(4).astype("f"),
        "three": np.array([1, -1, np.nan], "f"),
        "doubles": random_numbers.rand(1, 3, 12, 9),
        "none": np.zeros((0, 3), "f"),
        "scalar": np.array(1.0, "f"),
        "complex": np.zeros(4, "c8"),
        "text": np.array(["a", "b"]),
    }
    for name, array in arrays.items():
        np.save(f"{folder}/{name}.npy", array)
    np.savez(folder + "/four.npz", **{"a=1": arrays["four"], "b": arrays["four"]})
    np.savez_compressed(folder + "/image.npz", x=arrays["image"])
    open(folder + "/image.pb", "wb").write(numpy_helper.from_array(arrays["image"], "x").SerializeToString())
    header = b"\x93NUMPY\x01\x00" + (200).to_bytes(2, "little") + b"{" * 200
    open(folder + "/deep.npy", "wb").write(header)
    rows = b"".join(bytes((7 * x + 11 * y) % 256 for x in range(27)) for y in range(12))
    open(folder + "/picture.ppm", "wb").write(b"P6 9 12 255\n" + rows)
    open(folder + "/wide.ppm", "wb").write(b"P6 18 6 255\n" + rows)
    open(folder + "/cut.ppm", "wb").write(b"P6 9 12 255\n" + rows[:100])
    open(folder + "/labels.txt", "w").write("one\ntwo\nthree\n")
    os.mkdir(folder + "/folder")
    shutil.copy(folder + "/image.pb", folder + "/folder/input_0.pb")


OPTIONS = [
    ["--scale", "1"], ["--scale", "nan"], ["--scale", "1e39"], ["--scale", "-3"], ["--scale", "1/128"], ["--scale", "1/0"],
    ["--interpolation", "bicubic"], ["--interpolation", "nearest"], ["--mean", "1,2,3"], ["--mean", "1,2"],
    ["--mean", "inf"], ["--std", "0"], ["--std", "2"], ["--bgr"], ["--resize", "8"], ["--resize", "0"], ["--crop", "4"],
    ["--crop", "9x12"], ["--fit", "crop"], ["--fit", "pad", "--fill", "300"], ["--fit", "pad", "--fill", "7"],
    ["--preprocess", "imagenet"], ["--preprocess", "clip"], ["--preprocess", "nope"], ["--precision", "f16"],
    ["--precision", "f8"], ["--tuned"], ["--json"], ["--json"], ["--json"],
]
OF_RUN = [
    ["--top", "3"], ["--top", "-1"], ["--top", "0"], ["--labels", "labels.txt"], ["--labels", "image.npy"],
    ["--labels", "missing"], ["--output-dir", "out"], ["--output-dir", "image.npy"], ["--output-dir", "/proc/no"],
    ["--output-image", "out.png"], ["--output-image", "y=out.jpg"], ["--output-image", "no/out.png"],
    ["--output-image", "out.txt"], ["--output-image", "/dev/full"], ["--output-scale", "nan"], ["--output-scale", "9"],
    ["--output", "y"], ["--output", "nobody"], ["--save-input", "out"], ["--save-input", "out/x.npy"], ["--save-input", "-"],
    ["--save-input", "/dev/full"], ["--save-input", "no/x.npy"],
]
OF_OTHERS = [
    ["--batch", "2"], ["--batch", "0"], ["--batch", "-1"], ["--shape", "x=1x3x8x8"], ["--shape", "x=0"], ["--shape", "q=1"],
    ["--shape", "x=99999999999x3x8x8"], ["--seed", "9"], ["--range", "0..9"], ["--range", "9..0"], ["--range", "x"],
]
OF_COMMANDS = {
    "run": OF_RUN,
    "verify": OF_OTHERS + [["--from", "nobody"], ["--dump", "out"], ["--dump", "image.npy/x"], ["--expect", "out"],
                           ["--expect", "image.npz"], ["--no-fuse"], ["--allow-nonfinite"], ["--fail-at", "Conv_0"]],
    "inspect": OF_OTHERS + [["--nodes"], ["--shader", "unary"], ["--shader", "nope"]],
    "bench": OF_OTHERS + [["--seconds", "0"], ["--seconds", "-1"], ["--seconds", "nan"], ["--profile", "--seconds", "0"],
                          ["--trace", "out/t.json", "--seconds", "0"], ["--trace", "/dev/full", "--seconds", "0"]],
    "compare": OF_OTHERS + [["--seconds", "0"]],
    "devices": [],
    "ops": [["--markdown"]],
}
INPUTS = ["image.npy", "batch.npy", "bytes.npy", "four.npy", "three.npy", "doubles.npy", "none.npy", "scalar.npy",
          "complex.npy", "text.npy", "four.npz", "image.npz", "image.pb", "deep.npy", "picture.ppm", "wide.ppm", "cut.ppm",
          "folder", "missing.npy", "/dev/null", "labels.txt", "x=image.npy", "a=1=four.npy", "b=four.npy", "q=image.npy", "="]
MODELS = ["image.onnx", "open.onnx", "classes.onnx", "bytes.onnx", "two.onnx", "log.onnx", "huge.onnx", "unsupported.onnx",
          "cut.onnx", "noise.onnx", "empty.onnx", "missing.onnx", "folder", "/dev/null", "image.npy"]
# The first are the ones that fit something.
FITTING = [("image.onnx", "image.npy"), ("image.onnx", "picture.ppm"), ("image.onnx", "wide.ppm"), ("open.onnx", "image.npy"),
           ("classes.onnx", "batch.npy"), ("bytes.onnx", "picture.ppm"), ("bytes.onnx", "bytes.npy"), ("two.onnx", "four.npz"),
           ("log.onnx", "three.npy"), ("image.onnx", "folder"), ("open.onnx", "image.pb")]
DEVICES = ["cpu"] * 12 + ["0", "auto", "99", "nobody", "vulkan", "metal", "", "cpu@gl"]
ENVIRONMENTS = [{}] * 12 + [
    {"WGPU_BACKEND": "vulcan"}, {"WGPU_ADAPTER_NAME": "nobody"}, {"WGPU_BACKEND": ""}, {"CONVGPU_DEVICE": "nobody"},
    {"XDG_CACHE_HOME": "/proc"}, {"HOME": "", "XDG_CACHE_HOME": ""}, {"RUST_BACKTRACE": "full"}, {"CONVGPU_LIMITS": "default"},
]


def call(rng):
    """The arguments and the environment of one call."""
    command = rng.choices(list(OF_COMMANDS), [8, 4, 3, 2, 1, 1, 1])[0]
    args = [command]
    if command not in ("devices", "ops"):
        model, given = rng.choice(FITTING) if rng.random() < 0.7 else (rng.choice(MODELS), rng.choice(INPUTS))
        args.append(model)
        if rng.random() < 0.85:
            args += ["--input", given]
        if rng.random() < 0.15:
            args += ["--input", rng.choice(INPUTS)]
        for option in rng.sample(OPTIONS + 2 * OF_COMMANDS[command], rng.choice([0, 1, 1, 2, 3])):
            if command != "compare" or option[0] != "--tuned":
                args += option
        args += ["--device", rng.choice(DEVICES)]
        if command == "compare" and rng.random() < 0.9:
            args += ["--device", "cpu"]
        if command in ("bench", "compare") and "--seconds" not in args:
            args += ["--seconds", "0"]
    elif rng.random() < 0.5:
        args.append("--json")
    if rng.random() < 0.03:
        args.insert(rng.randrange(len(args) + 1), rng.choice(["--nope", "-", "", "\x07", "\u202e", "a" * 5000]))
    return args, rng.choice(ENVIRONMENTS)


def broken(args, done):
    """The rule that a finished call broke, if any."""
    err = done.stderr.decode("utf8", "replace")
    # Mesa's drivers say so if they have no place for their cache.
    lines = [line for line in err.splitlines() if line.strip() and not line.endswith("---disabling.")]
    if done.returncode not in (0, 1, 2):
        return f"status {done.returncode}"
    if "panicked" in err or "internal error" in err or "stack backtrace" in err:
        return "a panic"
    if done.returncode and (len(lines) != 1 or not lines[0].startswith("convgpu: ")):
        return f"{len(lines)} lines on stderr"
    if any(len(line) > 400 for line in lines):
        return "a line of more than 400 characters"
    if "--json" in args and b"--json" not in done.stderr:
        try:
            said = json.loads(done.stdout, parse_constant=lambda c: 1 / 0)
        except (ValueError, ZeroDivisionError) as e:
            return f"no JSON on stdout ({e})"
        if said.get("ok", done.returncode == 0) != (done.returncode == 0):
            return f"ok is {said['ok']}, the status {done.returncode}"
    return None


def one(program, folder, seed):
    args, extra = call(random.Random(seed))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WGPU_", "CONVGPU_"))}
    environment.update({"XDG_CACHE_HOME": folder + "/cache", "XDG_RUNTIME_DIR": folder, **extra})
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for name in os.listdir(folder):
            if name not in ("cache", os.path.basename(scratch)) and not name.startswith("tmp"):
                os.symlink(f"{folder}/{name}", f"{scratch}/{name}")
        try:
            done = subprocess.run([program, *args], cwd=scratch, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return seed, args, extra, f"over {LIMIT} s", b""
        return seed, args, extra, broken(args, done), (done.returncode, done.stderr)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--calls", type=int, default=20_000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--convgpu", default=os.path.join(ROOT, "target", "release", "convgpu"))
    args = p.parse_args()
    program = os.path.abspath(args.convgpu)
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        models(folder)
        inputs(folder)
        seeds = range(args.seed * 1_000_000, args.seed * 1_000_000 + args.calls)
        statuses, bad = {}, 0
        for k, (seed, call_args, extra, rule, end) in enumerate(pool.map(lambda s: one(program, folder, s), seeds)):
            if end:
                statuses[end[0]] = statuses.get(end[0], 0) + 1
            if rule:
                bad += 1
                text = " ".join([f"{k}={shlex.quote(v)}" for k, v in extra.items()] + ["convgpu", shlex.join(call_args)])
                print(f"{seed}: {rule}: {text[:600]}\n    {end[1][-300:] if end else ''}", flush=True)
            if sys.stderr.isatty():
                print(f"\r{k + 1}/{args.calls}", end="", file=sys.stderr)
    print(f"{args.calls} calls: {bad} broke a rule; by status {dict(sorted(statuses.items()))}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
