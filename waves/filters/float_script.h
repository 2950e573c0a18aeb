#pragma once
// A GTKWave translate process: how 32-bit words are seen as binary32, and 16-bit words as bf16. It stands beside the waves and needs
// no more than /bin/sh, so it works wherever somebody opens them; a table like those of the other filters would have 2^32 lines.
#include <string_view>

namespace retrace {

inline constexpr std::string_view float_script = R"sh(#!/bin/sh
# GTKWave writes a value per line, in hexadecimal, and waits for a line with what to show: 8 digits are a binary32 number, 4 digits a bf16.
# Nine significant digits: numbers that differ in one bit look different. Whatever else comes (x: not known yet) goes back as it is.
LC_ALL=C
export LC_ALL
while read -r word; do
    case $word in
    *[!0-9A-Fa-f]*) digits= ;;
    ????) digits=${word}0000 ;;
    ????????) digits=$word ;;
    *) digits= ;;
    esac
    if [ -z "$digits" ]; then
        printf '%s\n' "$word"
        continue
    fi
    bits=$((0x$digits)) sign=
    [ $((bits >> 31 & 1)) -eq 0 ] || sign=-
    exponent=$((bits >> 23 & 255)) top=$((bits >> 20 & 7))
    case $exponent in
    0) exponent=1 ;; # subnormal: no implicit one
    255)
        if [ $((bits & 0x7fffff)) -eq 0 ]; then
            echo "${sign}inf"
        elif [ "$bits" -eq $((0x7fc00000)) ]; then
            echo NaN
        else
            echo "NaN $word" # none that the machine makes
        fi
        continue
        ;;
    *) case $top in
        0) top=8 ;; 1) top=9 ;; 2) top=a ;; 3) top=b ;; 4) top=c ;; 5) top=d ;; 6) top=e ;; 7) top=f ;;
        esac ;;
    esac
    # The significand as a whole number: its highest digit and the last five of the word.
    printf '%.9g\n' "${sign}0x$top${digits#???}p$((exponent - 150))"
done
)sh";

} // namespace retrace
