/* SPDX-License-Identifier: MIT */
/*
 * A small residual network as it is begun for training: convolutions by He's rule with fan_out, batch norm 1 and 0, the
 * last batch norm of every block 0, so that blocks begin as identities. cnn.spec.json makes the same bytes.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <fanin/fanin.h>

enum { NBLOCKS = 3, CHANNELS = 32, NCLASSES = 10 };

static void must(fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK) {
        fprintf(stderr, "%s: %s\n", fanin_status_name(status), error->message);
        exit(1);
    }
}

/* A [out, in, 3, 3] weight: N(0, 2 / fan_out), as torchvision's ResNets have it. */
static void begin_convolution(const char *name, int64_t out, int64_t in, fanin_generator *g)
{
    fanin_error error;
    fanin_fans fans;
    float *data = malloc((size_t)(out * in * 9) * sizeof *data);
    if (data == NULL)
        exit(1);
    fanin_tensor w = fanin_tensor_4d(data, FANIN_F32, out, in, 3, 3);
    must(fanin_kaiming_normal(&w, 0, FANIN_FAN_OUT, FANIN_RELU, g, &error), &error);
    must(fanin_calculate_fans(&w, &fans, &error), &error);
    double squares = 0;
    for (int64_t i = 0; i < fanin_tensor_nelem(&w); i++)
        squares += (double)data[i] * data[i];
    printf("%-18s fan_in %4lld  fan_out %4lld  std %.4f (rule: %.4f)  first %9.6f\n", name, (long long)fans.in,
           (long long)fans.out, sqrt(squares / (double)fanin_tensor_nelem(&w)), sqrt(2.0 / (double)fans.out), data[0]);
    free(data);
}

/* What the constructor of BatchNorm2d does, and its weight set to 0 where a block ends. Returns the weight's element.
 */
static float begin_batch_norm(bool ends_block)
{
    fanin_error error;
    float weight[CHANNELS], bias[CHANNELS], mean[CHANNELS], var[CHANNELS];
    int64_t num_batches_tracked;
    fanin_layer layer = fanin_layer_default(FANIN_LAYER_BATCH_NORM);
    layer.num_features = CHANNELS;
    const fanin_tensor parameters[] = {
        fanin_tensor_1d(weight, FANIN_F32, CHANNELS),
        fanin_tensor_1d(bias, FANIN_F32, CHANNELS),
        fanin_tensor_1d(mean, FANIN_F32, CHANNELS),
        fanin_tensor_1d(var, FANIN_F32, CHANNELS),
        fanin_tensor_nd(&num_batches_tracked, FANIN_I64, 0, NULL),
    };
    must(fanin_layer_init(&layer, parameters, 5, NULL, &error), &error); /* draws nothing: no generator */
    if (ends_block)
        must(fanin_zeros(&parameters[0], &error), &error);
    return weight[0];
}

int main(void)
{
    static float weight[NCLASSES][CHANNELS], bias[NCLASSES];
    fanin_error error;
    char name[32];
    fanin_generator g = fanin_generator_torch(42); /* one stream through the whole model, in the model's order */

    begin_convolution("conv1", CHANNELS, 3, &g);
    printf("%-18s weight %.0f\n", "bn1", begin_batch_norm(false));
    for (int i = 0; i < NBLOCKS; i++) {
        snprintf(name, sizeof name, "blocks.%d.conv1", i);
        begin_convolution(name, CHANNELS, CHANNELS, &g);
        snprintf(name, sizeof name, "blocks.%d.conv2", i);
        begin_convolution(name, CHANNELS, CHANNELS, &g);
        printf("blocks.%d           bn1 weight %.0f, bn2 weight %.0f: the block adds nothing yet\n", i,
               begin_batch_norm(false), begin_batch_norm(true));
    }
    fanin_tensor w = fanin_tensor_2d(weight, FANIN_F32, NCLASSES, CHANNELS);
    fanin_tensor b = fanin_tensor_1d(bias, FANIN_F32, NCLASSES);
    must(fanin_linear(&w, &b, &g, &error), &error);
    printf("%-18s as torch's Linear: U(-%.4f, %.4f), first %9.6f, bias %9.6f\n", "fc", 1 / sqrt(CHANNELS),
           1 / sqrt(CHANNELS), weight[0][0], bias[0]);
    return 0;
}
