"""Makes the fixtures of tests/suite/zoo.rs with torchvision: `python tests/zoo/make.py` (torch, torchvision, safetensors).

NAME.txt       the state_dict of torchvision's NAME: name, dtype, shape of every entry, in its order.
logits.safetensors   the output of torchvision's NAME, computed in float64, for the weights and the input below.

Element i of entry k is u(k, i), the splitmix64 hash of k * 2^32 + i as a number in [-1, 1), scaled:
    weights of rank 2 and more   u * sqrt(6 / fan_in)    (He: keeps the size of activations)
    running_var                  1 + u / 2
    weights of rank 1 (norms)    1 + u / 2
    biases and running means     u / 4
    integers                     0
The input is entry 1000, as it is. All values are rounded to float32 before float64 computes with them.
"""

import pathlib

import numpy as np
import torch
import torchvision
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
NAMES = ["resnet18", "resnet34", "resnet50", "mobilenet_v2", "vgg11_bn", "squeezenet1_1"]
CLASSES = 7
# Odd sizes, so that ceil_mode and every padding matter.
INPUT, INPUT_ENTRY = (2, 3, 67, 50), 1000


def uniform(entry, shape):
    with np.errstate(over="ignore"):
        z = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(entry << 32)
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)).reshape(shape)


def element_values(entry, name, tensor):
    shape = tuple(tensor.shape)
    if tensor.dtype == torch.int64:
        return np.zeros(shape, np.int64)
    u = uniform(entry, shape)
    if len(shape) >= 2:
        return u * np.float32(np.sqrt(6 / np.prod(shape[1:])))
    if name.endswith("running_var") or name.endswith("weight"):
        return 1 + u * np.float32(0.5)
    return u * np.float32(0.25)


def logits(name):
    model = getattr(torchvision.models, name)(num_classes=CLASSES)
    state = model.state_dict()
    values = {n: torch.from_numpy(np.asarray(element_values(k, n, t))) for k, (n, t) in enumerate(state.items())}
    model.load_state_dict(values)
    model = model.double().eval()
    saturated = []
    for m in model.modules():
        if isinstance(m, torch.nn.ReLU6):
            m.register_forward_hook(lambda _, __, y: saturated.append((y == 6).double().mean().item()))
    with torch.no_grad():
        y = model(torch.from_numpy(uniform(INPUT_ENTRY, INPUT)).double())
    print(name, y.numpy(), f"ReLU6 saturates {max(saturated):.0%} at most" if saturated else "")
    return y.numpy()


for name in NAMES:
    state = getattr(torchvision.models, name)().state_dict()
    dtypes = {torch.float32: "f32", torch.int64: "i64"}
    lines = [f"{n} {dtypes[t.dtype]}{list(t.shape)}\n" for n, t in state.items()]
    (HERE / f"{name}.txt").write_text("".join(lines))
save_file({name: logits(name) for name in NAMES}, HERE / "logits.safetensors")
