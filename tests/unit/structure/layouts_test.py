"""The generated structures have the offsets that the specification says: in C, in C++, on the control core.

The offsets come from isa.yaml by a way of their own: a field begins where the one before it ends.
"""
import os
import subprocess
import tempfile
import unittest

import yaml

from spec_files import SPEC, compiler, generate


def read(name):
    with open(os.path.join(SPEC, name), encoding="utf-8") as stream:
        return yaml.safe_load(stream)


class structures:
    """(name, [(field, offset, bytes)], bytes) of everything in isa.yaml that becomes a structure."""

    def __init__(self):
        self.limits = {name: entry["value"] for name, entry in read("limits.yaml")["limits"].items()}
        isa = read("isa.yaml")
        self.sizes = {}
        self.plain = [self.place(n, s) for n, s in isa["structures"].items()]
        header = next(s for s in self.plain if s[0] == "header")
        self.instructions = [self.place(n, s, header) for n, s in isa["layouts"].items()]
        self.descriptors = [self.place(n, s) for n, s in isa["descriptors"].items() if "fields" in s]

    def place(self, name, entry, header=None):
        fields = list(header[1]) if header else []
        offset = header[2] if header else 0
        for field in entry["fields"]:
            size = self.sizes[field[1]] if isinstance(field[1], str) else field[1]
            size *= self.limits[field[3]] if len(field) > 3 else 1
            fields.append((field[0], offset, size))
            offset += size
        self.sizes[name] = offset
        return name, fields, offset


def assertions(keyword, type_name, entry):
    _, fields, size = entry
    lines = [f'{keyword}(sizeof({type_name}) == {size}, "{type_name}");']
    for field, offset, width in fields:
        lines.append(f'{keyword}(offsetof({type_name}, {field}) == {offset}, "{type_name}.{field} offset");')
        lines.append(f'{keyword}(sizeof((({type_name} *)0)->{field}) == {width}, "{type_name}.{field} size");')
    return lines


class layouts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        code, errors = generate(SPEC, os.path.join(cls.scratch.name, "hw", "spec"))
        assert code == 0, errors
        cls.all = structures()

    def compiles(self, command, name, lines):
        path = os.path.join(self.scratch.name, name)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines) + "\n")
        strict = ["-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", self.scratch.name, path]
        done = subprocess.run([*command, *strict], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode == 0, done.stdout

    def c_lines(self):
        lines = ["#include <stddef.h>", '#include "hw/spec/spec_c.h"']
        for entry in self.all.descriptors:
            lines += assertions("_Static_assert", f"struct rt_{entry[0]}", entry)
        return lines

    def cpp_lines(self):
        lines = ["#include <cstddef>", '#include "hw/spec/spec.h"', "using namespace retrace::spec;"]
        for entry in self.all.plain:
            lines += assertions("static_assert", "instruction_header" if entry[0] == "header" else entry[0], entry)
        for entry in self.all.instructions:
            lines += assertions("static_assert", f"{entry[0]}_instruction", entry)
        for entry in self.all.descriptors:
            lines += assertions("static_assert", entry[0], entry)
        return lines

    def test_c(self):
        for standard in ("c11", "c17"):
            command = [compiler("RETRACE_CC", "cc", "gcc"), f"-std={standard}"]
            ok, output = self.compiles(command, "layout.c", self.c_lines())
            self.assertTrue(ok, output)

    def test_c_of_the_control_core(self):
        command = [compiler("RETRACE_RISCV_GCC", "riscv64-unknown-elf-gcc"), "-std=c11", "-march=rv32im_zicsr",
                   "-mabi=ilp32", "-ffreestanding"]
        ok, output = self.compiles(command, "layout.c", self.c_lines())
        self.assertTrue(ok, output)

    def test_cpp(self):
        ok, output = self.compiles([compiler("RETRACE_CXX", "c++", "g++"), "-std=c++20"], "layout.cpp", self.cpp_lines())
        self.assertTrue(ok, output)

    def test_a_wrong_offset_does_not_compile(self):
        wrong = [line.replace("== 128,", "== 136,") for line in self.c_lines()]
        self.assertNotEqual(wrong, self.c_lines())
        ok, output = self.compiles([compiler("RETRACE_CC", "cc", "gcc"), "-std=c11"], "wrong.c", wrong)
        self.assertFalse(ok)
        self.assertIn("rt_command.operands offset", output)

    def test_limits_and_codes_are_the_same_in_c_and_cpp(self):
        lines = ['#include "hw/spec/spec.h"', '#include "hw/spec/spec_c.h"', "namespace spec = retrace::spec;"]

        def same(c_name, cpp_name, value):
            lines.append(f"static_assert({c_name} == {value:#x}ull && static_cast<unsigned long long>({cpp_name}) == {value:#x}ull);")

        for name, value in self.all.limits.items():
            same(f"RT_{name.upper()}", f"spec::{name}", value)
        isa = read("isa.yaml")
        enums = {n: e["values"] for n, e in {**read("limits.yaml")["enums"], **isa["enums"]}.items()}
        enums.update({n: e["enum"] for n, e in isa["descriptors"].items() if "enum" in e})
        for name, values in enums.items():
            for label, value in values.items():
                same(f"RT_{name.upper()}_{label.upper()}", f"spec::{name}::{label}", value)
        for name, entry in isa["instructions"].items():
            same(f"RT_OP_{name.upper()}", f"spec::opcode::{name}", entry["opcode"])
        for block, entry in read("registers.yaml")["blocks"].items():
            for name, register in entry["registers"].items():
                c_name, cpp_name = f"RT_{block.upper()}_{name.upper()}", f"spec::{block}_block::{name}"
                same(c_name, cpp_name, register["offset"])
                for field, (msb, lsb, *_) in register.get("fields", {}).items():
                    mask = sum(1 << bit for bit in range(lsb, msb + 1))
                    same(f"{c_name}_{field.upper()}_MASK", f"{cpp_name}_{field}_mask", mask)
                    same(f"{c_name}_{field.upper()}_SHIFT", f"{cpp_name}_{field}_shift", lsb)
        # The C header's _Static_assert is the only thing in it that C++ spells differently.
        command = [compiler("RETRACE_CXX", "c++", "g++"), "-std=c++20", "-D_Static_assert=static_assert"]
        ok, output = self.compiles(command, "codes.cpp", lines)
        self.assertTrue(ok, output)

    def test_the_build_uses_headers_of_this_specification(self):
        folder = os.environ.get("RETRACE_GENERATED")
        if not folder:
            self.skipTest("RETRACE_GENERATED is set by CTest")
        for name in ("spec.h", "spec_c.h", "spec.svh"):
            with open(os.path.join(folder, "hw", "spec", name), encoding="utf-8") as built, \
                    open(os.path.join(self.scratch.name, "hw", "spec", name), encoding="utf-8") as fresh:
                self.assertTrue(built.read() == fresh.read(), f"{name} in the build folder is not what hw/spec says")


if __name__ == "__main__":
    unittest.main()
