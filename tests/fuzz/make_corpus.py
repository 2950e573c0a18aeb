#!/usr/bin/env python3
"""Writes the first inputs of the corpora of ELF files, engine programs and ring commands.

make_corpus.py CORPUS-FOLDER

Layouts are those of hw/README.md and registers.md; actions of ring_commands those of fuzz_ring_commands.cpp. Cases for
cosim_case come from `retrace cosim`; inputs that fuzzing has found are added by hand.
"""
import pathlib
import struct
import sys

RAM, HOST = 0x80000000, 1 << 32


def write(folder, name, data):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


# --- ELF: a text segment, and a symbol table with tohost and a signature

def i_type(imm, rs1, f3, rd, op): return (imm & 0xfff) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op
def addi(rd, rs1, imm): return i_type(imm, rs1, 0, rd, 0x13)
def lui(rd, imm): return imm << 12 | rd << 7 | 0x37
def store(rs2, rs1, imm, f3=2): return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm & 31) << 7 | 0x23
def load(rd, rs1, imm, f3=2): return i_type(imm, rs1, f3, rd, 0x03)
def reg(f7, rs2, rs1, f3, rd): return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x33
def branch(f3, rs1, rs2, imm):
    return ((imm >> 12 & 1) << 31 | (imm >> 5 & 63) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (imm >> 1 & 15) << 8
            | (imm >> 11 & 1) << 7 | 0x63)
def csr(number, rs1, f3, rd): return i_type(number, rs1, f3, rd, 0x73)
MRET, WFI, ECALL, FENCE_I, SELF = 0x30200073, 0x10500073, 0x73, 0x100f, 0x6f


def elf(words, symbols=(("tohost", RAM + 0x1000), ("begin_signature", RAM), ("end_signature", RAM + 16)), entry=RAM,
        address=RAM, bss=64):
    text = b"".join(struct.pack("<I", w) for w in words)
    strings, table = b"\0", bytes(16)
    for name, value in symbols:
        table += struct.pack("<IIIBBH", len(strings), value, 4, 0x10, 0, 1)
        strings += name.encode() + b"\0"
    at = 52 + 32
    symbols_at, strings_at = at + len(text), at + len(text) + len(table)
    sections_at = strings_at + len(strings)
    sections = bytes(40)
    sections += struct.pack("<10I", 0, 2, 0, 0, symbols_at, len(table), 2, 0, 4, 16)
    sections += struct.pack("<10I", 0, 3, 0, 0, strings_at, len(strings), 0, 0, 1, 0)
    head = b"\x7fELF\1\1\1" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, entry, 52, sections_at if symbols else 0, 0, 52,
                                                     32, 1, 40, 3 if symbols else 0, 0)
    program = struct.pack("<8I", 1, at, address, address, len(text), len(text) + bss, 7, 4)
    return head + program + text + table + strings + sections


