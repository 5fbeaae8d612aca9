"""Makes `vision.safetensors` with torchvision, or checks it: intersections of boxes, and which boxes stay.

usage: python tests/golden/vision.py [--check]
"""

import pathlib

import torch
import torchvision
from torchvision.ops import batched_nms, box_iou, nms
from torchvision.ops.boxes import _batched_nms_vanilla

from family import Family, command, rounded

PATH = pathlib.Path(__file__).parent / "vision.safetensors"
NAN, INF = float("nan"), float("inf")


def boxes(draw, n, whole=False):
    """Boxes of several sizes that overlap often, some of them the same; `whole` has whole corners."""
    corner = draw.uniform(n, 2, low=0.0, high=40.0)
    size = draw.uniform(n, 2, low=0.5, high=25.0)
    found = torch.cat([corner, corner + size], 1)
    found[1::7] = found[::7][: len(found[1::7])]
    return rounded(torch.round(found) if whole else found)


def scores(draw, n, ties=False):
    return draw.integers(n, low=0, high=6) / 8 if ties else draw.uniform(n, low=0.0, high=1.0)


def kept(indices):
    return dict(out=indices.to(torch.int32))


def single(*tensors):
    """In the precision of convgpu: a comparison with the threshold depends on it."""
    return [t.to(torch.float32) for t in tensors]


def family():
    f = Family("vision")
    for n, m in [(1, 1), (7, 4), (12, 30), (0, 3)]:
        a, b = boxes(f.numbers("box_iou"), n), boxes(f.draw, m)
        f.add("box_iou", {}, dict(a=a, b=b), dict(out=box_iou(*single(a, b)).double()))
    for k, n in enumerate([1, 2, 9, 40, 40, 200, 200, 0]):
        for threshold in (0.0, 0.3, 0.5, 0.75, 1.0):
            draw = f.numbers("nms")
            given = dict(boxes=boxes(draw, n, k % 2 == 1), scores=scores(draw, n, k % 3 == 1))
            f.add("nms", dict(iou_threshold=threshold), given, kept(nms(*single(*given.values()), threshold)))
            draw = f.numbers("batched_nms")
            given = dict(boxes=boxes(draw, n, k % 2 == 1), scores=scores(draw, n))
            classes = draw.integers(n, low=-2, high=3).to(torch.int64)
            # The function for many boxes: that for few moves the classes apart by sums that round.
            out = _batched_nms_vanilla(*single(*given.values()), classes, threshold)
            f.add("batched_nms", dict(iou_threshold=threshold), {**given, "classes": classes.to(torch.int32)}, kept(out))
    # Of whole corners the sums are exact, and both functions agree.
    draw = f.numbers("batched_nms")
    given, classes = dict(boxes=boxes(draw, 60, True), scores=scores(draw, 60)), draw.integers(60, low=0, high=3).to(torch.int64)
    out = batched_nms(*single(*given.values()), classes, 0.5)
    f.add("batched_nms", dict(iou_threshold=0.5), {**given, "classes": classes.to(torch.int32)}, kept(out))
    # No area, corners in the other order, corners and scores that are not finite, scores that are equal.
    odd = [[0, 0, 4, 4], [2, 2, 2, 2], [2, 2, 2, 2], [4, 4, 0, 0], [NAN, 0, 4, 4], [0, 0, NAN, NAN], [0, 0, INF, 4], [0, 0, 4, 4]]
    odd = torch.tensor(odd, dtype=torch.float64)
    f.numbers("nms")
    for values in ([8, 7, 6, 5, 4, 3, 2, 1], [1, 2, 3, 4, 5, 6, 7, 8], [1.0] * 8, [1, NAN, INF, -INF, 2, NAN, 0.5, 3]):
        given = dict(boxes=odd, scores=torch.tensor(values, dtype=torch.float64))
        f.add("nms", dict(iou_threshold=0.25), given, kept(nms(*single(*given.values()), 0.25)))
    # A threshold that f32 does not have, and an intersection over union that is f32's next number.
    near = torch.tensor([[0, 0, 10, 1], [0, 0, 1, 1]], dtype=torch.float64)
    for threshold in (0.1, 0.10000000149011612, 0.1000000015):
        given = dict(boxes=near, scores=torch.tensor([2.0, 1.0], dtype=torch.float64))
        f.add("nms", dict(iou_threshold=threshold), given, kept(nms(*single(*given.values()), threshold)))
    return f


if __name__ == "__main__":
    command(__doc__, PATH, family, f"torch {torch.__version__}, torchvision {torchvision.__version__}")
