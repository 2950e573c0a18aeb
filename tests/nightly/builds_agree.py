"""Two builds of the program: the same results, byte for byte.

  builds_agree.py --one PROGRAM --other PROGRAM --examples FOLDER --out FOLDER [--seeds N]

Compared are the event log (SQLite), the summary with the weights' hash, the resolved configuration, coverage, checksums and
cycles of co-simulation cases; left out is only what a run took on this machine (runs.TIMES, JUnit's time attributes).
"""
import argparse
import os
import shutil

import runs

parser = argparse.ArgumentParser()
for name in ("--one", "--other", "--examples", "--out"):
    parser.add_argument(name, required=True)
parser.add_argument("--seeds", type=int, default=40)
options = parser.parse_args()
programs = {"one": options.one, "other": options.other}
demo = os.path.join(options.examples, "digits", "recompute.yaml")
two_steps = ["--set", "training.epochs=null", "--set", "training.steps=2"]

jobs = {
    "cosim": ["cosim", "--seed", "1", "--count", str(options.seeds)],
    "train": ["train", demo, "--set", "training.epochs=null", "--set", "training.steps=6"],
    "train_fp32": ["train", demo, *two_steps, "--set", "training.operands=fp32", "--set", "data.test_rows=100",
                   "--set", "npu.device_dram.regions.activations=1MiB"],
    "train_interval": ["train", demo, *two_steps, "--set", "training.schedule=interval", "--set", "training.interval=2",
                       "--set", "npu.device_dram.regions.activations=2MiB"],
    "train_lockstep": ["train", demo, *two_steps, "--set", "npu.preset=tiny", "--set", "network.layers=[{dense: 40, activation: relu}, {dense: 10}]",
                       "--set", "data.test_rows=100", "--set", "training.batch=64", "--array", "lockstep"],
}
for dtype in ("bf16", "fp32", "int8"):
    jobs["gemm_" + dtype] = ["gemm", "--m", "70", "--k", "130", "--n", "45", "--dtype", dtype, "--array", "stepped"]

runs.empty_folder(options.out)
differences = []
for job, arguments in jobs.items():
    folders = []
    for name, program in programs.items():
        folders.append(os.path.join(options.out, name, job))
        runs.run(program, *arguments, "--quiet", "--out", folders[-1])
    try:
        files, size = runs.expect_same_folders(*folders)
        print("%-16s %4d files, %9d bytes the same" % (job, files, size), flush=True)
    except runs.Difference as difference:
        differences.append("%s: %s" % (job, difference))
        print("%-16s differs" % job, flush=True)

# Up to what the run costs, which depends on the computer.
listings = [runs.run(program, "plan", demo, "--programs", "--no-calibration").split(b"\nWhat a run will cost")[0] for program in programs.values()]
if listings[0] == listings[1] and listings[0]:
    print("%-16s %25d bytes the same" % ("plan", len(listings[0])))
else:
    differences.append("`plan --programs` lists other programs")
if differences:
    runs.fail("\n".join(differences))
shutil.rmtree(options.out)
