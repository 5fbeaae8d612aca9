#!/usr/bin/env python3
"""Networks of newer operators: grids, recurrent layers, three axes, attention. Prints docs/newer.md.

  python3 comparison/newer.py [--convgpu PROGRAM] [--device D] [NAME ..]

Each network is exported by PyTorch with random weights and run by ONNX Runtime and by convgpu on the same random input. An OCR
network of the PyPI package ddddocr, which has weights, reads drawn words of the package captcha. Packages: torch, torchvision, timm,
onnx, onnxruntime, onnxscript, ddddocr, opencv-python-headless, captcha, pillow.
"""
import argparse
import contextlib
import io
import os
import subprocess
import tempfile
import warnings

import numpy as np
import onnxruntime
import torch

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IMAGE = (1, 3, 224, 224)
VIDEO = (1, 3, 16, 112, 112)
# What is new in the network, the operator set it is exported with, and its inputs.
NETWORKS = {
    "torchvision/raft_small": ("GridSample", 17, [(1, 3, 128, 160)] * 2),
    "timm/sequencer2d_s": ("LSTM of two directions", 17, [IMAGE]),
    "timm/vit_tiny_patch16_224": ("Attention", 23, [IMAGE]),
    "timm/lambda_resnet26t": ("Conv over three axes", 17, [(1, 3, 256, 256)]),
    "torchvision/r3d_18": ("Conv over three axes", 17, [VIDEO]),
    "torchvision/mc3_18": ("Conv over three axes", 17, [VIDEO]),
    "torchvision/r2plus1d_18": ("Conv over three axes", 17, [VIDEO]),
    "torchvision/s3d": ("Conv and MaxPool over three axes", 17, [(1, 3, 16, 224, 224)]),
}
WORDS = 40
PAGE = """\
# Networks of newer operators

Networks that need grids, recurrent layers, three axes or attention, with random weights, exported to ONNX by PyTorch {torch}, and run
by ONNX Runtime {ort} (CPU) and by convgpu on the same random input. *Difference* is the largest difference of convgpu's outputs
from ONNX Runtime's, over the largest output. Device: {device}. `comparison/newer.py` makes the results and this page.

| network | what is new in it | nodes of the file | difference |
|---|---|---|---|
{rows}
"""
OCR = """
An OCR network with weights: `common.onnx` of the package ddddocr 1.6.1, a convolutional network and an LSTM, reads {words} words of
four letters and digits that the package captcha draws, 160 to 316 pixels wide. All {words} scores are within {worst:.0e} of ONNX
Runtime's, over the largest, and convgpu reads the same text as ONNX Runtime from {same} of {words}.
"""


OLD = """
`common_old.onnx` of the same package has its convolutions and its LSTM quantised dynamically (ConvInteger,
DynamicQuantizeLSTM). Its scores of the {words} words are within {meant:.0e} (as a median {meant_median:.0e}) of what ONNX
Runtime gives if that LSTM is one of floats with the weights for which the integers stand: in some words the rounding of a sum
decides between two steps of a convolution's input. They are within {worst:.0e} (median {median:.0e}) of ONNX Runtime's own,
which rounds x and h of every step to u8 as well. The text is that of ONNX Runtime for {same} of {words}.
"""


class LastFlow(torch.nn.Module):
    def __init__(self, raft):
        super().__init__()
        self.raft = raft

    def forward(self, a, b):
        return self.raft(a, b, num_flow_updates=4)[-1]


def network(name):
    """The network with random weights, whose outputs depend on its input."""
    library, name = name.split("/")
    if library == "timm":
        import timm

        module = timm.create_model(name, pretrained=False)
    else:
        import torchvision.models as models

        module = LastFlow(models.optical_flow.raft_small()) if name == "raft_small" else getattr(models.video, name)()
    for part in module.modules():
        if isinstance(part, torch.nn.modules.batchnorm._BatchNorm):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
        if isinstance(part, torch.nn.Linear) and not part.weight.any():
            torch.nn.init.normal_(part.weight, std=0.05)
    return module.eval()


