# RV32I register and immediate arithmetic, logic and shifts at their corners.
#include "test.inc"
  program_begin

  check_ri 2, addi, 0x7fffffff, 1, 0x80000000
  check_ri 3, addi, 0, -2048, 0xfffff800
  check_ri 4, addi, 0xffffffff, 1, 0
  check_ri 5, slti, 0x80000000, 0, 1
  check_ri 6, slti, 0, -1, 0
  check_ri 7, slti, -1, -1, 0
  check_ri 8, sltiu, 0, -1, 1
  check_ri 9, sltiu, 0xffffffff, -1, 0
  check_ri 10, sltiu, 0, 1, 1
  check_ri 11, xori, 0x12345678, -1, 0xedcba987
  check_ri 12, ori, 0x12340000, -256, 0xffffff00
  check_ri 13, andi, 0x12345678, -16, 0x12345670
  check_ri 14, andi, 0xffffffff, 0x7ff, 0x7ff
  check_ri 15, slli, 1, 31, 0x80000000
  check_ri 16, slli, 0xdeadbeef, 0, 0xdeadbeef
  check_ri 17, srli, 0x80000000, 31, 1
  check_ri 18, srai, 0x80000000, 31, 0xffffffff
  check_ri 19, srai, 0x7fffffff, 30, 1
  check_ri 20, srai, 0x80000001, 4, 0xf8000000

  check_rr 30, add, 0x80000000, 0x80000000, 0
  check_rr 31, add, 0x7fffffff, 0x7fffffff, 0xfffffffe
  check_rr 32, sub, 0, 0x80000000, 0x80000000
  check_rr 33, sub, 0x80000000, 1, 0x7fffffff
  check_rr 34, sll, 1, 32, 1
  check_rr 35, sll, 1, 0xffffffff, 0x80000000
  check_rr 36, srl, 0x80000000, 63, 1
  check_rr 37, srl, 0x80000000, 32, 0x80000000
  check_rr 38, sra, 0x80000000, 0xffffffe4, 0xf8000000
  check_rr 39, sra, 0x40000000, 30, 1
  check_rr 40, slt, 0x80000000, 0x7fffffff, 1
  check_rr 41, slt, 0x7fffffff, 0x80000000, 0
  check_rr 42, slt, 5, 5, 0
  check_rr 43, sltu, 0x80000000, 0x7fffffff, 0
  check_rr 44, sltu, 0x7fffffff, 0x80000000, 1
  check_rr 45, sltu, 0, 1, 1
  check_rr 46, xor, 0xff00ff00, 0x0f0f0f0f, 0xf00ff00f
  check_rr 47, or, 0xff00ff00, 0x0f0f0f0f, 0xff0fff0f
  check_rr 48, and, 0xff00ff00, 0x0f0f0f0f, 0x0f000f00

  # Source and destination may be the same register.
  test 50
  li a0, 21
  add a0, a0, a0
  check a0, 42
  sub a0, a0, a0
  check a0, 0

  # x0 reads zero whatever is written to it.
  test 51
  li a0, 77
  add x0, a0, a0
  addi x0, a0, 5
  lui x0, 0x12345
  auipc x0, 1
  mul x0, a0, a0
  csrr x0, misa
  la a1, words
  lw x0, 0(a1)
  add a2, x0, x0
  check a2, 0

  test 52
  lui a0, 0xfffff
  check a0, 0xfffff000
  lui a0, 0x80000
  check a0, 0x80000000

  # auipc: the difference of two is their distance plus the difference of their immediates.
  test 53
  auipc a0, 0
  auipc a1, 0x10
  sub a1, a1, a0
  check a1, 0x10004
  test 54
  auipc a0, 0
  auipc a1, 0xfffff
  sub a1, a1, a0
  check a1, 0xfffff004

  j pass

  .data
words:
  .word 0x12345678
