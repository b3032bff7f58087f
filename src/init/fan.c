/* SPDX-License-Identifier: MIT */
/*
 * fan_in and fan_out of a weight, from its shape and layout.
 */
#include <inttypes.h>

#include "base/error.h"
#include "base/memory.h"
#include "fanin/tensor.h"

/*
 * torch: fan_in = size(1) * kernel, fan_out = size(0) * kernel, whatever the layer. With groups the dimension that
 * spans all of them is divided: an input reaches out / groups outputs.
 */
fanin_status fanin_calculate_fans(const fanin_tensor *tensor, fanin_fans *fans, fanin_error *error)
{
    const int ndim = tensor->ndim;
    uint64_t kernel = 1, in, out;
    fanin_clear(error);
    if (ndim < 2 || ndim > FANIN_MAX_DIMS)
        return fanin_fail(error, FANIN_ERROR_SHAPE,
                          "fan in and fan out need a tensor of 2 or more dimensions, this has %d; give a std or bound "
                          "(normal, uniform) instead",
                          ndim);
    const bool in_out = tensor->layout == FANIN_LAYOUT_IN_OUT;
    const int first = in_out ? 0 : 2, last = in_out ? ndim - 2 : ndim;
    const int64_t groups = tensor->groups > 1 ? tensor->groups : 1;
    int64_t a = in_out ? tensor->shape[ndim - 2] : tensor->shape[1];
    int64_t b = in_out ? tensor->shape[ndim - 1] : tensor->shape[0];
    /* out_in: a is in / groups, b is out; in_out the same; transposed: a is out / groups, b is in */
    if (tensor->groups < 0 || b % groups != 0)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "%" PRId64 " channels cannot be divided into %" PRId32 " groups", b,
                          tensor->groups);
    b /= groups;
    for (int i = 0; i < ndim; i++)
        if (tensor->shape[i] < 0)
            return fanin_fail(error, FANIN_ERROR_SHAPE, "dimension %d has a negative size, %" PRId64, i,
                              tensor->shape[i]);
    bool fits = true;
    for (int i = first; i < last; i++)
        fits = fits && fanin_checked_mul(kernel, (uint64_t)tensor->shape[i], &kernel);
    fits = fits && fanin_checked_mul((uint64_t)a, kernel, &in) && fanin_checked_mul((uint64_t)b, kernel, &out);
    if (!fits || in > INT64_MAX / 2 || out > INT64_MAX / 2)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "the fans of this shape do not fit into 64 bits");
    /* torch's transposed weights are [in, out / groups, ...]: its plain rule reads them the other way round */
    const bool swapped = tensor->layout == FANIN_LAYOUT_TRANSPOSED;
    fans->in = (int64_t)(swapped ? out : in);
    fans->out = (int64_t)(swapped ? in : out);
    return FANIN_OK;
}
