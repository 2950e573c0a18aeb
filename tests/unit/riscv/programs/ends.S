# The ways a run can end other than by passing; END chooses one when the program is built.
#include "test.inc"
  program_begin
  test 42
#if END == 1                 // failing test 42
  j fail
#elif END == 2               // a request to a host
  la t6, tohost
  li t5, 0x100
  sw t5, 0(t6)
1:
  j 1b
#elif END == 3               // asleep for ever: the timer is not enabled
  li a0, 0x08
  csrw mie, a0
  wfi
  j pass
#elif END == 4               // locked up: no memory at the trap vector
  li a0, 0x1000
  csrw mtvec, a0
  ecall
  j pass
#elif END == 5               // endless loop
1:
  addi a0, a0, 1
  j 1b
#elif END == 6               // the handler's first instruction fails on the bus for ever: no instruction retires
  la a0, 1f
  csrw mtvec, a0
  .balign 4
1:
  lw a0, 0(x0)
  j pass
#elif END == 7               // asleep for ever: the timer is enabled, mtimecmp as far as it goes
  li a0, 0x80
  csrw mie, a0
  li a0, 0x02004000
  li a1, -2
  sw a1, 0(a0)
  wfi
  j pass
#endif
