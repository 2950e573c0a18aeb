"""The program as a process, and its results as files: what the nightly comparisons share."""
import difflib
import json
import os
import re
import shutil
import subprocess
import sys

# What a run took on this machine; everything else in a folder of results is a function of configuration and seed.
TIMES = ("wall_seconds", "cpu_seconds", "simulated_cycles_per_cpu_second", "macs_per_cpu_second")


class Difference(Exception):
    """Results that should be the same are not."""


def fail(text):
    sys.exit("FAIL: " + text)


def empty_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def run(program, *arguments):
    """Standard output of the program, which has to succeed."""
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        fail("%s\nended with %d and said\n%s%s" % (" ".join([program, *arguments]), done.returncode,
                                                   done.stdout.decode(errors="replace")[-4000:],
                                                   done.stderr.decode(errors="replace")[-4000:]))
    return done.stdout


def summary(folder):
    with open(os.path.join(folder, "summary.json")) as file:
        return json.load(file)


def without_times(name, content):
    """A file's bytes but for what the run took; every such figure has to be there."""
    base = os.path.basename(name)
    if base == "summary.json":
        text = content.decode()
        for key in TIMES:
            text, found = re.subn(r'("%s": )[-+.0-9e]+' % key, r"\1-", text)
            if found != 1:
                fail("%s has %s %d times" % (name, key, found))
        return text.encode()
    if base == "junit.xml":
        return re.sub(rb' time="[^"]*"', b"", content)
    return content


def files_in(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, _, names in os.walk(folder) for name in names)


def expect_same_folders(one, other):
    """Every file of both, byte for byte but for times, or Difference. Returns how many files and bytes were compared."""
    names = files_in(one)
    if names != files_in(other) or not names:
        changes = difflib.unified_diff(names, files_in(other), one, other, lineterm="", n=0)
        raise Difference("%s and %s do not hold the same files:\n%s" % (one, other, "\n".join(changes)))
    compared = 0
    for name in names:
        contents = []
        for folder in (one, other):
            with open(os.path.join(folder, name), "rb") as file:
                contents.append(without_times(name, file.read()))
        compared += len(contents[0])
        if contents[0] != contents[1]:
            at = next((i for i, (x, y) in enumerate(zip(*contents)) if x != y), min(map(len, contents)))
            near = [repr(c[max(0, at - 60):at + 60]) for c in contents]
            raise Difference("%s differs in %s and %s from byte %d on:\n%s\n%s" % (name, one, other, at, *near))
    return len(names), compared