def elf_files(folder):
    end = [lui(31, 0x80001), addi(30, 0, 1), store(30, 31, 0), SELF]
    arithmetic = [addi(5, 0, 77), addi(6, 0, -3)] + [reg(f7, 6, 5, f3, 7 + f3) for f7 in (0, 1) for f3 in range(8)]
    arithmetic += [reg(0x20, 6, 5, 0, 8), reg(0x20, 6, 5, 5, 9)]
    write(folder, "arithmetic.elf", elf(arithmetic + end))
    write(folder, "divide_by_zero.elf", elf([addi(5, 0, 9)] + [reg(1, 0, 5, f3, 6) for f3 in (4, 5, 6, 7)] + end))
    write(folder, "failed.elf", elf([lui(31, 0x80001), addi(30, 0, 7), store(30, 31, 0), SELF]))
    write(folder, "host_request.elf", elf([lui(31, 0x80001), addi(30, 0, 8), store(30, 31, 0), SELF]))
    memory = [lui(5, 0x80002)]
    for f3, size in ((0, 1), (1, 2), (2, 4)):
        memory += [store(5, 5, 8 * size, f3), load(6, 5, 8 * size, f3), load(7, 5, 8 * size, f3 | 4 if f3 < 2 else 2)]
    write(folder, "memory.elf", elf(memory + end))
    write(folder, "loop.elf", elf([addi(5, 0, 200), addi(5, 5, -1), branch(1, 5, 0, -4)] + end))
    write(folder, "for_ever.elf", elf([SELF], symbols=()))
    handler = [lui(5, 0x80000), addi(5, 5, 36), csr(0x305, 5, 1, 0)]  # mtvec behind the six words that follow
    trap = [load(6, 0, 1), ECALL, 0xffffffff, load(6, 0, 4), store(6, 0, 4), SELF,
            csr(0x341, 0, 2, 7), addi(7, 7, 4), csr(0x341, 7, 1, 0), csr(0x342, 0, 2, 8), MRET]
    write(folder, "traps.elf", elf(handler + trap))
    write(folder, "locked_up.elf", elf([0]))
    timer = [lui(5, 0x2004), addi(6, 0, 60), store(0, 5, 4), store(6, 5, 0), addi(7, 0, 0x80), csr(0x304, 7, 1, 0), WFI]
    write(folder, "timer.elf", elf(timer + end))
    write(folder, "interrupt.elf", elf(timer[:-1] + [lui(8, 0x80000), addi(8, 8, 64), csr(0x305, 8, 1, 0), csr(0x300, 0, 0x6, 0),
                                                     i_type(0x300, 8, 6, 0, 0x73), SELF] + [addi(0, 0, 0)] * 4 + end))
    write(folder, "asleep.elf", elf([WFI]))
    write(folder, "counters.elf", elf([csr(n, 0, 2, 5) for n in (0xb00, 0xb02, 0xc00, 0xc01, 0xc02, 0xf14, 0x301, 0x340)] + end))
    change = [lui(5, 0x80000), load(6, 5, 32), store(6, 5, 20), FENCE_I, addi(0, 0, 0), addi(7, 0, 1), addi(7, 7, 1), SELF,
              addi(7, 0, 2)]
    write(folder, "self_modifying.elf", elf(change))
    write(folder, "stripped.elf", elf(end, symbols=()))
    good = elf(end)
    write(folder, "cut.elf", good[:100])
    write(folder, "tohost_in_text.elf", elf(end, symbols=(("tohost", RAM + 4),)))
    write(folder, "outside.elf", elf(end, address=0x1000))
    write(folder, "wraps.elf", elf(end, address=0xfffffff0, bss=0))
    write(folder, "elf64.elf", good[:4] + b"\2" + good[5:])


# --- commands

def operand(memory, base, size, tag=0, version=0, access=3): return struct.pack("<QIIIBBH", base, size, tag, version, memory, access, 0)


def command(opcode=1, phase=1, sequence=2, programs=(), operands=(), waits=(), layer=0, seed=7, work=(0, 0, 0, 0), step=1):
    waits = list(waits) + [0] * (4 - len(waits))
    data = struct.pack("<4B3I4I2I2HI", opcode, phase, len(operands), len(programs), sequence, step, layer, *waits, work[0], work[1],
                       work[2], work[3], seed)
    data += bytes([p[0] for p in programs] + [0] * (8 - len(programs))) + bytes(8)
    data += b"".join(struct.pack("<II", p[1], p[2]) for p in programs) + bytes(8 * (8 - len(programs)))
    data += b"".join(operands) + bytes(24 * (16 - len(operands)))
    assert len(data) == 512
    return data


def header(opcode, flags=0, sync=(0,) * 8, source=0, result=0): return bytes([opcode, flags, *sync, source, result])
def place(slot, offset=0, pitch=0, tag_slot=None): return struct.pack("<BBHII", slot, slot if tag_slot is None else tag_slot, 0, offset, pitch)


def matrix(opcode, rows, columns, a=bytes(12), b=bytes(12), d=bytes(12), function=0, second=0, broadcast=0, scale=0x3f800000, base=0,
           **head):
    data = header(opcode, **head) + struct.pack("<HH", rows, columns) + a + b + d + bytes([function, second, broadcast, 0])
    return data + struct.pack("<II", scale, base)


