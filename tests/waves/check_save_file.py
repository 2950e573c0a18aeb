"""Opens GTKWave save files without a screen and compares what is shown with what is in the file of waves.

  check_save_file.py FILE.gtkw ... [--expect FILE]

For every save file: each signal that it names exists, and all are shown, in their order; every translate filter loads; the
markers stand where the file puts them; and at every marker each signal's text is the one that its format, table or process makes
of the dump's value, which is read and decoded here. A line of --expect is SIGNAL@LETTER TEXT, or SIGNAL TEXT for the primary
marker; one of the save files must show it.
Exit 0: all is right; 1: it is not; 77: GTKWave or Xvfb is not installed.
"""
import argparse
import os
import re
import struct
import sys

import gtkwave
from dump import Dump

DECIMAL, BINARY, BLANK, SIGNED, TEXT, TABLE, PROCESS, STRETCH, REAL = 0x4, 0x8, 0x200, 0x400, 0x800, 0x2000, 0x4000, 0x20000, 0x40000


class SaveFile:
    """Signals as (name, flags, filter), in order; filters of processes begin with `>`."""

    def __init__(self, path):
        self.path, self.signals, self.dump, self.markers, self.names, self.primary = path, [], None, {}, {}, None
        flags, chosen = 0, None
        with open(path, encoding="utf-8") as stream:
            for line in stream.read().split("\n"):
                if line.startswith("[dumpfile]"):
                    self.dump = re.search('"(.*)"', line)[1]
                elif line.startswith("[savefile]"):
                    self.saved_as = re.search('"(.*)"', line)[1]
                elif line.startswith("[markername] "):
                    self.names[line[13]] = line[14:]
                elif line.startswith("*"):
                    self.primary, *named = [int(word) for word in line[1:].split()[1:]]
                    self.markers = {chr(ord("A") + i): time for i, time in enumerate(named) if time >= 0}
                elif line.startswith("@"):
                    flags, chosen = int(line[1:], 16), None
                elif line.startswith("^"):
                    chosen = (">" if line[1] == ">" else "") + line.split(" ", 1)[1]
                elif line and line[0] not in "[-" and not flags & (BLANK | STRETCH):
                    self.signals.append((line, flags, chosen))
        # The folder of all of it may have moved since.
        moved = os.path.join(os.path.dirname(os.path.abspath(path)), os.path.relpath(self.dump, os.path.dirname(self.saved_as)))
        self.dump = os.path.normpath(moved)

    def located(self, name):
        """A filter's path now."""
        process, path = name.startswith(">"), name.lstrip(">")
        if process and path.startswith("sh "):
            return name
        moved = os.path.join(os.path.dirname(os.path.abspath(self.path)), os.path.relpath(path, os.path.dirname(self.saved_as)))
        return (">" if process else "") + os.path.normpath(moved)


def float_text(bits, digits):
    word = bits << 16 if digits == 4 else bits
    if word & 0x7FFFFFFF > 0x7F800000:
        return "NaN" if word == 0x7FC00000 else f"NaN {bits:0{digits}X}"
    return "%.9g" % struct.unpack("<f", struct.pack("<I", word))


class Tables:
    def __init__(self):
        self.read = {}

    def look_up(self, path, key):
        if path not in self.read:
            with open(path, encoding="utf-8") as stream:
                lines = [line.split(None, 1) for line in stream]
            self.read[path] = {words[0].lower(): words[1].strip() for words in lines if len(words) == 2}
        return self.read[path].get(key.lower(), key)


def text_of(save, tables, signal, value):
    """What a reader should see."""
    name, flags, chosen = signal
    if flags & TEXT:
        return value
    if flags & REAL:
        return value  # compared as a number
    index = re.search(r"\[(\d+):0\]$", name)
    width = int(index[1]) + 1 if index else 1
    digits = (width + 3) // 4
    if flags & TABLE:
        return tables.look_up(save.located(chosen), f"{value:0{digits}X}")
    if flags & PROCESS:
        return float_text(value, digits)
    if flags & SIGNED:
        return str(value - (1 << width) if value >> (width - 1) else value)
    if flags & DECIMAL:
        return str(value)
    return f"{value:0{width}b}" if flags & BINARY else f"{value:0{digits}X}"


