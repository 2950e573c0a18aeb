/*
 * The mover and what it serves: descriptors in, completions out, program bytes across. It does one copy at a
 * time; completions come first, because the host and the room in the table wait for them.
 */
#include "firmware/control/control.h"

enum mover_job { mover_idle, mover_fetch, mover_post, mover_load };

struct ring {
    uint64_t base;
    uint32_t entries;
};

static struct ring submission, completion;
static uint32_t submission_tail, submission_head; /* modulo 2 * entries */
static uint32_t completion_host_head;             /* modulo 2 * entries, as the host last wrote it sensibly */
static uint32_t refused_host_head; /* plus 1: the last one reported, so that it is reported once */
static uint32_t completion_posted; /* free-running */
static uint32_t completion_shift;  /* log2 of the ring's entries */
static struct rt_completion queue[COMPLETION_ENTRIES] __attribute__((aligned(32)));
static uint32_t queue_head, queue_tail; /* free-running */
static uint32_t promised;               /* completions that fetched commands have queued or will queue */
static uint32_t job, job_count;
bool mover_has_work;

static uint32_t minimum(uint32_t a, uint32_t b) { return a < b ? a : b; }

static void take_rings_over(void) {
    submission.base =
        (uint64_t)read_control(RT_CONTROL_SQ_BASE_HIGH) << 32 | read_control(RT_CONTROL_SQ_BASE_LOW);
    submission.entries = read_control(RT_CONTROL_SQ_ENTRIES);
    completion.base =
        (uint64_t)read_control(RT_CONTROL_CQ_BASE_HIGH) << 32 | read_control(RT_CONTROL_CQ_BASE_LOW);
    completion.entries = read_control(RT_CONTROL_CQ_ENTRIES);
    while (1u << completion_shift < completion.entries) {
        ++completion_shift;
    }
}

static void report_ring_error(uint32_t code, uint32_t value) {
    write_control(RT_CONTROL_RING_ERROR, code | value << RT_HOST_RING_ERROR_VALUE_SHIFT);
    write_control(RT_CONTROL_INTERRUPT, RT_CONTROL_INTERRUPT_ERROR_MASK);
}

/*
 * Entries that the host has not consumed, were its head `head`. A host that polls the ring may consume
 * entries before the mover's event has been seen here, so those on their way count as posted.
 */
static uint32_t unconsumed(uint32_t head) {
    const uint32_t moving = job == mover_post ? job_count : 0;
    return (completion_posted + moving - head) & (2 * completion.entries - 1);
}

void handle_doorbell(void) {
    if (submission.entries == 0) {
        if (read_control(RT_CONTROL_SQ_ENTRIES) == 0) {
            return; /* cq_head was written before the first submission */
        }
        take_rings_over();
    }
    mover_has_work = true;
    submission_tail = read_control(RT_CONTROL_SQ_TAIL);
    const uint32_t head = read_control(RT_CONTROL_CQ_HEAD);
    if (head != completion_host_head) {
        /* It can only move towards what was posted. */
        if (head < 2 * completion.entries && unconsumed(head) <= unconsumed(completion_host_head)) {
            completion_host_head = head;
            refused_host_head = 0;
        } else if (refused_host_head != head + 1) {
            refused_host_head = head + 1;
            report_ring_error(RT_RING_ERROR_BAD_COMPLETION_HEAD, head);
        }
    }
}

void queue_completion(uint32_t sequence, const struct entry* entry) {
    mover_has_work = true;
    struct rt_completion* record = &queue[queue_tail++ % COMPLETION_ENTRIES];
    record->sequence = sequence;
    record->status = entry->status;
    record->engine = entry->fault_engine;
    record->fault = entry->fault;
    record->reserved = 0;
    record->pc = entry->fault_pc;
    record->detail = entry->fault_detail;
    record->start_cycle = (uint64_t)entry->start_high << 32 | entry->start_low;
    record->end_cycle_low = entry->end_low;
}

/* ---- what the mover did */

static void fetched(bool ok) {
    submission_head = (submission_head + job_count) & (2 * submission.entries - 1);
    write_control(RT_CONTROL_SQ_HEAD, submission_head);
    for (uint32_t i = 0; i < job_count; ++i) {
        entries[table_fetched++ % TABLE_ENTRIES].status =
            ok ? RT_COMMAND_STATUS_OK : RT_COMMAND_STATUS_DESCRIPTOR_FETCH_FAILED;
    }
}

