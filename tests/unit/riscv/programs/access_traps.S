# Misaligned accesses, misaligned fetches, accesses and fetches where nothing is.
#include "test.inc"
  program_begin

  .macro load_trap number, instruction, address, cause
  test \number
  li a0, \address
  li a1, 0x1234
  expect_trap
  \instruction a1, 0(a0)
  trapped \cause
  check s2, \address
  check a1, 0x1234
  .endm

  la s3, words
  .macro misaligned number, instruction, offset, cause
  test \number
  li a1, 0x1234
  expect_trap
  \instruction a1, \offset(s3)
  trapped \cause
  addi a2, s3, \offset
  bne s2, a2, fail
  check a1, 0x1234
  lw a2, 0(s3)
  check a2, 0x11111111
  .endm

  misaligned 2, lh, 1, 4
  misaligned 3, lhu, 3, 4
  misaligned 4, lw, 1, 4
  misaligned 5, lw, 2, 4
  misaligned 6, lw, 3, 4
  misaligned 7, sh, 1, 6
  misaligned 8, sh, 3, 6
  misaligned 9, sw, 1, 6
  misaligned 10, sw, 2, 6
  misaligned 11, sw, 3, 6

  # Nothing at this address; misalignment is found before.
  load_trap 20, lw, 0x10000000, 5
  load_trap 21, lb, 0x10000001, 5
  load_trap 22, lhu, 0xfffffffe, 5
  load_trap 23, sw, 0x10000000, 7
  load_trap 24, sb, 0, 7
  load_trap 25, lw, 0x10000002, 4
  load_trap 26, sh, 0x10000001, 6
  # The timer takes words only.
  load_trap 27, lh, 0x02004000, 5
  load_trap 28, sb, 0x0200bff8, 7
  # Both ends of RAM (16 MiB).
  load_trap 29, lw, 0x7ffffffc, 5
  load_trap 30, lw, 0x81000000, 5

  # Misaligned targets: the jump traps, mepc is the jump, the link register keeps its value.
  test 40
  li a1, 5
  la a0, words
  expect_trap
  jalr a1, 2(a0)
  trapped 0
  addi a2, a0, 2
  bne s2, a2, fail
  check a1, 5
  test 41
  expect_trap
  jalr a1, 3(a0)
  trapped 0
  bne s2, a2, fail
  check a1, 5
  test 42
  li a1, 5
  la s11, 1f
jal_misaligned:
  .word 0x002005ef       # jal a1, .+2
1:
  check s0, 0
  check_address s1, jal_misaligned
  check_address s2, jal_misaligned + 2
  check a1, 5
  test 43
  la s11, 1f
  li s0, -1
branch_misaligned:
  .word 0x00000363       # beq x0, x0, .+6
1:
  check s0, 0
  check_address s1, branch_misaligned
  check_address s2, branch_misaligned + 6
  # Not taken, it does not trap.
  test 44
  .word 0x00001363       # bne x0, x0, .+6

  # Fetches from nowhere: mepc and mtval are the target, the jump itself has retired.
  test 50
  li a0, 0x10000000
  la s11, 1f
  jalr a1, 0(a0)
no_return:
  j fail
1:
  check s0, 1
  check s1, 0x10000000
  check s2, 0x10000000
  check_address a1, no_return
  test 51
  la s11, 1f
  la a0, tohost          # not private memory of the core
  jr a0
1:
  check s0, 1
  bne s1, a0, fail

  j pass

  .data
  .balign 4
words:
  .word 0x11111111, 0x22222222