def copy(source, destination, sizes, from_strides, to_strides, element=1, offsets=(0, 0), tag_slot=0, **head):
    data = header(0x40, **head) + bytes([source, destination, tag_slot, element])
    data += struct.pack("<IIIIHH", offsets[0], offsets[1], *sizes) + struct.pack("<6I", *from_strides, *to_strides) + bytes(4)
    assert len(data) == 64
    return data


def engine_programs(folder):
    slots = [operand(3, 0, 65536, 1, 1), operand(3, 1 << 16, 65536, 2, 1), operand(3, 1 << 17, 65536, 3, 1),
             operand(4, 0, 65536), operand(1, HOST, 65536, 4, 1), operand(2, 4096, 65536, 5, 2)]
    table = lambda **k: command(operands=slots, **k)
    a, b, d, sums = place(0, 0, 96), place(1, 4, 80), place(2, 8, 100), place(3, 0, 128)
    for name, source in (("fp32", 0), ("bf16", 1), ("e4m3", 2), ("e5m2", 3), ("int8", 4), ("int32", 5)):
        program = b"".join(matrix(0x20, 5, 17, place(0, 0, 96), b, d, f, source=source, result=r, flags=f % 2, second=1)
                           for f, r in ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 0), (6, 1), (7, 0), (8, 0), (9, 0)))
        write(folder, "activate_" + name, table(phase=1) + program)
        program = b"".join(matrix(0x30, 5, 17, a, b, d, f, source, f % 3, source=source, result=f % 5) for f in range(7))
        write(folder, "binary_" + name, table(phase=2) + program)
    stochastic = [matrix(0x20, 3, 9, a, place(1, 0, 9), d, 0, base=5, source=0, result=r, flags=2) for r in (1, 2, 3)]
    write(folder, "stochastic", table() + b"".join(stochastic) + matrix(0x20, 3, 9, a, b, d, source=5, result=5, scale=0x3f800000))
    reduce = [matrix(0x31, 7, 13, a, d=place(2, 0, 4), function=f) for f in (0, 4)]
    reduce += [matrix(0x32, 7, 13, a, d=d, flags=f) for f in (0, 1)]
    write(folder, "reduce", table() + b"".join(reduce))
    array = matrix(0x10, 8, 8, a, source=1) + matrix(0x11, 9, 8, a, d=sums, source=1, flags=2) + matrix(0x11, 9, 8, a, d=sums, flags=1)
    write(folder, "array", table(phase=0) + array)
    sync = matrix(0, 0, 0, sync=(0, 0, 0, 0, 3, 255, 4, 1)) + matrix(0, 0, 0, sync=(3, 200, 4, 1, 0, 0, 0, 0)) + matrix(0, 0, 0, sync=(32, 0, 0, 0, 0, 0, 0, 0))
    write(folder, "semaphores", table() + sync * 3)
    for layer in (0, 3, 6):
        copies = [copy(4, 0, (300, 7, 3, 2), (320, 2500, 8000), (300, 2100, 6300)), copy(0, 5, (64, 64, 1, 1), (64, 0, 0), (64, 0, 0)),
                  copy(5, 4, (1, 300, 1, 1), (7, 0, 0), (3, 0, 0)), copy(0, 0, (64, 4, 1, 1), (64, 0, 0), (64, 0, 0), offsets=(0, 32)),
                  copy(0, 1, (10, 5, 1, 1), (0, 0, 0), (4, 0, 0)), copy(0, 1, (1, 65535, 65535, 1), (0, 0, 0), (0, 0, 0))]
        copies += [copy(0, 1, (130 * e, 37, 1, 1), (130 * e + 4, 0, 0), (37 * e + 8, 0, 0), element=e, flags=1) for e in (1, 2, 4)]
        write(folder, "copies_%d" % layer, table(layer=layer) + b"".join(copies))
    bad = [matrix(0x20, 5, 17, place(9), b, d), matrix(0x20, 0, 17, a, b, d), matrix(0x20, 5, 17, place(0, 0, 3), b, d),
           matrix(0x30, 5, 17, a, b, d, 7), matrix(0x77, 1, 1, a), matrix(0x20, 65535, 65535, a, b, d), matrix(0x20, 5, 17, place(0, 65500, 96), b, d)]
    write(folder, "refused", table() + b"".join(bad))


