"""Makes `pixels.safetensors` with torchvision and Pillow, or checks it: textures of 8 bits as inputs of networks.

usage: python tests/golden/pixels.py [--check]
"""

import pathlib

import numpy as np
import PIL
import torch
import torchvision
import torchvision.transforms.functional as tv
from PIL import Image

from family import Family, command, rounded

PATH = pathlib.Path(__file__).parent / "pixels.safetensors"
SIZES = [None, [5, 9], [3, 23], [17, 4], [31, 40], [1, 1], [11, 6], [2, 70]]
MEAN, STD = [0.485, 0.456, 0.406, 0.5], [0.229, 0.224, 0.225, 0.25]
LUMA = torch.tensor([19595.0, 38470.0, 7471.0], dtype=torch.float64).reshape(3, 1, 1) / 65536


def cases():
    for k, size in enumerate(SIZES * 3):
        channels = [3, 1, 4][k // len(SIZES)]
        yield dict(size=size, channels=channels, bgr=k % 2 == 1, channels_last=k % 3 == 1, normalize=k % 4 > 1)


def values(x, case):
    """The image of the bytes x [h, w, 4] (red, green, blue, alpha), in float64."""
    image = x.permute(2, 0, 1)
    rgb = image[:3].flip(0) if case["bgr"] and case["channels"] > 1 else image[:3]
    image = {1: (LUMA * rgb).sum(0, keepdim=True), 3: rgb, 4: torch.cat([rgb, image[3:]])}[case["channels"]]
    if case["size"]:
        image = tv.resize(image[None], case["size"], tv.InterpolationMode.BILINEAR, antialias=True)[0]
    image = image * rounded(1 / 255)  # parameters are f32 numbers
    if case["normalize"]:
        mean, std = [[rounded(v) for v in of[: case["channels"]]] for of in (MEAN, STD)]
        image = tv.normalize(image, mean, std)
    return image[None].permute(0, 2, 3, 1) if case["channels_last"] else image[None]


def of_pillow(x, case):
    """The bytes that Pillow gives, [h, w, channels]."""
    bands = Image.fromarray(x.numpy().astype(np.uint8)).split()
    bands = [Image.merge("RGB", bands[:3]).convert("L")] if case["channels"] == 1 else bands[: case["channels"]]
    if case["size"]:
        # Band by band: Pillow would weigh colours by alpha.
        h, w = case["size"]
        bands = [band.resize((w, h), Image.Resampling.BILINEAR) for band in bands]
    return torch.from_numpy(np.stack([np.asarray(band, dtype=np.int32) for band in bands], axis=-1))


def family():
    f = Family("pixels")
    for k, case in enumerate(cases()):
        h, w = [(11, 7), (6, 19), (23, 13)][k % 3]
        x = f.draw.integers(h, w, 4, low=0, high=255)
        f.add("from_pixels", case, dict(x=x.int()), dict(out=values(x, case), pillow=of_pillow(x, case)))
    return f


if __name__ == "__main__":
    command(__doc__, PATH, family, f"torch {torch.__version__}, torchvision {torchvision.__version__}, Pillow {PIL.__version__}")
