#!/usr/bin/env python3
"""convgpu, ncnn on Vulkan and ONNX Runtime on whole networks, in the same run: one table of medians and ratios.

  python3 comparison/networks.py MODEL.onnx[=INPUT.npy] ...            peers that the running Python has
  python3 comparison/networks.py --install MODEL.onnx[=INPUT.npy] ...  puts them into target/peers first, uses them from there

pnnx converts the ONNX file for ncnn (f32). INPUT.npy is for the network's first input; inputs without a file are random numbers
in 0..1, the same for all engines. Rounds go through all networks, and in each every engine takes its turn in a new process. A
number is the median over the rounds of an engine's median run in milliseconds, upload and readback included. In brackets is
the first answer, the median over the rounds: loading the network and its first run, the device being open (convgpu has read
and parsed the file before, the peers have not). A peer whose answer differs from convgpu's by more than 1e-2 of the largest
element, or which cannot run the network, is left out with the reason.

VK_ICD_FILENAMES chooses the adapter for every engine. For first answers without Mesa's disk cache set
MESA_SHADER_CACHE_DISABLE=true.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import run
from run import Failed

PEER = os.path.join(run.HERE, "peer_network.py")
LOCATE = """
import importlib.util, os
found = importlib.util.find_spec("pnnx")
print(os.path.join(os.path.dirname(found.origin), "pnnx") if found else "")
"""


def call(command, request=None, **options):
    """What a command prints; the last line of an error is the reason."""
    text = None if request is None else json.dumps(request)
    done = subprocess.run(command, input=text, capture_output=True, text=True, **options)
    if done.returncode:
        lines = [l for l in (done.stderr or done.stdout).splitlines() if l.strip()]
        raise Failed(lines[-1].strip() if lines else f"status {done.returncode}")
    return done.stdout


def answer(command, request):
    """The JSON object on the last line of a peer's output; engines print other lines."""
    found = json.loads(call(command, request).splitlines()[-1])
    if "error" in found:
        raise Failed(found["error"])
    return found


class Convgpu:
    def __init__(self, binary, device):
        if not os.path.exists(binary):
            raise Failed(f"{binary} does not exist: run cargo build --release")
        self.binary, self.device = binary, device

    def command(self, name, network, *options):
        inputs = [part for k, file in network["inputs"].items() for part in ("--input", f"{k}={file}")]
        line = [self.binary, name, network["model"], "--json", "--device", self.device, *inputs, *options]
        return json.loads(call(line))

    def measure(self, network, seconds):
        found = self.command("bench", network, "--seconds", str(seconds))
        times = {"median_ms": found["median_ms"], "first_ms": found["cold_ms"], "runs": found["runs"]}
        return {**times, "version": found["device"]}


class Peer:
    def __init__(self, python, engine):
        self.line, self.engine = [python, PEER, engine], engine

    def measure(self, network, seconds):
        if self.engine == "ncnn" and isinstance(network["ncnn"], Failed):
            raise network["ncnn"]
        fields = {key: network[key] for key in ("model", "inputs", "expected")}
        converted = {"ncnn": network["ncnn"]} if self.engine == "ncnn" else {}
        return answer(self.line, {**fields, **converted, "seconds": seconds})


def converter(python, install):
    """The program pnnx. Its package depends on PyTorch, which only its Python functions need."""
    path = call([python, "-c", LOCATE]).strip()
    if not path and install:
        call([python, "-m", "pip", "install", "--quiet", "--no-deps", "pnnx"])
        path = call([python, "-c", LOCATE]).strip()
    path = path or shutil.which("pnnx")
    if not path:
        raise Failed("pnnx is not installed: pip install --no-deps pnnx")
    return path


def convert(pnnx, model, shapes, folder):
    """The network for ncnn, without the ending of its two files."""
    shutil.copy(model, os.path.join(folder, "network.onnx"))
    described = ",".join("[" + ",".join(map(str, shape)) + "]f32" for shape in shapes)
    call([pnnx, "network.onnx", f"inputshape={described}", "fp16=0"], cwd=folder, timeout=600)
    path = os.path.join(folder, "network.ncnn")
    if not os.path.exists(path + ".bin"):
        raise Failed("pnnx writes no network")
    return path


def prepare(spec, convgpu, python, pnnx, folder):
    """A network with its inputs, convgpu's results and the files for ncnn (or the error)."""
    model, _, given = spec.partition("=")
    name = os.path.splitext(os.path.basename(model))[0]
    folder = os.path.join(folder, name)
    os.makedirs(folder)
    network = {"name": name, "model": os.path.abspath(model), "inputs": {}}
    if given:
        # The first input has no name yet: convgpu takes files in the network's order.
        line = [convgpu.binary, "inspect", model, "--json", "--device", convgpu.device, "--input", given]
        described = json.loads(call(line))["inputs"]
    else:
        described = convgpu.command("inspect", network)["inputs"]
    if unknown := [i["name"] for i in described if i["dtype"] != "f32"]:
        raise Failed(f"{name}: {unknown[0]} is not an f32 input")
    shapes = {i["name"]: i["shape"] for i in described}
    network["inputs"] = answer([python, PEER, "inputs"], {"shapes": shapes, "folder": folder})
    if given:
        network["inputs"][described[0]["name"]] = os.path.abspath(given)
    ran = convgpu.command("run", network, "--output-dir", os.path.join(folder, "expected"))
    network["expected"] = [o["file"] for o in ran["outputs"]]
    try:
        if isinstance(pnnx, Failed):
            raise pnnx
        network["ncnn"] = convert(pnnx, model, shapes.values(), folder)
    except (Failed, OSError, subprocess.TimeoutExpired) as e:
        network["ncnn"] = Failed(f"pnnx: {e}")
    return network


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models", metavar="MODEL.onnx[=INPUT.npy]", nargs="+")
    p.add_argument("--engines", default="convgpu,ncnn,ort-cpu", type=lambda s: s.split(","))
    p.add_argument("--convgpu", default=os.path.join(run.ROOT, "target", "release", "convgpu"))
    p.add_argument("--device", default="auto", help="convgpu's --device")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1.0, help="seconds per engine, network and round")
    p.add_argument("--install", action="store_true", help="installs the peers, which are on PyPI")
    p.add_argument("--json", help="also writes everything measured into this file")
    args = p.parse_intermixed_args()  # networks may follow an option
    known = p.get_default("engines").split(",")
    if unknown := [e for e in args.engines if e not in known]:
        p.error(f"no engine {', '.join(unknown)}; engines: {', '.join(known)}")
    return args


def main():
    args = arguments()
    python = run.python("main", args.install)
    with tempfile.TemporaryDirectory() as folder:
        try:
            convgpu = Convgpu(os.path.abspath(args.convgpu), args.device)
            try:
                pnnx = converter(python, args.install) if "ncnn" in args.engines else None
            except Failed as e:
                pnnx = e
            networks = [prepare(spec, convgpu, python, pnnx, folder) for spec in args.models]
        except Failed as e:
            sys.exit(str(e))
        engines = {e: convgpu if e == "convgpu" else Peer(python, e) for e in args.engines}
        found, failed = run.race(engines, networks, args.rounds, args.seconds)
    versions = {e: next((a["version"] for row in found.values() for a in row[e]), None) for e in engines}
    print("\n".join(f"{e}: {v}" for e, v in versions.items() if v))
    print("Median milliseconds of a run, upload and readback included (first answer of a new process).\n")
    print(run.table(found, failed, list(engines), subject="network", firsts=None))
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"versions": versions, "networks": found}, f, indent=1)


if __name__ == "__main__":
    main()
