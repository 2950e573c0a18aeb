# Every CSR's legal values, the six CSR instructions, the rules on x0.
#include "test.inc"
  program_begin

  test 2
  li a0, 0x12345678
  csrw mscratch, a0
  csrr a1, mscratch
  check a1, 0x12345678
  test 3
  li a0, 0xff
  csrrs a1, mscratch, a0
  check a1, 0x12345678
  csrrc a1, mscratch, a0
  check a1, 0x123456ff
  csrrw a1, mscratch, a0
  check a1, 0x12345600
  test 4
  csrrwi a1, mscratch, 21
  check a1, 0xff
  csrrsi a1, mscratch, 10
  check a1, 21
  csrrci a1, mscratch, 16
  check a1, 31
  csrr a1, mscratch
  check a1, 15
  # Same register as source and destination: the old value of the register is the source.
  test 5
  li a0, 0xabc
  csrrw a0, mscratch, a0
  check a0, 15
  csrr a0, mscratch
  check a0, 0xabc
  # x0 as source of csrrw writes zero; as source of csrrs, csrrc nothing.
  test 6
  csrrs a0, mscratch, x0
  csrrc a0, mscratch, x0
  csrr a0, mscratch
  check a0, 0xabc
  csrrw a0, mscratch, x0
  csrr a0, mscratch
  check a0, 0

  .macro check_mask number, csr, ones, zeros
  test \number
  csrr s5, \csr
  li a0, -1
  csrw \csr, a0
  csrr a1, \csr
  csrw \csr, x0
  csrr a2, \csr
  csrw \csr, s5
  check a1, \ones
  check a2, \zeros
  .endm

  check_mask 10, mstatus, 0x1888, 0x1800
  csrw mstatus, x0
  check_mask 11, mie, 0x888, 0
  check_mask 12, mip, 0, 0
  check_mask 13, mtvec, 0xfffffffd, 0
  check_mask 14, mepc, 0xfffffffc, 0
  check_mask 15, mcause, 0xffffffff, 0
  check_mask 16, mtval, 0xffffffff, 0
  check_mask 17, misa, 0x40001100, 0x40001100
  check_mask 18, 0x310, 0, 0          # mstatush
  check_mask 19, 0x320, 0, 0          # mcountinhibit
  check_mask 20, mhpmcounter3, 0, 0
  check_mask 21, 0xb9f, 0, 0          # mhpmcounter31h
  check_mask 22, mhpmevent31, 0, 0
  check_mask 23, 0x7a0, 0, 0          # tselect

  .macro check_read_only number, csr, value
  test \number
  csrr a0, \csr
  check a0, \value
  csrrs a0, \csr, x0
  csrrci a0, \csr, 0
  li a0, 1
  li a1, 0x77
  expect_trap
  csrrs a1, \csr, a0
  trapped 2
  check a1, 0x77
  lw a2, 0(s1)
  bne s2, a2, fail
  expect_trap
  csrrw x0, \csr, x0
  trapped 2
  expect_trap
  csrrsi x0, \csr, 1
  trapped 2
  .endm

  check_read_only 30, mvendorid, 0
  check_read_only 31, marchid, 0
  check_read_only 32, mimpid, 0
  check_read_only 33, mhartid, 0
  check_read_only 34, 0xf15, 0        # mconfigptr
  check_read_only 35, cycleh, 0
  check_read_only 36, timeh, 0
  check_read_only 37, instreth, 0

  .macro check_missing number, csr
  test \number
  expect_trap
  csrr a0, \csr
  trapped 2
  expect_trap
  csrw \csr, x0
  trapped 2
  .endm

  check_missing 40, 0x000
  check_missing 41, 0x100             # sstatus
  check_missing 42, 0x180             # satp
  check_missing 43, 0x302             # medeleg
  check_missing 44, 0x306             # mcounteren
  check_missing 45, 0x3a0             # pmpcfg0
  check_missing 46, 0x3b0             # pmpaddr0
  check_missing 47, 0x7b0             # dcsr
  check_missing 48, 0xb01
  check_missing 49, 0xc03             # hpmcounter3
  check_missing 50, 0xfff
  check_missing 51, 0x001             # fflags

  # mret restores MIE from MPIE and sets MPIE; a trap does the reverse.
  test 60
  csrw mstatus, x0
  la a0, 1f
  csrw mepc, a0
  li a0, 0x80
  csrs mstatus, a0
  mret
  j fail
1:
  csrr a0, mstatus
  check a0, 0x1888
  test 61
  la s11, 1f
  la a0, keep_status
  csrw mtvec, a0
  ecall
  j fail
  .balign 4
keep_status:
  csrr s4, mstatus
  la a0, record_trap
  csrw mtvec, a0
  j record_trap
1:
  check s4, 0x1880
  csrr a0, mstatus
  check a0, 0x1888
  # From MIE = 0 a trap clears MPIE, and mret leaves MIE off.
  test 62
  csrci mstatus, 8
  la s11, 1f
  la a0, keep_status
  csrw mtvec, a0
  ecall
  j fail
1:
  check s4, 0x1800
  csrr a0, mstatus
  check a0, 0x1880

  j pass
