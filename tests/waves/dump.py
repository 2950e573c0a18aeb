"""Values in a file of waves at some times, read without GTKWave's viewer: VCD as it is, FST through fst2vcd."""
import re
import subprocess


class Dump:
    """`values[time][name]`: a number, a float or a text, or None if it is not known; `start`, `end`: first and last time.
    Names are GTKWave's: npu0.dma0.state[2:0]."""

    def __init__(self, path, times):
        self.values = {}
        self.start = self.end = None
        if path.endswith(".vcd"):
            with open(path, encoding="utf-8", errors="replace") as stream:
                self.read(stream, sorted(set(times)))
        else:
            with subprocess.Popen(["fst2vcd", "-f", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
                                  errors="replace") as process:
                self.read(process.stdout, sorted(set(times)))
            if process.returncode != 0:
                raise ValueError(f"fst2vcd does not read {path}")

    def read(self, lines, times):
        names, scopes, now, values = {}, [], None, {}  # names and values: by identifier code
        body = False

        def keep(before):
            while times and now is not None and times[0] < before:
                self.values[times.pop(0)] = {name: values[code] for code, name in names.items() if code in values}

        for line in lines:
            line = line.rstrip("\n")
            words = line.split()
            if not words:
                continue
            if not body:
                if words[0] == "$scope":
                    scopes.append(words[2])
                elif words[0] == "$upscope":
                    scopes.pop()
                elif words[0] == "$var":
                    _, _, _, code, name, *index = words[:-1]
                    names[code] = ".".join([*scopes, name]) + "".join(index)
                elif words[0] == "$enddefinitions":
                    body = True
            elif line[0] == "#":
                time = int(line[1:])
                keep(time)
                now = time
                self.start = time if self.start is None else self.start
            elif line[0] == "b":
                values[words[1]] = int(words[0][1:], 2) if set(words[0][1:]) <= {"0", "1"} else None
            elif line[0] == "r":
                values[words[1]] = float(words[0][1:])
            elif line[0] == "s":
                text, code = line[1:].rsplit(" ", 1)
                values[code] = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)
            elif line[0] in "01":
                values[line[1:]] = int(line[0])
            elif line[0] in "xz":
                values[line[1:]] = None
        self.end = now
        keep(float("inf"))
