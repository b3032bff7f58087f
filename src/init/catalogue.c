/* SPDX-License-Identifier: MIT */
/*
 * The catalogue's rows as an array, and what the functions of init.h have in common.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "init/catalogue.h"
#include "init/random.h"

#define ENTRY(name) &fanin_initializer_##name,
static const fanin_initializer *const catalogue[] = {FANIN_CATALOGUE(ENTRY)};

size_t fanin_initializer_count(void)
{
    return sizeof catalogue / sizeof *catalogue;
}

const fanin_initializer *fanin_initializer_at(size_t i)
{
    return i < fanin_initializer_count() ? catalogue[i] : NULL;
}

const fanin_initializer *fanin_initializer_find(const char *name)
{
    size_t nbytes = strlen(name);
    if (nbytes > 0 && name[nbytes - 1] == '_')
        nbytes--;
    for (size_t i = 0; i < fanin_initializer_count(); i++)
        if (strlen(catalogue[i]->name) == nbytes && memcmp(catalogue[i]->name, name, nbytes) == 0)
            return catalogue[i];
    return NULL;
}

fanin_resolved fanin_resolved_none(fanin_fill_kind kind)
{
    fanin_resolved r;
    memset(&r, 0, sizeof r);
    r.fill.kind = kind;
    r.fan_in = -1;
    r.fan_out = -1;
    r.gain = NAN;
    r.std = NAN;
    r.bound = NAN;
    return r;
}

bool fanin_has_zero_dimension(const fanin_tensor *tensor)
{
    for (int i = 0; i < tensor->ndim && i < FANIN_MAX_DIMS; i++)
        if (tensor->shape[i] == 0)
            return true;
    return false;
}

fanin_status fanin_initializer_run(const fanin_initializer *initializer, const double *values,
                                   const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    fanin_resolved resolved;
    fanin_clear(error);
    FANIN_TRY(initializer->resolve(values, tensor, &resolved, error));
    FANIN_TRY(fanin_fill_run(&resolved.fill, tensor, generator, error));
    if (resolved.warning[0] != '\0')
        fanin_warn(error, "%s", resolved.warning);
    return FANIN_OK;
}
