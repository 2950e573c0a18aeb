# Encodings outside RV32IM_Zicsr_Zifencei trap with the instruction word in mtval; ecall and ebreak.
#include "test.inc"
  program_begin

  .macro illegal number, word, value=0
  test \number
  expect_trap
  .word \word
  trapped 2
  .ifc \value, 0
  check s2, \word
  .else
  check s2, \value
  .endif
  .endm

  illegal 2, 0x00000000
  illegal 3, 0xffffffff
  illegal 4, 0x0000007f                # reserved opcode
  illegal 5, 0x00000057                # vector
  illegal 6, 0x00002007                # flw
  illegal 7, 0x00002027                # fsw
  illegal 8, 0x00000053                # fadd.s
  illegal 9, 0x1000202f                # lr.w
  illegal 10, 0x00000033 | 0x40 << 25  # reserved funct7
  illegal 11, 0x00001033 | 0x20 << 25  # sll with the bit of sub
  illegal 12, 0x00001013 | 1 << 25     # slli by 32
  illegal 13, 0x00005013 | 1 << 25     # srli by 32
  illegal 14, 0x00005013 | 0x21 << 25  # srai by 32
  illegal 15, 0x00001013 | 0x20 << 25
  illegal 16, 0x00003003               # ld
  illegal 17, 0x00006003               # lwu
  illegal 18, 0x00007003
  illegal 19, 0x00003023               # sd
  illegal 20, 0x00004023
  illegal 21, 0x00001067               # jalr with funct3
  illegal 22, 0x00002063               # branch 2
  illegal 23, 0x00003063               # branch 3
  illegal 24, 0x0000200f               # fence 2
  illegal 25, 0x10200073               # sret
  illegal 26, 0x00200073               # uret
  illegal 27, 0x7b200073               # dret
  illegal 28, 0x12000073               # sfence.vma
  illegal 29, 0x00004073               # system 4
  illegal 30, 0x000000f3               # ecall with rd
  illegal 31, 0x10508073               # wfi with rs1
  illegal 32, 0x0000003b               # addw
  illegal 33, 0x0000001b               # addiw
  # 16-bit encodings are not implemented; mtval holds the 16 bits.
  illegal 34, 0xabcd4501, 0x4501       # c.li
  illegal 35, 0x12348082, 0x8082       # c.jr ra

  # Reserved fields of fences are ignored; hints do nothing.
  test 40
  fence
  fence.i
  .word 0x8330000f                     # fence.tso
  .word 0xfff0900f                     # fence.i with its reserved fields set
  .word 0x00002013                     # slti x0, x0, 0
  lui x0, 0

  test 50
  li s2, -1
  expect_trap
  ecall
  trapped 11
  check s2, 0
  test 51
  expect_trap
  ebreak
  trapped 3
  bne s2, s1, fail

  j pass
