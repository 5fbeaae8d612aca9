#!/usr/bin/env python3
"""Networks of torchvision and timm, exported to ONNX with random weights: convgpu against ONNX Runtime.

  python3 comparison/exported.py RESULTS.jsonl --device llvmpipe       runs what the file lacks
  python3 comparison/exported.py RESULTS.jsonl --markdown              prints docs/networks.md

Needs torch, torchvision, timm, onnx, onnxscript and onnxruntime. One network of each family, by both exporters of PyTorch.
The weights are seeded. No branch of a network is dead: scales and biases that an initialisation leaves at one value are drawn,
and batch norms take their statistics from one batch, so that activations stay in range. *Varies* is the change of the output
between two inputs over the largest output: were it small, the agreement would say little.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

from results import read

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

TORCHVISION = """
alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3 maxvit_t mnasnet0_5 mobilenet_v2
mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnext50_32x4d shufflenet_v2_x0_5 squeezenet1_1 swin_t swin_v2_t vgg11
vgg11_bn vit_b_16 wide_resnet50_2 fcn_resnet50 deeplabv3_mobilenet_v3_large lraspp_mobilenet_v3_large
""".split()

TIMM = """
resnet10t resnext26ts regnety_002 efficientnet_b0 tf_efficientnetv2_b0 mobilenetv3_small_050 mobilenetv4_conv_small
mobilenetv4_hybrid_medium convnext_atto convnextv2_atto vit_tiny_patch16_224 deit_tiny_patch16_224 swin_tiny_patch4_window7_224
swinv2_tiny_window8_256 maxvit_pico_rw_256 coatnet_pico_rw_224 mixer_s32_224 resmlp_12_224 poolformer_s12 edgenext_xx_small
fastvit_t8 repvgg_a0 ghostnet_050 hrnet_w18_small dla34 densenet121 dpn48b inception_v4 xception41 nfnet_l0 cspresnet50 darknet17
rexnet_100 selecsls42b tinynet_e mnasnet_small levit_128s cait_xxs24_224 xcit_nano_12_p16_224 pit_ti_224 pvt_v2_b0
twins_svt_small twins_pcpvt_small beit_base_patch16_224 eva02_tiny_patch14_224 volo_d1_224 visformer_tiny crossvit_tiny_240
convit_tiny tnt_s_patch16_224 nest_tiny sequencer2d_s efficientformer_l1 mobilevit_xxs mobilevitv2_050 tiny_vit_5m_224
hiera_tiny_224 repghostnet_050 starnet_s050 inception_next_atto caformer_s18 focalnet_tiny_srf davit_tiny gcvit_xxtiny
resnest14d res2net50_26w_4s skresnet18 ese_vovnet19b_dw hardcorenas_a fbnetc_100 lcnet_035 mobileone_s0 efficientvit_b0
efficientvit_m0 fasternet_t0 mambaout_femto rdnet_tiny swiftformer_xs shvit_s1 repvit_m0_9 halonet26t botnet26t_256
lambda_resnet26t mixnet_s spnasnet_100 gernet_s bat_resnext26ts gmlp_s16_224 gmixer_24_224 hgnetv2_b0 coat_lite_tiny
efficientformerv2_s0 vitamin_small_224 csatv2
""".split()

NETWORKS = [f"torchvision/{n}" for n in TORCHVISION] + [f"timm/{n}" for n in TIMM]
OPSETS = {"torchscript": 17, "dynamo": 18}
AGREES = 1e-3
VERDICTS = ["agree", "differ as PyTorch does", "disagree", "not run", "not exported"]


PAGE = """\
# Networks exported from PyTorch

One network of each family of torchvision and timm, with random weights, exported to ONNX by PyTorch, and run by ONNX Runtime and
convgpu on the same input. `comparison/exported.py` makes the results and this page (`--markdown`); its first
lines say how the weights are drawn. A number is the largest difference of convgpu's outputs from ONNX Runtime's, over the
largest output; *PyTorch* is that of PyTorch in f32. A network agrees if convgpu's is at most {limit:g}. Where it is larger but at
most four times PyTorch's, the network with these weights magnifies rounding. In brackets are the seconds of the whole command,
loading and compilation included, on a shared machine. *Varies* is the change of the output from one random input to another,
over the largest output.

{totals}

{table}

## What did not run or agree

{notes}
"""


def create(name):
    """A network without pretrained weights, and the shape of its input."""
    import timm
    import torchvision

    library, name = name.split("/")
    if library == "timm":
        net = timm.create_model(name)
        return net, (1, *net.default_cfg["input_size"])
    segments = name.startswith(("fcn", "deeplab", "lraspp"))
    net = torchvision.models.get_model(name, weights=None, **({"weights_backbone": None} if segments else {}))
    if name.startswith("vgg"):
        net = net.features  # the three linear layers after them have 494 MB
    if segments:
        net = Out(net)
    return net, (1, 3, 299, 299) if name == "inception_v3" else (1, 3, 224, 224)


def Out(net):
    """A segmentation network that gives the classes of the pixels alone."""
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x)["out"]

    return Wrapped()


def enliven(net, shape):
    """Draws what the initialisation leaves constant, and gives batch norms the statistics of a batch."""
    import torch

    norm = torch.nn.modules.batchnorm._BatchNorm
    others = (torch.nn.LayerNorm, torch.nn.GroupNorm)
    if not any(isinstance(m, (norm, *others)) for m in net.modules()):
        for m in net.modules():
            if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear)):
                torch.nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
    with torch.no_grad():
        for name, p in net.named_parameters():
            if p.numel() < 2 or p.min() != p.max():
                continue
            if p.dim() > 1 and p.min() == 0:
                p.normal_(0, max(p.shape[1:].numel(), 1) ** -0.5)  # a layer, or an embedding, that begins at zero
            elif name.endswith("bias"):
                p.normal_(0, 0.1)
            else:
                p.uniform_(0.5, 1.5).mul_(min(max(abs(p.max().item()), 0.2), 1.0))  # a scale, perhaps tiny
        net.eval()
        norms = [m for m in net.modules() if isinstance(m, norm)]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None
            m.train()
        if norms:
            net(torch.randn(4, *shape[1:]))
    return net.eval()


def export(name, exporter, folder):
    """Writes the network, an input and ONNX Runtime's outputs into the folder; prints a JSON object on the last line."""
    import numpy as np
    import onnx
    import onnxruntime
    import torch

    torch.manual_seed(0)
    net, shape = create(name)
    net = enliven(net, shape)
    x, other = torch.randn(shape), torch.randn(shape)
    with torch.no_grad():
        y, z = net(x), net(other)
    path = os.path.join(folder, "model.onnx")
    options = {"dynamo": exporter == "dynamo", "opset_version": OPSETS[exporter], "input_names": ["x"]}
    torch.onnx.export(net, (x,), path, external_data=False, **options)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    start = time.monotonic()
    outputs = session.run(None, {"x": x.numpy()})
    seconds = time.monotonic() - start
    np.save(os.path.join(folder, "x.npy"), x.numpy())
    for k, output in enumerate(outputs):
        np.save(os.path.join(folder, f"expected_{k}.npy"), output)
    largest = y.abs().max().item()
    graph = onnx.load(path, load_external_data=False).graph
    print()
    print(json.dumps({
        "shape": list(shape),
        "parameters": sum(p.numel() for p in net.parameters()),
        "nodes": len(graph.node),
        "operators": sorted({n.op_type for n in graph.node}),
        "outputs": [o.name for o in graph.output],
        "varies": (y - z).abs().max().item() / largest,
        "torch": float(np.abs(outputs[0] - y.numpy()).max()) / largest,
        "ort_seconds": seconds,
    }))  # fmt: skip


def last_line(done):
    lines = [l.strip() for l in done.stderr.splitlines() if l.strip() and "XDG_RUNTIME_DIR" not in l]
    return lines[-1] if lines else f"status {done.returncode}"


def compare(convgpu, device, folder, names, seconds):
    """How far convgpu's outputs are from ONNX Runtime's, over the largest, or why there are none."""
    import numpy as np

    out = os.path.join(folder, device)
    command = [convgpu, "run", os.path.join(folder, "model.onnx"), "--input", f"x={folder}/x.npy", "--json"]
    start = time.monotonic()
    try:
        done = subprocess.run(
            [*command, "--device", device, "--output-dir", out], capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"no answer in {seconds} seconds"}
    if done.returncode:
        return {"failed": last_line(done).replace(folder + "/", "")}
    took = time.monotonic() - start
    files = {o["name"]: o["file"] for o in json.loads(done.stdout)["outputs"]}
    worst = 0.0
    for k, name in enumerate(names):
        actual, expected = np.load(files[name]), np.load(os.path.join(folder, f"expected_{k}.npy"))
        if actual.shape != expected.shape:
            return {"failed": f"{name} has the shape {actual.shape}, not {expected.shape}"}
        error = np.abs(actual - expected).max() / np.abs(expected).max()
        worst = max(worst, float(error)) if np.isfinite(error) else float("inf")
    return {"error": worst, "seconds": took}


