#include "host/training/tensors.h"

namespace retrace {

namespace {

constexpr std::uint32_t evaluation_bit = 1u << 24;
constexpr unsigned role_shift = 16;

} // namespace

std::uint32_t tag_of(tensor_id id, bool evaluation) {
    if (id.layer > 0xffff)
        throw network_error("a network of more than 65535 layers has no tags for its tensors: " +
                            to_string(id));
    const std::uint32_t role = static_cast<std::uint32_t>(id.role) + 1;
    return (evaluation ? evaluation_bit : 0) | role << role_shift | static_cast<std::uint32_t>(id.layer);
}

tagged_tensor tensor_of(std::uint32_t tag) {
    const std::uint32_t role = (tag & (evaluation_bit - 1)) >> role_shift;
    return {{static_cast<tensor_role>(role - 1), tag & 0xffff}, (tag & evaluation_bit) != 0};
}

std::string tag_name(std::uint32_t tag) {
    const tagged_tensor t = tensor_of(tag);
    return (t.evaluation ? "eval_" : "") + to_string(t.id);
}

} // namespace retrace
