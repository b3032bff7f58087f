/* SPDX-License-Identifier: MIT */
/*
 * An LSTM as it is often begun: Xavier on the weights of the inputs, an orthogonal matrix for each gate of the
 * recurrent weights, and a forget gate that begins open (bias 1). lstm.spec.json makes the same bytes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <fanin/fanin.h>

enum { INPUTS = 12, HIDDEN = 16, NGATES = 4, ROWS = NGATES * HIDDEN };

static float weight_ih[ROWS][INPUTS], weight_hh[ROWS][HIDDEN], bias_ih[ROWS], bias_hh[ROWS];

static void must(fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK) {
        fprintf(stderr, "%s: %s\n", fanin_status_name(status), error->message);
        exit(1);
    }
}

/* The largest element of |Q Q^T - 1| of one gate's square matrix. */
static double distance_from_orthogonal(int gate)
{
    double largest = 0;
    for (int i = 0; i < HIDDEN; i++) {
        for (int j = 0; j < HIDDEN; j++) {
            double sum = i == j ? -1 : 0;
            for (int k = 0; k < HIDDEN; k++)
                sum += (double)weight_hh[gate * HIDDEN + i][k] * weight_hh[gate * HIDDEN + j][k];
            largest = fmax(largest, fabs(sum));
        }
    }
    return largest;
}

int main(void)
{
    static const char *const gates[NGATES] = {"input", "forget", "cell", "output"}; /* the order of torch's rows */
    fanin_error error;
    fanin_generator g = fanin_generator_torch(42);
    const fanin_tensor w_ih = fanin_tensor_2d(weight_ih, FANIN_F32, ROWS, INPUTS);
    const fanin_tensor w_hh = fanin_tensor_2d(weight_hh, FANIN_F32, ROWS, HIDDEN);
    const fanin_tensor b_ih = fanin_tensor_1d(bias_ih, FANIN_F32, ROWS);
    const fanin_tensor b_hh = fanin_tensor_1d(bias_hh, FANIN_F32, ROWS);

    /*
     * All four gates are one matrix [4 * HIDDEN, ...]. One orthogonal matrix of that shape would make the columns
     * orthogonal over all gates together; what keeps a signal's size from step to step is that each gate's own matrix
     * is, so each block of rows is a view of its own.
     */
    must(fanin_xavier_uniform(&w_ih, 1, &g, &error), &error);
    for (int gate = 0; gate < NGATES; gate++) {
        fanin_tensor block = fanin_tensor_rows(&w_hh, gate * HIDDEN, (gate + 1) * HIDDEN);
        must(fanin_orthogonal(&block, 1, &g, &error), &error);
    }

    /* The two biases are added: 1 + 0. sigmoid(1) = 0.73, so that most of the cell's memory is kept at first. */
    must(fanin_zeros(&b_ih, &error), &error);
    must(fanin_zeros(&b_hh, &error), &error);
    fanin_tensor forget = fanin_tensor_rows(&b_ih, 1 * HIDDEN, 2 * HIDDEN);
    must(fanin_ones(&forget, &error), &error);

    double farthest = 0;
    printf("gate    weight_ih  weight_hh  |Q Q^T - 1|  bias\n");
    for (int gate = 0; gate < NGATES; gate++) {
        int row = gate * HIDDEN;
        double distance = distance_from_orthogonal(gate);
        printf("%-6s %10.6f %10.6f %12.1e %5.0f\n", gates[gate], weight_ih[row][0], weight_hh[row][0], distance,
               bias_ih[row] + bias_hh[row]);
        farthest = fmax(farthest, distance);
    }
    return farthest < 1e-5 ? 0 : 1;
}
