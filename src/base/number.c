/* SPDX-License-Identifier: MIT */
/*
 * Decimal text to double and back, both exact, in integer arithmetic alone: neither the locale nor the rounding mode of
 * the host program changes a bit.
 */
#include <math.h>
#include <string.h>

#include "base/text.h"

__extension__ typedef unsigned __int128 u128;

/* The longest number that is read; it bounds the integers below. */
enum { MAX_CHARACTERS = 4096 };

/* -- Natural numbers ------------------------------------------------------------------------------------------------*/

/*
 * 4096 digits are 13607 bits, which is the most: a value of at least 10^-324 with that many digits has a denominator of
 * at most 5^4420 (10264 bits), and one of at most 10^310 a numerator of 1030 bits beyond its digits.
 */
enum { MAX_LIMBS = 216 };

struct natural {
    size_t n; /* limbs in use; the highest is not 0 */
    uint64_t limb[MAX_LIMBS];
};

static void natural_set(struct natural *a, uint64_t value)
{
    a->n = value != 0;
    a->limb[0] = value;
}

/* a = a * factor + addend */
static void natural_multiply(struct natural *a, uint64_t factor, uint64_t addend)
{
    uint64_t carry = addend;
    for (size_t i = 0; i < a->n; i++) {
        u128 product = (u128)a->limb[i] * factor + carry;
        a->limb[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    if (carry != 0)
        a->limb[a->n++] = carry;
}

/* 5^27 is the largest below 2^63. */
enum { MAX_POWER = 27 };

static uint64_t power_of_5(unsigned exponent)
{
    uint64_t power = 1;
    while (exponent-- > 0)
        power *= 5;
    return power;
}

static void natural_multiply_power_of_5(struct natural *a, unsigned exponent)
{
    for (; exponent > MAX_POWER; exponent -= MAX_POWER)
        natural_multiply(a, power_of_5(MAX_POWER), 0);
    natural_multiply(a, power_of_5(exponent), 0);
}

static void natural_shift_left(struct natural *a, unsigned nbits)
{
    size_t nlimbs = nbits / 64;
    if (a->n == 0)
        return;
    memmove(a->limb + nlimbs, a->limb, a->n * sizeof a->limb[0]);
    memset(a->limb, 0, nlimbs * sizeof a->limb[0]);
    a->n += nlimbs;
    natural_multiply(a, (uint64_t)1 << nbits % 64, 0);
}

static unsigned natural_nbits(const struct natural *a)
{
    return a->n == 0 ? 0 : (unsigned)(64 * a->n) - (unsigned)__builtin_clzll(a->limb[a->n - 1]);
}

/* < 0, 0 or > 0 as a is less than, equal to or greater than b. */
static int natural_compare(const struct natural *a, const struct natural *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

static void natural_trim(struct natural *a)
{
    while (a->n > 0 && a->limb[a->n - 1] == 0)
        a->n--;
}

/* a = a - b, where a >= b */
static void natural_subtract(struct natural *a, const struct natural *b)
{
    uint64_t borrow = 0;
    for (size_t i = 0; i < a->n; i++) {
        uint64_t taken;
        uint64_t wraps = __builtin_sub_overflow(a->limb[i], i < b->n ? b->limb[i] : 0, &taken);
        wraps |= __builtin_sub_overflow(taken, borrow, &a->limb[i]);
        borrow = wraps;
    }
    natural_trim(a);
}

static void natural_add(struct natural *sum, const struct natural *a, const struct natural *b)
{
    uint64_t carry = 0;
    sum->n = a->n > b->n ? a->n : b->n;
    for (size_t i = 0; i < sum->n; i++) {
        u128 limbs = (u128)(i < a->n ? a->limb[i] : 0) + (i < b->n ? b->limb[i] : 0) + carry;
        sum->limb[i] = (uint64_t)limbs;
        carry = (uint64_t)(limbs >> 64);
    }
    if (carry != 0)
        sum->limb[sum->n++] = carry;
}

/* -- Text to double -------------------------------------------------------------------------------------------------*/

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/*
 * The double nearest to (q + d) * 2^exponent, ties to even. q has its top bit set; d, in [0, 1), is not 0 if more bits
 * follow.
 */
static double round_to_double(uint64_t q, bool more, int exponent)
{
    const int least = -1022; /* of the leading bit of a normal number */
    int leading = exponent + 63;
    if (leading > 1023)
        return (double)INFINITY;
    int dropped = leading >= least ? 11 : 11 + (least - leading);
    if (dropped > 64)
        return 0; /* below half of the smallest number */
    uint64_t kept = dropped < 64 ? q >> dropped : 0;
    uint64_t rest = q << (64 - dropped); /* 11 <= dropped, so the shift is below 64 */
    const uint64_t half = (uint64_t)1 << 63;
    bool up = rest > half || (rest == half && (more || kept % 2 == 1));
    /* The leading bit of `kept` counts into the exponent field, and so does the carry of rounding up. */
    uint64_t field = leading >= least ? (uint64_t)(leading - least) << 52 : 0;
    return double_of_bits(field + kept + up);
}

static double round_wide(u128 value, bool more, int exponent)
{
    uint64_t high = (uint64_t)(value >> 64);
    unsigned nbits =
        high != 0 ? 128 - (unsigned)__builtin_clzll(high) : 64 - (unsigned)__builtin_clzll((uint64_t)value);
    if (nbits <= 64)
        return round_to_double((uint64_t)value << (64 - nbits), more, exponent - (int)(64 - nbits));
    unsigned extra = nbits - 64;
    more = more || (value & (((u128)1 << extra) - 1)) != 0;
    return round_to_double((uint64_t)(value >> extra), more, exponent + (int)extra);
}

/* digits * 10^exponent, by division of long numbers, one bit of the quotient at a time. */
static double divide(const char *digits, size_t ndigits, int exponent)
{
    struct natural numerator, denominator;
    natural_set(&numerator, 0);
    natural_set(&denominator, 1);
    uint64_t chunk = 0, scale = 1;
    for (size_t i = 0; i < ndigits; i++) {
        if (digits[i] == '.')
            continue;
        chunk = 10 * chunk + (uint64_t)(digits[i] - '0');
        scale *= 10;
        if (scale == 10000000000000000000u) {
            natural_multiply(&numerator, scale, chunk);
            chunk = 0;
            scale = 1;
        }
    }
    natural_multiply(&numerator, scale, chunk);
    if (exponent >= 0)
        natural_multiply_power_of_5(&numerator, (unsigned)exponent);
    else
        natural_multiply_power_of_5(&denominator, (unsigned)-exponent);

    /* Brought to 1 <= numerator / denominator < 2. */
    int shift = (int)natural_nbits(&numerator) - (int)natural_nbits(&denominator);
    natural_shift_left(shift < 0 ? &numerator : &denominator, (unsigned)(shift < 0 ? -shift : shift));
    if (natural_compare(&numerator, &denominator) < 0) {
        natural_shift_left(&numerator, 1);
        shift--;
    }
    uint64_t quotient = 0;
    for (int i = 0; i < 64; i++) {
        bool bit = natural_compare(&numerator, &denominator) >= 0;
        if (bit)
            natural_subtract(&numerator, &denominator);
        natural_shift_left(&numerator, 1);
        quotient = quotient << 1 | bit;
    }
    return round_to_double(quotient, numerator.n > 0, exponent + shift - 63);
}

/* An optional sign and digits, the whole of [text, end). Beyond any exponent that matters it stands still. */
static bool parse_exponent(const char *text, const char *end, int *exponent)
{
    bool is_negative = text < end && *text == '-';
    if (text < end && (*text == '-' || *text == '+'))
        text++;
    if (text == end)
        return false;
    *exponent = 0;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (*exponent < 100000)
            *exponent = 10 * *exponent + (*text - '0');
    }
    if (is_negative)
        *exponent = -*exponent;
    return true;
}

static bool parse_decimal(const char *text, const char *end, double *value)
{
    const char *first = NULL, *last = NULL; /* the digits from the first to the last that is not 0 */
    const char *point = NULL;
    const char *at = text;
    size_t ndigits = 0;
    for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && point == NULL)); at++) {
        if (*at == '.') {
            point = at;
            continue;
        }
        ndigits++;
        if (*at != '0') {
            first = first != NULL ? first : at;
            last = at;
        }
    }
    const char *stop = at;
    int exponent = 0;
    if (ndigits == 0 || (at < end && ((*at != 'e' && *at != 'E') || !parse_exponent(at + 1, end, &exponent))))
        return false;
    if (first == NULL) {
        *value = 0;
        return true;
    }
    /* The value is the integer of the digits first..last, times 10^exponent. */
    point = point != NULL ? point : stop;
    exponent += last < point ? (int)(point - last) - 1 : -(int)(last - point);
    int count = (int)(last - first) + 1 - (first < point && point < last);
    /* It lies in [10^(exponent + count - 1), 10^(exponent + count)). */
    if (exponent + count > 310) {
        *value = (double)INFINITY;
        return true;
    }
    if (exponent + count < -323) {
        *value = 0;
        return true;
    }
    if (count > 19 || exponent > MAX_POWER || exponent < -MAX_POWER) {
        *value = divide(first, (size_t)(last - first) + 1, exponent);
        return true;
    }
    uint64_t digits = 0;
    for (at = first; at <= last; at++)
        if (*at != '.')
            digits = 10 * digits + (uint64_t)(*at - '0');
    if (exponent >= 0) {
        *value = round_wide((u128)digits * power_of_5((unsigned)exponent), false, exponent);
        return true;
    }
    /* A numerator of 127 bits leaves a quotient of at least 64. */
    unsigned shift = 63 + (unsigned)__builtin_clzll(digits);
    u128 numerator = (u128)digits << shift;
    uint64_t denominator = power_of_5((unsigned)-exponent);
    u128 quotient = numerator / denominator;
    *value = round_wide(quotient, quotient * denominator != numerator, exponent - (int)shift);
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* After "0x". */
static bool parse_hexadecimal(const char *text, const char *end, double *value)
{
    uint64_t q = 0;
    bool more = false, has_point = false, has_digit = false;
    int exponent = 0, written = 0;
    for (; text < end; text++) {
        int digit = hex_digit(*text);
        if (*text == '.' && !has_point) {
            has_point = true;
            continue;
        }
        if (digit < 0)
            break;
        has_digit = true;
        if (q >> 60 == 0) {
            q = q << 4 | (uint64_t)digit;
            exponent -= has_point ? 4 : 0;
        } else {
            more = more || digit != 0;
            exponent += has_point ? 0 : 4;
        }
    }
    if (!has_digit || (text < end && ((*text | 0x20) != 'p' || !parse_exponent(text + 1, end, &written))))
        return false;
    *value = q == 0 ? 0 : round_wide(q, more, exponent + written);
    return true;
}