def ring_commands(folder):
    region = 448 << 10  # region `programs` of the target's device
    put = lambda programs=1, operands=0: bytes([0, programs + 7 * operands])
    ring, collect, reset = b"\1", b"\12", b"\13"
    patch = lambda shape, *changes: bytes([2, shape, len(changes) - 1]) + b"".join(struct.pack("<HB", *c) for c in changes)
    raw = lambda data, numbered=1: bytes([3, numbered]) + data
    doorbell = lambda tail: b"\5" + struct.pack("<H", tail)
    head = lambda value: b"\6" + struct.pack("<H", value)
    wait = lambda cycles: b"\7" + struct.pack("<H", cycles // 4)
    register = lambda offset, value: b"\10" + struct.pack("<HI", offset, value)
    outcome = lambda cycles, fault=0: b"\11" + bytes([199 + fault if fault else 0, cycles // 16])
    write(folder, "sound", b"\14" + b"".join(put(p, o) for p in range(7) for o in (0, 3, 16)) + ring)
    write(folder, "small_rings", b"\0" + (put(2, 4) + ring) * 12 + collect * 6)
    write(folder, "doorbells", b"\6" + b"".join(put() + doorbell(t) for t in (0, 1, 3, 7, 8, 15, 16, 0xffff, 0x8000, 2)))
    write(folder, "heads", b"\6" + b"".join(put() + ring + head(t) + wait(2000) for t in (0, 9, 5, 0xffff, 14)))
    # One wrong byte each: opcode, phase, counts, sequence, waits, work, psum, engines, reserved, programs, operands.
    changes = [(0, 3), (1, 9), (2, 17), (3, 9), (4, 77), (16, 99), (33, 255), (37, 255), (40, 99), (42, 99), (48, 99), (56, 1),
               (64, 32), (68, 0), (71, 255), (128, 1), (132, 9), (139, 255), (148, 9), (149, 8), (150, 1)]
    write(folder, "wrong_bytes", b"\14" + b"".join(patch(3 + 7 * 4, c) for c in changes) + ring)
    waits = b"".join(bytes([4, 1 + n % 3 + 7 * 2, n * 5 % 190, 1, n % 4, 0, n % 7, n * 13 % 96]) for n in range(20))
    write(folder, "order", b"\14" + waits + ring + collect * 3 + waits + ring)
    loads = b"".join(bytes([4, 14, 200, 0, 0, 0, 0, 0]) + struct.pack("<HHH", n, n & 0xffc0, n) for n in (64, 4095, 4096, 4097, 12000, 30000))
    write(folder, "loads", b"\14" + loads + ring)
    faults = b"".join(outcome(16 * n, n) for n in range(1, 14))
    write(folder, "faults", b"\14" + faults + b"".join(put(5, 2) + bytes([4, 2, 7, 1, 2, 0, 0, 0]) for _ in range(8)) + ring)
    write(folder, "registers", b"\6" + put() + ring + b"".join(register(o, v) for o in range(0, 0x60, 4) for v in (0, 0xffffffff)) + put() + ring)
    write(folder, "resets", b"\14" + outcome(4000) + put(5, 2) * 6 + ring + wait(1500) + reset + put(3) * 3 + ring + wait(300) + reset + put() + ring)
    good = command(programs=[(0, region, 4), (3, region + 4096, 8)], operands=[operand(3, 4096, 1024, 1, 1), operand(2, 0, 64, 2, 1)])
    load = command(opcode=2, operands=[operand(1, HOST + 256, 5000), operand(2, region, 5000)])
    noise = bytes((n * 197 + n // 7 * 31) & 255 for n in range(512))
    write(folder, "raw", b"\14" + raw(good) + raw(load) + raw(noise) + raw(noise, 0) + raw(b"\xff" * 512) + raw(bytes(512)) + ring)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    corpora = pathlib.Path(sys.argv[1])
    elf_files(corpora / "elf")
    engine_programs(corpora / "engine_program")
    ring_commands(corpora / "ring_commands")


if __name__ == "__main__":
    main()
