#!/usr/bin/env python3
"""A whole network on a peer: peer_network.py ncnn|ort-cpu. One process is one measurement.

Reads one JSON object, {"model": ONNX file, "ncnn": the converted files without their ending, "inputs": {name: .npy file},
"expected": [.npy file of each output], "seconds"}, and answers {"median_ms", "first_ms", "runs", "version"} or
{"error"}. Outputs that differ from the expected ones by more than WRONG of the largest element are an error. `first_ms`
is the time to load the network and run it once on an open device.

peer_network.py inputs reads {"shapes": {name: [..]}, "folder"} and answers {name: file}, with random numbers in 0..1.
"""
import json
import os
import sys
import time

import numpy as np

import worker

WRONG = 1e-2


def ncnn_network(request):
    import ncnn

    if ncnn.get_gpu_count() == 0:
        raise RuntimeError("ncnn finds no Vulkan adapter")
    ncnn.get_gpu_device(ncnn.get_default_gpu_index())
    net = ncnn.Net()
    net.opt.use_vulkan_compute = True
    net.opt.num_threads = os.cpu_count()
    for option in ["use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"]:
        setattr(net.opt, option, False)
    images = [np.load(file) for file in request["inputs"].values()]
    if any(image.shape[0] != 1 for image in images):
        raise worker.Unsupported("no batches")
    # A Mat on NumPy's memory has no padding between channels, which the Vulkan upload expects. A copy has it.
    images = [ncnn.Mat(np.ascontiguousarray(image[0])).clone() for image in images]

    def load():
        if net.load_param(request["ncnn"] + ".param") or net.load_model(request["ncnn"] + ".bin"):
            raise RuntimeError("ncnn refuses the network")

    def run():
        extractor = net.create_extractor()
        for name, image in zip(net.input_names(), images):
            extractor.input(name, image)
        outputs = [extractor.extract(name) for name in net.output_names()]
        if any(status for status, _ in outputs):
            raise RuntimeError(f"ncnn returns {[status for status, _ in outputs]}")
        return [np.array(mat) for _, mat in outputs]

    return load, run, f"ncnn {ncnn.__version__}"


def ort_network(request):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = os.cpu_count()
    feeds = {name: np.load(file) for name, file in request["inputs"].items()}
    session = None

    def load():
        nonlocal session
        session = onnxruntime.InferenceSession(request["model"], options, providers=["CPUExecutionProvider"])

    return load, lambda: session.run(None, feeds), f"ONNX Runtime {onnxruntime.__version__}"


def difference(outputs, expected):
    """The largest difference of any output, relative to its largest expected element; ncnn has no batch axis."""
    if [o.size for o in outputs] != [e.size for e in expected]:
        return np.inf
    scaled = [np.abs(o.ravel() - e.ravel()).max() / max(np.abs(e).max(), 1e-30) for o, e in zip(outputs, expected)]
    return np.inf if np.isnan(scaled).any() else max(scaled)


def measure(engine, request):
    load, run, version = {"ncnn": ncnn_network, "ort-cpu": ort_network}[engine](request)
    begin = time.perf_counter()
    load()
    outputs = run()
    first = time.perf_counter() - begin
    off = difference(outputs, [np.load(file) for file in request["expected"]])
    if off > WRONG:
        return {"error": f"the result differs from convgpu's by {off:.1e} of the largest element"}
    return {"first_ms": first * 1e3, **worker.repeat(run, request["seconds"]), "version": version}


def invent(request):
    random, files = np.random.default_rng(0), {}
    for k, (name, shape) in enumerate(request["shapes"].items()):
        files[name] = os.path.join(request["folder"], f"input{k}.npy")
        np.save(files[name], random.random(shape, dtype=np.float32))
    return files


def main():
    request = json.load(sys.stdin)
    try:
        answer = invent(request) if sys.argv[1] == "inputs" else measure(sys.argv[1], request)
    except Exception as e:  # an engine's failure becomes a row of the table
        answer = {"error": str(e).splitlines()[0] if str(e) else type(e).__name__}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
