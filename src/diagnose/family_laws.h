/* SPDX-License-Identifier: MIT */
/*
 * How transformers begins the weights of a family: a table of names and rules. The laws are those of its release
 * 5.23; tests/python/healthy_models.py holds them against the models themselves.
 */
#ifndef FANIN_DIAGNOSE_FAMILY_LAWS_H
#define FANIN_DIAGNOSE_FAMILY_LAWS_H

#include <stdbool.h>
#include <stddef.h>

/* Where the size of a family's weights stands in its config.json, and what it is where the key is absent. */
struct fanin_family_scale {
    const char *key;
    double preset;
};

/* NULL: of that family nothing is known. */
const struct fanin_family_scale *fanin_family_scale_of(const char *family);

/*
 * The rule of a weight by its name, with $s for the scale, $L for the number of layers, $d for the width, $k and $n
 * for the size and the number of heads, $f for the width of the feed-forward layers. NULL: none is known.
 */
const char *fanin_family_rule(const char *family, const char *name);
/* The same of a bias beside a weight, of a norm's weight and of its bias. */
const char *fanin_family_bias_rule(const char *family, const char *name);
const char *fanin_family_norm_rule(const char *family, const char *name);
/* Whether this embedding's row of the config's pad_token_id is zero. */
bool fanin_family_pads(const char *family, const char *name);

#endif
