"""`retrace report` and `retrace compare` as people type them: exit codes, sentences, files. commands_test.py RETRACE SOURCE_FOLDER"""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile


def main():
    program, source = sys.argv[1:3]
    wrong = []
    with tempfile.TemporaryDirectory(prefix="retrace-report-") as work:

        def run(*arguments):
            return subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=work)

        def expect(what, holds, done=None):
            if not holds:
                wrong.append(what + ("\n    said: %s%s" % (done.stdout[-500:], done.stderr[-500:]) if done else ""))

        def refused(what, text, *arguments):
            done = run(*arguments)
            expect("%s: exit %d, not 2" % (what, done.returncode), done.returncode == 2, done)
            expect("%s: no sentence with '%s'" % (what, text), text in done.stderr and done.stderr.startswith("retrace: "), done)

        def read(name):
            with open(os.path.join(work, name), "rb") as file:
                return file.read()

        def replace(name, content):
            shutil.rmtree(os.path.join(work, "b"))
            shutil.copytree(os.path.join(work, "a"), os.path.join(work, "b"))
            with open(os.path.join(work, "b", name), "wb") as file:
                file.write(content)

        digits = os.path.join(source, "examples", "digits", "recompute.yaml")
        done = run("train", digits, "--set", "training.epochs=null", "--set", "training.steps=2", "--set", "data.test_rows=10", "--out", "a")
        expect("train", done.returncode == 0 and "report.html" in done.stdout, done)
        written = read("a/report.html")
        steps = read("a/steps.csv").decode().splitlines()
        expect("steps.csv has a line per step", len(steps) == 3 and steps[0] == "step,epoch,loss,accuracy,cycles" and steps[2].startswith("2,1,"))

        # Made again from the folder, it is the same page; --out leaves the folder alone.
        done = run("report", "a", "--out", "again.html")
        expect("report --out", done.returncode == 0 and done.stdout == "again.html\n", done)
        expect("the page made again is the same", read("again.html") == written)
        os.remove(os.path.join(work, "a", "report.html"))
        done = run("report", "a")
        expect("report", done.returncode == 0 and read("a/report.html") == written, done)

        # What is proved appears in the report.
        done = run("prove", "a")
        proof = json.loads(read("a/proof.json"))
        expect("proof.json", len(proof["results"]) > 10 and {"holds", "does not apply"} >= {r["outcome"] for r in proof["results"]}, done)
        expect("the report tells of the proof", b'"proof":{"results":[' in read("a/report.html"))

        # A product that cannot go on (its log meets a limit of files) still says so, and that the page did not fit either.
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        done = subprocess.run([program, "gemm", "--m", "512", "--k", "512", "--n", "512", "--timeline-steps", "1", "--out", "g"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, cwd=work, preexec_fn=small_files)
        expect("a product without room for its log: exit %d" % done.returncode, done.returncode == 1, done)
        summary = json.loads(read("g/summary.json"))
        expect("its status", summary["run"]["status"] == "failed" and "event log" in summary["run"]["reason"])
        expect("its report", "no report.html" in done.stderr, done)

        shutil.copytree(os.path.join(work, "a"), os.path.join(work, "b"))
        done = run("compare", "a", "b")
        expect("compare", done.returncode == 0 and "same trained weights, bit for bit" in done.stdout and os.path.exists(os.path.join(work, "compare.html")), done)
        rows = [line for line in done.stdout.splitlines() if line.startswith("  ") and not line.endswith("difference")]
        expect("equal runs have no differences", len(rows) > 15 and all(row.endswith("same") for row in rows), done)
        done = run("compare", "a", "b", "--out", "two.html")
        expect("compare --out", done.returncode == 0 and b'"kind":"compare"' in read("two.html"), done)

        refused("a folder that is not there", "there is no folder nothing", "report", "nothing")
        refused("a file", "there is no folder", "report", "two.html")
        os.mkdir(os.path.join(work, "empty"))
        refused("a folder that is no run", "is no run of `retrace train` or `retrace gemm`", "report", "empty")
        refused("compare with one of them", "is no run", "compare", "a", "empty")
        refused("a page that cannot be written", "cannot write", "report", "a", "--out", "no/such/folder/page.html")
        refused("a comparison that cannot be written", "cannot write", "compare", "a", "b", "--out", "no/such/folder/page.html")
        for name, content, text in (("summary.json", b'{"cycles": ', "summary.json is not whole"), ("summary.json", b"{}", "has no cycles"),
                                    ("steps.csv", b"step,epoch,loss,accuracy,cycles\nx,1,2,3,4\n", "line 2"), ("proof.json", b"]", "proof.json is not whole")):
            replace(name, content)
            refused("broken " + name, text, "report", "b")
            refused("compare with broken " + name, text, "compare", "a", "b")
        # Without its log there is less on the page, and the page says so.
        for content in (b"SQLite format 3\0" + b"\xff" * 5000, b"text", b""):
            replace("events.sqlite", content)
            done = run("report", "b")
            expect("report with a broken log", done.returncode == 0 and b'"log_problem":"the event log events.sqlite' in read("b/report.html"), done)
            done = run("compare", "a", "b")
            expect("compare with a broken log", done.returncode == 0 and "The second run is compared without its event log" in done.stdout, done)
    for w in wrong:
        print(w)
    return 1 if wrong else 0


sys.exit(main())
