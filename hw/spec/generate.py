#!/usr/bin/env python3
"""Turns registers.yaml, isa.yaml and limits.yaml into a C header, a C++ header, a SystemVerilog include and Markdown tables.

usage: generate.py SPEC_DIR OUTPUT_DIR        (spec.c.h, spec.h, spec.svh, tables.md)
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
            key = self.construct_object(key_node, deep=deep)
            if key in seen:
                raise spec_error(f"{key_node.start_mark}: duplicate key {key}")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load(path):
    with open(path, encoding="utf-8") as stream:
        return yaml.load(stream, unique_key_loader)


class spec:
    def __init__(self, folder):
        limits = load(os.path.join(folder, "limits.yaml"))
        isa = load(os.path.join(folder, "isa.yaml"))
        self.blocks = load(os.path.join(folder, "registers.yaml"))["blocks"]
        self.limits = limits["limits"]
        self.enums = {**limits["enums"], **isa["enums"]}
        self.structures = {name: self.layout(name, s, []) for name, s in isa["structures"].items()}
        header = self.structures["header"]
        self.layouts = {n: self.layout(n, s, header["fields"], self.limits["instruction_bytes"]["value"])
                        for n, s in isa["layouts"].items()}
        self.instructions = isa["instructions"]
        self.descriptors, self.bit_enums = {}, {}
        for name, entry in isa["descriptors"].items():
            if "enum" in entry:
                self.enums[name] = {"text": entry["text"], "values": entry["enum"]}
            else:
                size = {"command": "command_bytes", "completion": "completion_bytes"}.get(name)
                self.descriptors[name] = self.layout(name, entry, [], self.limits[size]["value"] if size else None)
        self.check_instructions()
        self.registers = {name: self.register_list(name, block) for name, block in self.blocks.items()}

    def structure(self, name):
        return self.structures.get(name) or self.descriptors.get(name)

    def layout(self, name, entry, prefix, size=None):
        """fields as dicts with offset; every field must be naturally aligned, so that C structs have no padding."""
        fields = [dict(f) for f in prefix]
        offset = sum(f["bytes"] * f["count"] for f in fields)
        for field in entry["fields"]:
            label, kind, text = field[:3]
            count = self.limits[field[3]]["value"] if len(field) > 3 else 1
            nested = None
            if isinstance(kind, str):
                nested = kind
                inner = self.structures[kind] if hasattr(self, "structures") and kind in self.structures else self.descriptors[kind]
                width, align = inner["bytes"], inner["align"]
            else:
                width, align = kind, min(kind, 8)
                if kind not in (1, 2, 4, 8):
                    raise spec_error(f"{name}.{label}: {kind} bytes")
            if offset % align:
                raise spec_error(f"{name}.{label}: offset {offset} is not aligned to {align}")
            fields.append({"name": label, "bytes": width, "count": count, "offset": offset, "text": text, "nested": nested})
            offset += width * count
        if size is not None and offset != size:
            raise spec_error(f"{name}: fields take {offset} bytes, not {size}")
        align = max([min(f["bytes"], 8) if not f["nested"] else 4 for f in fields])
        return {"fields": fields, "bytes": offset, "align": align, "text": entry["text"]}

    def check_instructions(self):
        used = {}
        for name, i in self.instructions.items():
            if i["opcode"] in used:
                raise spec_error(f"opcode of {name} is also {used[i['opcode']]}")
            used[i["opcode"]] = name

    def register_list(self, block_name, block):
        result, occupied = [], {}
        for name, entry in block["registers"].items():
            fields = []
            if "fields" in entry:
                for label, (msb, lsb, access, reset, text) in entry["fields"].items():
                    fields.append({"name": label, "msb": msb, "lsb": lsb, "access": access, "reset": reset, "text": text})
            else:
                fields.append({"name": "value", "msb": 31, "lsb": 0, "access": entry["access"],
                               "reset": entry.get("reset", 0), "text": entry["text"], "mask": entry.get("mask", 0xffffffff)})
            masks = {"RO": 0, "RW": 0, "RW1C": 0, "WO": 0}
            reset, config = 0, 0
            for f in fields:
                mask = ((1 << (f["msb"] - f["lsb"] + 1)) - 1) << f["lsb"]
                mask &= f.get("mask", 0xffffffff)
                if (masks["RO"] | masks["RW"] | masks["RW1C"] | masks["WO"]) & mask:
                    raise spec_error(f"{block_name}.{name}.{f['name']} overlaps another field")
                masks[f["access"]] |= mask
                if f["reset"] == "config":
                    config |= mask
                else:
                    reset |= f["reset"] << f["lsb"]
            count, stride = entry.get("count", 1), entry.get("stride", 4)
            for i in range(count):
                offset = entry["offset"] + i * stride
                if offset in occupied or offset % 4:
                    raise spec_error(f"{block_name}.{name}: offset {offset:#x} is taken by {occupied.get(offset)} or unaligned")
                occupied[offset] = name
            result.append({"name": name, "offset": entry["offset"], "count": count, "stride": stride, "masks": masks,
                           "reset": reset, "config": config, "side_effect": bool(entry.get("side_effect")),
                           "fields": fields, "text": entry["text"], "plain": "fields" not in entry})
        return result


BANNER = "generated from hw/spec/*.yaml by hw/spec/generate.py; do not edit"


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
                    mask = (1 << (f["msb"] - f["lsb"] + 1)) - 1
                    out.append(f"#define {prefix}_{f['name'].upper()}_SHIFT {f['lsb']}u")
                    out.append(f"#define {prefix}_{f['name'].upper()}_MASK {mask << f['lsb']:#x}u")
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
        array = f["count"] > 1 or (f["name"].startswith("reserved") and f["bytes"] > 8)
        out.append(f"    {kind} {f['name']}{'[%d]' % f['count'] if array else ''}{{}};" + (f" ///< {f['text']}" if f["text"] else ""))
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
        who = ", ".join("true" if e in i["engines"] else "false" for e in ("pe", "activation", "vector", "dma"))
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
                    mask = ((1 << (f["msb"] - f["lsb"] + 1)) - 1) << f["lsb"]
                    out.append(f"inline constexpr std::uint32_t {r['name']}_{f['name']}_shift = {f['lsb']}, {r['name']}_{f['name']}_mask = {mask:#x};")
        out.append(f"inline constexpr std::array<register_info, {len(registers)}> registers{{{{")
        for r in registers:
            m = r["masks"]
            out.append(f"    {{\"{r['name']}\", {r['offset']:#05x}, {r['count']}, {r['stride']}, {m['RO']:#x}, {m['RW']:#x}, {m['RW1C']:#x}, "
                       f"{m['WO']:#x}, {r['reset']:#x}, {r['config']:#x}, {'true' if r['side_effect'] else 'false'}}},")
        out += ["}};", f"}} // namespace {block}_block", ""]
    out.append("} // namespace retrace::spec")
    return "\n".join(out) + "\n"


def sv_include(s):
    out = [f"// {BANNER}"]
    for name, e in s.limits.items():
        if e["value"] <= 0xffffffff:
            out.append(f"localparam [31:0] RT_{name.upper()} = 32'h{e['value']:x};")
    for name, e in s.enums.items():
        out += [f"localparam [7:0] RT_{name.upper()}_{k.upper()} = 8'd{v};" for k, v in e["values"].items()]
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


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        s = spec(sys.argv[1])
    except (spec_error, KeyError, yaml.YAMLError) as error:
        sys.exit(f"hw/spec: {error}")
    os.makedirs(sys.argv[2], exist_ok=True)
    for name, text in (("spec_c.h", c_header(s)), ("spec.h", cpp_header(s)), ("spec.svh", sv_include(s)), ("tables.md", markdown(s))):
        path = os.path.join(sys.argv[2], name)
        old = open(path, encoding="utf-8").read() if os.path.exists(path) else None
        if old != text:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)


if __name__ == "__main__":
    main()
