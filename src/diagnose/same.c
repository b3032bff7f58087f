/* SPDX-License-Identifier: MIT */
/*
 * Which tensors hold the same numbers. One pass keeps of each tensor hashes and the signs of its first values; pairs
 * are found by those, and only what is found is read again to say how strong it is. Signs do not depend on scale: the
 * same stream of random numbers at another scale, or from another place on, has the same signs.
 */
#include "fanin/same.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "diagnose/scan.h"
#include "kernel/convert.h"
#include "kernel/element.h"

enum {
    PIECE = 1 << 16,
    NSIGNS = 1024, /* compared between all pairs */
    NWORDS = NSIGNS / 64,
    NLAGS = 65536, /* places in a tensor where another may begin */
    LAG_WORDS = NLAGS / 64 + 1,
    MIN_NVALUES = 64,       /* fewer agree by chance */
    MAX_COMPARED = 1 << 22, /* values of a correlation */
    NCASTS = 5,
    WINDOW = 20, /* signs */
    NWINDOWS = 1 << WINDOW,
    WINDOWS_EACH = NSIGNS / WINDOW,
    MAX_WINDOWS = 1 << 17 /* of all tensors; at least one of each */
};
/* Of 10^8 pairs chance passes 7 standard deviations once in 10^4; what passes is read again. */
#define SIGN_ERRORS 7.0
#define MIN_ERRORS  7.5

static const fanin_dtype cast_dtypes[NCASTS] = {FANIN_F32, FANIN_BF16, FANIN_F16, FANIN_F8_E4M3, FANIN_F8_E5M2};

/* A tensor of either checkpoint, and what is kept of it. */
struct item {
    const fanin_checkpoint *checkpoint;
    size_t index;
    bool is_second; /* of the second checkpoint */
    const fanin_checkpoint_tensor *tensor;
    bool is_float, is_constant;
    uint64_t hash;                /* of the elements' bits */
    uint64_t cast_hashes[NCASTS]; /* of the values cast; 0: not asked */
    uint64_t nrows, ncols;
    uint64_t signs[NWORDS], transposed_signs[NWORDS];
    uint64_t *lag_signs; /* LAG_WORDS; NULL: too short, or not random */
    bool is_random;
    size_t leader; /* the first item of its checkpoint with these bytes */
};

struct fanin_same {
    fanin_same_pair *pairs;
    size_t count, room;
};

struct search {
    const fanin_same_options *options;
    struct item *items;
    size_t nitems;
    bool is_one; /* pairs within one checkpoint */
    bool wants_cast[NCASTS];
    double min_correlation;
    fanin_status *statuses;
    fanin_error *errors;
    struct fanin_same *same;
};

const char *fanin_sameness_name(fanin_sameness sameness)
{
    static const char *const names[] = {"equal", "bytes", "cast", "scaled", "transposed", "shifted"};
    return (unsigned)sameness < FANIN_SAME_COUNT ? names[sameness] : "unknown";
}

/* ---- one tensor ---- */

static uint64_t next_hash(uint64_t hash, uint64_t bits)
{
    hash = (hash ^ bits) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
}

static size_t bytes_of(fanin_dtype dtype, uint64_t nelem)
{
    return (size_t)((nelem * fanin_dtype_nbits(dtype) + 7) / 8);
}

/* Elements [begin, begin + n) as doubles; bytes is room for them. */
static fanin_status read_values(const struct item *item, uint64_t begin, size_t n, uint8_t *bytes, double *values,
                                fanin_error *error)
{
    const fanin_dtype dtype = item->tensor->dtype;
    FANIN_TRY(
        fanin_checkpoint_read(item->checkpoint, item->index, bytes_of(dtype, begin), bytes, bytes_of(dtype, n), error));
    for (size_t i = 0; i < n; i++)
        values[i] = fanin_dtype_value(dtype, bytes, i);
    return FANIN_OK;
}

static void set_sign(uint64_t *words, uint64_t i, double value)
{
    words[i / 64] |= (uint64_t)(value > 0) << i % 64;
}

