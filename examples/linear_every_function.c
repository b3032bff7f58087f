/* SPDX-License-Identifier: MIT */
/*
 * Every function of torch.nn.init on the weight of one Linear(6, 8), one after the other from one generator. Shows how
 * they are called, and what they do to the values; linear_every_function.spec.json is the same as a description.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <fanin/fanin.h>

static float buffer[8][6];

/* Every call returns a status; the message says what to write instead. */
static void must(fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK) {
        fprintf(stderr, "%s: %s\n", fanin_status_name(status), error->message);
        exit(1);
    }
}

static void show(const char *call)
{
    double sum = 0, squares = 0, n = 8 * 6;
    float min = buffer[0][0], max = buffer[0][0];
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 6; j++) {
            sum += buffer[i][j];
            squares += (double)buffer[i][j] * buffer[i][j];
            min = fminf(min, buffer[i][j]);
            max = fmaxf(max, buffer[i][j]);
        }
    }
    double mean = sum / n;
    printf("%-40s %7.4f %7.4f %7.4f %7.4f   %9.6f %9.6f\n", call, mean, sqrt(squares / n - mean * mean), min, max,
           buffer[0][0], buffer[0][1]);
}

int main(void)
{
    fanin_error error;
    fanin_generator g = fanin_generator_torch(42); /* torch.manual_seed(42) */
    fanin_tensor weight = fanin_tensor_2d(buffer, FANIN_F32, 8, 6);
    fanin_tensor kernel = fanin_tensor_3d(buffer, FANIN_F32, 8, 6, 1); /* the same memory as a Conv1d's */
    double gain;

    printf("%-40s %7s %7s %7s %7s   %9s %9s\n", "weight [8, 6]", "mean", "std", "min", "max", "[0, 0]", "[0, 1]");
    must(fanin_uniform(&weight, -0.1, 0.1, &g, &error), &error);
    show("uniform(-0.1, 0.1)");
    must(fanin_normal(&weight, 0, 0.02, &g, &error), &error);
    show("normal(std=0.02)");
    must(fanin_trunc_normal(&weight, 0, 0.02, -0.04, 0.04, &g, &error), &error);
    show("trunc_normal(std=0.02, a=-0.04, b=0.04)");
    must(fanin_constant(&weight, 0.5, &error), &error);
    show("constant(0.5)");
    must(fanin_ones(&weight, &error), &error);
    show("ones()");
    must(fanin_zeros(&weight, &error), &error);
    show("zeros()");
    must(fanin_eye(&weight, &error), &error);
    show("eye()");
    must(fanin_dirac(&kernel, 1, &error), &error);
    show("dirac(), as a kernel [8, 6, 1]");
    must(fanin_calculate_gain(FANIN_TANH, NULL, &gain, &error), &error);
    must(fanin_xavier_uniform(&weight, gain, &g, &error), &error);
    show("xavier_uniform(gain of tanh)");
    must(fanin_xavier_normal(&weight, gain, &g, &error), &error);
    show("xavier_normal(gain of tanh)");
    must(fanin_kaiming_uniform(&weight, sqrt(5), FANIN_FAN_IN, FANIN_LEAKY_RELU, &g, &error), &error);
    show("kaiming_uniform(a=sqrt(5))");
    must(fanin_kaiming_normal(&weight, 0, FANIN_FAN_OUT, FANIN_RELU, &g, &error), &error);
    show("kaiming_normal(mode=fan_out, relu)");
    must(fanin_orthogonal(&weight, 1, &g, &error), &error);
    show("orthogonal()");
    must(fanin_sparse(&weight, 0.5, 0.01, &g, &error), &error);
    show("sparse(0.5)");
    return 0;
}
