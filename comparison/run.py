#!/usr/bin/env python3
"""convgpu and its peers on the same layers, adapter and run: one table of medians and ratios.

  python3 comparison/run.py                    peers that the running Python has
  python3 comparison/run.py --install          puts ncnn and ONNX Runtime into target/peers first and uses them from there

convgpu's binary is target/release/convgpu unless --convgpu says otherwise; burn takes part once it is built
(comparison/burn/Cargo.toml says how). In each round all engines run every layer alternately, so that a drift of the
machine's speed affects all equally. A number is the median over the rounds of an engine's median call in milliseconds,
upload and readback included. An engine that cannot run gives the reason, and is left out of the means.

VK_ICD_FILENAMES chooses the adapter for every engine. For first calls without Mesa's disk cache set
MESA_SHADER_CACHE_DISABLE=true.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
ENVIRONMENTS = os.path.join(ROOT, "target", "peers")
PACKAGES = {
    "main": ["ncnn", "onnxruntime", "onnx", "numpy"],
    "webgpu": ["onnxruntime-webgpu", "onnx", "numpy"],
}


class Failed(Exception):
    """An engine gave no number; the text says why."""


class Worker:
    """A peer with the protocol of worker.py, started once."""

    def __init__(self, command):
        if not os.path.exists(command[0]):
            raise Failed(f"{os.path.relpath(command[0], ROOT)} does not exist")
        self.log = tempfile.TemporaryFile("w+")
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.log, text=True)
        self.receive()

    def receive(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.log.seek(0)
        lines = [l for l in self.log.read().splitlines() if l.strip()]
        raise Failed(lines[-1] if lines else f"ended with status {self.process.returncode}")

    def measure(self, layer, seconds):
        if self.process.poll() is not None:
            raise Failed("the process has ended")
        try:
            self.process.stdin.write(json.dumps({"layer": layer, "seconds": seconds}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive gives the reason
        return self.receive()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Convgpu:
    """The command line, one process per layer."""

    def __init__(self, binary, device):
        if not os.path.exists(binary):
            raise Failed(f"{binary} does not exist: run cargo build --release")
        self.command = [binary, "bench", "--ops", "--chosen", "--json", "--device", device]

    def measure(self, layer, seconds):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"layers": [layer]}, file)
            file.flush()
            command = [*self.command, "--layers", file.name, "--seconds", str(seconds)]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise Failed(lines[-1] if lines else f"status {done.returncode}")
        report = json.loads(done.stdout)
        way = report["cases"][0]["ways"][0]
        self.device = report["device"]
        return {"median_ms": way["call_ms"], "first_ms": way["first_ms"], "kernel_ms": way["median_ms"]}

    def close(self):
        pass


def python(name, install):
    """The interpreter of an environment; the running one for `main` where there is none."""
    path = os.path.join(ENVIRONMENTS, name, "bin", "python")
    if install and not os.path.exists(path):
        print(f"installing {', '.join(PACKAGES[name])}", file=sys.stderr)
        venv.create(os.path.dirname(os.path.dirname(path)), with_pip=True)
        subprocess.run([path, "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True, stdout=sys.stderr)
    if os.path.exists(path):
        return path
    return sys.executable if name == "main" else path


def start(args):
    """The engines that start, and the reasons why the others do not."""
    main, webgpu = python("main", args.install), python("webgpu", args.install and "ort-webgpu" in args.engines)
    script = lambda name: os.path.join(HERE, name)
    burn = os.path.join(HERE, "burn", "target", "release", "peer-burn")
    makers = {
        "convgpu": lambda: Convgpu(args.convgpu, args.device),
        "ncnn": lambda: Worker([main, script("peer_ncnn.py"), "vulkan"]),
        "burn": lambda: Worker([args.burn or burn]),
        "ort-webgpu": lambda: Worker([webgpu, script("peer_ort.py"), "webgpu"]),
        "ort-cpu": lambda: Worker([main, script("peer_ort.py"), "cpu"]),
        "torch": lambda: Worker([main, script("peer_torch.py")]),
    }
    engines, reasons = {}, {}
    for name in args.engines:
        try:
            engines[name] = makers[name]()
        except Failed as e:
            reasons[name] = str(e)
    return engines, reasons


def race(engines, layers, rounds, seconds):
    """{layer: {engine: [answers]}}; an engine that failed on a layer does not run it again."""
    found = {l["name"]: {e: [] for e in engines} for l in layers}
    failed = {}
    for turn in range(rounds):
        for layer in layers:
            print(f"round {turn + 1}/{rounds} {layer['name']}", file=sys.stderr)
            for name, engine in engines.items():
                if (name, layer["name"]) in failed:
                    continue
                try:
                    answer = engine.measure(layer, seconds)
                    if "error" in answer:
                        raise Failed(answer["error"])
                    found[layer["name"]][name].append(answer)
                except Failed as e:
                    failed[name, layer["name"]] = str(e)
    return found, failed


def median(answers, key):
    return statistics.median(a[key] for a in answers) if answers else None


def geometric_mean(values):
    return math.exp(statistics.fmean(map(math.log, values)))


def table(found, failed, engines, subject="layer", firsts=1):
    """Markdown: medians (first calls), and the time of each peer over convgpu's.

    A first call is the median over that many rounds, None being all of them."""
    peers = [e for e in engines if e != "convgpu"]
    gpu_peers = [e for e in peers if e != "ort-cpu"]
    head = [subject, *engines, *(f"{p} / convgpu" for p in peers), "better GPU peer / convgpu"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    ratios = {p: [] for p in peers}
    best = []
    for layer, answers in found.items():
        ms = {e: median(answers[e], "median_ms") for e in engines}
        first = {e: median(answers[e][:firsts], "first_ms") for e in engines}
        cells = [f"{ms[e]:.2f} ({first[e]:.0f})" if ms[e] else "-" for e in engines]
        own = ms.get("convgpu")
        times = {p: ms[p] / own for p in peers if own and ms[p]}
        for p, ratio in times.items():
            ratios[p].append(ratio)
        least = min((times[p] for p in gpu_peers if p in times), default=None)
        if least:
            best.append(least)
        cells += [f"{times[p]:.2f}" if p in times else "-" for p in peers]
        lines.append("| " + " | ".join([layer, *cells, f"{least:.2f}" if least else "-"]) + " |")
    mean = lambda values: f"**{geometric_mean(values):.2f}** of {len(values)}" if values else "-"
    means = [mean(ratios[p]) for p in peers] + [mean(best)]
    lines.append("| " + " | ".join(["geometric mean", *[""] * len(engines), *means]) + " |")
    lines += [""] + [f"- {engine} on {layer}: {reason}" for (engine, layer), reason in failed.items()]
    return "\n".join(lines)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--layers", default=os.path.join(ROOT, "src", "bench", "layers.json"))
    p.add_argument("--only", help="layers whose names contain one of these, separated by commas")
    p.add_argument("--engines", default="convgpu,ncnn,burn,ort-webgpu,ort-cpu,torch", type=lambda s: s.split(","))
    p.add_argument("--convgpu", default=os.path.join(ROOT, "target", "release", "convgpu"))
    p.add_argument("--burn", help="the built peer-burn")
    p.add_argument("--device", default="auto", help="convgpu's --device")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.5, help="seconds per engine, layer and round")
    p.add_argument("--install", action="store_true", help="installs the peers that are on PyPI")
    p.add_argument("--json", help="also writes everything measured into this file")
    args = p.parse_args()
    known = p.get_default("engines").split(",")
    if unknown := [e for e in args.engines if e not in known]:
        p.error(f"no engine {', '.join(unknown)}; engines: {', '.join(known)}")
    return args


def main():
    args = arguments()
    with open(args.layers) as f:
        layers = json.load(f)["layers"]
    if args.only:
        layers = [l for l in layers if any(part in l["name"] for part in args.only.split(","))]
    if not layers:
        sys.exit("no layer matches --only")
    engines, reasons = start(args)
    if not engines:
        sys.exit("no engine starts: " + "; ".join(f"{e}: {r}" for e, r in reasons.items()))
    found, failed = race(engines, layers, args.rounds, args.seconds)
    for engine in engines.values():
        engine.close()
    device = getattr(engines.get("convgpu"), "device", None)
    if device:
        print(f"convgpu on {device}")
    print("Median milliseconds of a call, upload and readback included (first call of the first round).\n")
    print(table(found, failed, list(engines)))
    for engine, reason in reasons.items():
        print(f"- {engine} did not start: {reason}")
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"device": device, "layers": found, "not_started": reasons}, f, indent=1)


if __name__ == "__main__":
    main()
