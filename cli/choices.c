/* SPDX-License-Identifier: MIT */
/*
 * Which initializer is the usual choice where, and why. A row is one place in a network.
 */
#include "choices.h"

#include <stdio.h>
#include <string.h>

typedef enum place { RELU, TANH, SELU, RECURRENT, EMBEDDING, NORM, OUTPUT, RESIDUAL, BIAS, IDENTITY } place;

static const choice choices[] = {
    [RELU] = {"ReLU family", " kaiming_normal kaiming_uniform ",
              "kaiming_normal(nonlinearity=relu); mode=fan_out for convolutions",
              "a ReLU passes half of the signal, so the variance is doubled: std = sqrt(2 / fan) (He et al. 2015)"},
    [TANH] = {"tanh, sigmoid", " xavier_uniform xavier_normal ",
              "xavier_uniform(gain=5/3) before tanh, xavier_uniform() before sigmoid or nothing",
              "keeps signal and gradient at their size where the curve is nearly straight (Glorot & Bengio 2010)"},
    [SELU] = {"SELU", " kaiming_normal ", "kaiming_normal(nonlinearity=linear)",
              "std = 1 / sqrt(fan_in) is what self-normalization asks for (Klambauer et al. 2017); torch's gain of 3/4 "
              "for selu gives less"},
    [RECURRENT] = {"recurrent weight", " orthogonal eye ",
                   "orthogonal() for each gate, and 1 for the bias of the forget gate",
                   "a state that passes an orthogonal matrix many times neither grows nor dies (Saxe et al. 2013); a "
                   "forget gate that begins open remembers (Jozefowicz et al. 2015)"},
    [EMBEDDING] = {"embedding", " normal trunc_normal ",
                   "normal(std=0.02) in transformers, normal() as torch's nn.Embedding; zeros in the padding row",
                   "a row is looked up, not summed over, so fans play no part; 0.02 since GPT and BERT (2018)"},
    [NORM] = {"norm", " ones zeros constant ", "ones() for the scale, zeros() for the shift",
              "the layer begins as plain normalization (Ioffe & Szegedy 2015)"},
    [OUTPUT] = {"output layer", " zeros normal ", "zeros() or normal(std=0.01)",
                "training begins at the loss of equal probabilities, without a confident guess to unlearn"},
    [RESIDUAL] = {"residual branch", " normal zeros ",
                  "normal(std=0.02/sqrt(2*L)) for the last weight of the branch, or zeros() for its last norm scale",
                  "the sum over L blocks keeps its size (Radford et al. 2019; Goyal et al. 2017)"},
    [BIAS] = {"bias", " zeros constant uniform ", "zeros(); U(+-1/sqrt(fan_in)) is torch's default",
              "random weights break the symmetry already"},
    [IDENTITY] = {"identity map", " eye dirac ", "eye() for matrices, dirac() for convolutions",
                  "the layer begins by passing its input on, so depth costs nothing at first"},
};

size_t choice_count(void)
{
    return sizeof choices / sizeof choices[0];
}

const choice *choice_at(size_t i)
{
    return &choices[i];
}

bool choice_names(const choice *of, const char *initializer)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, " %s ", initializer);
    return strstr(of->initializers, wanted) != NULL;
}

const choice *choice_for(const fanin_model_tensor *tensor)
{
    const char *role = tensor->role != NULL ? tensor->role : "";
    const char *dot = strrchr(tensor->name, '.');
    const char *last = dot != NULL ? dot + 1 : tensor->name;
    switch (tensor->layer_kind) {
    case FANIN_LAYER_EMBEDDING:
        return &choices[EMBEDDING];
    case FANIN_LAYER_BATCH_NORM:
    case FANIN_LAYER_LAYER_NORM:
    case FANIN_LAYER_GROUP_NORM:
    case FANIN_LAYER_RMS_NORM:
        return &choices[NORM];
    case FANIN_LAYER_RNN:
    case FANIN_LAYER_LSTM:
    case FANIN_LAYER_GRU:
    case FANIN_LAYER_RNN_CELL:
    case FANIN_LAYER_LSTM_CELL:
    case FANIN_LAYER_GRU_CELL:
        if (strncmp(last, "weight_hh", 9) == 0 || strncmp(last, "bias", 4) == 0)
            return &choices[RECURRENT];
        break;
    default:
        break;
    }
    if (strncmp(role, "norm", 4) == 0)
        return &choices[NORM];
    if (strcmp(role, "bias") == 0 || strncmp(last, "bias", 4) == 0)
        return &choices[BIAS];
    return NULL;
}