def measure(args):
    done = {(r["network"], r["exporter"]) for r in read(args.results)}
    todo = [(n, e) for e in args.exporter for n in NETWORKS if (n, e) not in done and re.search(args.only, n)]
    for k, (name, exporter) in enumerate(todo):
        print(f"{k + 1}/{len(todo)} {name} {exporter} ..", end=" ", file=sys.stderr, flush=True)
        row = {"network": name, "exporter": exporter}
        with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
            # A process of its own, so that its memory is free before convgpu runs.
            line = [sys.executable, "-W", "ignore", __file__, args.results, "--export", name, exporter, folder]
            try:
                made = subprocess.run(line, capture_output=True, text=True, timeout=args.seconds)
                if made.returncode:
                    row["failed"] = last_line(made)
                else:
                    row |= json.loads(made.stdout.splitlines()[-1])
            except subprocess.TimeoutExpired:
                row["failed"] = f"not exported in {args.seconds} seconds"
            if "failed" not in row:
                row["devices"] = {
                    device: compare(args.convgpu, device, folder, row["outputs"], args.seconds)
                    for device in args.device
                    if device != "cpu" or row["parameters"] < args.cpu_below
                }
            if args.keep and any("failed" in d or d["error"] > AGREES for d in row.get("devices", {}).values()):
                os.makedirs(args.keep, exist_ok=True)
                os.replace(f"{folder}/model.onnx", f"{args.keep}/{name.replace('/', '_')}.{exporter}.onnx")
        with open(args.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(row.get("failed") or row["devices"], file=sys.stderr)


def verdict(row):
    """What came of a network by one exporter."""
    if "failed" in row:
        return "not exported"
    if any("failed" in d for d in row["devices"].values()):
        return "not run"
    worst = max((d["error"] for d in row["devices"].values()), default=0.0)
    if worst <= AGREES:
        return "agree"
    return "differ as PyTorch does" if worst <= 4 * row["torch"] else "disagree"


def cell(row, device):
    """Error and seconds of one device, or why there are none."""
    if row is None or "failed" in row:
        return "-"
    result = row["devices"].get(device)
    if result is None:
        return "-"
    return "not run" if "failed" in result else f"{result['error']:.0e} ({result['seconds']:.1f})"


def page(rows):
    found = {}
    for r in rows:
        found.setdefault(r["network"], {})[r["exporter"]] = r
    used = [e for e in OPSETS if any(r["exporter"] == e for r in rows)]
    devices = sorted({d for r in rows for d in r.get("devices", {})})
    heading = ["network", "parameters", "input", "varies", "PyTorch"]
    heading += [f"{e}: {what}" for e in used for what in ("nodes", *devices)]
    lines = ["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    for name in sorted(found, key=NETWORKS.index):
        by = found[name]
        known = next((r for r in by.values() if "failed" not in r), None)
        cells = [name]
        if known:
            cells += [f"{known['parameters'] / 1e6:.1f} M", "x".join(map(str, known["shape"][1:]))]
            cells += [f"{known['varies']:.2f}", f"{known['torch']:.0e}"]
        else:
            cells += ["-"] * 4
        for exporter in used:
            row = by.get(exporter)
            cells += [str(row.get("nodes", "-")) if row else "-", *(cell(row, d) for d in devices)]
        lines.append("| " + " | ".join(cells) + " |")
    notes, totals = [], []
    for exporter in used:
        verdicts = [verdict(r) for r in rows if r["exporter"] == exporter]
        parts = [f"{verdicts.count(v)} {v}" for v in VERDICTS if v in verdicts]
        totals.append(f"- {exporter} (operator set {OPSETS[exporter]}), {len(verdicts)} networks: {', '.join(parts)}")
    for r in rows:
        if "failed" in r:
            notes.append(f"- {r['network']}, {r['exporter']}: not exported: {r['failed'][:160]}")
            continue
        for device, d in r["devices"].items():
            if "failed" in d:
                notes.append(f"- {r['network']}, {r['exporter']}, {device}: {d['failed'][:160]}")
            elif d["error"] > AGREES:
                notes.append(f"- {r['network']}, {r['exporter']}, {device}: {d['error']:.1e}, PyTorch {r['torch']:.1e}")
    return PAGE.format(limit=AGREES, totals="\n".join(totals), table="\n".join(lines), notes="\n".join(notes) or "None.")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("results", help="JSON lines, one per network and exporter; kept and continued")
    p.add_argument("--convgpu", default=os.path.join(ROOT, "target", "release", "convgpu"))
    p.add_argument("--device", action="append", help="repeatable")
    p.add_argument("--exporter", action="append", choices=OPSETS, help="repeatable; both if it is not given")
    p.add_argument("--only", default="", help="networks whose names match this regular expression")
    p.add_argument("--cpu-below", type=float, default=8e6, help="the reference runs networks with fewer parameters only")
    p.add_argument("--seconds", type=int, default=300, help="limit of an export and of a run")
    p.add_argument("--scratch", help="where files are written; each network's are deleted after its row")
    p.add_argument("--keep", help="keeps the files of networks that do not agree in this folder")
    p.add_argument("--markdown", action="store_true", help="prints the page of the results and runs nothing")
    p.add_argument("--export", nargs=3, help=argparse.SUPPRESS)
    args = p.parse_args()
    args.exporter = args.exporter or list(OPSETS)
    args.device = args.device or ["auto"]
    return args


def main():
    args = arguments()
    if args.export:
        export(*args.export)
    elif args.markdown:
        print(page(read(args.results)), end="")
    else:
        measure(args)


if __name__ == "__main__":
    main()
