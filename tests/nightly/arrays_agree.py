"""Whole training on different arrays: the same weights, loss, cycles and event log.

  arrays_agree.py --program PROGRAM --out FOLDER --arrays kernel,rtl,lockstep -- ARGUMENT-OF-TRAIN...
"""
import argparse
import filecmp
import os
import shutil
import time

import runs

parser = argparse.ArgumentParser()
for name in ("--program", "--out", "--arrays"):
    parser.add_argument(name, required=True)
parser.add_argument("arguments", nargs="+")
options = parser.parse_args()

runs.empty_folder(options.out)
seen = {}
for array in options.arrays.split(","):
    folder = os.path.join(options.out, array)
    start = time.monotonic()
    runs.run(options.program, "train", *options.arguments, "--array", array, "--quiet", "--out", folder)
    s = runs.summary(folder)
    seen[array] = {key: s[key] for key in ("result", "cycles", "work", "memory", "schedule")}
    print("%-9s %6.1f s  %d cycles, of which the array %d, weights %s" %
          (array, time.monotonic() - start, s["cycles"]["total"], s["cycles"]["array"], s["result"]["weights_sha256"]), flush=True)
first, *others = seen
for other in others:
    if seen[other] != seen[first]:
        runs.fail("%s and %s differ:\n%s\n%s" % (first, other, seen[first], seen[other]))
    logs = [os.path.join(options.out, array, "events.sqlite") for array in (first, other)]
    if not filecmp.cmp(*logs, shallow=False):
        runs.fail("the event logs %s and %s differ" % tuple(logs))
shutil.rmtree(options.out)