def exported(name, path):
    """Writes the file and returns its inputs."""
    _, version, shapes = NETWORKS[name]
    torch.manual_seed(0)
    inputs = [torch.randn(shape).clamp(-1, 1) for shape in shapes]
    names = [f"x{k}" for k in range(len(inputs))]
    module = network(name)
    with torch.no_grad(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        if version < 20:
            torch.onnx.export(module, tuple(inputs), path, opset_version=version, dynamo=False, input_names=names)
        else:
            torch.onnx.export(module, tuple(inputs), dynamo=True, opset_version=version, input_names=names).save(path)
    return {n: x.numpy() for n, x in zip(names, inputs)}


def run(args, model, feed, folder):
    """Runs convgpu, which writes its outputs into the folder."""
    call = [args.convgpu, "run", model, "--device", args.device, "--output-dir", folder]
    for k, (name, x) in enumerate(feed.items()):
        path = os.path.join(folder, f"input{k}.npy")
        np.save(path, x)
        call += ["--input", f"{name}={path}"]
    done = subprocess.run(call, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{model}: {done.stderr}")


def compared(args, model, feed, folder):
    """The first output of ONNX Runtime and of convgpu."""
    session = onnxruntime.InferenceSession(model)
    right = session.run(None, feed)[0]
    run(args, model, feed, folder)
    name = session.get_outputs()[0].name.replace("/", "_").replace(":", "_")
    return right, np.load(os.path.join(folder, f"{name}.npy"))


def row(args, name, folder):
    import onnx

    path = os.path.join(folder, "model.onnx")
    feed = exported(name, path)
    right, got = compared(args, path, feed, folder)
    nodes = len(onnx.load(path, load_external_data=False).graph.node)
    difference = np.abs(right - got).max() / np.abs(right).max()
    return f"| {name} | {NETWORKS[name][0]} | {nodes} | {difference:.0e} |"


def text(scores, letters):
    """The letters of the best scores: repeated ones are one, and the first is none."""
    best = scores.reshape(-1, scores.shape[-1]).argmax(1)
    changes = [i for k, i in enumerate(best) if k == 0 or i != best[k - 1]]
    return "".join(letters[i] for i in changes if i > 0)


def distance(right, got):
    return float(np.abs(right - got).max() / np.abs(right).max())


def with_plain_lstm(path, target):
    """Writes the network with an LSTM of floats for each whose weights are quantised."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(path)
    values = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in [n for n in model.graph.node if n.op_type == "DynamicQuantizeLSTM"]:
        inputs = list(node.input)
        for k, scale in ((1, 8), (2, 10)):
            q, s, z = (values[inputs[i]].astype(np.float32) for i in (k, scale, scale + 1))
            s, z = (v.reshape(q.shape[0], 1, -1) for v in (s, z))
            inputs[k] += "_values"
            weight = np.ascontiguousarray(((q - z) * s).transpose(0, 2, 1))
            model.graph.initializer.append(numpy_helper.from_array(weight, inputs[k]))
        plain = helper.make_node("LSTM", inputs[:8], list(node.output), name=node.name)
        plain.attribute.extend(node.attribute)
        at = list(model.graph.node).index(node)
        model.graph.node.remove(node)
        model.graph.node.insert(at, plain)
    onnx.save(model, target)
    return target


def read_words(args, folder, name, letters, plain=False):
    """How many words are read as by ONNX Runtime, and how far the scores are off; those of the network with a plain LSTM, too."""
    import ddddocr.charsets
    from captcha.image import ImageCaptcha

    model = os.path.join(os.path.dirname(ddddocr.charsets.__file__), name)
    letters = getattr(ddddocr.charsets, letters)
    meant = onnxruntime.InferenceSession(with_plain_lstm(model, os.path.join(folder, "plain.onnx"))) if plain else None
    random, same, off, of_meant = np.random.default_rng(3), 0, [], []
    for k in range(WORDS):
        word = "".join(random.choice(list("abcdefghkmnpqrstuvwxyz23456789"), 4))
        image = ImageCaptcha(width=160 + 4 * k, height=64).generate_image(word).convert("L")
        x = (np.asarray(image, np.float32)[None, None] / 255 - 0.5) / 0.5
        right, got = compared(args, model, {"input1": x}, folder)
        off.append(distance(right, got))
        same += text(right, letters) == text(got, letters)
        if meant:
            of_meant.append(distance(meant.run(None, {"input1": x})[0], got))
    medians = dict(median=np.median(off), meant_median=np.median(of_meant or [0.0]))
    return dict(words=WORDS, worst=max(off), same=same, meant=max(of_meant, default=0.0), **medians)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("names", nargs="*", default=[*NETWORKS, "ocr"])
    p.add_argument("--convgpu", default=os.path.join(ROOT, "target", "release", "convgpu"))
    p.add_argument("--device", default="llvmpipe")
    args = p.parse_args()
    onnxruntime.set_default_logger_severity(3)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(args, name, folder) for name in args.names if name in NETWORKS]
        words = ""
        if "ocr" in args.names:
            words += OCR.format(**read_words(args, folder, "common.onnx", "CHARSET_BETA"))
            words += OLD.format(**read_words(args, folder, "common_old.onnx", "CHARSET_OLD", plain=True))
    versions = {"torch": torch.__version__.split("+")[0], "ort": onnxruntime.__version__}
    print(PAGE.format(rows="\n".join(rows), device=args.device, **versions) + words, end="")


if __name__ == "__main__":
    main()
