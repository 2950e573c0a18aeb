"""Waves of real runs, as a user records them: `retrace train|gemm|cosim --waves`.

  program_test.py RETRACE RETRACE_FAULTY DATA.csv

Independent of the writer: VCD is read here, FST through fst2vcd; what the waves say is held against the event log of the same run.
"""
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

program, faulty, data = map(os.path.abspath, sys.argv[1:])
here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp(prefix="retrace-waves-")
has_fst2vcd = shutil.which("fst2vcd") is not None
failures = 0

CONFIG = """
name: tiny
seed: 1
npu: {{preset: tiny, watchdog_cycles: {watchdog}, device_dram: {{regions: {{activations: 512KiB}}}}}}
network: {{inputs: 64, layers: [{{dense: 32, activation: relu, repeat: 3}}, {{dense: 10}}], loss: softmax_cross_entropy}}
data: {{file: {data}, classes: 10, scale: 0.0625, test_rows: 64}}
training: {{schedule: recompute, steps: {steps}, batch: 64, operands: bf16, optimizer: {{kind: sgd, learning_rate: 0.015}}}}
log: {{steps: [1]}}
"""


def expect(what, holds, seen=""):
    global failures
    if not holds:
        failures += 1
        print(f"FAILED: {what}\n{seen}", flush=True)


