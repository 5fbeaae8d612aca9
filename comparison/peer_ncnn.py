#!/usr/bin/env python3
"""ncnn as a peer, in f32: peer_ncnn.py vulkan|cpu. The Vulkan adapter is the loader's first."""
import os
import sys
import tempfile

import ncnn
import numpy as np

import worker

vulkan = sys.argv[1] == "vulkan"
if vulkan and ncnn.get_gpu_count() == 0:
    sys.exit("ncnn finds no Vulkan adapter")


def prepare(layer):
    l = layer
    if l["n"] != 1:
        raise worker.Unsupported("no batches")
    kind = {"conv": "Convolution", "conv_transpose": "Deconvolution"}[l["op"]] + ("DepthWise" if l["g"] > 1 else "")
    weights = int(np.prod(worker.weight_shape(l)))
    params = f"0={l['co']} 1={l['k']} 2={l['d']} 3={l['s']} 4={l['p']} 5=0 6={weights}"
    if l["g"] > 1:
        params += f" 7={l['g']}"
    net = ncnn.Net()
    net.opt.use_vulkan_compute = vulkan
    net.opt.num_threads = os.cpu_count()
    for option in ["use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"]:
        setattr(net.opt, option, False)
    with tempfile.TemporaryDirectory() as directory:
        param, model = os.path.join(directory, "layer.param"), os.path.join(directory, "layer.bin")
        with open(param, "w") as f:
            f.write(f"7767517\n2 2\nInput in 0 1 in\n{kind} layer 1 1 in out {params}\n")
        with open(model, "wb") as f:
            f.write(bytes(4))  # the tag of f32 weights
            f.write((np.random.randn(weights) * 0.1).astype(np.float32).tobytes())
        if net.load_param(param) or net.load_model(model):
            raise RuntimeError("ncnn refuses the layer")
    # A Mat on NumPy's memory has no padding between channels, which the Vulkan upload expects. A copy has it.
    image = ncnn.Mat(np.random.rand(l["ci"], l["h"], l["w"]).astype(np.float32)).clone()

    def run():
        extractor = net.create_extractor()
        extractor.input("in", image)
        status, out = extractor.extract("out")
        if status:
            raise RuntimeError(f"ncnn returns {status}")
        return np.array(out)

    return run


worker.serve(prepare)
