/* SPDX-License-Identifier: MIT */
/*
 * The .npy file of NumPy: a magic, a Python literal that describes one array, its bytes.
 */
#ifndef FANIN_FORMAT_NPY_H
#define FANIN_FORMAT_NPY_H

#include "base/text.h"
#include "fanin/tensor.h"

/* Appends everything before the data, byte for byte what numpy.save writes. FANIN_ERROR_DTYPE for what NumPy lacks. */
fanin_status fanin_npy_format(const fanin_tensor *tensor, const char *path, fanin_text *out, fanin_error *error);

#endif