def run(*arguments, exe=program, code=0):
    done = subprocess.run([exe, *arguments], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    expect(f"{' '.join(arguments)}: exit {done.returncode}, not {code}", done.returncode == code, done.stdout[-1500:] + done.stderr[-3000:])
    return done


def train(*arguments, config="one.yaml", code=0):
    return run("train", config, "--quiet", *arguments, code=code)


def text_of(name):
    with open(os.path.join(work, name), encoding="utf-8") as stream:
        return stream.read()


def bytes_of(name):
    with open(os.path.join(work, name), "rb") as stream:
        return stream.read()


def size(name):
    path = os.path.join(work, name)
    return os.path.getsize(path) if os.path.exists(path) else 0


class Waves:
    """changes[name]: (cycle, text) in order."""

    def __init__(self, name):
        if name.endswith(".fst"):
            text = subprocess.run(["fst2vcd", "-f", name], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
        else:
            text = text_of(name)
        head, body = text.split("$enddefinitions $end", 1)
        unit = re.search(r"\$timescale\s+(\S+)\s*(\S*)\s*\$end", head)
        assert "".join(unit.groups()) == "1ns", unit[0]  # tiny runs at 1 GHz
        names, scopes, self.changes = {}, [], {}
        for line in head.split("\n"):
            words = line.split()
            if line.startswith("$scope"):
                scopes.append(words[2])
            elif line.startswith("$upscope"):
                scopes.pop()
            elif line.startswith("$var"):
                names[words[3]] = ".".join([*scopes, words[4]])
        now = None
        for line in body.split("\n"):
            if line.startswith("#"):
                now = int(line[1:])
            elif line and line[0] in "01" and now is not None:
                self.changes.setdefault(names[line[1:]], []).append((now, line[0]))
            elif line and line[0] in "brs" and now is not None:
                value, code = line[1:].rsplit(" ", 1)
                value = value.replace("\\040", " ")
                if line[0] == "b":
                    value = value.lstrip("0") or "0"
                elif line[0] == "r":
                    value = float(value)
                self.changes.setdefault(names[code], []).append((now, value))
        self.end = now

    def at(self, name, cycle):
        value = None
        for when, what in self.changes[name]:
            if when > cycle:
                break
            value = what
        return value


def difference(a, b):
    return str([(name, x, y) for name in a for x, y in zip(a[name], b.get(name, [])) if x != y][:3] or [n for n in a if len(a[n]) != len(b[n])][:3])


def write_config(name, steps=1, watchdog=10_000_000):
    with open(os.path.join(work, name), "w", encoding="utf-8") as stream:
        stream.write(CONFIG.format(data=os.path.abspath(data), steps=steps, watchdog=watchdog))


def without_times(folder):
    def without(value):
        return {k: without(v) for k, v in value.items() if "second" not in k} if isinstance(value, dict) else value
    return without(json.loads(text_of(folder + "/summary.json")))


def results_are_unchanged_and_the_log_agrees():
    train("--out", "plain")
    train("--out", "full", "--waves", "full.vcd")
    same = without_times("plain") == without_times("full")
    expect("a run with waves has the same results", same)
    expect("and the same steps", text_of("plain/steps.csv") == text_of("full/steps.csv"))
    full = Waves("full.vcd")
    with sqlite3.connect(os.path.join(work, "full/events.sqlite")) as log:
        rows = log.execute("SELECT taken, engine, sequence, pc, opcode FROM instruction ORDER BY taken").fetchall()
        named = [name for (name,) in log.execute("SELECT name FROM tensor")]
    expect("instructions in the log", len(rows) > 300, str(len(rows)))
    block = {0: "array", 1: "activation", 2: "vector"}
    wrong = []
    for taken, engine, sequence, pc, opcode in rows:
        name = "npu0." + block.get(engine, f"dma{engine - 3}")
        seen = [full.at(f"{name}.{signal}", taken) for signal in ("command", "pc", "opcode", "state")]
        if seen != [f"{sequence:b}", f"{pc:b}", f"{opcode:b}", "11"]:
            wrong.append((taken, name, sequence, pc, opcode, seen))
        label = full.at(name + ".instruction", taken)
        if f"#{sequence}.{pc}" not in label:
            wrong.append((taken, name, label))
    expect("every instruction of the log is in the waves, in its cycle", not wrong, str(wrong[:5]))
    tagged = [what for _, what in full.changes["npu0.array.instruction"] if "tag=" in what]
    expect("texts name tensors", tagged and all(re.search(r"tag=(\w+)", what)[1] in named for what in tagged), str(tagged[:3]))
    expect("a product's text", any(re.match(r"MATMUL #\d+\.\d+ M=\d+ K=\d+ N=\d+ bf16", w) for w in tagged), str(tagged[:3]))
    busy = [v for _, v in full.changes["npu0.array.utilisation"]]
    expect("utilisation is a share", min(busy) == 0 and 0.2 < max(busy) <= 1, str(busy[:9]))
    for name, levels in full.changes.items():
        if re.search(r"\.(queue|chunks|requests|up_queue|down_queue)$", name):
            expect(f"{name} is drained", levels[-1][1] == "0", str(levels[-3:]))
    # Semaphores, banks and the core have moved.
    for pattern in (r"context\d\.semaphore\d+$", r"state_buffer\.bank\d+$", r"psum\.bank\d+$", r"core\.state$", r"core\.pc$", r"link\.up$", r"dram\.access$"):
        expect(f"{pattern} changes", any(len(c) > 4 for n, c in full.changes.items() if re.search(pattern, n)))
    expect("a step's engines fit", size("full.vcd") < 20_000_000, str(size("full.vcd")))
    return full


def a_window_is_a_piece_of_the_whole(full):
    start, stop = 262_000, 270_000
    train("--out", "piece", "--waves", "piece.vcd", "--wave-start", str(start), "--wave-stop", str(stop))
    piece = Waves("piece.vcd")
    expect("signals of the window", piece.changes.keys() == full.changes.keys())
    wrong = [n for n in piece.changes if piece.at(n, start) != full.at(n, start) or
             [c for c in piece.changes[n] if c[0] > start] != [c for c in full.changes[n] if start < c[0] < stop]]
    expect("a window holds what the whole file holds there", not wrong, str(wrong[:5]))
    if has_fst2vcd:
        train("--out", "piece", "--waves", "piece.fst", "--wave-start", str(start), "--wave-stop", str(stop))
        expect("FST and VCD hold the same", Waves("piece.fst").changes == piece.changes, difference(Waves("piece.fst").changes, piece.changes))
        train("--out", "full2", "--waves", "full.fst")
        expect("the engines of a step on tiny are below 20 MB", 10_000 < size("full.fst") < 20_000_000, str(size("full.fst")))
        print(f"engine scope of a training step: {size('full.fst')} bytes as FST")


def registers_are_the_same_in_every_array():
    window = ("--wave-scope", "npu0.array.pe_*", "--wave-start", "260000", "--wave-stop", "270000")
    seen = {}
    for array in ("kernel", "stepped", "rtl", "lockstep"):
        done = subprocess.run([program, "train", "one.yaml", "--quiet", "--out", "pe", "--array", array, "--waves", array + ".vcd", *window],
                              cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if array == "rtl" and done.returncode == 2 and "Verilator" in done.stderr:
            continue
        expect(f"{array}: exit {done.returncode}", done.returncode == 0, done.stderr)
        expect(f"{array}: results unchanged", without_times("pe")["result"] == without_times("plain")["result"])
        seen[array] = bytes_of(array + ".vcd")
    expect("registers of PEs are the same in every array, in every cycle", len(set(seen.values())) == 1, str({k: len(v) for k, v in seen.items()}))
    waves = Waves("stepped.vcd")
    expect("registers move", len(waves.changes["npu0.array.pe_7_7.sum"]) > 100)
    if has_fst2vcd:
        train("--out", "pe", "--waves", "pe.fst", *window)
        expect("PEs of 10,000 cycles on tiny are below 20 MB", 10_000 < size("pe.fst") < 20_000_000, str(size("pe.fst")))
        print(f"PE scope of 10,000 cycles: {size('pe.fst')} bytes as FST")


def limits_and_triggers():
    done = train("--out", "small", "--waves", "small.vcd", "--wave-max", "100kB")
    expect("a full file is told with its cycle", re.search(r"small.vcd reached 0 MB and stops before cycle \d+", done.stderr) or
           re.search(r"stops before cycle \d+", done.stderr), done.stderr)
    expect("a full file is readable", len(Waves("small.vcd").changes) > 100)
    expect("the run went on", without_times("small")["result"] == without_times("plain")["result"])
    done = train("--out", "trigger", "--waves", "trigger.vcd", "--wave-trigger", "npu0.vector.pc", "--wave-before", "5000")
    came = int(re.search(r"npu0.vector.pc came in cycle (\d+)", done.stderr)[1])
    waves = Waves("trigger.vcd")
    pc = [c for c, v in waves.changes["npu0.vector.pc"] if v != "0"]
    expect("the trigger is in the file, with what was before it", pc[0] == came and waves.changes["npu0.vector.pc"][0][0] == came - 5000, str(pc[:2]))
    expect("a marker stands there", f"[markername] Atrigger" in text_of("trigger.vcd.gtkw"))
    done = train("--out", "pe", "--waves", "pe.vcd", "--wave-trigger", "npu0.array.pe_7_7.valid", "--wave-before", "50", "--wave-scope", "npu0.array.pe_7_7")
    came = int(re.search(r"pe_7_7.valid came in cycle (\d+)", done.stderr)[1])
    valid = [c for c, v in Waves("pe.vcd").changes["npu0.array.pe_7_7.valid"] if v == "1"]
    expect("a register of a PE is a trigger too", valid[0] == came, f"{valid[:2]} {came}")
    done = train("--out", "never", "--waves", "never.vcd", "--wave-trigger", "npu0.dma0.fault")
    expect("a trigger that never came is told", "npu0.dma0.fault never became" in done.stderr, done.stderr)
    done = train("--out", "late", "--waves", "late.vcd", "--wave-start", "900000000")
    expect("a window that selects nothing warns", "is empty" in done.stderr, done.stderr)
    done = run("gemm", "--preset", "tiny", "--m", "64", "--k", "64", "--n", "64", "--dtype", "int8", "--out", "g", "--waves", "g.vcd")
    expect("waves of a product", any("tag=C" in v or "tag=A" in v for _, v in Waves("g.vcd").changes["npu0.array.instruction"]))
    run("cosim", "--seed", "3", "--count", "1", "--array", "stepped", "--out", "c", "--waves", "c.vcd", "--quiet")
    expect("waves of a case", len(Waves("c.vcd").changes["npu0.core.pc"]) > 10)


def what_is_wrong_is_refused():
    for arguments, hint in ((("--waves", "x.vcd", "--wave-scope", "nonsense"), "there are the scopes"), (("--waves", "x.txt"), "ends in .fst or .vcd"),
                            (("--waves", "missing/x.vcd"), "is the folder there"), (("--wave-scope", "npu0"), "which file"),
                            (("--waves", "x.vcd", "--wave-trigger", "npu0.dma0"), "no such signal"), (("--waves", "x.vcd", "--wave-max", "big"), "--wave-max"),
                            (("--waves", "x.vcd", "--wave-start", "9", "--wave-stop", "9"), "hold no cycle")):
        done = train("--out", "refused", *arguments, code=2)
        expect(f"{arguments}: a hint", hint in done.stderr, done.stderr)
    done = run("cosim", "--count", "2", "--waves", "x.vcd", "--out", "c2", code=2)
    expect("one file, one case", "--count 1" in done.stderr, done.stderr)


def check_failure(folder, name):
    """The waves before a failure, and the save file beside them."""
    save = text_of(f"{folder}/{name}.gtkw")
    marker = int(re.search(r"^\*\S+ (\d+) ", save, re.M)[1])
    expect(f"{folder}: a marker has a name", "[markername] A" in save)
    waves = Waves(f"{folder}/{name}")
    first = min(c[0][0] for c in waves.changes.values())
    expect(f"{folder}: the cycles before the failure", max(marker - 10_000, 0) <= first < marker <= waves.end + 1, f"{first} {marker} {waves.end}")
    done = subprocess.run([sys.executable, "-B", os.path.join(here, "check_save_file.py"), os.path.join(work, f"{folder}/{name}.gtkw")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    expect(f"{folder}: GTKWave shows it", done.returncode in (0, 77), done.stdout)
    return waves, marker


def failures_leave_waves():
    name = "failure.fst" if has_fst2vcd else None
    if not name:
        return
    done = train("--out", "hang", config="impatient.yaml", code=3)
    expect("the user is told where", "gtkwave hang/failure.fst.gtkw" in done.stderr, done.stderr)
    waves, marker = check_failure("hang", name)
    expect("PEs are among them", "npu0.array.pe_0_0.sum" in waves.changes)
    summary = json.loads(text_of("hang/summary.json"))
    expect("the first run's summary", summary["run"]["status"] == "hang")
    done = train("--out", "hang", "--no-failure-waves", config="impatient.yaml", code=3)
    expect("not if not wanted", size("hang/failure.fst") == 0)
    # A wrong model: two arrays disagree; and one that is wrong everywhere, found at the end by the reference.
    known = run("cosim", "--help", exe=faulty).stdout
    for fault, seed in (("stuck_weight_bit", 2), ("psum_overwritten", 2)):
        out = "cosim_" + fault
        if fault not in known:  # of the RTL, without Verilator
            continue
        done = run("cosim", "--fault", fault, "--seed", str(seed), "--count", "1", "--shrink", "1", "--out", out, exe=faulty, code=4)
        expect(f"{fault}: the command that shows the waves", f"waves: gtkwave {out}/seed_{seed}/failure.fst.gtkw" in done.stdout, done.stdout[-2000:])
        check_failure(f"{out}/seed_{seed}", name)


def every_end_leaves_a_readable_file():
    for kind, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGABRT, -signal.SIGABRT)):
        for suffix in (".vcd", ".fst") if has_fst2vcd else (".vcd",):
            file = f"ended{suffix}"
            for old in (file, file + ".gtkw"):
                if os.path.exists(os.path.join(work, old)):
                    os.remove(os.path.join(work, old))
            shutil.rmtree(os.path.join(work, "ended"), ignore_errors=True)
            process = subprocess.Popen([program, "train", "long.yaml", "--quiet", "--out", "ended", "--waves", file], cwd=work,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while size("ended/steps.csv") < 200 and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(kind)
            process.wait(120)
            expect(f"{kind.name}, {suffix}: exit {process.returncode}", process.returncode == code)
            waves = Waves(file)
            expect(f"{kind.name}, {suffix}: the file is whole", waves.end > 300_000 and len(waves.changes) > 200, str(waves.end))
            expect(f"{kind.name}, {suffix}: with its save file", size(file + ".gtkw") > 1000)


def main():
    write_config("one.yaml")
    write_config("impatient.yaml", watchdog=1000)
    write_config("long.yaml", steps=100_000)
    full = results_are_unchanged_and_the_log_agrees()
    a_window_is_a_piece_of_the_whole(full)
    registers_are_the_same_in_every_array()
    limits_and_triggers()
    what_is_wrong_is_refused()
    failures_leave_waves()
    every_end_leaves_a_readable_file()
    shutil.rmtree(work)
    print("all right" if failures == 0 else f"{failures} failures")
    return failures != 0


sys.exit(main())
