/* SPDX-License-Identifier: MIT */
/*
 * What torch.manual_seed(42) gives, and how to go on from a saved state: the 5056 bytes of torch.get_rng_state() are a
 * generator, here and in Python. continue_state.spec.json makes the same two layers.
 */
#include <stdio.h>
#include <stdlib.h>

#include <fanin/fanin.h>

struct linear {
    float weight[3][4];
    float bias[3];
};

static void must(fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK) {
        fprintf(stderr, "%s: %s\n", fanin_status_name(status), error->message);
        exit(1);
    }
}

static void make(const char *name, struct linear *linear, fanin_generator *g)
{
    fanin_error error;
    fanin_tensor weight = fanin_tensor_2d(linear->weight, FANIN_F32, 3, 4);
    fanin_tensor bias = fanin_tensor_1d(linear->bias, FANIN_F32, 3);
    must(fanin_linear(&weight, &bias, g, &error), &error);
    printf("%-28s %8.4f %8.4f %8.4f %8.4f ...   %8.4f\n", name, linear->weight[0][0], linear->weight[0][1],
           linear->weight[0][2], linear->weight[0][3], linear->bias[0]);
}

static bool same(const struct linear *a, const struct linear *b)
{
    bool equal = true;
    for (int i = 0; i < 3; i++) {
        equal = equal && a->bias[i] == b->bias[i];
        for (int j = 0; j < 4; j++)
            equal = equal && a->weight[i][j] == b->weight[i][j];
    }
    return equal;
}

int main(void)
{
    fanin_error error;
    struct linear first, second, again, skipped;
    uint8_t state[FANIN_TORCH_STATE_NBYTES];

    printf("Linear(4, 3)                 weight[0]                                  bias[0]\n");
    fanin_generator g = fanin_generator_torch(42); /* torch.manual_seed(42) */
    make("first", &first, &g);                     /* nn.Linear(4, 3) */

    /* torch.get_rng_state().numpy().tofile(path) writes these bytes, torch.set_rng_state takes them. */
    fanin_generator_get_torch_state(&g, state);
    make("second", &second, &g); /* nn.Linear(4, 3) */

    fanin_generator restored = fanin_generator_torch(0);
    must(fanin_generator_set_torch_state(&restored, state, sizeof state, &error), &error);
    make("second, from the saved state", &again, &restored);

    /* Or without the first layer: it took one draw for each of its 12 weights and 3 biases. */
    fanin_generator ahead = fanin_generator_torch(42);
    fanin_generator_skip(&ahead, 12 + 3);
    make("second, 15 draws skipped", &skipped, &ahead);
    return same(&second, &again) && same(&second, &skipped) ? 0 : 1;
}
