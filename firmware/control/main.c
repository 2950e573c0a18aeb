#include "firmware/control/control.h"

struct limits limits;

/* engine_length holds 24 bits: a longer program cannot be started, whatever the region's size. */
#define LONGEST_PROGRAM (RT_CONTROL_ENGINE_LENGTH_COUNT_MASK * RT_INSTRUCTION_BYTES)

static void read_limits(void) {
    limits.windows[RT_MEMORY_KIND_HOST].base_high = RT_HOST_WINDOW_BASE >> 32;
    limits.windows[RT_MEMORY_KIND_HOST].bytes_low = read_control(RT_CONTROL_HOST_BYTES);
    limits.windows[RT_MEMORY_KIND_DEVICE_DRAM].bytes_low = read_control(RT_CONTROL_DRAM_BYTES_LOW);
    limits.windows[RT_MEMORY_KIND_DEVICE_DRAM].bytes_high = read_control(RT_CONTROL_DRAM_BYTES_HIGH);
    limits.windows[RT_MEMORY_KIND_STATE_BUFFER].bytes_low = read_control(RT_CONTROL_STATE_BUFFER_BYTES);
    limits.windows[RT_MEMORY_KIND_PSUM].bytes_low = read_control(RT_CONTROL_PSUM_BYTES);
    limits.program_base = read_control(RT_CONTROL_PROGRAM_BASE);
    const uint32_t program_bytes = read_control(RT_CONTROL_PROGRAM_BYTES);
    limits.program_bytes = program_bytes < LONGEST_PROGRAM ? program_bytes : LONGEST_PROGRAM;
    limits.psum_banks = read_control(RT_CONTROL_PSUM_BANKS);
    limits.engines = read_control(RT_CONTROL_ENGINE_COUNT);
}

static void handle_events(void) {
    const uint32_t events = read_control(RT_CONTROL_EVENT);
    /* Acknowledged before the work: what happens from here on raises the event again. */
    write_control(RT_CONTROL_EVENT, events);
    if (events & RT_CONTROL_EVENT_ENGINE_MASK) {
        handle_engines();
    }
    if (events & RT_CONTROL_EVENT_DOORBELL_MASK) {
        handle_doorbell();
    }
    if (events & RT_CONTROL_EVENT_MOVER_MASK) {
        handle_mover();
    }
}

int main(void) {
    read_limits();
    write_control(RT_CONTROL_EVENT_ENABLE, RT_CONTROL_EVENT_ENABLE_DOORBELL_MASK |
                                               RT_CONTROL_EVENT_ENABLE_ENGINE_MASK |
                                               RT_CONTROL_EVENT_ENABLE_MOVER_MASK);
    enable_external_wakeup();
    write_control(RT_CONTROL_HOST_STATUS, RT_CONTROL_HOST_STATUS_READY_MASK);
    for (;;) {
        if (external_pending()) {
            handle_events();
        } else if (table_checked != table_fetched) {
            accept_descriptor(table_checked++ % TABLE_ENTRIES);
        } else {
            wait_for_interrupt();
            continue;
        }
        /* The engines first: what has finished can be told while they work. */
        dispatch();
        report_finished();
        schedule_mover();
    }
}