static bool is_word(const char *text, const char *end, const char *word)
{
    for (; text < end && *word != '\0'; text++, word++)
        if ((*text | 0x20) != *word)
            return false;
    return text == end && *word == '\0';
}

bool fanin_number_parse(const char *text, size_t nbytes, double *value)
{
    const char *end = text + nbytes;
    if (nbytes > MAX_CHARACTERS)
        return false;
    bool is_negative = text < end && *text == '-';
    if (text < end && (*text == '-' || *text == '+'))
        text++;
    double found = 0;
    bool is_number = true;
    if (is_word(text, end, "inf") || is_word(text, end, "infinity"))
        found = (double)INFINITY;
    else if (is_word(text, end, "nan"))
        found = (double)NAN;
    else if (end - text >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x')
        is_number = parse_hexadecimal(text + 2, end, &found);
    else
        is_number = parse_decimal(text, end, &found);
    if (is_number)
        *value = is_negative ? -found : found;
    return is_number;
}

bool fanin_u64_parse(const char *text, size_t nbytes, uint64_t *value)
{
    uint64_t found = 0;
    if (nbytes == 0 || (nbytes > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < nbytes; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(found, 10, &found) ||
            __builtin_add_overflow(found, (uint64_t)(text[i] - '0'), &found))
            return false;
    }
    *value = found;
    return true;
}

/* -- Double to text -------------------------------------------------------------------------------------------------*/

enum { MAX_DIGITS = 17 };

/*
 * Digits of the shortest decimal 0.d1d2... * 10^*point that lies within the reach of `value` (what rounds to it), and
 * among those the nearest to it: Steele and White's free-format algorithm ("How to print floating-point numbers
 * accurately", PLDI 1990) in exact integers. With r/s the part not yet printed, the reach is (-down/s, up/s) around it.
 */
static int shortest_digits(uint64_t mantissa, int exponent, bool is_power_of_2, char digits[MAX_DIGITS], int *point)
{
    /* Both neighbours are half a unit away; below a power of 2 the lower one is a quarter. */
    struct natural r, s, up, down, sum;
    unsigned extra = is_power_of_2 ? 2 : 1;
    natural_set(&r, mantissa);
    natural_set(&s, 1);
    natural_set(&up, 1);
    natural_set(&down, 1);
    natural_shift_left(&r, (unsigned)(exponent > 0 ? exponent : 0) + extra);
    natural_shift_left(&s, (unsigned)(exponent < 0 ? -exponent : 0) + extra);
    natural_shift_left(&up, (unsigned)(exponent > 0 ? exponent : 0) + extra - 1);
    natural_shift_left(&down, (unsigned)(exponent > 0 ? exponent : 0));

    /* 10^(k-1) <= value < 10^(k+1) for k = floor(log10(2^b)) + 1 where 2^b is the leading bit; 315653 / 2^20 is
     * log10(2) to within what 1074 bits need.
     */
    int leading = exponent + 63 - __builtin_clzll(mantissa);
    int k = (leading * 315653 >> 20) + 1;
    if (k >= 0) {
        natural_multiply_power_of_5(&s, (unsigned)k);
        natural_shift_left(&s, (unsigned)k);
    } else {
        struct natural *const scaled[] = {&r, &up, &down};
        for (int i = 0; i < 3; i++) {
            natural_multiply_power_of_5(scaled[i], (unsigned)-k);
            natural_shift_left(scaled[i], (unsigned)-k);
        }
    }
    /* What lies on the edge of the reach rounds to `value` if its mantissa is even. */
    const int on_edge = mantissa % 2 == 0 ? 0 : 1;
    natural_add(&sum, &r, &up);
    if (natural_compare(&sum, &s) >= on_edge)
        k++;
    else {
        natural_multiply(&r, 10, 0);
        natural_multiply(&up, 10, 0);
        natural_multiply(&down, 10, 0);
    }
    *point = k;

    for (int n = 0;; n++) {
        int digit = 0;
        for (; natural_compare(&r, &s) >= 0; digit++)
            natural_subtract(&r, &s);
        natural_add(&sum, &r, &up);
        bool may_stop = natural_compare(&r, &down) <= -on_edge;
        bool may_step_up = natural_compare(&sum, &s) >= on_edge;
        if (may_stop || may_step_up) {
            natural_shift_left(&r, 1);
            int to_half = natural_compare(&r, &s);
            if (may_step_up && (!may_stop || to_half > 0 || (to_half == 0 && digit % 2 == 1)))
                digit++;
            digits[n] = (char)('0' + digit);
            return n + 1;
        }
        digits[n] = (char)('0' + digit);
        natural_multiply(&r, 10, 0);
        natural_multiply(&up, 10, 0);
        natural_multiply(&down, 10, 0);
    }
}

static char *put_integer(char *at, unsigned value)
{
    if (value >= 10)
        at = put_integer(at, value / 10);
    *at = (char)('0' + value % 10);
    return at + 1;
}

char *fanin_number_format(double value, char text[FANIN_NUMBER_NBYTES])
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t fraction = bits & (((uint64_t)1 << 52) - 1);
    int field = (int)(bits >> 52 & 0x7ff);
    bool is_negative = bits >> 63;
    if (field == 0x7ff)
        return strcpy(text, fraction != 0 ? "nan" : is_negative ? "-inf" : "inf");
    /* Not "-0", which JSON readers take for an integer. */
    if (field == 0 && fraction == 0)
        return strcpy(text, is_negative ? "-0.0" : "0");

    char digits[MAX_DIGITS];
    int point;
    uint64_t mantissa = field > 0 ? fraction | (uint64_t)1 << 52 : fraction;
    int n = shortest_digits(mantissa, (field > 0 ? field : 1) - 1075, fraction == 0 && field > 1, digits, &point);

    char *at = text;
    if (is_negative)
        *at++ = '-';
    if (point < -3 || point > 16) {
        *at++ = digits[0];
        if (n > 1)
            *at++ = '.';
        memcpy(at, digits + 1, (size_t)n - 1);
        at += n - 1;
        *at++ = 'e';
        if (point < 1)
            *at++ = '-';
        at = put_integer(at, (unsigned)(point < 1 ? 1 - point : point - 1));
    } else if (point <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = point; i < 0; i++)
            *at++ = '0';
        memcpy(at, digits, (size_t)n);
        at += n;
    } else {
        for (int i = 0; i < n || i < point; i++) {
            if (i == point)
                *at++ = '.';
            *at++ = i < n ? digits[i] : '0';
        }
    }
    *at = '\0';
    return text;
}
