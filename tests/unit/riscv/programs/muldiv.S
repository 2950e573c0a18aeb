# RV32M at its corners: signs of the high halves, division by zero, overflow.
#include "test.inc"
  program_begin

  check_rr 2, mul, 0xffffffff, 0xffffffff, 1
  check_rr 3, mul, 0x80000000, 0x80000000, 0
  check_rr 4, mul, 0x12345678, 0x9abcdef0, 0x242d2080
  check_rr 5, mul, 0x7fffffff, 3, 0x7ffffffd

  check_rr 10, mulh, 0xffffffff, 0xffffffff, 0
  check_rr 11, mulh, 0x80000000, 0x80000000, 0x40000000
  check_rr 12, mulh, 0x80000000, 0x7fffffff, 0xc0000000
  check_rr 13, mulh, 0xffffffff, 1, 0xffffffff
  check_rr 14, mulh, 0x7fffffff, 0x7fffffff, 0x3fffffff

  check_rr 20, mulhsu, 0xffffffff, 0xffffffff, 0xffffffff
  check_rr 21, mulhsu, 0x80000000, 0xffffffff, 0x80000000
  check_rr 22, mulhsu, 0x7fffffff, 0xffffffff, 0x7ffffffe
  check_rr 23, mulhsu, 0xffffffff, 1, 0xffffffff
  check_rr 24, mulhsu, 1, 0xffffffff, 0

  check_rr 30, mulhu, 0xffffffff, 0xffffffff, 0xfffffffe
  check_rr 31, mulhu, 0x80000000, 0x80000000, 0x40000000
  check_rr 32, mulhu, 0x80000000, 2, 1
  check_rr 33, mulhu, 0xffffffff, 1, 0

  check_rr 40, div, 20, 6, 3
  check_rr 41, div, -20, 6, -3
  check_rr 42, div, 20, -6, -3
  check_rr 43, div, -20, -6, 3
  check_rr 44, div, 1, 0, -1
  check_rr 45, div, 0, 0, -1
  check_rr 46, div, 0x80000000, 0, -1
  check_rr 47, div, 0x80000000, -1, 0x80000000
  check_rr 48, div, 0x80000000, 1, 0x80000000
  check_rr 49, div, 0x7fffffff, -1, 0x80000001

  check_rr 50, divu, 20, 6, 3
  check_rr 51, divu, -20, 6, 715827879
  check_rr 52, divu, 0x80000000, -1, 0
  check_rr 53, divu, 0x80000000, 0, 0xffffffff
  check_rr 54, divu, 0, 0, 0xffffffff
  check_rr 55, divu, 0xffffffff, 1, 0xffffffff

  check_rr 60, rem, 20, 6, 2
  check_rr 61, rem, -20, 6, -2
  check_rr 62, rem, 20, -6, 2
  check_rr 63, rem, -20, -6, -2
  check_rr 64, rem, 0x80000000, -1, 0
  check_rr 65, rem, 0x80000000, 0, 0x80000000
  check_rr 66, rem, 0, 0, 0
  check_rr 67, rem, -7, 0, -7

  check_rr 70, remu, 20, 6, 2
  check_rr 71, remu, -20, 6, 2
  check_rr 72, remu, 0x80000000, -1, 0x80000000
  check_rr 73, remu, 7, 0, 7
  check_rr 74, remu, 0xffffffff, 0, 0xffffffff

  j pass
