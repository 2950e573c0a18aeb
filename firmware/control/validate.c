/*
 * Is a descriptor something that the engines may be started with? Nothing in it is trusted: sums are compared
 * in forms that cannot overflow, counts before the tables they count. Table entries beyond the counts are not
 * looked at.
 */
#include "firmware/control/control.h"

static __attribute__((noinline)) uint32_t refuse(struct entry* entry, uint32_t status, uint32_t index,
                                                 uint32_t value) {
    entry->fault_pc = index;
    entry->fault_detail = value;
    return status;
}

/* Every window starts at a multiple of 4 GiB, so an offset is a difference of the high halves. */
_Static_assert((RT_HOST_WINDOW_BASE & 0xffffffffu) == 0, "in_memory compares halves");

/* [base, base + bytes) inside the memory of this kind. */
static inline bool in_memory(uint32_t kind, uint32_t base_low, uint32_t base_high, uint32_t bytes) {
    const struct window* window = &limits.windows[kind];
    const uint32_t offset_high = base_high - window->base_high, capacity = window->bytes_low;
    if (offset_high == 0 && base_low <= capacity && bytes <= capacity - base_low) {
        return true;
    }
    if (window->bytes_high == 0) {
        return false;
    }
    const uint64_t room = (uint64_t)window->bytes_high << 32 | capacity;
    const uint64_t offset = (uint64_t)offset_high << 32 | base_low;
    return offset <= room && bytes <= room - offset;
}

static uint32_t refused_detail(const struct rt_operand* operand) {
    if (operand->reserved != 0) {
        return operand->reserved;
    }
    if (operand->access > 7 || operand->memory == RT_MEMORY_KIND_NONE) {
        return operand->access;
    }
    return operand->memory > RT_MEMORY_KIND_PSUM ? operand->memory : (uint32_t)operand->base;
}

/* The last word of an operand: memory, access, reserved. One load and one comparison check most of it. */
_Static_assert(offsetof(struct rt_operand, memory) == 20 && offsetof(struct rt_operand, access) == 21 &&
                   offsetof(struct rt_operand, reserved) == 22,
               "operand_ok reads them as one word");

static inline bool operand_ok(const struct rt_operand* operand) {
    const uint32_t word = *(const aliasing_word*)&operand->memory, kind = word & 0xff;
    const uint32_t base_low = (uint32_t)operand->base, base_high = (uint32_t)(operand->base >> 32);
    if (word < 8u << 8 && kind - 1 < RT_MEMORY_KIND_PSUM) {
        return in_memory(kind, base_low, base_high, operand->bytes);
    }
    /* Without memory an operand is a tag without bytes. */
    return word == RT_MEMORY_KIND_NONE && (base_low | base_high | operand->bytes) == 0;
}

static uint32_t validate_programs(const struct rt_command* command, struct entry* entry) {
    const uint32_t count = command->program_count;
    uint32_t engines = 0;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t engine = command->program_engine[i];
        if (engine >= limits.engines || (engines >> engine & 1) != 0) {
            return refuse(entry, RT_COMMAND_STATUS_BAD_ENGINE, i, engine);
        }
        engines |= 1u << engine;
        const struct rt_program* program = &command->programs[i];
        const uint32_t offset = program->address - limits.program_base;
        if (offset >= limits.program_bytes || program->address % RT_PROGRAM_ALIGNMENT != 0) {
            return refuse(entry, RT_COMMAND_STATUS_BAD_PROGRAM, i, program->address);
        }
        /* At least one instruction, the last one inside the region. */
        if (program->count - 1 >= (limits.program_bytes - offset) / RT_INSTRUCTION_BYTES) {
            return refuse(entry, RT_COMMAND_STATUS_BAD_PROGRAM, i, program->count);
        }
    }
    entry->engines = engines;
    return RT_COMMAND_STATUS_OK;
}

static uint32_t validate_load(const struct rt_command* command, struct entry* entry) {
    const struct rt_operand *from = &command->operands[0], *to = &command->operands[1];
    if (command->operand_count != 2) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, 0, command->operand_count);
    }
    if (from->memory != RT_MEMORY_KIND_HOST || (from->access & RT_OPERAND_ACCESS_READ) == 0) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, 0, from->memory);
    }
    if (to->memory != RT_MEMORY_KIND_DEVICE_DRAM || (to->access & RT_OPERAND_ACCESS_WRITE) == 0) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, 1, to->memory);
    }
    /* The operand is inside device DRAM; the mover reaches addresses below the register block. */
    const uint32_t offset = (uint32_t)to->base - limits.program_base;
    if ((to->base >> 32) != 0 || (uint32_t)to->base >= RT_CONTROL_BASE || offset > limits.program_bytes ||
        to->bytes > limits.program_bytes - offset || to->bytes > RT_CONTROL_BASE - (uint32_t)to->base) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, 1, (uint32_t)to->base);
    }
    if (to->bytes != from->bytes || to->bytes == 0) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, 1, to->bytes);
    }
    entry->engines = 1u << MOVER_ENGINE;
    return RT_COMMAND_STATUS_OK;
}

uint32_t validate(const struct rt_command* command, struct entry* entry) {
    const uint32_t opcode = command->opcode;
    if (opcode > RT_COMMAND_OPCODE_LOAD) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPCODE, 0, opcode);
    }
    if (command->phase > RT_PHASE_EVALUATE || command->reserved != 0) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPCODE, 1,
                      command->phase > RT_PHASE_EVALUATE ? command->phase : (uint32_t)command->reserved);
    }
    /* A run has programs, the others have none. */
    if (command->program_count > RT_MAX_PROGRAMS ||
        (opcode == RT_COMMAND_OPCODE_RUN) != (command->program_count != 0)) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_PROGRAM, RT_MAX_PROGRAMS, command->program_count);
    }
    uint32_t status = validate_programs(command, entry);
    if (status != RT_COMMAND_STATUS_OK) {
        return status;
    }
    const uint32_t operands = command->operand_count;
    if (operands > RT_MAX_OPERANDS) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, RT_MAX_OPERANDS, operands);
    }
    for (uint32_t i = 0; i < operands; ++i) {
        if (!operand_ok(&command->operands[i])) {
            return refuse(entry, RT_COMMAND_STATUS_BAD_OPERAND, i, refused_detail(&command->operands[i]));
        }
    }
    if (!in_memory(RT_MEMORY_KIND_STATE_BUFFER, command->work_base, 0, command->work_bytes)) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_WORKING_SET, 0, command->work_base);
    }
    if ((uint32_t)command->psum_first + command->psum_count > limits.psum_banks) {
        return refuse(entry, RT_COMMAND_STATUS_BAD_WORKING_SET, 1, command->psum_first);
    }
    for (uint32_t i = 0; i < RT_MAX_WAITS; ++i) {
        if (command->wait[i] >= command->sequence) {
            return refuse(entry, RT_COMMAND_STATUS_BAD_WAIT, i, command->wait[i]);
        }
    }
    if (opcode == RT_COMMAND_OPCODE_LOAD) {
        return validate_load(command, entry);
    }
    return RT_COMMAND_STATUS_OK;
}
