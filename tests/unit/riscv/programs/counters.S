# mcycle and minstret: writable, 64 bits, exact by the timing table; their user aliases.
#include "test.inc"
  program_begin

  # The table's defaults: alu 1, load 2, store 1, taken branch 2, not taken 1, jump 2, mul 3, div 34, csr 1.
  .macro measure number, cycles, body:vararg
  test \number
  la a0, word
  csrr s3, mcycle
  \body
  csrr s4, mcycle
  sub s4, s4, s3
  check s4, \cycles + 1
  .endm

  measure 2, 0, .equ nothing, 0
  measure 3, 1, addi a1, a1, 1
  measure 4, 2, lw a1, 0(a0)
  measure 5, 1, sw a1, 0(a0)
  measure 6, 3, mul a1, a1, a1
  measure 7, 34, divu a1, a1, a0
  measure 8, 34, rem a1, a1, x0
  measure 9, 1, csrw mscratch, a1
  measure 10, 1, fence
  measure 11, 1, bne x0, x0, fail_near
  measure 12, 1, fence.i
  measure 13, 1, lui a1, 5
  j 1f
fail_near:
  j fail
1:
  test 14
  csrr s3, mcycle
  beq x0, x0, 1f
  nop
1:
  csrr s4, mcycle
  sub s4, s4, s3
  check s4, 3
  test 15
  csrr s3, mcycle
  jal x0, 1f
  nop
1:
  csrr s4, mcycle
  sub s4, s4, s3
  check s4, 3
  # A trap costs 4, mret 4; between them the handler's instructions.
  test 16
  la a0, short_handler
  csrw mtvec, a0
  la a4, back
  csrr s3, mcycle
  ecall
back:
  csrr s4, mcycle
  sub s4, s4, s3
  check s4, 1 + 4 + 1 + 4
  la a0, record_trap
  csrw mtvec, a0

  # A write is what the next instruction reads.
  test 20
  li a0, 1000
  csrw mcycle, a0
  csrr a1, mcycle
  check a1, 1000
  csrw minstret, a0
  csrr a1, minstret
  check a1, 1000
  csrr a1, instret
  check a1, 1001 + 2          # li and bne of the check
  rdcycle a1
  csrr a2, mcycle
  sub a2, a2, a1
  check a2, 1

  # The carry into the high half.
  test 21
  li a0, -1
  csrw minstreth, x0
  csrw minstret, a0
  nop
  csrr a1, minstreth
  check a1, 1
  csrr a1, minstret
  addi a1, a1, -5
  bgtz a1, fail
  test 22
  csrw mcycleh, a0
  csrr a1, mcycleh
  check a1, -1
  csrr a1, cycleh
  check a1, -1
  csrw mcycleh, x0

  # Instructions that trap do not retire: only the handler's two do.
  test 23
  la a0, short_handler
  csrw mtvec, a0
  la a4, back_2
  csrr s3, minstret
  ecall
back_2:
  csrr s4, minstret
  sub s4, s4, s3
  check s4, 3
  j pass

  # The way back is in a4.
  .balign 4
short_handler:
  csrw mepc, a4
  mret

  .data
  .balign 4
word:
  .word 3
