# The firmware with one step of its order taken out, a mutant each: what ordering_test.cpp has to notice. `mutant` names one and says what
# it does wrong; each `edit` after it replaces a text that occurs once in a file of firmware/. Whoever includes this defines both.

mutant(interrupt_before_completion "tells of completions when their copy starts, not when it has ended")
edit(control/rings.c
[=[    start_mover(mover_post, completion.base + place * RT_COMPLETION_BYTES, (uint32_t)(uintptr_t)&queue[first],
                count * RT_COMPLETION_BYTES, RT_CONTROL_MOVER_CONTROL_TO_HOST_MASK);]=]
[=[    start_mover(mover_post, completion.base + place * RT_COMPLETION_BYTES, (uint32_t)(uintptr_t)&queue[first],
                count * RT_COMPLETION_BYTES, RT_CONTROL_MOVER_CONTROL_TO_HOST_MASK);
    write_control(RT_CONTROL_INTERRUPT, RT_CONTROL_INTERRUPT_COMPLETION_MASK);]=])
edit(control/rings.c
[=[    if (ok) {
        write_control(RT_CONTROL_INTERRUPT, RT_CONTROL_INTERRUPT_COMPLETION_MASK);
    } else {]=]
[=[    if (!ok) {]=])

mutant(completion_before_engines_end "completes a command when its engines have been started")
edit(control/execute.c
[=[        engines_in_use |= entry->engines;]=]
[=[        engines_in_use |= entry->engines;
        queue_completion(command->sequence, entry);]=])
edit(control/execute.c
[=[        queue_completion(commands[unreported[i]].sequence, &entries[unreported[i]]);]=]
[=[        if (entries[unreported[i]].engines == 0) {
            queue_completion(commands[unreported[i]].sequence, &entries[unreported[i]]);
        }]=])

mutant(completion_after_first_engine "ends a command with the first of its engines")
edit(control/execute.c
[=[        if (entry->remaining == 0) {
            end_context(]=]
[=[        if (entry->state == entry_running) {
            end_context(]=])

mutant(descriptor_before_mover "uses descriptors while the mover still brings them")
edit(control/rings.c
[=[                (uint32_t)(uintptr_t)&commands[first], count * RT_COMMAND_BYTES, 0);]=]
[=[                (uint32_t)(uintptr_t)&commands[first], count * RT_COMMAND_BYTES, 0);
    fetched(true);]=])
edit(control/rings.c
[=[    if (done == mover_fetch) {
        fetched(ok);
    } else if]=]
[=[    if]=])

mutant(head_before_mover "reports entries as fetched while the mover still reads them")
edit(control/rings.c
[=[                (uint32_t)(uintptr_t)&commands[first], count * RT_COMMAND_BYTES, 0);]=]
[=[                (uint32_t)(uintptr_t)&commands[first], count * RT_COMMAND_BYTES, 0);
    write_control(RT_CONTROL_SQ_HEAD, (submission_head + count) & (2 * submission.entries - 1));]=])

mutant(completion_head_ignored "posts completions over some that the host has not read")
edit(control/rings.c
[=[    const uint32_t room = completion.entries - unconsumed(completion_host_head);]=]
[=[    const uint32_t room = completion.entries;]=])

mutant(moving_completions_forgotten "does not count the completions on their way as posted")
edit(control/rings.c
[=[    const uint32_t moving = job == mover_post ? job_count : 0;]=]
[=[    const uint32_t moving = 0;]=])

mutant(valid_before_content "posts the half of a completion with the valid word before the other half")
edit(control/rings.c
[=[static bool post_completions(void) {]=]
[=[static bool second_half;

static bool post_completions(void) {]=])
edit(control/rings.c
[=[    if (count == 0) {
        return false;
    }
    const uint32_t pass]=]
[=[    if (count == 0) {
        return false;
    }
    count = 1;
    const uint32_t pass]=])
edit(control/rings.c
[=[    start_mover(mover_post, completion.base + place * RT_COMPLETION_BYTES, (uint32_t)(uintptr_t)&queue[first],
                count * RT_COMPLETION_BYTES, RT_CONTROL_MOVER_CONTROL_TO_HOST_MASK);]=]
[=[    const uint32_t at = second_half ? 0 : RT_COMPLETION_BYTES / 2;
    start_mover(mover_post, completion.base + place * RT_COMPLETION_BYTES + at, (uint32_t)(uintptr_t)&queue[first] + at,
                RT_COMPLETION_BYTES / 2, RT_CONTROL_MOVER_CONTROL_TO_HOST_MASK);]=])
edit(control/rings.c
[=[static void posted(bool ok) {]=]
[=[static bool second_half;

static void posted(bool ok) {
    second_half = !second_half;
    if (second_half) {
        return;
    }]=])

mutant(event_acknowledged_after_work "acknowledges events after their work, with what has come meanwhile")
edit(control/main.c
[=[    write_control(RT_CONTROL_EVENT, events);
    if]=]
[=[    if]=])
edit(control/main.c
[=[        handle_mover();
    }]=]
[=[        handle_mover();
    }
    write_control(RT_CONTROL_EVENT, events);]=])

mutant(waits_ignored "starts commands before those they wait for have completed")
edit(control/sequence.c
[=[    if (entry->unmet == 0) {
        ready |= 1u << slot;
    }]=]
[=[    entry->unmet = 0;
    ready |= 1u << slot;]=])
edit(control/sequence.c
[=[            if (--each->unmet == 0) {
                ready |= 1u << slot;
            }]=]
[=[            (void)each;]=])

mutant(load_ends_early "completes a load when its last copy starts")
edit(control/rings.c
[=[    start_mover(mover_load, operands[0].base + entry->moved, (uint32_t)operands[1].base + entry->moved,
                job_count, 0);]=]
[=[    start_mover(mover_load, operands[0].base + entry->moved, (uint32_t)operands[1].base + entry->moved,
                job_count, 0);
    if (entry->moved + job_count == operands[0].bytes) {
        finish_load(loading_entry(), true);
    }]=])
edit(control/rings.c
[=[    struct entry* entry = loading_entry();
    const uint32_t bytes]=]
[=[    struct entry* entry = loading_entry();
    if (entry == NULL) {
        return;
    }
    const uint32_t bytes]=])

mutant(place_before_end "gives places of the table away whose commands still run")
edit(control/execute.c
[=[    while (table_retired != table_checked && entries[table_retired % TABLE_ENTRIES].state == entry_finished) {]=]
[=[    while (table_retired != table_checked) {]=])
