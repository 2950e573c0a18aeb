#pragma once
// SHA-256 of bytes that arrive in pieces, as 64 hexadecimal digits. Computed by OpenSSL's libcrypto.
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace retrace {

class sha256 {
public:
    sha256(); ///< throws std::runtime_error where libcrypto refuses the algorithm
    ~sha256();
    sha256(const sha256&) = delete;
    sha256& operator=(const sha256&) = delete;

    void add(std::span<const std::byte> bytes);
    void add(std::string_view text);
    /// The digest of everything added so far; the object then starts anew.
    std::string hex();

private:
    struct state;
    std::unique_ptr<state> state_;
};

std::string sha256_hex(std::string_view text);

} // namespace retrace
