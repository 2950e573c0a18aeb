"""Adds cycles.by_phase, cycles.engines and cycles.over_time to a summary: account_sample.py SUMMARY_JSON. Made-up numbers whose sums are
right, for pages of runs whose summary has none."""
import json
import sys


def split(total, weights):
    """Whole numbers in the proportion of the weights that add up to the total."""
    whole, given, done, sum_ = sum(weights), [], 0, 0
    for w in weights:
        sum_ += w
        upto = total * sum_ // whole if whole else 0
        given.append(upto - done)
        done = upto
    if whole == 0 and given:
        given[0] = total
    return given


def add_account(summary, intervals=256):
    cycles = summary["cycles"]
    total, stalls = cycles["total"], cycles["stalls"]
    phases = {"forward": 22, "loss": 1, "recompute": 42, "backward": 31, "transfer": 3, "none": 1}
    parts = {reason: split(count, list(phases.values())) for reason, count in stalls.items()}
    cycles["by_phase"] = {}
    for i, phase in enumerate(phases):
        its = {reason: parts[reason][i] for reason in stalls}
        cycles["by_phase"][phase] = {"total": sum(its.values()), "stalls": its}
    busy = {"pe": 80, "activation": 14, "vector": 4, "dma0": 40, "dma1": 22, "dma2": 20, "dma3": 3}
    cycles["engines"] = {}
    for engine, share in busy.items():
        b = total * share // 100
        w = (total - b) // 2
        cycles["engines"][engine] = {"busy": b, "waiting": {"dma0": w // 2, "vector": w - w // 2}, "idle": total - b - w}
    interval = max(1, -(-total // intervals))
    count = -(-total // interval)
    sizes = [interval] * (count - 1) + [total - interval * (count - 1)]
    over = cycles["over_time"] = {"first": 41385, "interval": interval, "count": count, "engines": {}, "stalls": {}}
    for n, (engine, share) in enumerate(busy.items()):
        over["engines"][engine] = [size * share * (80 + (i * (7 + n)) % 40) // 12000 for i, size in enumerate(sizes)]
    for reason in stalls:
        over["stalls"][reason] = [0] * count
    weights = [max(v, 0) for v in stalls.values()]
    for i, size in enumerate(sizes):
        turned = [w * (100 + (i * (3 + n)) % 50) // 100 for n, w in enumerate(weights)]
        for reason, value in zip(stalls, split(size, turned)):
            over["stalls"][reason][i] = value


def main():
    with open(sys.argv[1]) as file:
        summary = json.load(file)
    add_account(summary)
    with open(sys.argv[1], "w") as file:
        json.dump(summary, file, indent=2)


if __name__ == "__main__":
    main()
