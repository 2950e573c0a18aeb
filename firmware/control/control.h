#pragma once
/*
 * The command processor. One loop, no interrupt handlers: the core sleeps in wfi until an event is pending,
 * and does one bounded piece of work at a time (an event, or the check of one descriptor), so that a finished
 * engine never waits long.
 *
 * Life of a command
 * - fetched: the mover brought its descriptor into the table (in ring order, several at once).
 * - waiting: checked and accepted. It starts when its waits have completed, its engines and a context are
 *   free, and its working set overlaps no running command's; per engine in ring order, across engines it may
 *   overtake.
 * - running: in a context, until its last engine is done.
 * - finished: its completion is queued; the mover writes it to the ring and the interrupt follows.
 * The check of a command overlaps the execution of earlier ones. A malformed descriptor goes from fetched to
 * finished.
 *
 * Completions of refused commands: `pc` is the index of the wait, program or operand, `detail` the refused
 * value. A descriptor out of sequence gets a completion with the sequence it claims and leaves the expected
 * number as it is.
 */
#include <stdbool.h>
#include <stdint.h>

#include "firmware/common/machine.h"

#define TABLE_ENTRIES 16u      /* commands on the device: fetched, waiting, running */
#define COMPLETION_ENTRIES 32u /* queued completions; room is reserved before a descriptor is fetched */
#define FETCH_BATCH 8u         /* descriptors per move: 8 * 512 bytes is the mover's limit */
#define FETCH_ROOM 4u          /* entries free before descriptors are fetched, unless that is all there are */
#define MOVER_BYTES 4096u
#define MOVER_ENGINE 31u     /* bit in an engine mask that stands for the mover (load) */
#define NO_ENGINE (1u << 30) /* in a mask of wanted engines: some command needs none (nop) */

enum entry_state { entry_finished, entry_waiting, entry_running };

struct entry {
    uint8_t state;
    uint8_t context;
    uint8_t unmet;             /* waits that have not completed */
    uint8_t dependency_failed; /* one of them failed */
    uint32_t dependents;       /* entries that wait for this one: bit k is the entry k + 1 places further */
    uint32_t engines;          /* engines of the command, one bit each */
    uint32_t remaining;        /* running: engines that are not done */
    uint32_t moved;            /* load: bytes copied */
    uint32_t start_low, start_high, end_low;
    uint8_t status, fault_engine, fault;
    uint32_t fault_pc, fault_detail;
};

/* Addresses of a memory_kind: [base_high << 32, base_high << 32 | bytes). */
struct window {
    uint32_t base_high, bytes_low, bytes_high, unused; /* 16 bytes: indexed by a shift */
};

struct limits {
    struct window windows[RT_MEMORY_KIND_PSUM + 1];
    uint32_t program_base, program_bytes, psum_banks, engines;
};

extern struct limits limits;
extern struct rt_command commands[TABLE_ENTRIES];
extern struct entry entries[TABLE_ENTRIES];
/* Counters of the table, free-running: retired <= checked <= fetched <= retired + TABLE_ENTRIES. */
extern uint32_t table_retired, table_checked, table_fetched;
extern uint32_t ready; /* waiting entries whose waits have completed, one bit each */

/* validate.c: RT_COMMAND_STATUS_OK and the command's engines, or why it is refused, with fault_pc and
 * fault_detail. */
uint32_t validate(const struct rt_command* command, struct entry* entry);

/* sequence.c: numbers, waits and history */
bool sequence_matches(uint32_t sequence);
void sequence_consume(uint32_t slot, uint32_t sequence); /* the expected number is now the next one */
uint32_t sequence_expected(void);
void resolve_waits(uint32_t slot, const struct rt_command* command);
void sequence_completed(uint32_t slot, uint32_t sequence, bool failed);

/* execute.c: waiting and running commands */
void accept_descriptor(uint32_t slot);
void dispatch(void);
void report_finished(void);
void handle_engines(void);
struct entry* loading_entry(void); /* the running load command, or a null pointer */
void finish_load(struct entry* entry, bool ok);
uint32_t slot_of(const struct entry* entry);

/* rings.c: mover, submission and completion ring */
void queue_completion(uint32_t sequence, const struct entry* entry);
void handle_doorbell(void);
void handle_mover(void);
void schedule_mover(void);
extern bool mover_has_work; /* set by whoever makes room or work for it */
