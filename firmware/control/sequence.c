/*
 * Sequence numbers, waits, and what became of earlier commands.
 *
 * Accepted numbers are consecutive and each occupies an entry of the table until it has finished, so an
 * unfinished command is less than TABLE_ENTRIES numbers back and its number modulo TABLE_ENTRIES names it.
 *
 * Failures are remembered exactly for RT_WAIT_HISTORY commands. Beyond that a wait is taken as failed if any
 * failure has been forgotten at or after that number: a dependent may be refused needlessly, never started
 * wrongly.
 */
#include "firmware/control/control.h"

static uint32_t last;                           /* last number in sequence */
static uint32_t unfinished;                     /* bit number % TABLE_ENTRIES */
static uint8_t slot_of_sequence[TABLE_ENTRIES]; /* entry of an unfinished number */
static uint32_t failed[RT_WAIT_HISTORY / 32];   /* bit number % RT_WAIT_HISTORY */
static uint32_t last_failed,
    last_forgotten; /* highest number that failed; that failed and is no longer in the bits */

bool sequence_matches(uint32_t sequence) { return sequence == last + 1; }
uint32_t sequence_expected(void) { return last + 1; }

void sequence_consume(uint32_t slot, uint32_t sequence) {
    last = sequence;
    unfinished |= 1u << sequence % TABLE_ENTRIES;
    slot_of_sequence[sequence % TABLE_ENTRIES] = (uint8_t)slot;
    if (last_failed != 0) {
        const uint32_t bit = 1u << sequence % 32, word = sequence % RT_WAIT_HISTORY / 32;
        if (failed[word] & bit) {
            failed[word] &= ~bit;
            last_forgotten = sequence - RT_WAIT_HISTORY;
        }
    }
}

static bool has_failed(uint32_t sequence) {
    if (sequence > last_failed) {
        return false;
    }
    if (last - sequence < RT_WAIT_HISTORY) {
        return (failed[sequence % RT_WAIT_HISTORY / 32] >> sequence % 32 & 1) != 0;
    }
    return sequence <= last_forgotten;
}

void resolve_waits(uint32_t slot, const struct rt_command* command) {
    struct entry* entry = &entries[slot];
    for (uint32_t i = 0; i < RT_MAX_WAITS; ++i) {
        const uint32_t number = command->wait[i];
        if (number == 0) {
            continue;
        }
        if (command->sequence - number < TABLE_ENTRIES && (unfinished >> number % TABLE_ENTRIES & 1) != 0) {
            const uint32_t other = slot_of_sequence[number % TABLE_ENTRIES];
            const uint32_t bit = 1u << (slot - other - 1) % TABLE_ENTRIES;
            if ((entries[other].dependents & bit) == 0) {
                entries[other].dependents |= bit;
                ++entry->unmet;
            }
        } else if (has_failed(number)) {
            entry->dependency_failed = 1;
        }
    }
    if (entry->unmet == 0) {
        ready |= 1u << slot;
    }
}

void sequence_completed(uint32_t slot, uint32_t sequence, bool was_failure) {
    unfinished &= ~(1u << sequence % TABLE_ENTRIES);
    if (was_failure) {
        failed[sequence % RT_WAIT_HISTORY / 32] |= 1u << sequence % 32;
        if (sequence > last_failed) {
            last_failed = sequence;
        }
    }
    uint32_t dependents = entries[slot].dependents;
    while (dependents != 0) {
        slot = (slot + 1) % TABLE_ENTRIES;
        if ((dependents & 1) != 0) {
            struct entry* each = &entries[slot];
            each->dependency_failed |= was_failure;
            if (--each->unmet == 0) {
                ready |= 1u << slot;
            }
        }
        dependents >>= 1;
    }
}