static void take_signs(struct item *item, uint64_t begin, const double *values, size_t n)
{
    for (uint64_t i = begin; i < begin + n && i < NSIGNS; i++)
        set_sign(item->signs, i, values[i - begin]);
    for (uint64_t i = begin; item->lag_signs != NULL && i < begin + n && i < NLAGS + 64; i++)
        set_sign(item->lag_signs, i, values[i - begin]);
    if (item->tensor->ndim != 2)
        return;
    /* the first values of the transposed matrix lie in its first columns */
    const uint64_t ncolumns = NSIGNS / item->nrows + 1;
    for (uint64_t r = begin / item->ncols; r * item->ncols < begin + n; r++)
        for (uint64_t c = 0; c < ncolumns && c < item->ncols; c++) {
            uint64_t at = r * item->ncols + c, place = c * item->nrows + r;
            if (at >= begin && at < begin + n && place < NSIGNS)
                set_sign(item->transposed_signs, place, values[at - begin]);
        }
}

static void take_hashes(const struct search *s, struct item *item, const uint8_t *bytes, const double *values, size_t n)
{
    const unsigned nbytes = fanin_dtype_nbits(item->tensor->dtype) / 8;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = 0;
        memcpy(&bits, bytes + i * nbytes, nbytes);
        item->hash = next_hash(item->hash, bits);
    }
    for (size_t k = 0; k < NCASTS; k++) {
        if (!s->wants_cast[k] || fanin_dtype_nbits(cast_dtypes[k]) >= fanin_dtype_nbits(item->tensor->dtype))
            continue;
        uint64_t hash = item->cast_hashes[k];
        for (size_t i = 0; i < n; i++)
            hash = next_hash(hash, fanin_element_encode(cast_dtypes[k], values[i]));
        item->cast_hashes[k] = hash;
    }
}

/* Signs that a coin might give. */
static bool looks_random(const struct item *item)
{
    const uint64_t n = item->tensor->nelem < NSIGNS ? item->tensor->nelem : NSIGNS;
    uint64_t count = 0;
    for (size_t i = 0; i < NWORDS; i++)
        count += (uint64_t)__builtin_popcountll(item->signs[i]);
    return n >= MIN_NVALUES && count >= n / 4 && count <= n - n / 4;
}

static fanin_status look_at(const struct search *s, struct item *item, fanin_error *error)
{
    const fanin_checkpoint_tensor *tensor = item->tensor;
    double first = 0;
    item->is_float = fanin_is_summed(tensor->dtype);
    item->nrows = tensor->ndim >= 1 && tensor->nelem > 0 ? (uint64_t)tensor->shape[0] : 1;
    item->ncols = tensor->nelem / (item->nrows > 0 ? item->nrows : 1);
    if (fanin_dtype_nbits(tensor->dtype) % 8 != 0 || tensor->nelem == 0) {
        item->is_constant = true; /* of packed dtypes nothing is told */
        return FANIN_OK;
    }
    if (item->is_float && tensor->nelem >= MIN_NVALUES)
        item->lag_signs = fanin_allocate_zeroed(LAG_WORDS + 1, sizeof *item->lag_signs);
    uint8_t *bytes = fanin_allocate(PIECE, 8);
    double *values = fanin_allocate(PIECE, sizeof *values);
    fanin_status status = bytes != NULL && values != NULL ? FANIN_OK : fanin_fail_memory(error, (uint64_t)PIECE * 16);
    item->is_constant = true;
    for (uint64_t begin = 0; begin < tensor->nelem && status == FANIN_OK; begin += PIECE) {
        size_t n = tensor->nelem - begin < PIECE ? (size_t)(tensor->nelem - begin) : PIECE;
        status = read_values(item, begin, n, bytes, values, error);
        if (status != FANIN_OK)
            break;
        first = begin == 0 ? values[0] : first;
        for (size_t i = 0; i < n && item->is_constant; i++)
            item->is_constant = values[i] == first;
        take_hashes(s, item, bytes, values, n);
        if (item->is_float)
            take_signs(item, begin, values, n);
    }
    fanin_free(values);
    fanin_free(bytes);
    item->is_random = item->is_float && !item->is_constant && looks_random(item);
    if (!item->is_random) {
        fanin_free(item->lag_signs);
        item->lag_signs = NULL;
    }
    return status;
}

