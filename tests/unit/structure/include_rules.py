"""Who may include whom: the arrows of the architecture, as data. Anything not listed is a fault."""
import os
import re

# A file belongs to the zone with the longest matching prefix; every source file must lie in one.
# Zones it may include, besides itself. "hw/spec" and "trace" are leaves that everybody may use.
LEAVES = {"hw/spec", "trace"}
HOST_BELOW = {"host/arithmetic.h", "host/port.h", "host/device_capabilities.h", "host/driver", "host/graph", "host/compiler"}
ALLOWED = {
    "hw/spec": set(),
    "trace": {"hw/spec"},
    "hw/verilated": {"tlm/core/array/array_interface.h", "tlm/core/array/array_probes.h", "tlm/core/numeric/formats.h", "trace", "hw/spec"},
    "firmware": {"hw/spec"},
    "tlm/core": LEAVES,
    "tlm": LEAVES | {"tlm/core"},
    "host/arithmetic.h": LEAVES,
    "host/port.h": LEAVES,
    "host/device_capabilities.h": LEAVES,  # what a device can do: the driver reads it, the compiler plans with it
    "host/driver": LEAVES | {"host/arithmetic.h", "host/port.h", "host/device_capabilities.h"},
    "host/graph": LEAVES | {"host/arithmetic.h"},
    "host/compiler": LEAVES | {"host/arithmetic.h", "host/device_capabilities.h", "host/graph"},
    "host/training": LEAVES | HOST_BELOW,
    "host/embedding": LEAVES | HOST_BELOW,
    "waves": {"trace", "hw/spec"},
    "sim": LEAVES | HOST_BELOW | {"hw/verilated", "firmware", "tlm", "tlm/core", "host/training", "host/embedding", "waves"},
}
ALLOWED["tests"] = set(ALLOWED) | {"sim"}

# Headers of other projects that only these zones may include.
SYSTEMC = re.compile(r"^(systemc|tlm|sysc|tlm_core|tlm_utils)([./].*)?$")
EXTERNAL = (
    (SYSTEMC, {"tlm", "sim", "tests"}, "SystemC"),
    (re.compile(r"^sqlite3"), {"sim", "tests"}, "SQLite"),
    (re.compile(r"^(verilated|V\w+\.h|VTop)"), {"hw/verilated", "tests"}, "Verilator"),
)
SOURCE = re.compile(r"\.(h|hpp|c|cc|cpp|in|inc|S)$")
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
OWN_FOLDERS = ("hw", "trace", "tlm", "firmware", "host", "sim", "waves", "tests")
# Found by the target's include path and so named without a folder: a generated header, and the macros of the guest programs.
UNROOTED = {"sim/config": "preset_texts.h", "tests/unit/riscv/programs": "test.inc"}


def zone_of(path):
    """The zone of a path relative to the root, or None."""
    best = None
    for zone in ALLOWED:
        if (path == zone or path.startswith(zone + "/")) and (best is None or len(zone) > len(best)):
            best = zone
    return best


def permitted(zone, included):
    if any(included == allowed for allowed in ALLOWED[zone]):
        return True
    target = zone_of(included)
    return target == zone or target in ALLOWED[zone]


def check_include(zone, path, quote, included):
    """What is wrong with one include, or None."""
    if ".." in included.split("/"):
        return "includes start at the project's root, not at the file"
    for pattern, zones, name in EXTERNAL:
        if pattern.match(included) and zone not in zones:
            # tlm/... is our own folder; <tlm> and <tlm_utils/...> are SystemC's.
            if not (quote == '"' and included.startswith("tlm/")):
                return f"{zone} must not know {name}"
    if quote == "<":
        if included.split("/")[0] in OWN_FOLDERS and "/" in included and not included.startswith("tlm_"):
            return "own headers are included with quotes"
        return None
    if UNROOTED.get(path.rpartition("/")[0]) == included:
        return None
    if included.split("/")[0] not in OWN_FOLDERS:
        return None if "/" in included else "includes start at the project's root, not at the file"
    if zone_of(included) is None:
        return "this path lies in no zone of the architecture"
    if not permitted(zone, included):
        return f"{zone} may include only {', '.join(sorted(ALLOWED[zone] | {zone}))}"
    return None


def sources(root):
    for top in sorted(os.listdir(root)):
        if top.startswith(".") or top in ("build", "out") or not os.path.isdir(os.path.join(root, top)):
            continue
        for folder, names, files in os.walk(os.path.join(root, top)):
            names[:] = [n for n in names if not n.startswith(".")]
            for name in sorted(files):
                if SOURCE.search(name):
                    yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")


def violations(root):
    """One line per fault: file:line: include: reason."""
    faults = []
    for path in sources(root):
        zone = zone_of(path)
        if zone is None:
            faults.append(f"{path}: this folder is in no zone of the architecture")
            continue
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            text = stream.read()
        # Blank comments, keeping the lines where they are.
        code = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
        for match in INCLUDE.finditer(code):
            reason = check_include(zone, path, match.group(1), match.group(2))
            if reason:
                line = code.count("\n", 0, match.start(1)) + 1
                faults.append(f"{path}:{line}: {match.group(2)}: {reason}")
    return faults
