/* SPDX-License-Identifier: MIT */
/*
 * Why a ReLU network begins with He's rule and a tanh network with Xavier's: ten layers of each, both begun in both
 * ways, and the size of the signal that reaches the end. mlp_relu_tanh.spec.json describes the two that are right.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fanin/fanin.h>

enum { WIDTH = 256, NLAYERS = 10, NSAMPLES = 64 };

static float weight[WIDTH][WIDTH];
static float inputs[NSAMPLES][WIDTH], signal[NSAMPLES][WIDTH], next[NSAMPLES][WIDTH];

static void must(fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK) {
        fprintf(stderr, "%s: %s\n", fanin_status_name(status), error->message);
        exit(1);
    }
}

static float relu(float x)
{
    return x > 0 ? x : 0;
}

/* signal <- activation(signal * weight^T); biases are 0 */
static void forward(float (*activation)(float))
{
    for (int s = 0; s < NSAMPLES; s++) {
        for (int o = 0; o < WIDTH; o++) {
            float sum = 0;
            for (int i = 0; i < WIDTH; i++)
                sum += signal[s][i] * weight[o][i];
            next[s][o] = activation(sum);
        }
    }
    memcpy(signal, next, sizeof signal);
}

static double root_mean_square(void)
{
    double squares = 0;
    for (int s = 0; s < NSAMPLES; s++)
        for (int i = 0; i < WIDTH; i++)
            squares += (double)signal[s][i] * signal[s][i];
    return sqrt(squares / (NSAMPLES * WIDTH));
}

/* Builds the network layer by layer, prints how large the signal is behind some of them, and returns the last. */
static double run(const char *name, float (*activation)(float), bool he)
{
    fanin_error error;
    fanin_generator g = fanin_generator_torch(42);
    fanin_tensor w = fanin_tensor_2d(weight, FANIN_F32, WIDTH, WIDTH);
    double gain;
    must(fanin_calculate_gain(FANIN_TANH, NULL, &gain, &error), &error);
    memcpy(signal, inputs, sizeof signal);
    printf("%-26s %6.3f", name, root_mean_square());
    for (int layer = 1; layer <= NLAYERS; layer++) {
        if (he)
            must(fanin_kaiming_normal(&w, 0, FANIN_FAN_IN, FANIN_RELU, &g, &error), &error);
        else
            must(fanin_xavier_normal(&w, activation == tanhf ? gain : 1, &g, &error), &error);
        forward(activation);
        if (layer == 1 || layer == 5 || layer == NLAYERS)
            printf(" %8.3f", root_mean_square());
    }
    printf("\n");
    return root_mean_square();
}

int main(void)
{
    fanin_error error;
    fanin_generator g = fanin_generator_torch(1);
    fanin_tensor x = fanin_tensor_2d(inputs, FANIN_F32, NSAMPLES, WIDTH);
    must(fanin_normal(&x, 0, 1, &g, &error), &error);

    printf("size of the signal         inputs  layer 1  layer 5 layer 10\n");
    double relu_he = run("relu, kaiming_normal", relu, true);
    double relu_xavier = run("relu, xavier_normal", relu, false);
    double tanh_xavier = run("tanh, xavier_normal(5/3)", tanhf, false);
    double tanh_he = run("tanh, kaiming_normal", tanhf, true);
    printf(
        "ReLU sets half of its inputs to 0 and so halves the mean square; He's sqrt(2) makes up for it at every "
        "layer,\n"
        "and without it %d layers leave %.0f %% of the signal. tanh keeps small signals and flattens large ones;\n"
        "Xavier's fan_in + fan_out keeps gradients on their way back alive as well as signals, and tanh's gain of 5/3\n"
        "makes up for the flattening: %.2f arrives, and with He's sqrt(2) %.2f.\n",
        NLAYERS, 100 * relu_xavier / relu_he, tanh_xavier, tanh_he);
    return relu_he > 10 * relu_xavier && tanh_xavier > tanh_he ? 0 : 1;
}
