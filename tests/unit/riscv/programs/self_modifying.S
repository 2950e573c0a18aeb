# Instruction fetch and stores: visible after fence.i, and not before for an instruction that was already executed.
#include "test.inc"
  program_begin

  # First execution decodes whatever is in memory.
  test 2
  la a0, fresh
  la a1, return_seven
  lw a2, 0(a1)
  sw a2, 0(a0)
  jalr ra, 0(a0)
  check a5, 7

  # An executed instruction is cached: a store changes nothing until fence.i.
  test 3
  la a0, patched
  jalr ra, 0(a0)
  check a5, 1
  la a1, return_seven
  lw a2, 0(a1)
  sw a2, 0(a0)
  lw a3, 0(a0)
  bne a3, a2, fail
  jalr ra, 0(a0)
  check a5, 1
  fence.i
  jalr ra, 0(a0)
  check a5, 7

  # Byte stores count too.
  test 4
  la a0, patched
  li a2, 0x30
  sb a2, 2(a0)               # addi a5, x0, 3: byte 2 holds the low half of the immediate
  fence.i
  jalr ra, 0(a0)
  check a5, 3

  # fence.i in a loop that patches the instruction right behind it.
  test 5
  la a0, behind
  li s3, 0
  li s4, 5
1:
  slli a1, s4, 20
  li a2, 0x00000793          # addi a5, x0, 0
  or a1, a1, a2
  sw a1, 0(a0)
  fence.i
behind:
  addi a5, x0, 0
  add s3, s3, a5
  addi s4, s4, -1
  bnez s4, 1b
  check s3, 15

  j pass

return_seven:
  addi a5, x0, 7

  .balign 4
patched:
  addi a5, x0, 1
  ret
fresh:
  addi a5, x0, 1
  ret
