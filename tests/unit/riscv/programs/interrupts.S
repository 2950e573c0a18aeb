# Timer and software interrupts, direct and vectored, priority, wfi.
#include "test.inc"

  .equ msip, 0x02000000
  .equ mtimecmp, 0x02004000
  .equ mtime, 0x0200bff8

  program_begin
  la a0, record_and_mask
  csrw mtvec, a0
  li s3, msip
  li s4, mtimecmp
  li s5, mtime

  # The timer is far away after reset: nothing is pending.
  test 2
  csrr a0, mip
  check a0, 0

  # A software interrupt is pending at once, and taken when it is enabled.
  test 3
  li a0, 1
  sw a0, 0(s3)
  csrr a0, mip
  check a0, 8
  lw a0, 0(s3)
  check a0, 1
  la s11, 1f
  li s0, 0
  csrsi mie, 8
  csrr a0, mcause            # still not: mstatus.MIE is 0
  check s0, 0
  csrsi mstatus, 8
interrupted:
  j fail
1:
  check s0, 0x80000003
  check_address s1, interrupted
  check s2, 0
  csrr a0, mstatus           # the handler chose to return with MIE off
  check a0, 0x1880
  sw x0, 0(s3)
  csrr a0, mip
  check a0, 0
  csrci mie, 8

  # wfi with MIE = 0 wakes for an enabled interrupt and goes on.
  test 5
  li a0, 0x80
  csrw mie, a0
  call arm_timer
  rdcycle s6
  wfi
  rdcycle s7
  csrr a0, mip
  check a0, 0x80
  sub s7, s7, s6
  li a1, 900
  bltu s7, a1, fail          # it slept
  li a1, 1100
  bgtu s7, a1, fail

  # The same with MIE = 1: taken at the instruction behind wfi.
  test 6
  call arm_timer
  la s11, 1f
  csrsi mstatus, 8
  wfi
behind_wfi:
  j fail
1:
  check s0, 0x80000007
  check_address s1, behind_wfi

  # The timer interrupts a loop, and in time.
  test 7
  call arm_timer
  la s11, 1f
  rdcycle s6
  csrsi mstatus, 8
2:
  j 2b
1:
  rdcycle s7
  check s0, 0x80000007
  sub s7, s7, s6
  li a1, 950
  bltu s7, a1, fail
  li a1, 1050
  bgtu s7, a1, fail

  # Vectored: the timer lands at base + 28, software before timer at base + 12, exceptions at base.
  test 10
  la a0, vectors + 1
  csrw mtvec, a0
  csrr a1, mtvec
  bne a0, a1, fail
  call arm_timer
  la s11, 1f
  csrsi mstatus, 8
2:
  j 2b
1:
  check s8, 7
  test 11
  li a0, 1
  sw a0, 0(s3)
  li a0, 0x88
  csrw mie, a0
  csrr a0, mip
  check a0, 0x88
  la s11, 1f
  csrsi mstatus, 8
  j fail
1:
  check s8, 3
  sw x0, 0(s3)
  test 12
  csrw mie, x0
  la s11, 1f
  ecall
1:
  check s8, 0
  check s0, 11

  # mtime can be written; `time` follows it.
  test 20
  li a0, 0x1000
  sw a0, 4(s5)
  lw a1, 4(s5)
  check a1, 0x1000
  rdtimeh a1
  check a1, 0x1000
  csrr a1, mip
  check a1, 0x80
  li a0, -1
  sw a0, 4(s4)
  csrr a1, mip
  check a1, 0

  j pass

  # Timer interrupt in 1000 cycles: high half first to all ones, so that no moment in between fires.
arm_timer:
  li t0, -1
  sw t0, 4(s4)
  lw t1, 0(s5)
  addi t1, t1, 1000
  sw t1, 0(s4)
  sw x0, 4(s4)
  ret

  .balign 64
vectors:
  j vector_exception
  .rept 2
  j fail
  .endr
  j vector_software
  .rept 3
  j fail
  .endr
  j vector_timer
  .rept 4
  j fail
  .endr
vector_exception:
  li s8, 0
  j record_trap
vector_software:
  li s8, 3
  j record_and_mask
vector_timer:
  li s8, 7
  .balign 4
record_and_mask:
  # Return with interrupts off, for the source is still pending.
  li t0, 0x80
  csrc mstatus, t0
  j record_trap
