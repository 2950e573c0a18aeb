/* The compiler may call these for structure copies even in freestanding code. */
#include "firmware/common/machine.h"

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void*
memcpy(void* restrict destination, const void* restrict source, size_t bytes) {
    uint8_t* to = destination;
    const uint8_t* from = source;
    if ((((uintptr_t)to | (uintptr_t)from) & 3) == 0) {
        for (; bytes >= 4; bytes -= 4, to += 4, from += 4) {
            *(aliasing_word*)to = *(const aliasing_word*)from;
        }
    }
    while (bytes-- > 0) {
        *to++ = *from++;
    }
    return destination;
}

__attribute__((optimize("no-tree-loop-distribute-patterns"))) void* memset(void* destination, int value,
                                                                           size_t bytes) {
    uint8_t* to = destination;
    while (bytes-- > 0) {
        *to++ = (uint8_t)value;
    }
    return destination;
}
