#!/usr/bin/env python3
"""Runs everyday jobs through the command line and prints docs/jobs.md: the calls, and what they answer.

  scripts/jobs.py target/release/convgpu DIR > docs/jobs.md

DIR has squeezenet1.1.onnx, realesr_animevideov3_x4.onnx, pelican.jpeg, chelsea.png and imagenet1000_synset.txt, in itself or in
its models/, images/ and data/ (tests/models/networks.json has their origin). Long answers are shortened, which is marked. It needs
the standard library only; one job runs another program, with the Python of the variable JOBS_PYTHON, which has onnx, onnxruntime
and numpy.
"""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

FILES = ["squeezenet1.1.onnx", "realesr_animevideov3_x4.onnx", "pelican.jpeg", "chelsea.png", "imagenet1000_synset.txt"]
LINES = 16
LINES_OF_JSON = 64

HEAD = """# Jobs

Everyday jobs, most of them in one call of the program. `scripts/jobs.py` ran the calls and wrote this page; lines behind `$` are
typed, the others are the answers (stdout and stderr). The exit status is 0 on success, 1 if the check or the run failed, and 2 if
the call or a file is wrong.

## Pixels

A pixel of 0..255 becomes (pixel * scale - mean) / std. `--preprocess` names what well-known networks were trained with; single
options replace parts of it, and take fractions: for (pixel - 127) / 128 give `--scale 1 --mean 127 --std 128`, or `--scale 1/128
--mean 127/128`. Without it the scale is 1/255 (1 for an input of integers), unless the file's metadata
`Image.BitmapPixelFormat` and `Image.NominalPixelRange` say otherwise.

| preset | channels | scale | mean | std | resize / cut |
|---|---|---|---|---|---|
| imagenet | RGB | 1/255 | .485 .456 .406 | .229 .224 .225 | short side 256, middle 224 |
| caffe | BGR | 1 | 104 117 123 | 1 | short side 256, middle 224 |
| inception | RGB | 1/255 | .5 | .5 | short side 256, middle 224 |
| clip | RGB | 1/255 | .48145466 .4578275 .40821073 | .26862954 .26130258 .27577711 | short side 224, bicubic, middle 224 |
| raw | RGB | 1 | 0 | 1 | stretched to the input |

If the network has another input size, the cut is that size and the short side grows in proportion, rounded down. Without a preset,
and without `--resize` and `--crop`, a picture is stretched to the input's shape, which is said; `--fit crop` and `--fit pad` keep
its shape.

`--resize` and `--crop` replace their part of a preset; the other stays.

Resizing gives the bits of Pillow 11, torchvision and timm (Pillow 13 may resize the height first, which moves single pixels by
up to 15). `--interpolation` chooses the filter: `bilinear` (the default), `bicubic` (the default of clip, and what many models
of timm were trained with: see `interpolation` in their configuration), or `nearest`. The first two are antialiased: as wide as
the step between new pixels. `nearest` takes the pixel in which the new one's middle lies. The long side is rounded down. A cut
begins at half of what is left over; if that is half a pixel, at the even pixel beside it. All this is done on the host, with the same
bits for every device. `DeviceTensor::from_texture` of the library resizes on the device, in floats, and does not round as
Pillow does after the rows and after the columns: its pixels are within 1 of these, and within 1.5 of the luma (of 0 to 255).

A file that was exported for one image takes a batch, or another image size, after `--open NAME` (axis 0) or `--open NAME:AXIS`; a
node that does not compute the same with more images is an error that names it.

Pictures are turned as their EXIF orientation says; one channel is the luma of BT.601; samples of 16 bits become value / 257;
transparency is ignored; of a GIF the first picture is read.
"""

VALUES = """import numpy as np, onnx, onnxruntime as ort

model = onnx.load("squeezenet1.1.onnx")
made = [name for node in model.graph.node for name in node.output if name]
model.graph.ClearField("output")
model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
options = ort.SessionOptions()
options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
np.savez("values.npz", **dict(zip(made, session.run(made, {"data": np.load("data.npy")}))))
"""

