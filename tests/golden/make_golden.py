#!/usr/bin/python3
"""Makes the golden training vectors of this folder with PyTorch (autograd and torch.optim.SGD).

Usage: make_golden.py [FOLDER]      writes FOLDER/*.golden (default: the folder of this script)

Nothing here knows the device or the host code: gradients come from autograd, updates from torch.optim.
README.md describes the cases, the format and how far two correct implementations may differ.
"""
import pathlib
import sys

import numpy as np
import torch

RATE, MOMENTUM, STEPS = 0.05, 0.9, 3
CASES = {  # name: (widths, batch)
    "tails6": ([12, 20, 33, 17, 24, 9, 5], 37),
    "chain6": ([32] * 7, 64),
    "chain12": ([24] * 13, 40),
}


class StoreBf16(torch.autograd.Function):
    """A value stored as bf16; the gradient passes."""

    @staticmethod
    def forward(ctx, x):
        return x.to(torch.float32).to(torch.bfloat16).to(x.dtype)

    @staticmethod
    def backward(ctx, g):
        return g


class GradientBf16(torch.autograd.Function):
    """A value whose gradient is stored as bf16 on the way back."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g.to(torch.float32).to(torch.bfloat16).to(g.dtype)


def network_pass(weights, biases, x, labels, bf16):
    """Loss, IO_0..IO_L and the pre-activations of layers 1..L, whose gradients are G_1..G_L."""
    outputs, sums = [x], []
    for k, (w, b) in enumerate(zip(weights, biases), 1):
        operand = StoreBf16.apply(w) if bf16 else w
        z = outputs[-1] @ operand + b
        z.retain_grad()
        sums.append(z)
        y = GradientBf16.apply(z) if bf16 else z
        if k < len(weights):
            y = torch.relu(y)
        outputs.append(StoreBf16.apply(y) if bf16 else y)
    return torch.nn.functional.cross_entropy(outputs[-1], labels), outputs, sums


def train(case, seed, bf16, dtype):
    """Tensors of three training steps as {name: (array, stored format)}; products accumulate in `dtype`."""
    widths, batch = CASES[case]
    layers = len(widths) - 1
    rng = np.random.RandomState(seed)
    masters, tensors = [], {}
    for k in range(layers):
        bound = (6 / widths[k]) ** 0.5
        masters.append(rng.uniform(-bound, bound, (widths[k], widths[k + 1])).astype(np.float32))
        masters.append(rng.uniform(-0.1, 0.1, (1, widths[k + 1])).astype(np.float32))
    masters = [torch.nn.Parameter(torch.from_numpy(m)) for m in masters]
    optimizer = torch.optim.SGD(masters, lr=RATE, momentum=MOMENTUM, foreach=False)
    operand = "bf16" if bf16 else "fp32"

    def record(name, value, stored="fp32"):
        tensors[name] = (value.detach().to(torch.float32).numpy().copy(), stored)

    def record_parameters(when):
        for k in range(layers):
            record(f"{when}/W_{k + 1}", masters[2 * k])
            record(f"{when}/b_{k + 1}", masters[2 * k + 1])

    record_parameters("start")
    closest = np.inf  # of any value before ReLU to its kink, relative to the largest
    for step in range(STEPS):
        x = torch.from_numpy(rng.uniform(0, 1, (batch, widths[0])).astype(np.float32))
        if bf16:
            x = x.to(torch.bfloat16)
        labels = torch.from_numpy(rng.randint(0, widths[-1], batch))
        leaves = [m.detach().to(dtype).requires_grad_() for m in masters]
        source = x.to(dtype).requires_grad_()
        loss, outputs, sums = network_pass(leaves[0::2], leaves[1::2], source, labels, bf16)
        loss.backward()
        optimizer.zero_grad()
        for master, leaf in zip(masters, leaves):
            master.grad = leaf.grad.to(torch.float32)
        here = f"step{step}"
        record(f"{here}/inputs", x, operand)
        record(f"{here}/targets", torch.nn.functional.one_hot(labels, widths[-1]), operand)
        record(f"{here}/loss", loss.reshape(1, 1))
        if step == 0:
            record(f"{here}/G_0", GradientBf16.backward(None, source.grad) if bf16 else source.grad, operand)
            for k in range(1, layers + 1):
                record(f"{here}/IO_{k}", outputs[k], operand)
                record(f"{here}/G_{k}", sums[k - 1].grad, operand)
                record(f"{here}/dW_{k}", leaves[2 * k - 2].grad)
                record(f"{here}/db_{k}", leaves[2 * k - 1].grad)
        for z in sums[:-1]:
            closest = min(closest, (z.abs().min() / z.abs().max()).item())
        optimizer.step()
        if step in (0, STEPS - 1):
            record_parameters(f"{here}/after")
    return tensors, closest


def write(path, attributes, tensors):
    header, data = ["retrace-golden 1"], b""
    for name, value in attributes.items():
        header.append(f"attribute {name} {value}")
    for name, (array, stored) in tensors.items():
        if stored == "bf16":
            words = array.view(np.uint32)
            assert not (words & 0xFFFF).any(), name  # stored values are bf16 already
            packed = (words >> 16).astype("<u2").tobytes()
        else:
            packed = array.astype("<f4").tobytes()
        header.append(f"tensor {name} {stored} {array.shape[0]} {array.shape[1]} {len(data)}")
        data += packed
    header.append(f"data {len(data)}")
    path.write_bytes("\n".join(header).encode() + b"\n" + data)


def distance(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-30)


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for index, (case, (widths, batch)) in enumerate(CASES.items()):
        for bf16 in (False, True):
            seed = 1000 + index
            # fp32: what PyTorch computes in fp32. bf16: exact products, sums that round once (float64).
            tensors, closest = train(case, seed, bf16, torch.float64 if bf16 else torch.float32)
            other, _ = train(case, seed, bf16, torch.float32 if bf16 else torch.float64)
            # A value at ReLU's kink would make the sign of a rounding error decide a mask.
            assert bf16 or closest > 1e-6, f"{case}: choose another seed, {closest}"
            name = f"{case}_{'bf16' if bf16 else 'fp32'}"
            attributes = {
                "widths": "-".join(map(str, widths)), "batch": batch, "steps": STEPS, "rate": RATE,
                "momentum": MOMENTUM, "operands": "bf16" if bf16 else "fp32", "torch": torch.__version__,
            }
            write(folder / f"{name}.golden", attributes, tensors)
            worst = {}
            for key, (array, _stored) in tensors.items():
                kind = key.split("_")[0].split("/", 1)[-1]
                worst[kind] = max(worst.get(kind, 0), distance(other[key][0], array))
            print(name, "fp32 sums against float64 sums, worst relative norm:",
                  {k: float(f"{v:.1e}") for k, v in worst.items() if v})


if __name__ == "__main__":
    main()
