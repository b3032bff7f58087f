/* SPDX-License-Identifier: MIT */
/*
 * The table of checks: what each measures, when it speaks, what it means to somebody who has never heard of a fan-in,
 * what mends it, and who says so. docs/check.md is printed from it.
 */
#include "diagnose/checks.h"

static const struct fanin_check_row rows[] = {
    {{.id = "W01",
      .title = "NaN or infinity",
      .measures = "The number of values that are NaN or infinite.",
      .rule = "It speaks if there is one.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "A value is not a number. Everything that is computed from it is not a number either, so the first "
               "forward pass and every gradient after it are lost. Either the memory was never initialized, or the "
               "file was not read or written whole, or a number was too large for the dtype.",
      .fix = "Make the tensor anew. If it was converted, look for values beyond the dtype's range before.",
      .source = "PyTorch Lightning pull request 17627 (empty_init left garbage); llm-foundry pull request 1745 (a "
                "norm without initializer gave NaN); fla-org/flame issue 9."},
     .of_tensor = fanin_check_not_finite},
    {{.id = "W02",
      .title = "Uninitialized memory",
      .measures = "The largest value against the median of all, subnormal numbers, runs of zeros, and bytes that "
                  "read as text or as addresses.",
      .rule = "It speaks if (16 values or more) the largest absolute value is over 256 x 6.7 x 1.48 times the median "
              "absolute value of those that are not zero (in tables, 1e7 times), and over 10 or a few, by a kurtosis "
              "over 9; if in f64, f32 or bf16 over 1 % of the "
              "values are subnormal; if a weight that looks random has 64 zeros or more in a row that are not whole "
              "rows, and that zeros strewn as densely as elsewhere would make less than once in 10^12; if its last "
              "sixteenth, or more, is rows of zeros (not of embeddings and experts); or if 95 % of "
              "the first 64 KiB are letters, or a quarter of their 8-byte words addresses.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "The tensor was allocated, and nothing was ever written to it, or only to a part. It holds what the "
               "memory held before: huge numbers, tiny ones, zeros of fresh pages, pieces of text, addresses. "
               "Sometimes the numbers look harmless, and training goes on with a layer that nobody designed. 6.7 is "
               "the farthest of 10^11 normal values in standard deviations, 1.48 makes a standard deviation of a "
               "median.",
      .fix = "Make the tensor anew, and look for the code that should have: a module created on the meta device or "
             "with empty(), whose weights were in no checkpoint.",
      .source = "transformers pull request 28073 (values like 1e37 in new heads) and issue 35437."},
     .of_tensor = fanin_check_unwritten},
    {{.id = "W03",
      .title = "All zero",
      .measures = "Whether all values of a weight are zero.",
      .rule = "It is an error if some tensors of a role are zero and others not, or if more than half of the model's "
              "weights are zero; otherwise it is told and no more.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "A layer with zero weights gives zero for every input and passes no gradient to the layers below it. "
               "If all layers are zero, all units are alike and none of them ever learns anything else. Designs set "
               "a single layer to zero on purpose: the last one of a residual branch, the second matrix of an "
               "adapter (LoRA), a head, a gate, a table of relative positions.",
      .fix = "If it is not on purpose, make the tensor anew from its scheme.",
      .source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4: initial weights must break the "
                "symmetry between units. Zeros on purpose: Hu et al. 2021 (LoRA, section 4.1), Bachlechner et al. "
                "2020 (ReZero), Peebles and Xie 2022 (adaLN-Zero)."},
     .of_all = fanin_check_zero},
    {{.id = "W04",
      .title = "Constant weight",
      .measures = "Whether the least and the greatest value of a linear, convolution, recurrent or embedding weight "
                  "are the same, and not zero.",
      .rule = "It speaks if they are.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "All weights of the layer are one number. All its units then compute the same from every input, get "
               "the same gradient, and stay identical through all of training: a layer of 1000 units does the work "
               "of one.",
      .fix = "Make the tensor anew from a random scheme.",
      .source = "Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4; CS231n, notes on neural networks 2: "
                "\"Pitfall: all zero initialization\"."},
     .of_tensor = fanin_check_constant,
     .sound_only = true},
    {{.id = "W05",
      .title = "Duplicate rows or columns",
      .measures = "Rows, or columns, of a weight that are equal bit for bit.",
      .rule = "It speaks of a weight that looks random if two rows that are not zero are equal, where the chance of "
              "it, rows (rows - 1) / 2 x the chance that two values are equal ^ columns, is below 1e-9.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "Two units of the layer have the very same weights. They compute the same and stay the same. The "
               "usual cause is a tensor made in parts by several processes that all had the same seed, or one row "
               "that was repeated.",
      .fix = "Make the tensor anew as a whole; give each part its own place in the stream of random numbers.",
      .source = "ms-swift issue 7944 (shards filled with one seed)."},
     .of_tensor = fanin_check_duplicates,
     .sound_only = true},
    {{.id = "W06",
      .title = "Equal tensors",
      .measures = "Tensors of one dtype and shape whose bytes are equal and that are not known to be one.",
      .rule = "It is an error for weights that look random; for vectors, for an embedding stored beside the head it "
              "is tied to, and for copies that the plan makes, it is told and no more.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "Two layers begin with the very same weights. A model whose layers are copies of one another is not "
               "the model that was meant: the layers begin by learning the same thing. It happens when a layer is "
               "initialized and then copied, or when one object that draws with a fixed seed serves for several "
               "tensors.",
      .fix = "Make all but the first anew. In code, construct each layer, or initialize after copying.",
      .source = "PyTorch issues 72253 and 86274 (nn.TransformerEncoder copies one layer); Keras 3 warns of an "
                "unseeded initializer that is called again."},
     .of_all = fanin_check_equal},
    {{.id = "W07",
      .title = "The same random numbers again",
      .measures = "The correlation of the first 256 values of two weights.",
      .rule = "It speaks if it is over 0.99 or below -0.99 for two weights that look random, have 32 values or more "
              "and are not equal.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "Two weights are made of the same random numbers at another scale or in another shape. They are not "
               "independent, which every scheme takes for granted. The usual cause is a seed that is set again "
               "before each layer.",
      .fix = "Seed once, at the beginning; make all but the first anew.",
      .source = "The derivations of Glorot and Bengio 2010 and He et al. 2015 take weights to be independent."},
     .of_all = fanin_check_same_stream},
    {{.id = "W08",
      .title = "Scale",
      .measures = "The standard deviation of a weight, and over a chain of layers how much of the signal is left.",
      .rule =
          "With a plan, a recipe or a family of config.json: 7.5 standard errors from the standard deviation it "
          "should have; with --expect also from the mean, the bounds and the distribution. Where a batch norm follows "
          "and the factor is below 10 it is told and no more. Without any of these: if of four or more tensors of one "
          "role and shape at most a quarter is over twice as large or small as all others, which agree; if more than "
          "half of all layers make their outputs over 8 times as large as their inputs, or 200 times as small, by the "
          "smaller of their fans; and over layers that follow each other with nothing but a known activation between "
          "them; if the product of what "
          "they do to the square of the signal, or of the gradient, is outside 1e-2 to 1e2 it is a warning, outside "
          "1e-6 to 1e6 an error, where of each layer the fan counts that keeps it nearer to 1 (He et al. allow "
          "either). Within, weights made for another activation are told and no more.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "Each layer multiplies the size of the signal by a factor that depends on the size of its weights and "
               "on how many inputs each unit has (its fan-in). If that factor is not near 1, it is raised to the "
               "power of the depth: the signal, or the gradient on the way back, fades out or explodes. Half the "
               "square is lost in each ReLU, which is why weights before it must be larger by the square root of "
               "2.",
      .fix = "Use the scheme made for the activation: kaiming_normal(nonlinearity=relu) before ReLU, "
             "xavier_normal(gain=5/3) before tanh.",
      .source = "Glorot and Bengio 2010, eq. 10 to 16; He et al. 2015, eq. 7 to 10 and 14; of norms van Laarhoven "
                "2017, section 2: the learning rate that counts is the one over the square of the weights' size."},
     .of_tensor = fanin_check_expected,
     .sound_only = true,
     .of_all = fanin_check_scale},
    {{.id = "W09",
      .title = "Wrong fan",
      .measures = "Whether the standard deviation is what the scheme would give for another fan than the layer has.",
      .rule = "It speaks where no norm follows, if the standard deviation fits the scheme within 3 % and 5 standard "
              "errors with fan_out, without the groups, without the kernel or with transposed axes, and not with "
              "the right fan; of layers with groups, transposed layers and embeddings treated as linear ones.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "A scheme divides by the number of inputs each unit has. Code that does not know how a weight is "
               "stored counts the wrong axis, or forgets that a convolution in groups connects each output to a "
               "part of the inputs: the weights come out too large or too small by that factor.",
      .fix = "Make the tensor anew with the layer's own fan; say groups and layout in the description.",
      .source = "PyTorch issue 23854; timm issue 84."},
     .of_tensor = fanin_check_fan,
     .sound_only = true},
    {{.id = "W10",
      .title = "Mean",
      .measures = "The mean of a weight in units of its standard deviation.",
      .rule = "It speaks of weights of 256 values or more that look random, if it is over 0.1 and over 7.5 / sqrt(n).",
      .worst = FANIN_SEVERITY_WARN,
      .means = "The weights are not centred on zero. All units then get the same push from the sum of their inputs, "
               "which grows with the number of inputs and drowns what differs between them. A frequent slip is "
               "uniform(0, a) where uniform(-a, a) was meant.",
      .fix = "Make the tensor anew with a mean of zero.",
      .source = "LeCun et al. 1998 (Efficient BackProp), section 4.6; Glorot and Bengio 2010, eq. 1."},
     .of_tensor = fanin_check_mean,
     .sound_only = true},
    {{.id = "W11",
      .title = "Tails",
      .measures = "The kurtosis: 3 for a normal distribution, 1.8 for a uniform one, more if few values are far out.",
      .rule =
          "It speaks of weights that look random and are over 90 % non-zero, if it is over 4, over 8 standard errors "
          "above 3, and over 3 + 4096 / n, which one of n values 8 standard deviations out comes to.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "A few weights are far larger than the others. A single one can rule a unit's output. No common scheme "
               "makes such values: they come from a fault in a sampler, from a product of random numbers, from "
               "another tensor's values, or the weights were trained.",
      .fix = "If the weights are meant to be fresh, make the tensor anew.",
      .source = "PyTorch issue 155588 (trunc_normal_ gave values at exactly -2.0); kurtosis of initial weights as a "
                "sanity check: composer pull request 2066."},
     .of_tensor = fanin_check_tails,
     .sound_only = true},
    {{.id = "W12",
      .title = "Mass at a bound",
      .measures = "How many values are equal to the least, or to the greatest one.",
      .rule = "It speaks of weights that look random, if they are 3 or more and over l + 6 sqrt(l) + 3, where l is "
              "what the dtype's grid makes of a smooth distribution.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "Many values lie exactly on the edge. They were cut off there (clamped) instead of drawn again "
               "(truncated), so the distribution is not the one that was meant, or a conversion hit the limit of "
               "the dtype.",
      .fix = "Draw from a truncated distribution, trunc_normal, instead of clamping.",
      .source = "torch.nn.init.trunc_normal_ draws values again that are out of bounds (torch 2.12 and newer)."},
     .of_tensor = fanin_check_bounds,
     .sound_only = true},
    {{.id = "W13",
      .title = "Biases",
      .measures = "Whether biases are zero, and the forget gate's bias of an LSTM.",
      .rule =
          "If some biases of a role and layer kind are zero and others not, or if a plan or family says that they are "
          "and they are not, it is a warning. Other biases that are not zero, and a forget bias below 0.5, are told "
          "and no more.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "A bias is what a unit gives without any input, and there is no reason for it to be anything but zero "
               "at first; torch draws it all the same, which does no harm. A gate that forgets is different: with a "
               "bias near 0 an LSTM forgets half of its memory in each step, and cannot see far back; with 1 it "
               "begins by remembering. torch has two biases there, and their sum counts.",
      .fix = "zeros for biases; ones for the forget gate of bias_hh, with zeros everywhere else.",
      .source = "Jozefowicz, Zaremba, Sutskever 2015, section 2.2; PyTorch issue 750 (two biases)."},
     .sound_only = true,
     .of_all = fanin_check_biases},
    {{.id = "W14",
      .title = "Norms",
      .measures = "Weights, biases and running statistics of normalization layers.",
      .rule = "A running variance that is zero, negative or NaN is an error. Anything else than the constant that a "
              "plan or family says is a warning, and so is a weight that is neither 0 nor 1 if others of its role are "
              "not like it, or 0 where at least three times as many are 1 and none is a batch norm. Other such "
              "weights, weights of zero, and "
              "biases and running means that are not zero are "
              "told and no more.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "A normalization layer divides by the running variance, or multiplies by its weight: both begin with "
               "1, bias and running mean with 0. A variance of zero makes the output huge or NaN in evaluation; a "
               "weight that was never set scales the signal by what happened to be in memory.",
      .fix = "ones for weight and running_var, zeros for bias and running_mean.",
      .source = "Ioffe and Szegedy 2015, algorithms 1 and 2; Ba, Kiros, Hinton 2016, section 3."},
     .of_tensor = fanin_check_running_variance,
     .sound_only = true,
     .of_all = fanin_check_norms},
    {{.id = "W15",
      .title = "Orthogonality",
      .measures = "How far W W^T / gain^2 is from the identity, by 64 random directions.",
      .rule = "Only where a plan or recipe says orthogonal: over 1e-4, or over what the dtype can keep.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "An orthogonal matrix keeps the length of every signal. One that is orthogonal but for rounding "
               "errors of a conversion is fine; one that is not orthogonal at all was made by another scheme, or "
               "changed afterwards.",
      .fix = "Make the tensor anew with orthogonal(gain).",
      .source = "Saxe, McClelland, Ganguli 2013.",
      .deep = true},
     .of_tensor = fanin_check_orthogonal,
     .sound_only = true},
    {{.id = "W16",
      .title = "Spectrum",
      .measures = "The largest singular value and the stable rank, against those of a matrix of independent values.",
      .rule = "It speaks of weights that look random, if the largest singular value is over s (sqrt m + sqrt n) "
              "(1 + 5 m^(-2/3)), or the stable rank below 25 % of such a matrix's. Of more than 2^24 values the first "
              "rows are looked at.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "The values look random one by one, but the matrix is not: it is a product of two thin ones, or one "
               "row repeated with noise. It can carry only a few independent signals.",
      .fix = "Make the tensor anew with independent values.",
      .source = "Marchenko and Pastur 1967; Johnstone 2001 (the largest singular value).",
      .deep = true},
     .of_tensor = fanin_check_spectrum,
     .sound_only = true},
    {{.id = "W17",
      .title = "Target dtype",
      .measures = "The share of values that become zero, subnormal or infinite in the dtype they will be stored as.",
      .rule = "Only with a target dtype: over 1 % is a warning, over 10 % new zeros an error.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "Small dtypes cannot tell small numbers apart: f16 has full precision down to 6.1e-5 and nothing below "
               "6.0e-8, f8_e4m3 nothing below 0.002. Weights of wide layers are that small, and become zero.",
      .fix = "Store the weights with a scale that is a power of 2, or in bf16, which has the range of f32.",
      .source = "IEEE 754 binary16; Micikevicius et al. 2022 (FP8 formats for deep learning), table 1."},
     .of_tensor = fanin_check_target,
     .sound_only = true},
    {{.id = "W18",
      .title = "Residual branch",
      .measures = "The standard deviation of the projection that ends a residual branch against that of the one that "
                  "begins it.",
      .rule = "In families whose scheme scales it by 1 / sqrt(2 layers): if the ratio is off by more than 10 %.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "In a residual network every branch adds to the signal, so that it grows with the depth. GPT-2 and its "
               "descendants make the last matrix of each branch smaller by the square root of the number of "
               "branches. Without it deep models are less stable at first.",
      .fix = "Give the output projections std / sqrt(2 x layers).",
      .source = "Radford et al. 2019 (GPT-2), section 2.3; Shoeybi et al. 2019 (Megatron-LM)."},
     .sound_only = true,
     .of_all = fanin_check_branch},
    {{.id = "W19",
      .title = "Embedding and head",
      .measures = "The standard deviation of embeddings and of the head, against 0.02 and 1 / sqrt(d), and the size of "
                  "the first logits it leads to; and the row for padding.",
      .rule = "The numbers are told and no more. A row for padding that is not zero, where the plan or the family sets "
              "it to zero, is a warning.",
      .worst = FANIN_SEVERITY_WARN,
      .means = "The first logits should be small, so that the model begins by finding all answers equally likely and "
               "the first loss is the logarithm of their number. Logits have about the size of the head's standard "
               "deviation times sqrt(d), after a norm. The row for padding gets no gradient: what stands there stays.",
      .fix = "Nothing has to be done; if the first loss is far above ln(vocabulary), make the head smaller.",
      .source = "Radford et al. 2019 (GPT-2); Vaswani et al. 2017, section 3.4."},
     .of_tensor = fanin_check_embedding,
     .sound_only = true},
    {{.id = "W20",
      .title = "Cloned experts, heads or projections",
      .measures = "Slices along a stacked axis (experts, heads; q, k and v in one tensor) that are equal or have a "
                  "correlation over 0.99.",
      .rule = "It speaks of weights that look random, if there are such slices.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "A tensor holds several parts that should begin differently, and some are copies. Experts that are "
               "copies get the same inputs and the same gradients; heads that are copies look at the same places.",
      .fix = "Make the tensor anew as a whole.",
      .source = "Shazeer et al. 2017 (experts must differ to be chosen differently); ms-swift issue 7944."},
     .of_tensor = fanin_check_clones,
     .sound_only = true},
    {{.id = "W21",
      .title = "Not as described",
      .measures = "Names and shapes against the description.",
      .rule = "Only with a model or plan: what is missing, what is there and not described, other shapes, transposed "
              "shapes, and two names of one tensor whose values differ.",
      .worst = FANIN_SEVERITY_ERROR,
      .means = "The checkpoint is not one of this model. What is missing will be made up when it is loaded, often "
               "silently; what is not described is thrown away.",
      .fix = "Use the description that belongs to the checkpoint, or rename its tensors.",
      .source = "transformers' message that some weights were newly initialized, and the questions about it "
                "(transformers issues 8407, 12232 and 4028)."},
     .of_all = fanin_check_described},
    {{.id = "W22",
      .title = "As initialized",
      .measures = "Whether the values of a weight fit one law of initialization in every test there is.",
      .rule = "It is told and no more: once of a checkpoint whose weights are fresh for the most part, and of each "
              "fresh weight where most are not. A weight is fresh if a rule that fanin knows gives a law which passes "
              "every test (mean and standard deviation within 7.5 standard errors, bounds, distribution), and if rows "
              "and columns differ by chance alone.",
      .worst = FANIN_SEVERITY_INFO,
      .means = "The weight looks as it did before training. In a fresh model that is as it should be. In a trained "
               "one, this part was never loaded, or never learned.",
      .fix = "If the model should be trained, load this tensor again.",
      .source = "The questions about newly initialized heads, as of W21."},
     .of_all = fanin_check_untouched},
    {{.id = "W23",
      .title = "No recorded seed",
      .measures = "Whether a seed and a plan are recorded with the weights.",
      .rule = "It is told of weights that look as they were initialized, if none are; not of those that --fix made, "
              "whose seed it records.",
      .worst = FANIN_SEVERITY_INFO,
      .means = "Nobody can make these weights again, or prove what they began as. Whether a change made a run better, "
               "or only its seed, cannot be told apart afterwards.",
      .fix = "Make the checkpoint with fanin init, which records seed and plan in the file, or write down the seed.",
      .source = "allenai DataDecide-dolma1_7-no-math-code-1B, discussion 1: 6 of 75 published runs did not begin "
                "with the seed on their label."},
     .of_all = fanin_check_seed},
};

const struct fanin_check_row *fanin_check_rows(size_t *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

bool fanin_check_is_sound_only(const fanin_check *check)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (&rows[i].check == check)
            return rows[i].sound_only;
    return false;
}