static void look_at_task(void *context, size_t i)
{
    struct search *s = context;
    s->statuses[i] = look_at(s, &s->items[i], &s->errors[i]);
}

/* ---- pairs ---- */

static fanin_status add_pair(struct search *s, const struct item *a, const struct item *b, fanin_same_pair pair,
                             fanin_error *error)
{
    struct fanin_same *same = s->same;
    if (same->count == same->room) {
        size_t room = same->room > 0 ? 2 * same->room : 64;
        void *more = fanin_reallocate(same->pairs, same->count, room, sizeof *same->pairs);
        if (more == NULL)
            return fanin_fail_memory(error, room * sizeof *same->pairs);
        same->pairs = more;
        same->room = room;
    }
    pair.a = a->index;
    pair.b = b->index;
    same->pairs[same->count++] = pair;
    return FANIN_OK;
}

/* How element i of a pair is found in both: b[i] against a[i + lag], or against a transposed. */
struct alignment {
    int64_t lag;
    bool is_transposed;
    uint64_t n;
};

struct sums {
    double n, a, b, aa, bb, ab;
};

static void add_values(struct sums *sums, double a, double b)
{
    if (!isfinite(a) || !isfinite(b))
        return;
    sums->n++;
    sums->a += a;
    sums->b += b;
    sums->aa += a * a;
    sums->bb += b * b;
    sums->ab += a * b;
}

struct buffers {
    uint8_t *bytes;
    double *a, *b;
};

static fanin_status sum_straight(const struct item *a, const struct item *b, const struct alignment *at,
                                 struct buffers *room, struct sums *sums, fanin_error *error)
{
    const uint64_t from_a = at->lag > 0 ? (uint64_t)at->lag : 0, from_b = at->lag < 0 ? (uint64_t)-at->lag : 0;
    for (uint64_t begin = 0; begin < at->n; begin += PIECE) {
        size_t n = at->n - begin < PIECE ? (size_t)(at->n - begin) : PIECE;
        FANIN_TRY(read_values(a, from_a + begin, n, room->bytes, room->a, error));
        FANIN_TRY(read_values(b, from_b + begin, n, room->bytes, room->b, error));
        for (size_t i = 0; i < n; i++)
            add_values(sums, room->a[i], room->b[i]);
    }
    return FANIN_OK;
}

/* The first rows of b are the first columns of a: as many as are asked for. a is read once for each block of columns.
 */
static fanin_status sum_transposed(const struct item *a, const struct item *b, const struct alignment *at,
                                   struct buffers *room, struct sums *sums, fanin_error *error)
{
    const uint64_t nrows = at->n / b->ncols > 0 ? at->n / b->ncols : 1, n = nrows * b->ncols;
    double *wanted = fanin_allocate((size_t)n, sizeof *wanted);
    if (wanted == NULL)
        return fanin_fail_memory(error, n * sizeof *wanted);
    fanin_status status = FANIN_OK;
    for (uint64_t begin = 0; begin < a->tensor->nelem && status == FANIN_OK; begin += PIECE) {
        size_t length = a->tensor->nelem - begin < PIECE ? (size_t)(a->tensor->nelem - begin) : PIECE;
        status = read_values(a, begin, length, room->bytes, room->a, error);
        for (size_t i = 0; i < length && status == FANIN_OK; i++) {
            uint64_t r = (begin + i) / a->ncols, c = (begin + i) % a->ncols;
            if (c < nrows)
                wanted[c * b->ncols + r] = room->a[i];
        }
    }
    for (uint64_t begin = 0; begin < n && status == FANIN_OK; begin += PIECE) {
        size_t length = n - begin < PIECE ? (size_t)(n - begin) : PIECE;
        status = read_values(b, begin, length, room->bytes, room->b, error);
        for (size_t i = 0; i < length && status == FANIN_OK; i++)
            add_values(sums, wanted[begin + i], room->b[i]);
    }
    fanin_free(wanted);
    return status;
}

