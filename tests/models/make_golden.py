#!/usr/bin/env python3
"""Makes the golden files of networks.json anew: inputs from images, outputs by ONNX Runtime.

  pip install numpy pillow onnxruntime
  python tests/models/make_golden.py OUT DIR ...

Each DIR may have networks and images, in itself or in its models/ and images/; tests/models is looked at too. OUT gets the
files of every network and image that is there. Each file is compared with its SHA-256 in networks.json and printed as `equal` or
`other`. With NumPy 2.4, Pillow 13 and ONNX Runtime 1.32.0 all are equal but resnet20's, whose input differs in the last bits
(by 2.4e-7 at the most). Another version or another processor may round differently, too: `scripts/networks.py` compares
answers within a tolerance.

The MNIST digit is image 0 of t10k-images-idx3-ubyte, the CIFAR-10 image is record 0 of test_batch.bin.
"""
import hashlib
import json
import os
import sys

import numpy as np
import onnxruntime
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "networks.json")
RAW = {"MNIST test image 0": "t10k-images-idx3-ubyte", "CIFAR-10 test image 0": "test_batch.bin"}


def find(folders, name):
    paths = (os.path.join(f, part, name) for f in folders for part in ("", "models", "images"))
    return next((p for p in paths if os.path.isfile(p)), None)


def pixels(case, path):
    """The image of a case as [height, width, channels] of 0..255, in the network's channel order."""
    if case["image"] in RAW:
        with open(path, "rb") as f:
            data = np.frombuffer(f.read(), np.uint8)
        if case["pixels"] == "grey":
            return data[16:][: 28 * 28].reshape(28, 28, 1)
        return data[1:][: 3 * 32 * 32].reshape(3, 32, 32).transpose(1, 2, 0)
    image = Image.open(path).convert("YCbCr" if case["pixels"] == "Y" else "RGB")
    width, height = image.size
    if case["resize"]["part"] == "centre square":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    values = np.asarray(image.resize(case["resize"]["size"], Image.BICUBIC))
    return {"RGB": values, "BGR": values[:, :, ::-1], "Y": values[:, :, :1]}[case["pixels"]]


def input_of(case, path):
    divisor, mean, std = (np.array(case[k], np.float32) for k in ("divisor", "mean", "std"))
    values = (pixels(case, path).astype(np.float32) / divisor - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def answers(model, feeds):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))


def save(out, entry, values):
    path = os.path.join(out, entry["file"])
    np.save(path, values)
    with open(path, "rb") as f:
        same = hashlib.sha256(f.read()).hexdigest() == entry["sha256"]
    print(f"{'equal' if same else 'other'}  {entry['file']}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    out, folders = sys.argv[1], [HERE, *sys.argv[2:]]
    os.makedirs(out, exist_ok=True)
    with open(MODELS, encoding="utf-8") as f:
        networks = json.load(f)["networks"]
    for network in networks:
        for case in network["golden"]:
            image = find(folders, RAW.get(case["image"], case["image"]))
            if image is None:
                print(f"no {case['image']} for {network['name']}.{case['case']}")
                continue
            values = input_of(case, image)
            save(out, case["inputs"][0], values)
            model = find(folders, network["file"])
            if model is None:
                print(f"no {network['file']}")
                continue
            found = answers(model, {case["inputs"][0]["name"]: values})
            for entry in case["outputs"]:
                save(out, entry, found[entry["name"]])


if __name__ == "__main__":
    main()
