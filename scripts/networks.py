#!/usr/bin/env python3
"""Checks the networks of tests/models/networks.json and prints the README's table of them.

  scripts/networks.py target/release/convgpu                       the networks that are in the repository
  scripts/networks.py target/release/convgpu DIR ...               also those of other folders

For each network it looks for the file, and for the golden input and output, in tests/models and in every DIR (in the folder
itself, in its models/ and in its golden/). It compares the file's SHA-256 with networks.json. Then it runs `convgpu inspect`
and `convgpu verify` on the golden input, and `convgpu run` to compare the answer with the golden output: of an element e the
answer may differ by 1e-3 |e| + 1e-4 of the output's largest |e|. Without a golden input it takes random numbers and says so.

The exit status is 1 if a file or a result is wrong, or if there is no network. It needs the standard library only.
"""
import argparse
import array
import ast
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile

MODELS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "models")
HEADING = [
    "network",
    "nodes",
    "dispatches",
    "activations, bytes",
    "over the lower bound",
    "worst error / bound of a node",
    "end to end, of the tolerance",
]
MAGIC = b"\x93NUMPY"


class Wrong(Exception):
    """What is wrong with a network."""


def read_npy(path):
    """The shape and the elements of a file of little-endian f32 in row-major order."""
    with open(path, "rb") as f:
        data = f.read()
    try:
        if data[:6] != MAGIC:
            raise ValueError("it is not an .npy file")
        size = 2 if data[6] == 1 else 4
        start = 8 + size + int.from_bytes(data[8 : 8 + size], "little")
        header = ast.literal_eval(data[8 + size : start].decode("latin-1").strip())
        if header["descr"] != "<f4" or header["fortran_order"]:
            raise ValueError(f"{header['descr']} is not f32 in row-major order")
        values = array.array("f", data[start:])
        if len(values) != math.prod(header["shape"]):
            raise ValueError(f"{len(values)} elements are not {header['shape']}")
    except (ValueError, SyntaxError, KeyError, IndexError) as e:
        raise Wrong(f"{os.path.basename(path)}: {e}") from None
    if sys.byteorder == "big":
        values.byteswap()
    return list(header["shape"]), values