/* Sets correlation, scale and nelem; `strong` says whether it is to be told. */
static fanin_status correlate(const struct search *s, const struct item *a, const struct item *b,
                              const struct alignment *at, fanin_same_pair *pair, bool *strong, fanin_error *error)
{
    struct sums sums = {0};
    struct buffers room = {fanin_allocate(PIECE, 8), fanin_allocate(PIECE, sizeof(double)),
                           fanin_allocate(PIECE, sizeof(double))};
    fanin_status status = room.bytes != NULL && room.a != NULL && room.b != NULL
                              ? FANIN_OK
                              : fanin_fail_memory(error, (uint64_t)PIECE * 24);
    if (status == FANIN_OK)
        status = at->is_transposed ? sum_transposed(a, b, at, &room, &sums, error)
                                   : sum_straight(a, b, at, &room, &sums, error);
    fanin_free(room.b);
    fanin_free(room.a);
    fanin_free(room.bytes);
    *strong = false;
    if (status != FANIN_OK)
        return status;
    const double va = sums.aa - sums.a * sums.a / sums.n, vb = sums.bb - sums.b * sums.b / sums.n;
    const double covariance = sums.ab - sums.a * sums.b / sums.n;
    if (!(va > 0) || !(vb > 0))
        return FANIN_OK;
    pair->correlation = covariance / sqrt(va * vb);
    pair->scale = copysign(sqrt(vb / va), covariance);
    pair->nelem = (uint64_t)sums.n;
    const double size = fabs(pair->correlation);
    *strong = size >= s->min_correlation && size > MIN_ERRORS / sqrt(sums.n);
    return FANIN_OK;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether the first n signs agree, or disagree, more often than chance lets them. */
static bool signs_agree(const uint64_t *a, const uint64_t *b, uint64_t n)
{
    uint64_t differing = 0;
    n = n < NSIGNS ? n : NSIGNS;
    for (uint64_t i = 0; i < n / 64; i++)
        differing += (uint64_t)__builtin_popcountll(a[i] ^ b[i]);
    n = n / 64 * 64;
    return n >= MIN_NVALUES && fabs((double)differing - 0.5 * (double)n) > SIGN_ERRORS * 0.5 * sqrt((double)n);
}

static fanin_status try_alignment(struct search *s, const struct item *a, const struct item *b,
                                  const struct alignment *at, fanin_sameness sameness, bool *found, fanin_error *error)
{
    fanin_same_pair pair = {.sameness = sameness, .lag = at->lag};
    FANIN_TRY(correlate(s, a, b, at, &pair, found, error));
    return *found ? add_pair(s, a, b, pair, error) : FANIN_OK;
}

/* ---- equal ones ---- */

static bool is_same_tensor(const struct item *a, const struct item *b)
{
    return a->hash == b->hash && a->tensor->dtype == b->tensor->dtype && a->tensor->nelem == b->tensor->nelem;
}

static bool is_same_shape(const struct item *a, const struct item *b)
{
    return a->tensor->ndim == b->tensor->ndim &&
           memcmp(a->tensor->shape, b->tensor->shape, (size_t)a->tensor->ndim * sizeof *a->tensor->shape) == 0;
}

static int order_items(const void *x, const void *y)
{
    const struct item *a = *(const struct item *const *)x, *b = *(const struct item *const *)y;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->is_second != b->is_second)
        return a->is_second ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Of tensors with these bytes: the one of that name, else the first one. */
static const struct item *partner_of(struct item *const *group, size_t n, const struct item *item)
{
    for (size_t i = 0; i < n; i++)
        if (!group[i]->is_second && strcmp(group[i]->tensor->name, item->tensor->name) == 0)
            return group[i];
    return group[0];
}

/* Every tensor with one partner, so that many copies do not make a square of pairs. */
static fanin_status add_group(struct search *s, struct item *const *group, size_t n, fanin_error *error)
{
    for (size_t i = 0; i < n; i++) {
        struct item *item = group[i];
        const struct item *first = group[0];
        for (size_t k = 0; k < i; k++)
            if (group[k]->is_second == item->is_second) {
                item->leader = group[k]->leader;
                break;
            }
        const struct item *partner = s->is_one ? first : partner_of(group, n, item);
        if (s->is_one ? i == 0 : !item->is_second || partner->is_second)
            continue;
        fanin_same_pair pair = {.sameness = is_same_shape(partner, item) ? FANIN_SAME_EQUAL : FANIN_SAME_BYTES,
                                .correlation = 1,
                                .scale = 1,
                                .nelem = item->tensor->nelem};
        FANIN_TRY(add_pair(s, partner, item, pair, error));
    }
    return FANIN_OK;
}

static fanin_status find_equal(struct search *s, fanin_error *error)
{
    struct item **order = fanin_allocate(s->nitems, sizeof(struct item *));
    size_t n = 0;
    if (order == NULL)
        return fanin_fail_memory(error, s->nitems * sizeof(struct item *));
    for (size_t i = 0; i < s->nitems; i++) {
        s->items[i].leader = i;
        if (!s->items[i].is_constant)
            order[n++] = &s->items[i];
    }
    qsort(order, n, sizeof(struct item *), order_items);
    fanin_status status = FANIN_OK;
    for (size_t begin = 0, end; begin < n && status == FANIN_OK; begin = end) {
        for (end = begin + 1; end < n && is_same_tensor(order[begin], order[end]);)
            end++;
        if (end - begin > 1)
            status = add_group(s, &order[begin], end - begin, error);
    }
    fanin_free(order);
    return status;
}

/* ---- all others ---- */

static bool is_cast(const struct item *a, const struct item *b)
{
    for (size_t k = 0; k < NCASTS; k++) {
        if (a->tensor->nelem == b->tensor->nelem && b->tensor->dtype == cast_dtypes[k] && a->cast_hashes[k] != 0 &&
            a->cast_hashes[k] == b->hash)
            return true;
        if (a->tensor->nelem == b->tensor->nelem && a->tensor->dtype == cast_dtypes[k] && b->cast_hashes[k] != 0 &&
            b->cast_hashes[k] == a->hash)
            return true;
    }
    return false;
}

static fanin_status compare_pair(struct search *s, const struct item *a, const struct item *b, fanin_error *error)
{
    bool found = false;
    if (is_cast(a, b))
        return add_pair(
            s, a, b,
            (fanin_same_pair){.sameness = FANIN_SAME_CAST, .correlation = 1, .scale = 1, .nelem = a->tensor->nelem},
            error);
    if (!a->is_random || !b->is_random)
        return FANIN_OK;
    const uint64_t n = least(a->tensor->nelem, b->tensor->nelem);
    if (signs_agree(a->signs, b->signs, n)) {
        const struct alignment at = {.n = least(n, MAX_COMPARED)};
        FANIN_TRY(try_alignment(s, a, b, &at, FANIN_SAME_SCALED, &found, error));
    }
    if (!found && a->tensor->ndim == 2 && b->tensor->ndim == 2 && a->nrows == b->ncols && a->ncols == b->nrows &&
        a->nrows > 1 && a->ncols > 1 && signs_agree(a->transposed_signs, b->signs, n)) {
        const struct alignment at = {.is_transposed = true, .n = least(n, MAX_COMPARED)};
        FANIN_TRY(try_alignment(s, a, b, &at, FANIN_SAME_TRANSPOSED, &found, error));
    }
    return FANIN_OK;
}

static bool is_pair(const struct search *s, size_t i, size_t k)
{
    const struct item *a = &s->items[i], *b = &s->items[k];
    return a->leader == i && b->leader == k && !a->is_constant && !b->is_constant &&
           (s->is_one || (!a->is_second && b->is_second)) && !is_same_tensor(a, b);
}

static fanin_status find_correlated(struct search *s, fanin_error *error)
{
    for (size_t i = 0; i < s->nitems; i++)
        for (size_t k = i + 1; k < s->nitems; k++)
            if (is_pair(s, i, k))
                FANIN_TRY(compare_pair(s, &s->items[i], &s->items[k], error));
    return FANIN_OK;
}

/* ---- shifted ones ---- */

/*
 * Noise turns some signs over, so that long runs of them do not agree, but of many short ones some do: at a correlation
 * of 0.9 one of seven signs is wrong, and one of 51 windows of 20 is whole with a chance of 0.9. Windows are those of
 * the first signs of each tensor, by their signs; every window of every tensor is looked up among them, and what meets
 * there is compared over as many signs as there are.
 */
struct window {
    uint32_t offset; /* in its tensor */
    size_t item;
};

struct windows {
    struct window *sorted; /* by signs */
    size_t *begin;         /* of signs w: sorted[begin[w]] to sorted[begin[w + 1] - 1] */
    size_t each;           /* windows of a tensor, at most */
    uint64_t *tried;       /* by item: the last place where it was looked for in the tensor at hand; 0: none */
};

/* 64 signs from a place on. */
static uint64_t signs_from(const uint64_t *signs, uint64_t at)
{
    return signs[at / 64] >> at % 64 | (at % 64 == 0 ? 0 : signs[at / 64 + 1] << (64 - at % 64));
}

/* Negated values have negated signs: the first sign of a window is always 0. */
static uint32_t window_at(const uint64_t *signs, uint64_t at)
{
    const uint32_t window = (uint32_t)signs_from(signs, at) & (NWINDOWS - 1);
    return (window & 1) != 0 ? ~window & (NWINDOWS - 1) : window;
}

static bool is_found(const struct search *s, const struct item *a, const struct item *b)
{
    for (size_t i = 0; i < s->same->count; i++)
        if (s->same->pairs[i].a == a->index && s->same->pairs[i].b == b->index)
            return true;
    return false;
}

/* Whether the signs of a tensor from this place on are those of the beginning of another. */
static bool begins_at(const struct item *outer, const struct item *inner, uint64_t lag)
{
    uint64_t shifted[NWORDS], n = least(least(outer->tensor->nelem - lag, inner->tensor->nelem), NSIGNS);
    n = least(n, NLAGS + 64 - lag);
    for (uint64_t w = 0; w < (n + 63) / 64; w++)
        shifted[w] = signs_from(outer->lag_signs, lag + 64 * w);
    return n >= MIN_NVALUES && signs_agree(shifted, inner->signs, n);
}

/* Tensor k begins in tensor i at this place. */
static fanin_status try_lag(struct search *s, size_t i, size_t k, uint64_t lag, fanin_error *error)
{
    const struct item *outer = &s->items[i], *inner = &s->items[k];
    bool found, is_ordered = s->is_one ? i < k : !outer->is_second;
    const struct item *a = is_ordered ? outer : inner, *b = is_ordered ? inner : outer;
    if (is_found(s, a, b))
        return FANIN_OK;
    const uint64_t n = least(least(outer->tensor->nelem - lag, inner->tensor->nelem), MAX_COMPARED);
    const struct alignment at = {.lag = is_ordered ? (int64_t)lag : -(int64_t)lag, .n = n};
    return try_alignment(s, a, b, &at, FANIN_SAME_SHIFTED, &found, error);
}

static bool is_shiftable(const struct search *s, size_t i)
{
    return s->items[i].lag_signs != NULL && s->items[i].leader == i;
}

/* Signs that are kept of a tensor. */
static uint64_t count_signs(const struct item *item)
{
    return least(item->tensor->nelem, NLAGS + 64);
}

static fanin_status find_begun_in(struct search *s, const struct windows *all, size_t i, fanin_error *error)
{
    const struct item *item = &s->items[i];
    const uint64_t nsigns = count_signs(item);
    memset(all->tried, 0, s->nitems * sizeof *all->tried);
    for (uint64_t at = 0; at + WINDOW <= nsigns; at++) {
        const uint32_t signs = window_at(item->lag_signs, at);
        for (size_t w = all->begin[signs]; w < all->begin[signs + 1]; w++) {
            const struct window *window = &all->sorted[w];
            const size_t k = window->item;
            const uint64_t lag = at > window->offset ? at - window->offset : 0;
            if (k == i || lag == 0 || lag > NLAGS || all->tried[k] == lag ||
                (!s->is_one && item->is_second == s->items[k].is_second) || !begins_at(item, &s->items[k], lag))
                continue;
            all->tried[k] = lag;
            FANIN_TRY(try_lag(s, i, k, lag, error));
        }
    }
    return FANIN_OK;
}

/* Counted first, then put in their places. */
static void sort_windows(const struct search *s, struct windows *all)
{
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < s->nitems; i++)
            for (size_t k = 0; is_shiftable(s, i) && k < all->each; k++) {
                const uint32_t offset = (uint32_t)(k * WINDOW);
                if (offset + WINDOW > least(count_signs(&s->items[i]), NSIGNS))
                    break;
                const uint32_t signs = window_at(s->items[i].lag_signs, offset);
                if (pass == 0)
                    all->begin[signs + 2]++;
                else
                    all->sorted[all->begin[signs + 1]++] = (struct window){offset, i};
            }
        for (size_t w = 2; pass == 0 && w < NWINDOWS + 2; w++)
            all->begin[w] += all->begin[w - 1];
    }
}