static void posted(bool ok) {
    completion_posted += job_count;
    queue_head += job_count;
    promised -= job_count;
    if (ok) {
        write_control(RT_CONTROL_INTERRUPT, RT_CONTROL_INTERRUPT_COMPLETION_MASK);
    } else {
        /* The completion ring is nowhere: the register is all that is left to say so. */
        report_ring_error(RT_RING_ERROR_COMPLETION_LOST, job_count);
    }
}

static void loaded(bool ok) {
    struct entry* entry = loading_entry();
    const uint32_t bytes = commands[slot_of(entry)].operands[0].bytes;
    if (ok) {
        entry->moved += job_count;
    }
    if (!ok || entry->moved == bytes) {
        finish_load(entry, ok);
    }
}

void handle_mover(void) {
    const bool ok = (read_control(RT_CONTROL_MOVER_STATUS) & RT_CONTROL_MOVER_STATUS_FAILED_MASK) == 0;
    memory_fence(); /* what it brought is read after its status */
    const uint32_t done = job;
    job = mover_idle;
    mover_has_work = true;
    if (done == mover_fetch) {
        fetched(ok);
    } else if (done == mover_post) {
        posted(ok);
    } else if (done == mover_load) {
        loaded(ok);
    }
}

/* ---- what it does next */

static void start_mover(uint32_t what, uint64_t host, uint32_t local, uint32_t bytes, uint32_t direction) {
    job = what;
    memory_fence();
    write_control(RT_CONTROL_MOVER_HOST_LOW, (uint32_t)host);
    write_control(RT_CONTROL_MOVER_HOST_HIGH, (uint32_t)(host >> 32));
    write_control(RT_CONTROL_MOVER_LOCAL, local);
    write_control(RT_CONTROL_MOVER_CONTROL, bytes | direction);
}

static bool post_completions(void) {
    const uint32_t room = completion.entries - unconsumed(completion_host_head);
    const uint32_t place = completion_posted & (completion.entries - 1),
                   first = queue_head % COMPLETION_ENTRIES;
    uint32_t count = minimum(queue_tail - queue_head, room);
    count = minimum(count, minimum(completion.entries - place, COMPLETION_ENTRIES - first));
    if (count == 0) {
        return false;
    }
    const uint32_t pass = (completion_posted >> completion_shift) + 1;
    for (uint32_t i = 0; i < count; ++i) {
        queue[first + i].valid = pass;
    }
    job_count = count;
    start_mover(mover_post, completion.base + place * RT_COMPLETION_BYTES, (uint32_t)(uintptr_t)&queue[first],
                count * RT_COMPLETION_BYTES, RT_CONTROL_MOVER_CONTROL_TO_HOST_MASK);
    return true;
}

static bool fetch_descriptors(void) {
    const uint32_t available = (submission_tail - submission_head) & (2 * submission.entries - 1);
    if (available == 0) {
        return false;
    }
    const uint32_t held = table_fetched - table_retired;
    const uint32_t place = submission_head & (submission.entries - 1), first = table_fetched % TABLE_ENTRIES;
    uint32_t count = minimum(available, minimum(TABLE_ENTRIES - held, FETCH_BATCH));
    if (count < FETCH_ROOM && count < available) {
        return false; /* few at a time cost more moves; there is enough in the table to go on with */
    }
    count = minimum(count, COMPLETION_ENTRIES - promised);
    count = minimum(count, minimum(submission.entries - place, TABLE_ENTRIES - first));
    if (count == 0) {
        return false;
    }
    job_count = count;
    promised += count;
    start_mover(mover_fetch, submission.base + place * RT_COMMAND_BYTES,
                (uint32_t)(uintptr_t)&commands[first], count * RT_COMMAND_BYTES, 0);
    return true;
}

static bool load_programs(void) {
    const struct entry* entry = loading_entry();
    if (entry == NULL) {
        return false;
    }
    const struct rt_operand* operands = commands[slot_of(entry)].operands;
    job_count = minimum(operands[0].bytes - entry->moved, MOVER_BYTES);
    start_mover(mover_load, operands[0].base + entry->moved, (uint32_t)operands[1].base + entry->moved,
                job_count, 0);
    return true;
}

void schedule_mover(void) {
    if (!mover_has_work || job != mover_idle || submission.entries == 0) {
        return;
    }
    if (queue_head != queue_tail && post_completions()) {
        return;
    }
    if (!fetch_descriptors() && !load_programs()) {
        mover_has_work = false;
    }
}
