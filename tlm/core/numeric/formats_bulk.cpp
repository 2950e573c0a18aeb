#include "tlm/core/numeric/formats_bulk.h"

#include <bit>
#include <cstring>
#include <stdexcept>
#include <string>

// Highway compiles the part between HWY_BEFORE_NAMESPACE and HWY_AFTER_NAMESPACE once per instruction set and
// picks at run time. The loops are plain C++ and left to the compiler's vectoriser; no operation in them may
// be contracted or reordered (-ffp-contract=off, no -ffast-math), so the choice never shows in a bit.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tlm/core/numeric/formats_bulk.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace retrace {
namespace HWY_NAMESPACE {
namespace {

// memcpy: rows of the state buffer have no alignment that C++ could rely on.
template <typename T>
T load(const std::byte* from, std::size_t index) {
    T value;
    std::memcpy(&value, from + index * sizeof(T), sizeof(T));
    return value;
}

template <typename T>
void store(std::byte* to, std::size_t index, T value) {
    std::memcpy(to + index * sizeof(T), &value, sizeof(T));
}

template <typename T, typename Function>
void widen_rows(const std::byte* source, std::size_t pitch, std::size_t rows, std::size_t columns,
                std::uint32_t* destination, std::size_t destination_pitch, Function widen) {
    for (std::size_t r = 0; r < rows; ++r) {
        const std::byte* from = source + r * pitch;
        std::uint32_t* __restrict__ to = destination + r * destination_pitch;
        for (std::size_t c = 0; c < columns; ++c) {
            to[c] = widen(load<T>(from, c));
        }
    }
}

void widen(number_format format, const std::byte* source, std::size_t pitch, std::size_t rows,
           std::size_t columns, std::uint32_t* destination, std::size_t destination_pitch) {
    const auto run = [&]<typename T>(T, auto function) {
        widen_rows<T>(source, pitch, rows, columns, destination, destination_pitch, function);
    };
    switch (format) {
    case number_format::fp32:
        run(std::uint32_t{}, [](std::uint32_t v) { return canonical_fp32(v); });
        break;
    case number_format::bf16:
        run(std::uint16_t{}, [](std::uint16_t v) { return widen_bf16(v); });
        break;
    case number_format::fp8_e4m3:
        run(std::uint8_t{}, [](std::uint8_t v) { return widen_e4m3(v); });
        break;
    case number_format::fp8_e5m2:
        run(std::uint8_t{}, [](std::uint8_t v) { return widen_e5m2(v); });
        break;
    case number_format::int8:
        run(std::int8_t{}, [](std::int8_t v) { return widen_int8(v); });
        break;
    case number_format::int32:
        run(std::int32_t{}, [](std::int32_t v) { return widen_int32(v); });
        break;
    }
}

void narrow(number_format format, const std::uint32_t* source, std::size_t size, std::byte* to) {
    const auto run = [&](auto function) {
        for (std::size_t i = 0; i < size; ++i) {
            store(to, i, function(source[i]));
        }
    };
    switch (format) {
    case number_format::fp32:
        run([](std::uint32_t v) { return canonical_fp32(v); });
        break;
    case number_format::bf16:
        run([](std::uint32_t v) { return narrow_bf16(v); });
        break;
    case number_format::fp8_e4m3:
        run([](std::uint32_t v) { return narrow_e4m3(v); });
        break;
    case number_format::fp8_e5m2:
        run([](std::uint32_t v) { return narrow_e5m2(v); });
        break;
    default:
        run([](std::uint32_t v) { return narrow_int8(v); });
        break;
    }
}

void narrow_stochastic(number_format format, const std::uint32_t* source, const std::uint32_t* random,
                       std::size_t size, std::byte* to) {
    const auto run = [&](auto function) {
        for (std::size_t i = 0; i < size; ++i) {
            store(to, i, function(source[i], random[i]));
        }
    };
    switch (format) {
    case number_format::bf16:
        run([](std::uint32_t v, std::uint32_t r) { return narrow_bf16_stochastic(v, r); });
        break;
    case number_format::fp8_e4m3:
        run([](std::uint32_t v, std::uint32_t r) { return narrow_e4m3_stochastic(v, r); });
        break;
    default:
        run([](std::uint32_t v, std::uint32_t r) { return narrow_e5m2_stochastic(v, r); });
        break;
    }
}

void accumulate(std::uint32_t* accumulator, const std::uint32_t* addend, std::size_t size, bool integer) {
    if (integer) {
        for (std::size_t i = 0; i < size; ++i) {
            accumulator[i] += addend[i];
        }
        return;
    }
    for (std::size_t i = 0; i < size; ++i) {
        const float sum = std::bit_cast<float>(accumulator[i]) + std::bit_cast<float>(addend[i]);
        accumulator[i] = canonical_fp32(std::bit_cast<std::uint32_t>(sum));
    }
}

} // namespace
} // namespace HWY_NAMESPACE
} // namespace retrace
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace retrace {

HWY_EXPORT(widen);
HWY_EXPORT(narrow);
HWY_EXPORT(narrow_stochastic);
HWY_EXPORT(accumulate);

void widen_block(number_format format, const std::byte* source, std::size_t source_pitch_bytes,
                 std::size_t rows, std::size_t columns, std::uint32_t* destination,
                 std::size_t destination_pitch) {
    HWY_DYNAMIC_DISPATCH(widen)
    (format, source, source_pitch_bytes, rows, columns, destination, destination_pitch);
}

void widen_row(number_format format, const std::byte* source, std::span<std::uint32_t> destination) {
    HWY_DYNAMIC_DISPATCH(widen)(format, source, 0, 1, destination.size(), destination.data(), 0);
}

void narrow_row(number_format format, std::span<const std::uint32_t> source, std::byte* destination) {
    if (format == number_format::int32) {
        throw std::invalid_argument(
            "narrow_row: int32 is an accumulator format; narrow to fp32, bf16, fp8 or int8");
    }
    HWY_DYNAMIC_DISPATCH(narrow)(format, source.data(), source.size(), destination);
}

void narrow_row_stochastic(number_format format, std::span<const std::uint32_t> source,
                           std::span<const std::uint32_t> random, std::byte* destination) {
    if (format != number_format::bf16 && format != number_format::fp8_e4m3 &&
        format != number_format::fp8_e5m2) {
        throw std::invalid_argument(std::string("narrow_row_stochastic: ") + name_of(format) +
                                    " has no stochastic rounding; use bf16, fp8_e4m3 or fp8_e5m2");
    }
    if (random.size() < source.size()) {
        throw std::invalid_argument("narrow_row_stochastic: needs one random word per element");
    }
    HWY_DYNAMIC_DISPATCH(narrow_stochastic)(format, source.data(), random.data(), source.size(), destination);
}

void accumulate_row(std::span<std::uint32_t> accumulator, std::span<const std::uint32_t> addend,
                    bool integer) {
    if (accumulator.size() != addend.size()) {
        throw std::invalid_argument("accumulate_row: accumulator and addend differ in size");
    }
    HWY_DYNAMIC_DISPATCH(accumulate)(accumulator.data(), addend.data(), accumulator.size(), integer);
}

} // namespace retrace
#endif // HWY_ONCE
