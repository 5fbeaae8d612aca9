"""The loop that every Python peer shares.

A peer is a process that reads one JSON object per line, {"layer": {..}, "seconds": S}, and answers each with one line:
{"median_ms", "first_ms", "runs"} or {"error"}. A call includes the upload of the layer's input and the readback of its output.
"""
import json
import statistics
import sys
import time

MIN_RUNS = 3


class Unsupported(Exception):
    """The peer cannot compute this layer."""


def output_shape(layer):
    """[n, co, oh, ow] (the formulas of torch.nn.Conv2d and torch.nn.ConvTranspose2d)."""
    l = layer
    span = l["d"] * (l["k"] - 1) + 1
    if l["op"] == "conv":
        size = [(l[a] + 2 * l["p"] - span) // l["s"] + 1 for a in "hw"]
    else:
        size = [(l[a] - 1) * l["s"] - 2 * l["p"] + span for a in "hw"]
    return [l["n"], l["co"], *size]


def weight_shape(layer):
    """[co, ci / g, k, k] of a convolution, [ci, co / g, k, k] of its transpose."""
    l = layer
    outer, inner = (l["co"], l["ci"]) if l["op"] == "conv" else (l["ci"], l["co"])
    return [outer, inner // l["g"], l["k"], l["k"]]


def repeat(run, seconds):
    """The median of calls that take `seconds` in total, at least MIN_RUNS of them."""
    times = []
    while len(times) < MIN_RUNS or sum(times) < seconds:
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return {"median_ms": statistics.median(times) * 1e3, "runs": len(times)}


def measure(prepare, layer, seconds):
    begin = time.perf_counter()
    run = prepare(layer)
    shape = list(run().shape)
    first = time.perf_counter() - begin
    if shape[-3:] != output_shape(layer)[-3:]:
        return {"error": f"the output has shape {shape}, not {output_shape(layer)}"}
    return {"first_ms": first * 1e3, **repeat(run, seconds)}


def serve(prepare):
    """Answers until stdin ends. prepare(layer) gives a function that computes the layer once."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # output of the engines must not go to stdout
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = measure(prepare, request["layer"], request["seconds"])
        except Unsupported as e:
            answer = {"error": str(e)}
        except Exception as e:  # an engine's failure becomes a row of the table
            answer = {"error": f"{type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"}
        print(json.dumps(answer), file=answers, flush=True)
