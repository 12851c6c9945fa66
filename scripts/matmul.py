#!/usr/bin/env python3
"""Multiplies two square matrices in PyTorch until it is stopped, and prints the FLOP it has done since the last line.

    wattmark meter --for 15s --warm-up 20s --work 'flop=sum:/flop ([0-9]+)/' -- scripts/matmul.py --type bf16 --extent 8192

Each line stands for products that have finished. Without a GPU it multiplies on the CPU; without PyTorch it says so and
ends with 3, since there is then nothing to measure.
"""

import argparse
import sys
import time

TYPES = {"bf16": "bfloat16", "f16": "float16", "f32": "float32"}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--type", choices=TYPES, default="bf16")
    options.add_argument("--extent", type=int, default=8192, help="rows and columns of each matrix")
    options.add_argument("--seconds", type=float, default=float("inf"), help="end after this time by itself")
    given = options.parse_args()
    try:
        import torch
    except ImportError as error:
        print(f"matmul.py: no PyTorch here: {error}", file=sys.stderr)
        return 3
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = getattr(torch, TYPES[given.type])
    torch.backends.cuda.matmul.allow_tf32 = False
    a, b = (torch.randn(given.extent, given.extent, device=device).to(kind) for _ in range(2))
    c = torch.empty(given.extent, given.extent, dtype=kind, device=device)

    def done():
        if device.type == "cuda":
            torch.cuda.synchronize()

    torch.mm(a, b, out=c)
    done()
    begun = time.perf_counter()
    torch.mm(a, b, out=c)
    done()
    # About a quarter of a second between two lines: waiting for the last product of a batch then costs nothing.
    batch = max(1, round(0.25 / max(time.perf_counter() - begun, 1e-6)))
    begun = time.perf_counter()
    while time.perf_counter() - begun < given.seconds:
        for _ in range(batch):
            torch.mm(a, b, out=c)
        done()
        print(f"flop {2 * given.extent**3 * batch}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
