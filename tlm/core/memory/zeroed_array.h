#pragma once
// A large array of zeros from the operating system: what nobody touches costs nothing, and what is touched comes in huge pages where the
// host has them (first touches of ordinary pages were a fifth of a large product's time).
#include <cstddef>
#include <new>

#include <sys/mman.h>

namespace retrace {

/// Ordinary pages suit arrays that are touched here and there: a huge page costs its whole clearing at the first touch.
enum class page_size { ordinary, huge };

template <typename T>
class zeroed_array {
public:
    explicit zeroed_array(std::size_t count, page_size pages = page_size::huge) : bytes_((count ? count : 1) * sizeof(T)) {
        void* p = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            throw std::bad_alloc();
        data_ = static_cast<T*>(p);
        if (pages == page_size::huge && bytes_ >= (std::size_t{4} << 20))
            madvise(p, bytes_, MADV_HUGEPAGE); // a hint: refusal changes nothing but speed
    }
    ~zeroed_array() { munmap(data_, bytes_); }
    zeroed_array(const zeroed_array&) = delete;
    zeroed_array& operator=(const zeroed_array&) = delete;

    T* get() { return data_; }
    const T* get() const { return data_; }
    T& operator[](std::size_t i) { return data_[i]; }
    const T& operator[](std::size_t i) const { return data_[i]; }

private:
    std::size_t bytes_;
    T* data_;
};

} // namespace retrace
