/* Code as a compiler writes it. Returns 0, or the number of the check that failed. */
#include <stdint.h>

static uint32_t state = 1;
static uint32_t numbers[256];

static uint32_t next_number(void)
{
    state = state * 1664525u + 1013904223u;
    return state;
}

static void sort(uint32_t* values, int first, int last)
{
    int left = first;
    int right = last;
    const uint32_t pivot = values[(first + last) / 2];
    while (left <= right) {
        while (values[left] < pivot) {
            ++left;
        }
        while (values[right] > pivot) {
            --right;
        }
        if (left <= right) {
            const uint32_t other = values[left];
            values[left++] = values[right];
            values[right--] = other;
        }
    }
    if (first < right) {
        sort(values, first, right);
    }
    if (left < last) {
        sort(values, left, last);
    }
}

static uint32_t crc32(const char* text)
{
    uint32_t crc = ~0u;
    for (; *text != 0; ++text) {
        crc ^= (uint8_t)*text;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        }
    }
    return ~crc;
}

static int64_t power(int64_t base, int exponent)
{
    return exponent == 0 ? 1 : base * power(base, exponent - 1);
}

static int count_digits(int64_t value)
{
    int digits = 0;
    do {
        value /= 10; /* 64-bit division comes from libgcc */
        ++digits;
    } while (value != 0);
    return digits;
}

int main(void)
{
    uint32_t sum_before = 0;
    uint32_t sum_after = 0;
    for (int index = 0; index < 256; ++index) {
        numbers[index] = next_number();
        sum_before += numbers[index];
    }
    sort(numbers, 0, 255);
    for (int index = 0; index < 256; ++index) {
        sum_after += numbers[index];
        if (index > 0 && numbers[index - 1] > numbers[index]) {
            return 1;
        }
    }
    if (sum_before != sum_after) {
        return 2;
    }
    if (crc32("123456789") != 0xcbf43926u) { /* the check value every CRC-32 catalogue lists */
        return 3;
    }
    if (power(-7, 21) != -558545864083284007ll || count_digits(power(-7, 21)) != 18) {
        return 4;
    }
    return 0;
}
