# Start of the C test program: stack, main, its result to tohost.
  .section .text.init, "ax"
  .globl _start
_start:
  la sp, _stack_top
  call main
  slli a0, a0, 1
  ori a0, a0, 1
  la t0, tohost
  sw a0, 0(t0)
1:
  j 1b

  .section .tohost, "aw"
  .balign 64
  .globl tohost
tohost:
  .word 0
