# Branches in both directions, jal, jalr and its low bit.
#include "test.inc"
  program_begin

  .macro taken number, branch, a, b
  test \number
  li a0, \a
  li a1, \b
  \branch a0, a1, 1f
  j fail
1:
  .endm

  .macro not_taken number, branch, a, b
  test \number
  li a0, \a
  li a1, \b
  \branch a0, a1, fail_near_\@
  j 1f
fail_near_\@:
  j fail
1:
  .endm

  taken 2, beq, 5, 5
  not_taken 3, beq, 5, 6
  taken 4, bne, 5, 6
  not_taken 5, bne, -1, -1
  taken 6, blt, 0x80000000, 0x7fffffff
  not_taken 7, blt, 0x7fffffff, 0x80000000
  not_taken 8, blt, 3, 3
  taken 9, bge, 0x7fffffff, 0x80000000
  taken 10, bge, 3, 3
  not_taken 11, bge, 0x80000000, 0
  taken 12, bltu, 0x7fffffff, 0x80000000
  not_taken 13, bltu, 0x80000000, 0x7fffffff
  not_taken 14, bltu, 3, 3
  taken 15, bgeu, 0x80000000, 0x7fffffff
  taken 16, bgeu, 3, 3
  not_taken 17, bgeu, 0, 0xffffffff

  # A loop branches backward.
  test 20
  li a0, 10
  li a1, 0
1:
  add a1, a1, a0
  addi a0, a0, -1
  bnez a0, 1b
  check a1, 55

  # jal links the next instruction, forward and backward.
  test 21
  j 2f
1:
  check_address a3, linked
  j 3f
2:
  jal a3, 1b
linked:
  j fail
3:

  # jalr adds its immediate, clears bit 0 of the target and links.
  test 22
  la a0, 1f
  jalr a1, 1(a0)
after_jalr:
  j fail
1:
  check_address a1, after_jalr
  test 23
  la a0, 1f + 2047
  jalr a0, -2046(a0)
linked_same:
  j fail
1:
  check_address a0, linked_same

  # jalr x0 is a plain jump.
  test 24
  la a0, 1f
  jr a0
  j fail
1:

  # Code behind tohost: another range of private memory, so the jumps leave the range and come back.
  test 25
  la a0, far_code
  jalr ra, 0(a0)
  check a5, 99
  j pass

  .section .far, "ax"
  .balign 4
far_code:
  li a5, 99
  ret