def expectations(path):
    wanted = []
    with open(path, encoding="utf-8") as stream:
        for line in stream.read().split("\n"):
            if line and not line.startswith("#"):
                signal, _, text = line.partition(" ")
                name, _, letter = signal.partition("@")
                wanted.append((name, letter or None, text))
    return wanted


def problems_of(display, path, wanted=()):
    """(what is wrong as sentences, which of `wanted` the save file shows)."""
    save = SaveFile(path)
    filters = sorted({chosen for _, _, chosen in save.signals if chosen})
    shown = gtkwave.show(display, path, "".join(save.markers), [save.located(name) for name in filters])
    wrong, met = [], set()
    names = [name for name, _, _ in save.signals]
    if not names:
        wrong.append("it names no signal")
    wrong += [f"{name}: the waves have no such signal" for name in names if name not in shown.facilities]
    if not wrong and names != shown.displayed:
        wrong.append(f"shown is {shown.displayed}, wanted {names}")
    wrong += [f"{name}: the filter does not load" for name, loaded in shown.filters.items() if not loaded]
    if save.primary is not None and shown.primary != save.primary:
        wrong.append(f"the primary marker stands at {shown.primary}, not at {save.primary}")
    for letter, time in save.markers.items():
        if shown.times.get(letter) != time:
            wrong.append(f"marker {letter} stands at {shown.times.get(letter)}, not at {time}")
    if wrong:
        return wrong, met
    dump, tables = Dump(save.dump, save.markers.values()), Tables()
    for letter, time in save.markers.items():
        if dump.start is None or not dump.start <= time <= dump.end:
            wrong.append(f"marker {letter} stands at {time}, the waves go from {dump.start} to {dump.end}")
            continue
        for i, signal in enumerate(save.signals):
            text, value = shown.values[letter, i], dump.values[time].get(signal[0])
            if value is None:
                wrong.append(f"{signal[0]} has no value at marker {letter}")
                continue
            due = text_of(save, tables, signal, value)
            same = text not in ("", None) and float(text) == due if signal[1] & REAL else text == due
            if not same:
                wrong.append(f"{signal[0]} at marker {letter} is shown as '{text}', the waves have '{due}'")
    for number, (name, letter, text) in enumerate(wanted):
        at = letter or next((known for known, time in save.markers.items() if time == save.primary), None)
        if name in names and at in save.markers:
            met.add(number)
            seen = shown.values[at, names.index(name)]
            if seen != text:
                wrong.append(f"{name} at marker {at} is shown as '{seen}', expected is '{text}'")
    return wrong, met


def check(display, paths, expect=None):
    """Sentences about what is wrong with any of the save files."""
    wanted = expectations(expect) if expect else []
    wrong, met = [], set()
    for path in paths:
        problems, some = problems_of(display, path, wanted)
        wrong += [f"{path}: {problem}" for problem in problems]
        met |= some
    return wrong + [f"{expect}: no save file shows {name} at marker {letter or '(primary)'}"
                    for i, (name, letter, _) in enumerate(wanted) if i not in met]


def main():
    parser = argparse.ArgumentParser(description="Compares what GTKWave shows of save files with the waves.")
    parser.add_argument("save", nargs="+")
    parser.add_argument("--expect")
    options = parser.parse_args()
    if gtkwave.missing():
        print("needs Debian packages:", *gtkwave.missing())
        return gtkwave.SKIP
    with gtkwave.Display() as display:
        wrong = check(display, options.save, options.expect)
    values = sum(len(save.signals) * len(save.markers) for save in map(SaveFile, options.save))
    print("\n".join(wrong) if wrong else f"GTKWave shows what is in the waves ({values} values at markers compared)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
