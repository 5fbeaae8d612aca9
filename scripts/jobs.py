#!/usr/bin/env python3
"""Runs six everyday jobs through the command line and prints docs/jobs.md: the calls, and what they answer.

  scripts/jobs.py target/release/convgpu DIR > docs/jobs.md

DIR has squeezenet1.1.onnx, realesr_animevideov3_x4.onnx, pelican.jpeg, chelsea.png and imagenet1000_synset.txt, in itself or in
its models/, images/ and data/ (tests/models/networks.json has their origin). Long answers are shortened, which is marked. It needs
the standard library only.
"""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile

FILES = ["squeezenet1.1.onnx", "realesr_animevideov3_x4.onnx", "pelican.jpeg", "chelsea.png", "imagenet1000_synset.txt"]
LINES = 16

HEAD = """# Six jobs

Everyday jobs, each in one call of the program. `scripts/jobs.py` ran the calls and wrote this page; lines behind `$` are typed,
the others are its answers (stdout and stderr).

## Pixels

A pixel of 0..255 becomes (pixel * scale - mean) / std. `--preprocess` names what well-known networks were trained with; single
options replace parts of it. Without it the scale is 1/255 (1 for an input of integers), unless the file's metadata
`Image.BitmapPixelFormat` and `Image.NominalPixelRange` say otherwise.

| preset | channels | scale | mean | std | resize / cut |
|---|---|---|---|---|---|
| imagenet | RGB | 1/255 | .485 .456 .406 | .229 .224 .225 | short side 256, middle 224 |
| caffe | BGR | 1 | 104 117 123 | 1 | short side 256, middle 224 |
| inception | RGB | 1/255 | .5 | .5 | short side 256, middle 224 |
| clip | RGB | 1/255 | .48145466 .4578275 .40821073 | .26862954 .26130258 .27577711 | short side 224, bicubic, middle 224 |
| raw | RGB | 1 | 0 | 1 | stretched to the input |

If the network has another input size, the cut is that size and the short side grows in proportion. Without a preset, and without
`--resize` and `--crop`, a picture is stretched to the input's shape, which is said; `--fit crop` and `--fit pad` keep its shape.
Pictures are turned as their EXIF orientation says; one channel is the luma of BT.601; samples of 16 bits become value / 257;
transparency is ignored; of a GIF the first picture is read.
"""

JOBS = [
    ("Classify a photo", "", [
        "run squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --labels imagenet1000_synset.txt --top 3",
    ]),
    ("Make a picture larger", "The network takes 96x96; a cut of the photo has that size.", [
        "run realesr_animevideov3_x4.onnx --input chelsea.png --crop 96 --output-image large.png",
    ]),
    ("Find the layer that is wrong", "No kernel is wrong here: a hidden option corrupts one element, to show what would be seen.", [
        "verify squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --fail-at {node} --dump evidence",
    ]),
    ("Compare two devices", "", ["compare squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --device {device} --device cpu"]),
    ("See where the time goes", "", ["bench squeezenet1.1.onnx --profile --iterations 7 --trace trace.json"]),
    ("Let a program read it", "Every command has `--json`. The fields are those of this page's calls and of `--help`; numbers that "
     "JSON lacks are the strings NaN, Infinity and -Infinity; a failure is an object on stdout beside the line on stderr.", [
        "run squeezenet1.1.onnx --input pelican.jpeg --preprocess caffe --labels imagenet1000_synset.txt --top 1 --json",
        "run squeezenet1.1.onnx --json",
    ]),
]


def find(folder, name):
    for place in ["", "models", "images", "data"]:
        path = os.path.join(folder, place, name)
        if os.path.exists(path):
            return path
    sys.exit(f"{name} is not in {folder}")


def answer(program, call, work):
    done = subprocess.run([program, *shlex.split(call)], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = done.stdout.decode().rstrip("\n").split("\n")
    if len(lines) > LINES:
        left = len(lines) - LINES
        lines = lines[: LINES - 4] + [f"[{left} lines]"] + lines[-4:]
    status = f"\n[status {done.returncode}]" if done.returncode else ""
    return "\n".join(lines) + status


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
    device = os.environ.get("CONVGPU_DEVICE", "0")
    with tempfile.TemporaryDirectory() as work:
        for name in FILES:
            shutil.copy(find(folder, name), work)
        text = HEAD
        for title, why, calls in JOBS:
            text += f"\n## {title}\n\n" + (why + "\n\n" if why else "") + "```\n"
            for call in calls:
                call = call.format(device=device, node="fire9/expand3x3")
                text += f"$ convgpu {call}\n{answer(program, call, work)}\n"
            text += "```\n"
    print(text, end="")


if __name__ == "__main__":
    main()
