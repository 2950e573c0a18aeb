#include "sim/support/sha256.h"

#include <openssl/evp.h>

#include <stdexcept>

namespace retrace {

struct sha256::state {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~state() { EVP_MD_CTX_free(context); }

    static void check(int result) {
        if (result != 1)
            throw std::runtime_error("SHA-256: libcrypto reports a failure");
    }
    void start() { check(context ? EVP_DigestInit_ex(context, EVP_sha256(), nullptr) : 0); }
};

sha256::sha256() : state_(std::make_unique<state>()) { state_->start(); }
sha256::~sha256() = default;

void sha256::add(std::span<const std::byte> bytes) {
    state::check(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

void sha256::add(std::string_view text) { add(std::as_bytes(std::span(text))); }

std::string sha256::hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    state::check(EVP_DigestFinal_ex(state_->context, digest, &size));
    state_->start();
    std::string text;
    for (unsigned i = 0; i < size; ++i)
        for (const int shift : {4, 0})
            text += "0123456789abcdef"[(digest[i] >> shift) & 15];
    return text;
}

std::string sha256_hex(std::string_view text) {
    sha256 digest;
    digest.add(text);
    return digest.hex();
}

} // namespace retrace
