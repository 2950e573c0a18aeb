/* Commands that wait and commands that run. */
#include "firmware/control/control.h"

struct rt_command commands[TABLE_ENTRIES] __attribute__((aligned(64)));
struct entry entries[TABLE_ENTRIES];
uint32_t table_retired, table_checked, table_fetched;
uint32_t ready;

/* What a running command occupies: half-open ranges, empty when its context is free. */
struct context {
    struct entry* entry;
    uint32_t work_begin, work_end, psum_begin, psum_end;
};

static struct context contexts[RT_CONTEXTS];
static struct entry* engine_owner[RT_MAX_ENGINES]; /* whose program the engine runs, or ran last */
static uint32_t engines_in_use;
static uint32_t engines_wanted; /* by waiting commands; may hold more after some have started */
static uint32_t first_waiting;  /* no entry before this one (free-running) is waiting */
static uint8_t
    unreported[TABLE_ENTRIES]; /* finished entries without a queued completion, in the order they finished */
static uint32_t unreported_count;
static bool startable; /* something changed that may let a waiting command start */

uint32_t slot_of(const struct entry* entry) { return (uint32_t)(entry - entries); }

static void retire(void) {
    while (table_retired != table_checked && entries[table_retired % TABLE_ENTRIES].state == entry_finished) {
        ++table_retired;
        mover_has_work = true;
    }
}

static void finish(struct entry* entry, uint32_t status, bool in_sequence) {
    const uint32_t slot = slot_of(entry);
    entry->status = (uint8_t)status;
    entry->state = entry_finished;
    entry->end_low = read_control(RT_CONTROL_CYCLE_LOW);
    ready &= ~(1u << slot);
    unreported[unreported_count++] = (uint8_t)slot;
    if (in_sequence) {
        sequence_completed(slot, commands[slot].sequence, status != RT_COMMAND_STATUS_OK);
        startable = true;
    }
}

void report_finished(void) {
    if (unreported_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < unreported_count; ++i) {
        queue_completion(commands[unreported[i]].sequence, &entries[unreported[i]]);
    }
    unreported_count = 0;
    retire();
}

/* ---- from the ring into the table */

static void clear_entry(struct entry* entry) {
    entry->unmet = 0;
    entry->dependency_failed = 0;
    entry->dependents = 0;
    entry->engines = 0;
    entry->start_low = 0;
    entry->start_high = 0;
    entry->fault_engine = 0;
    entry->fault = RT_ENGINE_FAULT_NONE;
    entry->fault_pc = 0;
    entry->fault_detail = 0;
}

/* The descriptor could not be read: the number it should have carried is spent. */
static void refuse_fetch(uint32_t slot) {
    struct entry* entry = &entries[slot];
    clear_entry(entry);
    commands[slot].sequence = sequence_expected();
    sequence_consume(slot, commands[slot].sequence);
    finish(entry, RT_COMMAND_STATUS_DESCRIPTOR_FETCH_FAILED, true);
}

void accept_descriptor(uint32_t slot) {
    const struct rt_command* command = &commands[slot];
    struct entry* entry = &entries[slot];
    if (entry->status == RT_COMMAND_STATUS_DESCRIPTOR_FETCH_FAILED) {
        refuse_fetch(slot);
        return;
    }
    clear_entry(entry);
    if (!sequence_matches(command->sequence)) {
        entry->fault_detail = sequence_expected();
        finish(entry, RT_COMMAND_STATUS_BAD_SEQUENCE, false);
        return;
    }
    sequence_consume(slot, command->sequence);
    const uint32_t status = validate(command, entry);
    if (status != RT_COMMAND_STATUS_OK) {
        finish(entry, status, true);
        return;
    }
    entry->state = entry_waiting;
    resolve_waits(slot, command);
    engines_wanted |= entry->engines != 0 ? entry->engines : NO_ENGINE;
    startable = true;
}

/* ---- start */

/* A context whose neighbours' working sets do not overlap this command's; RT_CONTEXTS if there is none. */
static uint32_t find_context(const struct rt_command* command) {
    const uint32_t work_begin = command->work_base, work_end = work_begin + command->work_bytes;
    const uint32_t psum_begin = command->psum_first, psum_end = psum_begin + command->psum_count;
    uint32_t free = RT_CONTEXTS;
    for (uint32_t i = 0; i < RT_CONTEXTS; ++i) {
        const struct context* other = &contexts[i];
        if (other->entry == NULL) {
            free = i;
        } else if ((work_begin < other->work_end && other->work_begin < work_end && work_begin != work_end) ||
                   (psum_begin < other->psum_end && other->psum_begin < psum_end && psum_begin != psum_end)) {
            return RT_CONTEXTS;
        }
    }
    return free;
}

static void end_context(struct entry* entry, uint32_t status) {
    contexts[entry->context].entry = NULL;
    contexts[entry->context].work_begin = contexts[entry->context].work_end = 0;
    contexts[entry->context].psum_begin = contexts[entry->context].psum_end = 0;
    write_control(RT_CONTROL_CONTEXT_SELECT, entry->context);
    write_control(RT_CONTROL_CONTEXT_END, status);
    finish(entry, status, true);
}

