#!/usr/bin/env python3
"""Turns registers.yaml, isa.yaml and limits.yaml into C, C++ and SystemVerilog headers and Markdown tables.

usage: generate.py SPEC_DIR OUTPUT_DIR        writes spec_c.h, spec.h, spec.svh and tables.md

Everything that could make two of the outputs disagree, or a structure differ between compilers, is refused here
with the name of the entry: overlapping fields or registers, duplicate keys, codes and opcodes, values out of range,
fields off their natural alignment.
"""
import os
import sys

import yaml


class spec_error(Exception):
    pass


class unique_key_loader(yaml.SafeLoader):
    """PyYAML keeps the last of two equal keys without a word; a specification must not."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int)) or key in seen:
                mark = key_node.start_mark
                raise spec_error(f"{os.path.basename(mark.name)}:{mark.line + 1}: duplicate key {key}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as stream:
        return yaml.load(stream, unique_key_loader)


def require(condition, message):
    if not condition:
        raise spec_error(message)


def get(entry, key, where):
    require(isinstance(entry, dict) and key in entry, f"{where}: the key {key} is missing")
    return entry[key]


ENGINES = ("pe", "activation", "vector", "dma")
ACCESS_KINDS = ("RO", "RW", "RW1C", "WO")
FIXED_SIZES = {"command": "command_bytes", "completion": "completion_bytes"}


class spec:
    """The three files, checked, with offsets and masks worked out."""

    def __init__(self, folder):
        limits, isa = load(folder, "limits.yaml"), load(folder, "isa.yaml")
        self.blocks = get(load(folder, "registers.yaml"), "blocks", "registers.yaml")
        self.limits = get(limits, "limits", "limits.yaml")
        for name, entry in self.limits.items():
            value = get(entry, "value", f"limit {name}")
            require(isinstance(value, int) and 0 <= value < 1 << 64, f"limit {name}: {value} is not a number of 64 bits")
        self.enums = {**get(limits, "enums", "limits.yaml"), **get(isa, "enums", "isa.yaml")}
        self.structures, self.layouts, self.descriptors = {}, {}, {}
        for name, entry in get(isa, "structures", "isa.yaml").items():
            self.structures[name] = self.layout(name, entry)
        for name, entry in get(isa, "layouts", "isa.yaml").items():
            self.layouts[name] = self.layout(name, entry, self.structures["header"]["fields"], "instruction_bytes")
        for name, entry in get(isa, "descriptors", "isa.yaml").items():
            if "enum" in entry:
                self.enums[name] = {"text": get(entry, "text", name), "values": entry["enum"]}
            else:
                self.descriptors[name] = self.layout(name, entry, size=FIXED_SIZES.get(name))
        self.instructions = get(isa, "instructions", "isa.yaml")
        self.check_instructions()
        self.check_enums()
        self.registers = {name: self.register_list(name, block) for name, block in self.blocks.items()}

    def limit(self, name, where):
        require(name in self.limits, f"{where}: there is no limit {name}")
        return self.limits[name]["value"]

    def layout(self, name, entry, prefix=(), size=None):
        """Fields with offsets. Each must be naturally aligned, the whole a multiple of its alignment: no compiler pads."""
        fields = [dict(f) for f in prefix]
        offset = sum(f["bytes"] * f["count"] for f in fields)
        align = max((f["align"] for f in fields), default=1)
        for field in get(entry, "fields", name):
            require(isinstance(field, list) and len(field) in (3, 4), f"{name}: {field} is not [name, bytes, text, limit]")
            label, kind, text = field[:3]
            where = f"{name}.{label}"
            require(all(f["name"] != label for f in fields), f"{where}: duplicate field")
            count = self.limit(field[3], where) if len(field) > 3 else 1
            nested = None
            if isinstance(kind, str):
                nested = self.structures.get(kind) or self.descriptors.get(kind)
                require(nested, f"{where}: there is no structure {kind}")
                width, natural = nested["bytes"], nested["align"]
            else:
                require(kind in (1, 2, 4, 8), f"{where}: {kind} bytes; 1, 2, 4 or 8 are possible")
                width = natural = kind
            require(offset % natural == 0, f"{where}: offset {offset} is not aligned to {natural}")
            fields.append({"name": label, "bytes": width, "align": natural, "count": count, "offset": offset, "text": text,
                           "nested": kind if nested else None})
            align = max(align, natural)
            offset += width * count
        require(offset % align == 0, f"{name}: {offset} bytes are not a multiple of its alignment {align}")
        if size is not None:
            bytes_wanted = self.limit(size, name)
            require(offset == bytes_wanted, f"{name}: its fields take {offset} bytes, {size} is {bytes_wanted}")
        return {"fields": fields, "bytes": offset, "align": align, "text": get(entry, "text", name)}

    def check_instructions(self):
        used = {}
        for name, i in self.instructions.items():
            where = f"instruction {name}"
            code = get(i, "opcode", where)
            require(isinstance(code, int) and 0 <= code <= 255, f"{where}: opcode {code} is not a byte")
            require(code not in used, f"{where}: its opcode {code:#04x} is also that of {used.get(code)}")
            used[code] = name
            require(get(i, "layout", where) in self.layouts, f"{where}: there is no layout {i['layout']}")
            for engine in get(i, "engines", where):
                require(engine in ENGINES, f"{where}: there is no engine {engine}")
            taken = 0
            for flag, bit in i.get("flags", {}).items():
                require(bit in (1, 2, 4, 8, 16, 32, 64, 128), f"{where}: flag {flag} is not one bit of a byte")
                require(not taken & bit, f"{where}: flag {flag} overlaps another flag")
                taken |= bit

    def check_enums(self):
        for name, entry in self.enums.items():
            used = {}
            for label, value in get(entry, "values", name).items():
                require(isinstance(value, int) and 0 <= value <= 255, f"{name}.{label}: {value} is not a byte")
                require(value not in used, f"{name}.{label}: its value {value} is also that of {used.get(value)}")
                used[value] = label

    def register_fields(self, where, entry):
        if "fields" not in entry:
            return [{"name": "value", "msb": 31, "lsb": 0, "access": get(entry, "access", where), "reset": entry.get("reset", 0),
                     "text": get(entry, "text", where), "mask": entry.get("mask", 0xffffffff)}]
        result = []
        for label, field in entry["fields"].items():
            require(isinstance(field, list) and len(field) == 5, f"{where}.{label}: a field is [msb, lsb, access, reset, text]")
            msb, lsb, access, reset, text = field
            require(0 <= lsb <= msb <= 31, f"{where}.{label}: bits {msb}:{lsb} are not in a 32-bit register")
            result.append({"name": label, "msb": msb, "lsb": lsb, "access": access, "reset": reset, "text": text,
                           "mask": ((1 << (msb - lsb + 1)) - 1) << lsb})
        return result

    def register_list(self, block_name, block):
        result, occupied = [], {}
        for name, entry in get(block, "registers", block_name).items():
            where = f"{block_name}.{name}"
            fields = self.register_fields(where, entry)
            masks = dict.fromkeys(ACCESS_KINDS, 0)
            reset, config, taken = 0, 0, 0
            for f in fields:
                require(f["access"] in ACCESS_KINDS, f"{where}.{f['name']}: {f['access']} is none of {', '.join(ACCESS_KINDS)}")
                require(not taken & f["mask"], f"{where}.{f['name']} overlaps another field")
                taken |= f["mask"]
                masks[f["access"]] |= f["mask"]
                if f["reset"] == "config":
                    config |= f["mask"]
                else:
                    bits = f["reset"] << f["lsb"]
                    require(bits & ~f["mask"] == 0, f"{where}.{f['name']}: reset value {f['reset']:#x} does not fit its bits")
                    reset |= bits
            count, stride = entry.get("count", 1), entry.get("stride", 4)
            for i in range(count):
                offset = get(entry, "offset", where) + i * stride
                require(offset % 4 == 0, f"{where}: offset {offset:#x} is not a multiple of 4")
                require(offset not in occupied, f"{where}: offset {offset:#x} is also that of {occupied.get(offset)}")
                occupied[offset] = name
            result.append({"name": name, "offset": entry["offset"], "count": count, "stride": stride, "masks": masks,
                           "reset": reset, "config": config, "side_effect": bool(entry.get("side_effect")),
                           "fields": fields, "text": get(entry, "text", where), "plain": "fields" not in entry})
        return result


BANNER = "generated from the YAML files in hw/spec by hw/spec/generate.py; do not edit"


def c_header(s):
    out = [f"/* {BANNER} */", "#pragma once", "#include <stdint.h>", ""]
    for name, e in s.limits.items():
        out.append(f"#define RT_{name.upper()} {e['value']:#x}u{'ll' if e['value'] > 0xffffffff else ''} /* {e['text']} */")
    for name, e in s.enums.items():
        out += ["", f"/* {name}: {e['text']} */"]
        out += [f"#define RT_{name.upper()}_{k.upper()} {v}u" for k, v in e["values"].items()]
    out += ["", "/* opcodes */"] + [f"#define RT_OP_{n.upper()} {i['opcode']:#04x}u" for n, i in s.instructions.items()]
    for block, registers in s.registers.items():
        out += ["", f"/* block {block}: {s.blocks[block]['text']} */"]
        for r in registers:
            prefix = f"RT_{block.upper()}_{r['name'].upper()}"
            out.append(f"#define {prefix} {r['offset']:#05x}u")
            if r["count"] > 1:
                out.append(f"#define {prefix}_STRIDE {r['stride']}u")
            if not r["plain"]:
                for f in r["fields"]:
                    out.append(f"#define {prefix}_{f['name'].upper()}_SHIFT {f['lsb']}u")
                    out.append(f"#define {prefix}_{f['name'].upper()}_MASK {f['mask']:#x}u")
    for name, d in s.descriptors.items():
        out += ["", f"/* {d['text']} */", f"struct rt_{name} {{"]
        for f in d["fields"]:
            kind = f"struct rt_{f['nested']}" if f["nested"] else f"uint{8 * f['bytes']}_t"
            out.append(f"    {kind} {f['name']}{'[%d]' % f['count'] if f['count'] > 1 else ''};")
        out += ["};", f"_Static_assert(sizeof(struct rt_{name}) == {d['bytes']}, \"rt_{name}\");"]
    return "\n".join(out) + "\n"


def cpp_struct(name, d):
    out = [f"/// {d['text']}", f"struct {name} {{"]
    for f in d["fields"]:
        kind = f["nested"] if f["nested"] else f"std::uint{8 * f['bytes']}_t"
        out.append(f"    {kind} {f['name']}{'[%d]' % f['count'] if f['count'] > 1 else ''}{{}};" + (f" ///< {f['text']}" if f["text"] else ""))
    out += [f"    bool operator==(const {name}&) const = default;", "};", f"static_assert(sizeof({name}) == {d['bytes']});", ""]
    return out


def cpp_header(s):
    out = [f"// {BANNER}", "#pragma once", "#include <array>", "#include <cstdint>", "#include <span>", "#include <string_view>", "",
           "namespace retrace::spec {", "", "// limits"]
    for name, e in s.limits.items():
        out.append(f"inline constexpr std::uint64_t {name} = {e['value']:#x}; ///< {e['text']}")
    out.append("")
    for name, e in s.enums.items():
        out.append(f"/// {e['text']}")
        body = ", ".join(f"{k} = {v}" for k, v in e["values"].items())
        out.append(f"enum class {name} : std::uint8_t {{ {body} }};")
        out.append(f"constexpr std::string_view name_of({name} value) {{")
        out.append("    switch (value) {")
        out += [f"    case {name}::{k}: return \"{k}\";" for k in e["values"]]
        out += ["    }", "    return \"?\";", "}", f"inline constexpr std::uint8_t {name}_count = {max(e['values'].values()) + 1};", ""]
    out.append("/// engine instruction opcodes")
    out.append("enum class opcode : std::uint8_t { " + ", ".join(f"{n} = {i['opcode']:#04x}" for n, i in s.instructions.items()) + " };")
    out += ["constexpr std::string_view name_of(opcode value) {", "    switch (value) {"]
    out += [f"    case opcode::{n}: return \"{n}\";" for n in s.instructions]
    out += ["    }", "    return \"?\";", "}"]
    for n, i in s.instructions.items():
        for flag, bit in i.get("flags", {}).items():
            out.append(f"inline constexpr std::uint8_t {n}_{flag} = {bit:#04x};")
    out += ["", "/// what an opcode is: who executes it and which flag bits it knows", "struct instruction_info {", "    opcode code;",
            "    std::string_view name, layout;", "    bool pe, activation, vector, dma;", "    std::uint8_t flags;", "};",
            f"inline constexpr std::array<instruction_info, {len(s.instructions)}> instructions{{{{"]
    for n, i in s.instructions.items():
        who = ", ".join("true" if e in i["engines"] else "false" for e in ENGINES)
        flags = sum(i.get("flags", {}).values())
        out.append(f"    {{opcode::{n}, \"{n}\", \"{i['layout']}\", {who}, {flags:#04x}}},")
    out += ["}};", ""]
    for name in ("memory_operand", "header"):
        out += cpp_struct("instruction_header" if name == "header" else name, s.structures[name])
    for name, d in s.layouts.items():
        out += cpp_struct(f"{name}_instruction", d)
    for name, d in s.descriptors.items():
        out += cpp_struct(name, d)
    out += ["/// One register (or array of registers): masks per access kind, reset value, bits that carry configuration.",
            "struct register_info {", "    std::string_view name;", "    std::uint32_t offset, count, stride;",
            "    std::uint32_t ro, rw, rw1c, wo; ///< bit masks per access kind; other bits are reserved",
            "    std::uint32_t reset, config;    ///< reset value; bits whose reset value is configuration",
            "    bool side_effect;               ///< the block's owner acts on an access", "};", ""]
    for block, registers in s.registers.items():
        out += [f"namespace {block}_block {{ // {s.blocks[block]['text']}"]
        for r in registers:
            out.append(f"inline constexpr std::uint32_t {r['name']} = {r['offset']:#05x}; ///< {r['text']}")
            if r["count"] > 1:
                out.append(f"inline constexpr std::uint32_t {r['name']}_stride = {r['stride']};")
            if not r["plain"]:
                for f in r["fields"]:
                    out.append(f"inline constexpr std::uint32_t {r['name']}_{f['name']}_shift = {f['lsb']}, {r['name']}_{f['name']}_mask = {f['mask']:#x};")
        out.append(f"inline constexpr std::array<register_info, {len(registers)}> registers{{{{")
        for r in registers:
            m = r["masks"]
            out.append(f"    {{\"{r['name']}\", {r['offset']:#05x}, {r['count']}, {r['stride']}, {m['RO']:#x}, {m['RW']:#x}, {m['RW1C']:#x}, "
                       f"{m['WO']:#x}, {r['reset']:#x}, {r['config']:#x}, {'true' if r['side_effect'] else 'false'}}},")
        out += ["}};", f"}} // namespace {block}_block", ""]
    out.append("} // namespace retrace::spec")
    return "\n".join(out) + "\n"


def sv_include(s):
    # No module needs all constants, and Verilator's lint takes no waiver for them from a configuration file.
    out = [f"// {BANNER}", "// verilator lint_off UNUSEDPARAM"]
    for name, e in s.limits.items():
        if e["value"] <= 0xffffffff:
            out.append(f"localparam [31:0] RT_{name.upper()} = 32'h{e['value']:x};")
    for name, e in s.enums.items():
        out += [f"localparam [7:0] RT_{name.upper()}_{k.upper()} = 8'd{v};" for k, v in e["values"].items()]
    out.append("// verilator lint_on UNUSEDPARAM")
    return "\n".join(out) + "\n"


def field_rows(fields):
    rows = ["| offset | bytes | field | meaning |", "|--:|--:|---|---|"]
    for f in fields:
        size = f"{f['count']} x {f['bytes']}" if f["count"] > 1 else f["bytes"]
        kind = f" ({f['nested']})" if f["nested"] else ""
        rows.append(f"| {f['offset']} | {size} | `{f['name']}`{kind} | {f['text']} |")
    return rows


def markdown(s):
    out = ["# Registers, instructions, descriptors, limits", "", f"This page is {BANNER}.", "", "## Limits", "",
           "| name | value | meaning |", "|---|--:|---|"]
    out += [f"| `{n}` | {e['value'] if e['value'] < 65536 else hex(e['value'])} | {e['text']} |" for n, e in s.limits.items()]
    for block, registers in s.registers.items():
        out += ["", f"## Register block `{block}`", "", s.blocks[block]["text"] + ".", "",
                "| offset | register | bits | access | reset | meaning |", "|--:|---|---|---|--:|---|"]
        for r in registers:
            at = f"{r['offset']:#05x}" + (f" + {r['stride']} i, i < {r['count']}" if r["count"] > 1 else "")
            for f in r["fields"]:
                name = f"`{r['name']}`" if r["plain"] else f"`{r['name']}.{f['name']}`"
                text = f["text"] if r["plain"] or f["text"] else r["text"]
                reset = f["reset"] if f["reset"] == "config" else hex(f["reset"])
                out.append(f"| {at} | {name} | {f['msb']}:{f['lsb']} | {f['access']} | {reset} | {text} |")
    out += ["", "## Instructions", "", "| opcode | name | engines | layout | flags | meaning |", "|--:|---|---|---|---|---|"]
    for n, i in s.instructions.items():
        flags = ", ".join(f"{k} {v:#04x}" for k, v in i.get("flags", {}).items())
        out.append(f"| {i['opcode']:#04x} | `{n}` | {', '.join(i['engines'])} | {i['layout']} | {flags} | {i['text']} |")
    for title, group in (("Structure", s.structures), ("Layout", s.layouts), ("Descriptor", s.descriptors)):
        for name, d in group.items():
            out += ["", f"### {title} `{name}` ({d['bytes']} bytes)", "", d["text"] + ".", ""] + field_rows(d["fields"])
    out += ["", "## Codes"]
    for name, e in s.enums.items():
        out += ["", f"`{name}` ({e['text']}): " + ", ".join(f"{k} {v}" for k, v in e["values"].items()) + "."]
    return "\n".join(out) + "\n"


def write_if_changed(path, text):
    """Keeps the time of an unchanged file, so that nothing is compiled again."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as stream:
            if stream.read() == text:
                return
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        s = spec(sys.argv[1])
    except (spec_error, OSError, yaml.YAMLError) as error:
        sys.exit(f"hw/spec: {error}")
    os.makedirs(sys.argv[2], exist_ok=True)
    for name, emit in (("spec_c.h", c_header), ("spec.h", cpp_header), ("spec.svh", sv_include), ("tables.md", markdown)):
        write_if_changed(os.path.join(sys.argv[2], name), emit(s))


if __name__ == "__main__":
    main()
