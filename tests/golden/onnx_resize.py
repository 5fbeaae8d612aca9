"""Makes `onnx_resize.safetensors` with ONNX Runtime, or checks it: the operators Resize and Upsample over a grid of scales.

usage: python tests/golden/onnx_resize.py [--check]
"""

import itertools
import pathlib

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper

from family import Family, command

PATH = pathlib.Path(__file__).parent / "onnx_resize.safetensors"
SCALES = [0.2, 1 / 3, 0.5, 0.6, 2 / 3, 0.8, 1.1, 4 / 3, 1.7, 2.0, 2.1, 2.5, 3.0]
PLACES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners", "tf_crop_and_resize"]
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
SIZES = [(7, 11), (13, 5), (5, 3)]
ROI = [0.0, 0.0, -0.1, 0.2, 1.0, 1.0, 0.8, 1.15]


def answer(case, x):
    """What ONNX Runtime gives, or None where it has no such kernel."""
    roi = helper.make_tensor("roi", TensorProto.FLOAT, [8], ROI)
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [len(case["scales"])], case["scales"])
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [len(case["sizes"])], case["sizes"])
    if case["opset"] <= 10:
        inputs = ["x", "scales"]
    else:
        crop = case["attributes"]["coordinate_transformation_mode"] == "tf_crop_and_resize"
        roi_name = "roi" if crop or case["opset"] < 13 else ""
        inputs = ["x", roi_name, "", "sizes"] if case["sizes"] else ["x", roi_name, "scales"]
    values = [t for t in (roi, scales, sizes) if t.name in inputs]
    node = helper.make_node(case["op"], inputs, ["y"], **case["attributes"])
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "resize", [value("x", x.shape)], [value("y", None)], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", case["opset"])], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {"x": x})[0]
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
        return None


def cases():
    modes = [dict(mode="nearest", nearest_mode=rounding) for rounding in ROUNDINGS]
    modes += [dict(mode="linear"), dict(mode="cubic", cubic_coeff_a=-0.5), dict(mode="cubic", exclude_outside=1)]
    k = 0
    for place, mode, (s, scale) in itertools.product(PLACES, modes, enumerate(SCALES)):
        k += 1
        h, w = SIZES[k % len(SIZES)]
        scales = [1.0, 1.0, scale, max(SCALES[(5 * s + 3) % len(SCALES)], 1 / w)]
        sizes = [1, 1, max(1, int(h * scales[2])), int(w * scales[3])] if k % 2 else []
        crop = place == "tf_crop_and_resize"
        if crop and (h in sizes[2:3] or w in sizes[3:]):
            continue  # ONNX Runtime shows the whole axis where its size stays; the operator's text shows the region
        attributes = dict(mode, coordinate_transformation_mode=place, **(dict(extrapolation_value=7.5) if crop else {}))
        yield dict(op="Resize", opset=19, scales=[] if sizes else scales, sizes=sizes, attributes=attributes), (h, w)
    for rounding, (s, scale) in itertools.product(ROUNDINGS, enumerate(SCALES)):
        scales = [1.0, 1.0, scale, SCALES[(5 * s + 3) % len(SCALES)]]
        attributes = dict(mode="nearest", nearest_mode=rounding, coordinate_transformation_mode="tf_half_pixel_for_nn")
        yield dict(op="Resize", opset=12, scales=scales, sizes=[], attributes=attributes), (7, 11)
    for (op, opset), mode, (s, scale) in itertools.product(
        [("Resize", 10), ("Upsample", 9)], ["nearest", "linear"], enumerate(SCALES)
    ):
        scales = [1.0, 1.0, scale, SCALES[(5 * s + 3) % len(SCALES)]]
        if op == "Upsample":
            scales = [max(v, 1.0) for v in scales]
        yield dict(op=op, opset=opset, scales=scales, sizes=[], attributes=dict(mode=mode)), (7, 11)
    # Other axes than the last two; one scale for all axes.
    for (mode, rounding), (s, scale) in itertools.product([("nearest", "floor"), ("linear", "")], enumerate(SCALES)):
        attributes = dict(mode=mode, coordinate_transformation_mode="asymmetric")
        if rounding:
            attributes["nearest_mode"] = rounding
        scales = [1.0, scale, SCALES[(5 * s + 3) % len(SCALES)], 1.0]
        yield dict(op="Resize", opset=19, scales=scales, sizes=[], attributes=attributes), (7, 11)
        for policy in ("not_larger", "not_smaller"):
            sizes = [max(1, int(7 * scale)), max(1, int(11 * SCALES[(5 * s + 3) % len(SCALES)]))]
            more = dict(attributes, keep_aspect_ratio_policy=policy, axes=[2, 3])
            yield dict(op="Resize", opset=19, scales=[], sizes=sizes, attributes=more), (7, 11)


def family():
    f = Family("onnx_resize")
    for case, (h, w) in cases():
        along_channels = len(case["scales"]) == 4 and case["scales"][1] != 1.0
        x = f.draw.normal(1, h, w, 2, scale=2.0) if along_channels else f.draw.normal(1, 1, h, w, scale=2.0)
        y = answer(case, x.numpy().astype(np.float32))
        if y is None or y.size == 0:
            continue
        op = case.pop("op")
        f.add(op, dict(case, roi=ROI), dict(x=x), dict(out=torch.from_numpy(y)))
    return f


if __name__ == "__main__":
    command(__doc__, PATH, family, f"ONNX Runtime {onnxruntime.__version__}")
