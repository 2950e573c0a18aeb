// Start of every firmware: the core leaves reset at the first byte of its private memory with interrupts off.
// The driver loads the image into private memory; .bss must be cleared here.
    .section .text.start, "ax"
    .globl _start
_start:
    j       1f
    .word   __memory_bytes // RT_FIRMWARE_MEMORY_OFFSET: a device with less cannot run this image
1:  .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    la      sp, __stack_top
    la      t0, trap_entry
    csrw    mtvec, t0
    la      t0, __bss_start
    la      t1, __bss_end
1:  bgeu    t0, t1, 2f
    sw      zero, 0(t0)
    addi    t0, t0, 4
    j       1b
2:  call    main
3:  wfi
    j       3b

// Only exceptions come here: mstatus.MIE stays 0, interrupts do no more than end wfi. Nothing is saved, because
// nothing returns; the handler gets a fresh stack, since a bad stack pointer may be the reason.
    .section .text.trap, "ax"
    .balign 4
    .globl trap_entry
trap_entry:
    la      sp, __stack_top
    csrr    a0, mcause
    csrr    a1, mepc
    j       firmware_trap
