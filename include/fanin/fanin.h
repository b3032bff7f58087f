/* SPDX-License-Identifier: MIT */
/*
 * fanin makes the initial weights of neural networks: the bytes of torch.nn.init and of PyTorch's module constructors,
 * from the same seed, in C.
 *
 *     fanin_generator g = fanin_generator_torch(42);                       torch.manual_seed(42)
 *     fanin_tensor w = fanin_tensor_2d(buffer, FANIN_F32, 512, 256);
 *     fanin_status s = fanin_xavier_uniform(&w, 1.0, &g, &error);          nn.init.xavier_uniform_(w)
 *
 * The parts, simple first. Each header stands alone; the first group is the core, which needs libc and nothing else.
 *
 *     init.h         every function of torch.nn.init               layer.h       nn.Linear, nn.LSTM ... as one call
 *     tensor.h       views of your memory                          generator.h   seeds, draws, torch's state bytes
 *     dtype.h        element types                                 status.h      what functions return
 *     initializer.h  the catalogue; calls from text                fill.h        initializers as data
 *     hooks.h        your allocator, your file operations          version.h     version and machine variants
 *     parallel.h     your threads, or a pool of ours
 *
 *     model.h        models and recipes from files                 plan.h        a model resolved to fills
 *     run.h          plans into memory and files; proof            checkpoint.h  reading safetensors
 *     check.h        what is wrong with a checkpoint               statistics.h  what the values of a tensor are like
 *     which.h        what rule and seed made it                    same.h        which tensors are the same numbers
 *
 * Memory belongs to the caller. Functions that can fail return fanin_status and explain in a fanin_error that may be
 * NULL. The library prints nothing, never exits, and keeps no state but the tables of hooks.h and the choice of the
 * machine variant. Different threads may use it at the same time as long as each has its own generator and tensors.
 *
 * Not promised: values of torch.nn.init on GPUs; orthogonal_ to the bit (init.h says how near); profiles older than
 * 2.12 for trunc_normal_ in f32 and f64, which is within one unit in the last place. docs/compatibility.md has it all.
 */
#ifndef FANIN_H
#define FANIN_H

#include "fanin/status.h"
#include "fanin/version.h"
#include "fanin/dtype.h"
#include "fanin/tensor.h"
#include "fanin/generator.h"
#include "fanin/init.h"
#include "fanin/fill.h"
#include "fanin/initializer.h"
#include "fanin/parallel.h"
#include "fanin/layer.h"
#include "fanin/hooks.h"
#include "fanin/checkpoint.h"
#include "fanin/model.h"
#include "fanin/plan.h"
#include "fanin/run.h"
#include "fanin/statistics.h"
#include "fanin/check.h"
#include "fanin/which.h"
#include "fanin/same.h"

#endif
