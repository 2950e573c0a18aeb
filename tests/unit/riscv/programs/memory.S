# Loads and stores of every size: sign extension, byte order, neighbours untouched, offsets of both signs.
#include "test.inc"
  program_begin

  .macro check_load number, instruction, offset, expected
  test \number
  la a0, pattern
  \instruction a1, \offset(a0)
  check a1, \expected
  .endm

  check_load 2, lb, 0, 0x00000001
  check_load 3, lb, 3, 0xffffff84
  check_load 4, lb, 4, 0xffffffff
  check_load 5, lbu, 3, 0x84
  check_load 6, lbu, 4, 0xff
  check_load 7, lh, 0, 0x0201
  check_load 8, lh, 2, 0xffff8403
  check_load 9, lhu, 2, 0x8403
  check_load 10, lhu, 4, 0x7fff
  check_load 11, lh, 4, 0x7fff
  check_load 12, lw, 0, 0x84030201
  check_load 13, lw, 4, 0x80007fff
  check_load 14, lw, -4, 0xcafef00d
  check_load 15, lbu, -1, 0xca
  check_load 16, lh, -2, 0xffffcafe

  test 20
  la a0, scratch
  li a1, 0x11223344
  sw a1, 0(a0)
  li a1, 0xaabbccdd
  sb a1, 1(a0)
  lw a2, 0(a0)
  check a2, 0x1122dd44
  test 21
  sh a1, 2(a0)
  lw a2, 0(a0)
  check a2, 0xccdddd44
  test 22
  sw a1, 0(a0)
  lw a2, 0(a0)
  check a2, 0xaabbccdd
  test 23
  lw a2, 4(a0)
  check a2, 0x55667788
  lw a2, -4(a0)
  check a2, 0x99aabbcc
  test 24
  addi a3, a0, 2047
  sb a1, -2048(a3)
  lw a2, -4(a0)
  check a2, 0xddaabbcc
  lw a2, 0(a0)
  check a2, 0xaabbccdd

  # bss is zero; a load may overwrite its own base register.
  test 30
  la a0, zeros
  lw a0, 8(a0)
  check a0, 0

  # The largest offsets.
  test 31
  la a0, zeros
  li a1, 0x5a5a5a5a
  sw a1, 2044(a0)
  addi a0, a0, 2044
  lw a2, 0(a0)
  check a2, 0x5a5a5a5a
  addi a0, a0, 4
  lw a2, -4(a0)
  check a2, 0x5a5a5a5a

  # tohost is a word of memory like others: bytes of it can be read and written (zero ends nothing).
  test 32
  la a0, tohost
  sb x0, 1(a0)
  lhu a1, 0(a0)
  check a1, 0

  j pass

  .data
  .balign 4
  .word 0xcafef00d
pattern:
  .word 0x84030201, 0x80007fff
  .word 0x99aabbcc
scratch:
  .word 0, 0x55667788
  .bss
  .balign 4
zeros:
  .space 2052
