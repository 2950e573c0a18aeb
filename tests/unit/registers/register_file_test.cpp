// Generic over the generated tables: every register of both blocks, every bit.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "tlm/core/registers/register_file.h"

namespace retrace {
namespace {

using table = std::span<const spec::register_info>;

struct block {
    const char* name;
    table registers;
};

struct every_register : testing::TestWithParam<block> {
    table registers = GetParam().registers;
    register_file file{registers, {}};

    template <class F>
    void walk(F&& visit) {
        for (const auto& info : registers) {
            for (std::uint32_t i = 0; i < info.count; ++i) {
                SCOPED_TRACE(std::string(info.name) + "[" + std::to_string(i) + "]");
                visit(info, info.offset + i * info.stride, i);
            }
        }
    }
    std::uint32_t read(std::uint32_t offset) {
        std::uint32_t value = 0;
        EXPECT_EQ(file.read(offset, value), register_status::ok);
        return value;
    }
    void write(std::uint32_t offset, std::uint32_t value) {
        EXPECT_EQ(file.write(offset, value), register_status::ok);
    }
};

std::uint32_t readable(const spec::register_info& info) { return info.ro | info.rw | info.rw1c; }

TEST_P(every_register, masks_of_different_access_kinds_are_disjoint_and_cover_reset_and_configuration) {
    walk([&](const auto& info, auto, auto) {
        EXPECT_EQ(info.ro & info.rw, 0u);
        EXPECT_EQ((info.ro | info.rw) & info.rw1c, 0u);
        EXPECT_EQ(readable(info) & info.wo, 0u);
        EXPECT_EQ(info.reset & ~readable(info), 0u);
        EXPECT_EQ(info.config & ~readable(info), 0u);
        EXPECT_EQ(info.config & info.reset, 0u);
    });
}

TEST_P(every_register, reads_its_reset_value) {
    walk([&](const auto& info, auto offset, auto) { EXPECT_EQ(read(offset), info.reset); });
}

TEST_P(every_register, takes_each_written_bit_only_where_it_is_rw) {
    walk([&](const auto& info, auto offset, auto) {
        for (unsigned bit = 0; bit < 32; ++bit) {
            const std::uint32_t mask = 1u << bit;
            file.reset();
            write(offset, mask);
            EXPECT_EQ(read(offset), (info.reset & ~info.rw) | (mask & info.rw)) << bit;
            write(offset, ~mask);
            EXPECT_EQ(read(offset), (info.reset & ~info.rw & ~(info.rw1c & ~mask)) | (~mask & info.rw))
                << bit;
        }
    });
}

TEST_P(every_register, clears_rw1c_bits_by_ones_and_keeps_them_under_zeros) {
    walk([&](const auto& info, auto offset, auto) {
        for (unsigned bit = 0; bit < 32; ++bit) {
            const std::uint32_t mask = 1u << bit;
            file.set(offset, ~0u);
            write(offset, ~mask & info.rw1c);
            EXPECT_EQ(read(offset) & info.rw1c, mask & info.rw1c) << bit;
            file.set(offset, ~0u);
            write(offset, mask);
            EXPECT_EQ(read(offset) & info.rw1c, info.rw1c & ~mask) << bit;
        }
    });
}

TEST_P(every_register, hardware_sets_every_readable_bit_and_no_other) {
    walk([&](const auto& info, auto offset, auto) {
        file.set(offset, ~0u);
        EXPECT_EQ(read(offset), readable(info));
        EXPECT_EQ(file.get(offset), readable(info));
        file.set(offset, 0, 0x0f0f0f0f);
        EXPECT_EQ(read(offset), readable(info) & ~0x0f0f0f0fu);
        file.reset();
        EXPECT_EQ(read(offset), info.reset);
    });
}

TEST_P(every_register, changes_no_neighbour) {
    std::map<std::uint32_t, std::uint32_t> expected;
    std::mt19937 random(1);
    walk([&](const auto& info, auto offset, auto) {
        const auto value = static_cast<std::uint32_t>(random());
        write(offset, value);
        expected[offset] = (info.reset & ~info.rw & ~(value & info.rw1c)) | (value & info.rw);
    });
    for (const auto& [offset, value] : expected) {
        EXPECT_EQ(read(offset), value) << offset;
    }
}

TEST_P(every_register, refuses_offsets_without_a_register_and_unaligned_ones) {
    std::set<std::uint32_t> known;
    walk([&](const auto&, auto offset, auto) { EXPECT_TRUE(known.insert(offset).second); });
    for (std::uint32_t offset = 0; offset < 0x800; ++offset) {
        std::uint32_t value = 123;
        const register_status expected = offset % 4 != 0       ? register_status::unaligned
                                         : known.count(offset) ? register_status::ok
                                                               : register_status::bad_offset;
        EXPECT_EQ(file.read(offset, value), expected) << offset;
        EXPECT_EQ(file.write(offset, 0), expected) << offset;
        if (expected != register_status::ok) {
            EXPECT_EQ(value, 0u);
        }
    }
    std::uint32_t value = 0;
    EXPECT_EQ(file.read(0xfffffffc, value), register_status::bad_offset);
    EXPECT_THROW(file.get(0x7fc), std::logic_error);
    EXPECT_THROW(file.set(0x7fc, 0), std::logic_error);
}

TEST_P(every_register, calls_the_hook_exactly_where_a_side_effect_is_marked) {
    std::vector<register_file::access> calls;
    file.set_hook([&](const register_file::access& access) {
        calls.push_back(access);
        return register_status::ok;
    });
    walk([&](const auto& info, auto offset, auto index) {
        calls.clear();
        read(offset);
        write(offset, 0xffffffff);
        ASSERT_EQ(calls.size(), info.side_effect ? 2u : 0u);
        for (const auto& call : calls) {
            EXPECT_EQ(call.info->name, info.name);
            EXPECT_EQ(call.index, index);
            EXPECT_EQ(call.offset, offset);
        }
        if (info.side_effect) {
            EXPECT_FALSE(calls[0].is_write);
            EXPECT_TRUE(calls[1].is_write);
            EXPECT_EQ(calls[1].value, info.rw | info.rw1c | info.wo);
        }
    });
}

TEST_P(every_register, keeps_its_value_when_the_hook_refuses) {
    walk([&](const auto&, auto offset, auto) { file.set(offset, 0x5a5a5a5a); });
    file.set_hook([](const register_file::access&) { return register_status::refused; });
    walk([&](const auto& info, auto offset, auto) {
        if (info.side_effect) {
            const std::uint32_t before = file.get(offset);
            std::uint32_t value = 1;
            EXPECT_EQ(file.write(offset, 0xffffffff), register_status::refused);
            EXPECT_EQ(file.read(offset, value), register_status::refused);
            EXPECT_EQ(value, 0u);
            EXPECT_EQ(file.get(offset), before);
        }
    });
}

TEST_P(every_register, carries_configuration_through_reset) {
    std::vector<register_value> configuration;
    walk([&](const auto& info, auto offset, auto) {
        if (info.config != 0) {
            configuration.push_back({offset, (0x12345678u + offset) & info.config});
        }
    });
    register_file configured(registers, configuration);
    for (int round = 0; round < 2; ++round) {
        for (const auto& each : configuration) {
            std::uint32_t value = 0;
            configured.read(each.offset, value);
            EXPECT_EQ(value, each.value);
            configured.set(each.offset, ~each.value);
        }
        configured.reset();
    }
}

TEST_P(every_register, takes_configuration_only_where_the_table_has_it) {
    walk([&](const auto& info, auto offset, auto) {
        for (unsigned bit = 0; bit < 32; ++bit) {
            const register_value one{offset, 1u << bit};
            if ((info.config >> bit & 1) != 0) {
                EXPECT_NO_THROW(register_file(registers, {&one, 1}));
            } else {
                EXPECT_THROW(register_file(registers, {&one, 1}), register_config_error);
            }
        }
    });
    const register_value nowhere{0x7fc, 0};
    EXPECT_THROW(register_file(registers, {&nowhere, 1}), register_config_error);
}

INSTANTIATE_TEST_SUITE_P(blocks, every_register,
                         testing::Values(block{"host", spec::host_block::registers},
                                         block{"control", spec::control_block::registers}),
                         [](const auto& info) { return info.param.name; });

TEST(register_file, shows_what_the_hook_stores_before_a_read) {
    register_file file(spec::host_block::registers, {});
    std::uint32_t counter = 7;
    file.set_hook([&](const register_file::access& access) {
        file.set(access.offset, counter++);
        return register_status::ok;
    });
    std::uint32_t value = 0;
    file.read(spec::host_block::cycle_low, value);
    EXPECT_EQ(value, 7u);
    file.read(spec::host_block::cycle_low, value);
    EXPECT_EQ(value, 8u);
}

TEST(register_file, accesses_fields) {
    namespace regs = spec::host_block;
    register_file file(regs::registers, {});
    file.set_field(regs::array_shape, regs::array_shape_columns_mask, regs::array_shape_columns_shift, 128);
    file.set_field(regs::array_shape, regs::array_shape_rows_mask, regs::array_shape_rows_shift, 32);
    EXPECT_EQ(file.get(regs::array_shape), 128u << 16 | 32);
    EXPECT_EQ(file.field(regs::array_shape, regs::array_shape_columns_mask, regs::array_shape_columns_shift),
              128u);
}

TEST(register_file, refuses_a_table_that_contradicts_itself) {
    const spec::register_info same[] = {{"a", 0, 1, 4, 1, 0, 0, 0, 0, 0, false},
                                        {"b", 0, 1, 4, 1, 0, 0, 0, 0, 0, false}};
    EXPECT_THROW(register_file(same, {}), register_config_error);
    const spec::register_info crooked[] = {{"a", 2, 1, 4, 1, 0, 0, 0, 0, 0, false}};
    EXPECT_THROW(register_file(crooked, {}), register_config_error);
}

} // namespace
} // namespace retrace
