# Leaves words between begin_signature and end_signature, as architecture tests do.
#include "test.inc"
  program_begin
  test 2
  la a0, begin_signature
  li a1, 0x600df00d
  sw a1, 0(a0)
  not a1, a1
  sw a1, 8(a0)
  j pass

  .data
  .balign 16
  .globl begin_signature, end_signature
begin_signature:
  .word 0, 0x11111111, 0
end_signature:
