/* An unexpected trap ends the firmware: it tells the host what happened and sleeps until the host resets the
 * core. */
#include "firmware/common/machine.h"

void firmware_trap(uint32_t cause, uint32_t pc) {
    write_control(RT_CONTROL_EVENT_ENABLE, 0);
    write_control(RT_CONTROL_TRAP_CAUSE, cause);
    write_control(RT_CONTROL_TRAP_PC, pc);
    write_control(RT_CONTROL_HOST_STATUS, RT_CONTROL_HOST_STATUS_TRAPPED_MASK);
    write_control(RT_CONTROL_INTERRUPT, RT_CONTROL_INTERRUPT_ERROR_MASK);
    for (;;) {
        wait_for_interrupt();
    }
}