static fanin_status find_shifted(struct search *s, fanin_error *error)
{
    struct windows all = {.each = s->nitems <= MAX_WINDOWS / WINDOWS_EACH ? WINDOWS_EACH : MAX_WINDOWS / s->nitems + 1};
    all.sorted = fanin_allocate(s->nitems * all.each, sizeof *all.sorted);
    all.begin = fanin_allocate_zeroed(NWINDOWS + 2, sizeof *all.begin);
    all.tried = fanin_allocate(s->nitems, sizeof *all.tried);
    fanin_status status = all.sorted != NULL && all.begin != NULL && all.tried != NULL
                              ? FANIN_OK
                              : fanin_fail_memory(error, s->nitems * all.each * sizeof *all.sorted);
    if (status == FANIN_OK)
        sort_windows(s, &all);
    for (size_t i = 0; i < s->nitems && status == FANIN_OK; i++)
        if (is_shiftable(s, i))
            status = find_begun_in(s, &all, i, error);
    fanin_free(all.tried);
    fanin_free(all.begin);
    fanin_free(all.sorted);
    return status;
}

/* ---- the whole ---- */

static int order_pairs(const void *x, const void *y)
{
    const fanin_same_pair *a = x, *b = y;
    const double p = fabs(a->correlation), q = fabs(b->correlation);
    if (a->sameness <= FANIN_SAME_CAST || b->sameness <= FANIN_SAME_CAST) {
        if (a->sameness != b->sameness)
            return a->sameness < b->sameness ? -1 : 1;
    } else if (p != q) {
        return p > q ? -1 : 1;
    }
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return a->b < b->b ? -1 : a->b > b->b;
}

