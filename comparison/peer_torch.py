#!/usr/bin/env python3
"""PyTorch on CUDA as a peer: cuDNN in f32 (TF32 off), its fastest algorithm (cudnn.benchmark)."""
import sys

import torch

import worker

if not torch.cuda.is_available():
    sys.exit("PyTorch finds no CUDA device")
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False
torch.backends.cuda.matmul.allow_tf32 = False


def prepare(layer):
    l = layer
    weight = torch.randn(worker.weight_shape(l), device="cuda") * 0.1
    image = torch.rand(l["n"], l["ci"], l["h"], l["w"])
    options = {"stride": l["s"], "padding": l["p"], "dilation": l["d"], "groups": l["g"]}
    op = {"conv": torch.nn.functional.conv2d, "conv_transpose": torch.nn.functional.conv_transpose2d}[l["op"]]

    @torch.inference_mode()
    def run():
        return op(image.cuda(), weight, **options).cpu()

    return run


worker.serve(prepare)
