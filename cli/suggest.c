/* SPDX-License-Identifier: MIT */
/*
 * The name that was probably meant, by edit distance. A character left out, added or swapped with its neighbour costs
 * 2, a wrong one 3: "sed" is rather "seed" than "set".
 */
#include "suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Longer names are compared by their first characters: nobody mistypes that late without an earlier match. */
#define LONGEST 200
#define SLIP    2
#define WRONG   3

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
    /* rows[i % 3][j] is the distance of the first i characters of a from the first j of b. */
    uint16_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = (uint16_t)(j * SLIP);
    for (size_t i = 1; i <= na; i++) {
        uint16_t *row = rows[i % 3];
        const uint16_t *above = rows[(i + 2) % 3];
        const uint16_t *two_above = rows[(i + 1) % 3];
        row[0] = (uint16_t)(i * SLIP);
        for (size_t j = 1; j <= nb; j++) {
            size_t best = smaller(above[j] + SLIP, row[j - 1] + SLIP);
            best = smaller(best, above[j - 1] + (a[i - 1] != b[j - 1] ? WRONG : 0));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, two_above[j - 2] + SLIP);
            row[j] = (uint16_t)best;
        }
    }
    return rows[na % 3][nb];
}

void suggest_consider(suggestion *nearest, const char *candidate)
{
    size_t na = smaller(strlen(nearest->wanted), LONGEST);
    size_t nb = smaller(strlen(candidate), LONGEST);
    size_t distance = edit_distance(nearest->wanted, na, candidate, nb);
    /* A name that the wanted one begins or is begun by is a good guess, however long the rest. */
    if (na >= 3 && nb >= 3 && strncmp(nearest->wanted, candidate, smaller(na, nb)) == 0)
        distance = smaller(distance, SLIP);
    size_t limit = SLIP * (na / 3 + 1);
    if (distance <= limit && distance < SLIP * nb && (nearest->best == NULL || distance < nearest->distance)) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

const char *suggest_text(const suggestion *nearest, const char *prefix, char text[SUGGESTION_NBYTES])
{
    text[0] = '\0';
    if (nearest->best != NULL)
        snprintf(text, SUGGESTION_NBYTES, "; did you mean %s%s?", prefix, nearest->best);
    return text;
}