def write_npy(path, shape, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    if sys.byteorder == "big":
        values.byteswap()
    with open(path, "wb") as f:
        f.write(MAGIC + b"\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + values.tobytes())


def distance(actual, expected, tolerance):
    """The largest difference over its tolerance, and its position; a NaN or infinity on one side counts as infinite."""
    floor = tolerance["of_largest"] * max((abs(e) for e in expected if math.isfinite(e)), default=0.0)
    worst, at = 0.0, 0
    for i, (a, e) in enumerate(zip(actual, expected)):
        if a == e or (math.isnan(a) and math.isnan(e)):
            continue
        allowed = tolerance["relative"] * abs(e) + floor
        error = abs(a - e) / allowed if math.isfinite(a) and math.isfinite(e) and allowed else math.inf
        if error > worst:
            worst, at = error, i
    return worst, at


class Search:
    """Finds files: in the first folder that has one of the names."""

    def __init__(self, folders):
        below = [os.path.join(f, part) for f in folders for part in ("", "models", "golden")]
        self.folders = [f for f in below if os.path.isdir(f)]

    def find(self, *names):
        paths = (os.path.join(folder, name) for folder in self.folders for name in names)
        return next((p for p in paths if os.path.isfile(p)), None)

    def model(self, network):
        """An unchanged file may also have its original name."""
        origin = network["origin"]
        names = [network["file"]] + ([] if "conversion" in origin else [os.path.basename(origin["path"])])
        return self.find(*names)


class Convgpu:
    def __init__(self, binary, device):
        self.binary, self.device = binary, device

    def __call__(self, command, model, inputs, *options):
        """The JSON object that a command prints; raises Wrong if the command fails."""
        given = [part for name, path in inputs for part in ("--input", f"{name}={path}")]
        line = [self.binary, command, model, "--json", "--device", self.device, *given, *options]
        done = subprocess.run(line, capture_output=True, text=True)
        if done.returncode:
            said = [text for text in done.stderr.splitlines() if text.strip()]
            raise Wrong(f"convgpu {command}: {said[-1].strip() if said else f'status {done.returncode}'}")
        return json.loads(done.stdout)


def check_file(path, network):
    with open(path, "rb") as f:
        found = hashlib.sha256(f.read()).hexdigest()
    if found != network["sha256"]:
        raise Wrong(f"{path} has the sha256 {found[:16]}.., not {network['sha256'][:16]}..")


def inputs_of(case, search, folder):
    """(name, file) for every input of a case, and whether all are golden."""
    found = [(i["name"], search.find(i["file"])) for i in case["inputs"]]
    if all(path for _, path in found):
        return found, True
    invented = []
    for i in case["inputs"]:
        path, numbers = os.path.join(folder, i["file"]), random.Random(0)
        write_npy(path, i["shape"], array.array("f", (numbers.random() for _ in range(math.prod(i["shape"])))))
        invented.append((i["name"], path))
    return invented, False


def check_answer(convgpu, model, inputs, case, search, folder, tolerance):
    """The largest difference from the golden output, over the tolerance; None without a golden output."""
    golden = {o["name"]: search.find(o["file"]) for o in case["outputs"]}
    if not all(golden.values()):
        return None
    report = convgpu("run", model, inputs, "--output-dir", os.path.join(folder, case["case"]))
    files = {o["name"]: o["file"] for o in report["outputs"]}
    if files.keys() != golden.keys():
        raise Wrong(f"{case['case']}: the outputs are {', '.join(files)}, not {', '.join(golden)}")
    worst = 0.0
    for name, path in golden.items():
        (shape, actual), (expected_shape, expected) = read_npy(files[name]), read_npy(path)
        if shape != expected_shape:
            raise Wrong(f"{case['case']}: {name} has the shape {shape}, not {expected_shape}")
        error, at = distance(actual, expected, tolerance)
        if error > 1:
            values = f"element {at} is {actual[at]:.7g}, the golden output has {expected[at]:.7g}"
            raise Wrong(f"{case['case']}: {name} is off by {error:.2g} times the tolerance: {values}")
        worst = max(worst, error)
    return worst


def worst_of(entries):
    """The largest ratio; JSON has null for numbers that are not finite."""
    return max((math.inf if e["worst"] is None else e["worst"] for e in entries), default=0.0)


def check(convgpu, network, model, search, tolerance):
    """The row of a network, the device, and notes on its golden files."""
    check_file(model, network)
    notes, row, device = [], None, None
    with tempfile.TemporaryDirectory() as folder:
        for case in network["golden"]:
            name = f"{network['name']}.{case['case']}"
            inputs, golden = inputs_of(case, search, folder)
            if row is None:
                plan = convgpu("inspect", model, inputs)["plan"]
                if plan is None:
                    raise Wrong("there is no plan for this device; take another --device")
                report = convgpu("verify", model, inputs)
                if not report["ok"]:
                    raise Wrong("convgpu verify: not ok")
                device = report["device"]
                row = [
                    network["name"],
                    str(len(plan["nodes"])),
                    str(plan["dispatches"]),
                    str(plan["peak_bytes"]),
                    f"{plan['peak_bytes'] / max(plan['lower_bound_bytes'], 1):.2f}",
                    f"{worst_of(report['nodes']):.2f}",
                    f"{worst_of(report['outputs']):.1e}",
                ]
                if not golden:
                    notes.append(f"no golden input: {name}; the row is of random numbers in 0..1")
            if golden:
                error = check_answer(convgpu, model, inputs, case, search, folder, tolerance)
                said = "no golden output" if error is None else "agrees with the golden output"
                notes.append(f"{said}: {name}" + ("" if error is None else f" ({error:.1e} of the tolerance)"))
    return row, device, notes


def markdown(rows):
    lines = [HEADING, *rows]
    body = ["| " + " | ".join(line) + " |" for line in lines]
    body.insert(1, "|---" * len(HEADING) + "|")
    return "\n".join(["<!-- networks -->", *body, "<!-- /networks -->"])


def aligned(rows):
    lines = [HEADING, *rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    cells = ([w.ljust(n) if k == 0 else w.rjust(n) for k, (w, n) in enumerate(zip(l, widths))] for l in lines)
    return "\n".join("  ".join(line).rstrip() for line in cells)


def origin(network):
    o = network["origin"]
    version = o.get("commit", o.get("version", ""))[:12]
    return " ".join(part for part in (o["project"], version, o["path"]) if part) + (
        ", converted" if "conversion" in o else ""
    )


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("convgpu", help="the program, such as target/release/convgpu")
    p.add_argument("folders", metavar="DIR", nargs="*", help="where networks and golden files are, besides tests/models")
    p.add_argument("--device", default="auto", help="convgpu's --device")
    p.add_argument("--markdown", action="store_true", help="prints the table for the README")
    args = p.parse_intermixed_args()  # folders may follow an option
    if missing := [f for f in args.folders if not os.path.isdir(f)]:
        p.error(f"{missing[0]} is not a folder")
    if not os.path.isfile(args.convgpu):
        p.error(f"{args.convgpu} is not there: cargo build --release")
    return args


def main():
    args = arguments()
    with open(os.path.join(MODELS, "networks.json"), encoding="utf-8") as f:
        table = json.load(f)
    search, convgpu = Search([MODELS, *args.folders]), Convgpu(os.path.abspath(args.convgpu), args.device)
    rows, notes, wrong, missing, device = [], [], [], [], None
    for network in table["networks"]:
        model = search.model(network)
        if model is None:
            file = f"{network['file']}, sha256 {network['sha256'][:16]}"
            missing.append(f"not run: {network['name']} ({file}, from {origin(network)})")
            continue
        print(f"{network['name']} ..", file=sys.stderr)
        try:
            row, device, said = check(convgpu, network, model, search, table["tolerance"])
            rows.append(row)
            notes += said
        except Wrong as e:
            wrong.append(f"wrong: {network['name']}: {e}")
    print((markdown if args.markdown else aligned)(rows))
    print("\n".join(["", *([f"on {device}"] if device else []), *notes, *missing, *wrong]))
    print(f"{len(rows)} right, {len(wrong)} wrong, {len(missing)} not run")
    sys.exit(1 if wrong or not rows else 0)


if __name__ == "__main__":
    main()