JOBS = [
    ("Classify a photo", "A file of labels is a text with one label per line, the first for class 0. `--labels` alone prints the "
     "five best classes.", [
        "convgpu run squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --labels imagenet1000_synset.txt --top 3",
    ]),
    ("Make a picture larger", "The network takes 96x96; a cut of the photo has that size.", [
        "convgpu run realesr_animevideov3_x4.onnx --input chelsea.png --crop 96 --output-image large.png",
    ]),
    ("Find the layer where another engine differs", """The other engine gets what the network got (`--save-input`), and writes all values of the
model under their names. For ONNX Runtime `values.py` does so (`pip install onnx onnxruntime`):

```python
""" + VALUES + """```

`--no-fuse` computes every value of the file: without it, those between fused nodes are missing, which is said. A folder of
`NAME.npy` files will do as well; the file of a value `fire5/concat` is `fire5/concat.npy` or `fire5_concat.npy`. The last call shows
a difference: the pixels are scaled in another way, so the first layer gives something else.""", [
        "convgpu run squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --save-input data.npy",
        "python values.py",
        "convgpu verify squeezenet1.1.onnx --input data.npy --expect values.npz --no-fuse",
        "convgpu verify squeezenet1.1.onnx --input pelican.jpeg --preprocess imagenet --expect values.npz --no-fuse",
    ]),
    ("Find the kernel that is wrong", """No kernel is wrong here: a hidden option corrupts one element, to show what would be
seen. Every node runs alone. So a concatenation copies its parts here; in the network its
parts are written into it where they are computed.

A driver may synchronise workgroup memory wrongly. So where the kernels of a wrong node use it, the node is computed without it
as well, and the report says whether that is right: then `--avoid-workgroup-memory` is a way around.""", [
        "convgpu verify squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --fail-at {node} --dump evidence",
    ]),
    ("See whether an adapter computes what it should", """The first call asks a few questions of an adapter, without `--device` of
every one. The second runs cases whose right answers are known through every kernel that the adapter has: of all operators in some
minutes, with `--quick` in one, here of one operator. A wrong case is printed with the call that runs it again, and `--repro DIR`
writes it whole.""", [
        "convgpu devices --check --device {device}",
        "convgpu conformance --op softmax",
    ]),
    ("Compare two devices", "", ["convgpu compare squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --device {device} --device cpu"]),
    ("See where the time goes", "", ["convgpu bench squeezenet1.1.onnx --profile --iterations 7 --trace trace.json"]),
    ("Let a program read it", """Every command has `--json`; docs/json.md lists the fields. Numbers that JSON lacks are the strings NaN,
Infinity and -Infinity; a failure is an object on stdout beside the line on stderr.""", [
        "convgpu run squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --labels imagenet1000_synset.txt --top 1 --json",
        "convgpu run squeezenet1.1.onnx --json",
    ]),
]


def find(folder, name):
    for place in ["", "models", "images", "data"]:
        path = os.path.join(folder, place, name)
        if os.path.exists(path):
            return path
    sys.exit(f"{name} is not in {folder}")


def answer(programs, call, work):
    name, *args = shlex.split(call)
    done = subprocess.run([programs[name], *args], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.decode().rstrip("\n").split("\n")
    most = LINES_OF_JSON if "--json" in args else LINES
    if len(lines) > most:
        lines = lines[: most - 4] + [f"[{len(lines) - most} lines]"] + lines[-4:]
    status = f"\n[status {done.returncode}]" if done.returncode else ""
    return "\n".join(lines) + status


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder = sys.argv[2]
    programs = {"convgpu": os.path.abspath(sys.argv[1]), "python": os.environ.get("JOBS_PYTHON", sys.executable)}
    device = os.environ.get("CONVGPU_DEVICE", "0")
    with tempfile.TemporaryDirectory() as work:
        for name in FILES:
            shutil.copy(find(folder, name), work)
        with open(os.path.join(work, "values.py"), "w", encoding="utf-8") as f:
            f.write(VALUES)
        text = HEAD
        for title, why, calls in JOBS:
            text += f"\n## {title}\n\n" + (why + "\n\n" if why else "") + "```\n"
            for call in calls:
                call = call.format(device=device, node="fire9/expand3x3")
                said = answer(programs, call, work)
                text += f"$ {call}\n" + (f"{said}\n" if said else "")
            text += "```\n"
    print(text, end="")


if __name__ == "__main__":
    main()