static void add_items(struct search *s, const fanin_checkpoint *checkpoint, bool is_second)
{
    for (size_t i = 0, n = fanin_checkpoint_tensor_count(checkpoint); i < n; i++) {
        s->items[s->nitems++] = (struct item){.checkpoint = checkpoint,
                                              .index = i,
                                              .is_second = is_second,
                                              .tensor = fanin_checkpoint_tensor_at(checkpoint, i)};
        for (size_t k = 0; k < NCASTS; k++)
            s->wants_cast[k] = s->wants_cast[k] || fanin_checkpoint_tensor_at(checkpoint, i)->dtype == cast_dtypes[k];
    }
}

static fanin_status look_at_all(struct search *s, fanin_error *error)
{
    const fanin_parallel *parallel = s->options->parallel;
    enum { ROUND = 256 };
    uint64_t done = 0, total = 0;
    for (size_t i = 0; i < s->nitems; i++)
        total += s->items[i].tensor->nbytes;
    struct item *items = s->items;
    for (size_t begin = 0, all = s->nitems; begin < all; begin += ROUND) {
        size_t n = all - begin < ROUND ? all - begin : ROUND;
        s->items = items + begin;
        if (parallel != NULL && parallel->nthreads > 1)
            parallel->run(parallel->user, n, look_at_task, s);
        else
            for (size_t i = 0; i < n; i++)
                look_at_task(s, i);
        s->items = items;
        for (size_t i = 0; i < n; i++) {
            done += items[begin + i].tensor->nbytes;
            if (s->statuses[i] != FANIN_OK) {
                if (error != NULL)
                    *error = s->errors[i];
                return s->statuses[i];
            }
        }
        if (s->options->progress != NULL && !s->options->progress(s->options->user, done, total))
            return fanin_fail(error, FANIN_ERROR_CANCELLED, "stopped by the caller");
    }
    return FANIN_OK;
}

