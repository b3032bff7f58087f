/* SPDX-License-Identifier: MIT */
/*
 * The smallest user of an installed fanin: one weight, and a version that agrees with the headers it was compiled with.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fanin/fanin.h>

int main(void)
{
    static float buffer[512 * 256];
    fanin_error error;
    fanin_generator g = fanin_generator_torch(42);
    fanin_tensor w = fanin_tensor_2d(buffer, FANIN_F32, 512, 256);
    if (fanin_kaiming_uniform(&w, sqrt(5), FANIN_FAN_IN, FANIN_LEAKY_RELU, &g, &error) != FANIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("fanin %s: weight[0][0] = %.9g\n", fanin_version(), buffer[0]);
    /* torch.manual_seed(42); nn.Linear(256, 512).weight[0, 0] lies within the bound and is not zero. */
    return strcmp(fanin_version(), FANIN_VERSION_STRING) != 0 || !(fabsf(buffer[0]) <= 0.0625f) || buffer[0] == 0;
}