static void start(struct entry* entry, const struct rt_command* command, uint32_t context) {
    struct context* mine = &contexts[context];
    mine->entry = entry;
    mine->work_begin = command->work_base;
    mine->work_end = command->work_base + command->work_bytes;
    mine->psum_begin = command->psum_first;
    mine->psum_end = (uint32_t)command->psum_first + command->psum_count;
    entry->context = (uint8_t)context;
    entry->state = entry_running;
    ready &= ~(1u << slot_of(entry));
    entry->remaining = entry->engines;
    entry->moved = 0;
    entry->start_low = read_control(RT_CONTROL_CYCLE_LOW);
    entry->start_high = read_control(RT_CONTROL_CYCLE_HIGH);
    write_control(RT_CONTROL_CONTEXT_SELECT, context);
    write_control(RT_CONTROL_CONTEXT_BEGIN, (uint32_t)(uintptr_t)command);
    const struct rt_program* program = command->programs;
    const uint8_t* end = command->program_engine + command->program_count;
    for (const uint8_t* engine = command->program_engine; engine != end; ++engine, ++program) {
        volatile uint32_t* registers =
            control_register(RT_CONTROL_ENGINE_PROGRAM + *engine * RT_CONTROL_ENGINE_PROGRAM_STRIDE);
        engine_owner[*engine] = entry;
        registers[0] = program->address;
        registers[(RT_CONTROL_ENGINE_LENGTH - RT_CONTROL_ENGINE_PROGRAM) / 4] = program->count;
        registers[(RT_CONTROL_ENGINE_START - RT_CONTROL_ENGINE_PROGRAM) / 4] = context;
    }
    if (entry->engines == 0) {
        end_context(entry, RT_COMMAND_STATUS_OK); /* nop: it was only waiting */
    } else {
        engines_in_use |= entry->engines;
        if (entry->engines == 1u << MOVER_ENGINE) {
            mover_has_work = true;
        }
    }
}

static void start_what_can(void) {
    uint32_t blocked = engines_in_use, wanted = 0;
    bool older_waits = false;
    for (uint32_t i = first_waiting; i != table_checked; ++i) {
        struct entry* entry = &entries[i % TABLE_ENTRIES];
        if (entry->state == entry_waiting) {
            if (entry->unmet == 0 && entry->dependency_failed) {
                finish(entry, RT_COMMAND_STATUS_DEPENDENCY_FAILED, true);
            } else if (entry->unmet == 0 && (entry->engines & blocked) == 0) {
                const struct rt_command* command = &commands[i % TABLE_ENTRIES];
                const uint32_t context = find_context(command);
                if (context != RT_CONTEXTS) {
                    start(entry, command, context);
                }
            }
            if (entry->state == entry_waiting) {
                older_waits = true;
                wanted |= entry->engines;
            }
            blocked |= entry->engines;
        }
        if (!older_waits) {
            first_waiting = i + 1;
        }
        if ((engines_wanted & ~blocked) == 0) {
            return; /* nothing younger can start */
        }
    }
    engines_wanted = older_waits ? wanted | (engines_wanted & NO_ENGINE) : 0;
}

void dispatch(void) {
    /* A command that ends at once (nop, failed dependency) may let another one start. */
    while (startable) {
        startable = false;
        if (ready != 0) {
            start_what_can();
        }
    }
}

/* ---- end */

/* The first fault of a command stops its other engines; they report `aborted` and are not looked at. */
static void take_fault(struct entry* entry, uint32_t engine, uint32_t status) {
    const uint32_t at = engine * RT_CONTROL_ENGINE_PROGRAM_STRIDE;
    entry->fault_engine = (uint8_t)engine;
    entry->fault = (uint8_t)(status >> RT_CONTROL_ENGINE_STATUS_FAULT_SHIFT);
    entry->fault_pc = read_control(RT_CONTROL_ENGINE_PC + at);
    entry->fault_detail = read_control(RT_CONTROL_ENGINE_DETAIL + at);
    for (uint32_t e = 0; e < limits.engines; ++e) {
        if ((entry->remaining >> e & 1) != 0) {
            write_control(RT_CONTROL_ENGINE_ABORT + e * RT_CONTROL_ENGINE_PROGRAM_STRIDE, 1);
        }
    }
}

void handle_engines(void) {
    uint32_t done = read_control(RT_CONTROL_ENGINES_DONE);
    write_control(RT_CONTROL_ENGINES_DONE, done);
    engines_in_use &= ~done;
    startable = true;
    for (uint32_t e = 0; done != 0; ++e, done >>= 1) {
        if ((done & 1) == 0) {
            continue;
        }
        struct entry* entry = engine_owner[e];
        entry->remaining &= ~(1u << e);
        if (entry->fault == RT_ENGINE_FAULT_NONE) {
            const uint32_t status =
                read_control(RT_CONTROL_ENGINE_STATUS + e * RT_CONTROL_ENGINE_PROGRAM_STRIDE);
            if ((status & RT_CONTROL_ENGINE_STATUS_FAULT_MASK) != 0) {
                take_fault(entry, e, status);
            }
        }
        if (entry->remaining == 0) {
            end_context(entry, entry->fault == RT_ENGINE_FAULT_NONE ? RT_COMMAND_STATUS_OK
                                                                    : RT_COMMAND_STATUS_ENGINE_FAULT);
        }
    }
}

/* ---- load */

struct entry* loading_entry(void) {
    if ((engines_in_use >> MOVER_ENGINE & 1) == 0) {
        return NULL;
    }
    for (uint32_t c = 0; c < RT_CONTEXTS; ++c) {
        if (contexts[c].entry != NULL && (contexts[c].entry->engines >> MOVER_ENGINE & 1) != 0) {
            return contexts[c].entry;
        }
    }
    return NULL;
}

void finish_load(struct entry* entry, bool ok) {
    engines_in_use &= ~(1u << MOVER_ENGINE);
    entry->remaining = 0;
    entry->fault_detail = ok ? 0 : entry->moved;
    end_context(entry, ok ? RT_COMMAND_STATUS_OK : RT_COMMAND_STATUS_BAD_OPERAND);
}
