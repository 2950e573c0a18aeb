"""Products of every tail shape of an array: lockstep, and the same summary from the kernel.

  gemm_tails.py --program PROGRAM --out FOLDER --size 16 --depth 1
"""
import argparse
import itertools
import os
import shutil

import runs

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--size", type=int, default=16)
parser.add_argument("--depth", type=int, default=1)
options = parser.parse_args()
n = options.size
runs.empty_folder(options.out)
folders = [os.path.join(options.out, array) for array in ("kernel", "lockstep")]

# A row, a tile less and more by one, two tiles and a bit; K and N likewise, where rows are masked and columns empty.
rows, sides = (1, 2, n - 1, n, n + 1, 2 * n + 3), (1, n // 2 - 1, n - 1, n, n + 1, 2 * n + 1)
products = cycles = 0
for m, k, columns, dtype in itertools.product(rows, sides, sides, ("bf16", "fp32", "int8")):
    arguments = ["gemm", "--m", str(m), "--k", str(k), "--n", str(columns), "--dtype", dtype, "--preset", "tiny", "--quiet",
                 "--seed", str(products + 1)]
    for key, value in (("rows", n), ("columns", n), ("fma_depth", options.depth)):
        arguments += ["--set", "npu.array.%s=%d" % (key, value)]
    results = []
    # The program holds each product against its scalar reference and fails if it differs.
    for folder in folders:
        runs.run(options.program, *arguments, "--array", os.path.basename(folder), "--out", folder)
        s = runs.summary(folder)
        for key in runs.TIMES:
            del s["run"][key]
        results.append(s)
    if results[0] != results[1]:
        runs.fail("%s:\nkernel   %s\nlockstep %s" % (" ".join(arguments), *results))
    products += 1
    cycles += results[0]["cycles"]["total"]
print("%d products, %d cycles: the same on both arrays, and as the scalar reference" % (products, cycles))
shutil.rmtree(options.out)