static fanin_status search_all(struct search *s, const fanin_checkpoint *a, const fanin_checkpoint *b,
                               fanin_error *error)
{
    size_t count = fanin_checkpoint_tensor_count(a) + (s->is_one ? 0 : fanin_checkpoint_tensor_count(b));
    s->items = fanin_allocate(count, sizeof *s->items);
    s->statuses = fanin_allocate(256, sizeof *s->statuses);
    s->errors = fanin_allocate(256, sizeof *s->errors);
    if (s->items == NULL || s->statuses == NULL || s->errors == NULL)
        return fanin_fail_memory(error, count * sizeof *s->items);
    add_items(s, a, false);
    if (!s->is_one)
        add_items(s, b, true);
    FANIN_TRY(look_at_all(s, error));
    FANIN_TRY(find_equal(s, error));
    FANIN_TRY(find_correlated(s, error));
    FANIN_TRY(find_shifted(s, error));
    if (s->same->count > 1) /* of none there is no array */
        qsort(s->same->pairs, s->same->count, sizeof *s->same->pairs, order_pairs);
    return FANIN_OK;
}

fanin_status fanin_same_find(const fanin_checkpoint *a, const fanin_checkpoint *b, const fanin_same_options *given,
                             fanin_same **result, fanin_error *error)
{
    fanin_same_options options = {0};
    fanin_clear(error);
    *result = NULL;
    if (given != NULL && given->size < sizeof(size_t))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "options.size is %zu: set it to sizeof(fanin_same_options)",
                          given->size);
    if (given != NULL)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    struct search s = {.options = &options,
                       .is_one = b == NULL || b == a,
                       .min_correlation = options.min_correlation > 0 ? options.min_correlation : 0.5};
    s.same = fanin_allocate_zeroed(1, sizeof *s.same);
    if (s.same == NULL)
        return fanin_fail_memory(error, sizeof *s.same);
    fanin_status status = search_all(&s, a, b, error);
    for (size_t i = 0; i < s.nitems; i++)
        fanin_free(s.items[i].lag_signs);
    fanin_free(s.items);
    fanin_free(s.statuses);
    fanin_free(s.errors);
    if (status == FANIN_OK)
        *result = s.same;
    else
        fanin_same_free(s.same);
    return status;
}

void fanin_same_free(fanin_same *same)
{
    if (same == NULL)
        return;
    fanin_free(same->pairs);
    fanin_free(same);
}

size_t fanin_same_count(const fanin_same *same)
{
    return same->count;
}

const fanin_same_pair *fanin_same_at(const fanin_same *same, size_t i)
{
    return i < same->count ? &same->pairs[i] : NULL;
}
