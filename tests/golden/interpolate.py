"""The family `interpolate`: scale factors that f32 rounds, in every mode, from odd sizes."""

import torch
import torch.nn.functional as F

from family import Family

FACTORS = [0.2, 1 / 3, 0.5, 0.6, 2 / 3, 0.8, 1.1, 4 / 3, 1.7, 2.0, 2.1, 2.5, 3.0]
MODES = [
    ("nearest", None),
    ("nearest-exact", None),
    ("bilinear", False),
    ("bilinear", True),
    ("bicubic", False),
    ("bicubic", True),
]
# A height of 200 shows the lengths that differ by one.
SIZES = [(7, 11), (13, 5), (9, 1), (200, 3)]


def interpolate():
    f = Family("interpolate")
    for mode, align_corners in MODES:
        for k, factor in enumerate(FACTORS):
            for recompute in (False, True):
                h, w = SIZES[(k + recompute) % len(SIZES)]
                factors = [factor, max(FACTORS[(5 * k + 3) % len(FACTORS)], 1 / w)]
                p = dict(scale_factor=factors, mode=mode, align_corners=align_corners, recompute_scale_factor=recompute)
                x = f.draw.normal(1, 1, h, w, scale=2.0)
                # PyTorch finds the nearest pixel in the precision of the pixels. Copies are exact.
                single = x.to(torch.float32) if mode.startswith("nearest") else x
                f.add("interpolate", p, dict(x=x), dict(out=F.interpolate(single, **p)))
    return f


FAMILIES = [interpolate]
