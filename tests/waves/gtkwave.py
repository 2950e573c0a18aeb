"""GTKWave without a screen: on an X server of its own (Xvfb), told by a Tcl script what to do. Python's standard library only."""
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

SKIP = 77  # what CTest takes for skipped
PACKAGES = {"gtkwave": "gtkwave", "Xvfb": "xvfb", "fst2vcd": "gtkwave"}


class GtkwaveError(Exception):
    pass


def missing():
    """Debian packages that would have to be installed."""
    return sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})


def stop(process):
    """Ends a process and all it has started; they are a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


class Display:
    """An X server that chooses a free number by itself: tests may run in parallel."""

    def __init__(self, width=1500, height=950, deadline=30):
        ready, number = os.pipe()
        log = tempfile.TemporaryFile()
        # Without -noreset it starts afresh when its last client goes, and may drop one that comes at that moment.
        command = ["Xvfb", "-displayfd", str(number), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp", "-noreset"]
        self.process = subprocess.Popen(command, pass_fds=[number], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        start_new_session=True)
        os.close(number)
        told, end = b"", time.monotonic() + deadline
        while not told.endswith(b"\n"):
            if not select.select([ready], [], [], max(0, end - time.monotonic()))[0]:
                break
            piece = os.read(ready, 64)
            if not piece:
                break
            told += piece
        os.close(ready)
        with log:
            if not told.strip().isdigit():
                stop(self.process)
                log.seek(0)
                raise GtkwaveError(f"Xvfb does not start: {log.read().decode(errors='replace').strip()}")
        self.name = f":{int(told)}"

    def close(self):
        self.process.terminate()  # it removes its socket
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        stop(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# Values are last in their lines: they may hold blanks. A signal in a folded group has no value, so groups are unfolded.
SCRIPT = r"""
set out [open $::env(SHOWN) w]
fconfigure $out -encoding utf-8
proc show {out} {
    for {set i 0} {$i < [gtkwave::getNumFacs]} {incr i} {
        puts $out "facility\t[gtkwave::getFacName $i]"
    }
    set traces [gtkwave::getTotalNumTraces]
    for {set i 0} {$i < $traces} {incr i} {
        if {[gtkwave::getTraceFlagsFromIndex $i] & 0x400000} {
            gtkwave::/Edit/UnHighlight_All
            gtkwave::setTraceHighlightFromIndex $i on
            if {[gtkwave::getTraceFlagsFromIndex $i] & 0x800000} {
                gtkwave::/Edit/Toggle_Group_Open|Close
            }
        }
    }
    foreach name [gtkwave::getDisplayedSignals] {
        puts $out "displayed\t$name"
    }
    puts $out "primary\t[gtkwave::getMarker]"
    foreach filter [split $::env(FILTERS) "\n"] {
        if {[string match {>*} $filter]} {
            puts $out "filter\t[gtkwave::setCurrentTranslateProc [string range $filter 1 end]]\t$filter"
        } else {
            puts $out "filter\t[gtkwave::setCurrentTranslateFile $filter]\t$filter"
        }
    }
    foreach letter [split $::env(MARKERS) {}] {
        set time [gtkwave::getNamedMarker $letter]
        puts $out "marker\t$letter\t$time"
        gtkwave::setMarker $time
        set signal 0
        for {set i 0} {$i < $traces} {incr i} {
            if {([gtkwave::getTraceFlagsFromIndex $i] & 0x20200) == 0} {
                puts $out "value\t$letter\t$signal\t[gtkwave::getTraceValueAtMarkerFromIndex $i]"
                incr signal
            }
        }
    }
}
if {[catch {show $out} why]} {
    puts $out "error\t[string map [list "\n" " "] $why]"
}
puts $out "end"
close $out
exit
"""


class Shown:
    """What GTKWave made of a save file."""

    def __init__(self):
        self.facilities = set()   # names in the dump
        self.displayed = []       # names, in order
        self.primary = None       # time of the primary marker
        self.filters = {}         # as asked for -> loaded
        self.times = {}           # of named markers, by letter
        self.values = {}          # (letter, index of the signal) -> text


def environment(display, home):
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    env.update(DISPLAY=display.name, HOME=home, XDG_CACHE_HOME=home, XDG_CONFIG_HOME=home, XDG_RUNTIME_DIR=home,
               GDK_BACKEND="x11", LC_ALL="C.UTF-8", NO_AT_BRIDGE="1", GSETTINGS_BACKEND="memory",
               DBUS_SESSION_BUS_ADDRESS="disabled:")
    return env


def run(display, save, markers, filters, deadline):
    """(lines of the script or none, what GTKWave said and how it ended)."""
    with tempfile.TemporaryDirectory(prefix="retrace-gtkwave-") as home:
        script, result = os.path.join(home, "show.tcl"), os.path.join(home, "shown")
        with open(script, "w", encoding="utf-8") as stream:
            stream.write(SCRIPT)
        env = environment(display, home)
        env.update(SHOWN=result, MARKERS=markers, FILTERS="\n".join(filters))
        with open(os.path.join(home, "log"), "w+b") as log:
            process = subprocess.Popen(["gtkwave", "-S", script, os.path.abspath(save)], cwd=home, env=env,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            try:
                process.wait(deadline)
                why = f"ended with {process.returncode}"
            except subprocess.TimeoutExpired:
                why = f"did not end within {deadline} s"
            finally:
                stop(process)
            log.seek(0)
            told = log.read().decode(errors="replace")
        lines = []
        if os.path.exists(result):
            with open(result, encoding="utf-8") as stream:
                lines = stream.read().split("\n")
        return lines, f"gtkwave {save} {why}:\n{told}"


def show(display, save, markers="", filters=(), deadline=120):
    """Opens the save file as a reader does. `markers`: letters whose values are wanted; `filters`: paths, of processes after a `>`."""
    lines, told = run(display, save, markers, filters, deadline)
    if "Could not initialize GTK" in told and display.process.poll() is None:
        lines, told = run(display, save, markers, filters, deadline)  # a busy machine: the X server did not answer in time
    errors = [line for line in lines if line.startswith("error\t")]
    if errors or "end" not in lines:
        raise GtkwaveError("\n".join([*errors, told]))
    shown = Shown()
    for line in lines:
        kind, *rest = line.split("\t")
        if kind == "facility":
            shown.facilities.add(rest[0])
        elif kind == "displayed":
            shown.displayed.append(rest[0])
        elif kind == "primary":
            shown.primary = int(rest[0])
        elif kind == "filter":
            shown.filters["\t".join(rest[1:])] = int(rest[0]) > 0
        elif kind == "marker":
            shown.times[rest[0]] = int(rest[1])
        elif kind == "value":
            shown.values[rest[0], int(rest[1])] = "\t".join(rest[2:])
    return shown
