/* SPDX-License-Identifier: MIT */
/*
 * Rules as plans see them: what a rule matches and which call it makes. Recipes and the rules inside a spec are both
 * lists of these. Functions here and in scope.h want an error to write to; only the public ones do without.
 */
#ifndef FANIN_RECIPE_RECIPE_H
#define FANIN_RECIPE_RECIPE_H

#include "fanin/model.h"
#include "recipe/pattern.h"
#include "recipe/scope.h"

/* A parameter of the initializer: text (an expression or a word) or, if that is NULL, a number. */
typedef struct fanin_rule_setting {
    const char *name;
    const char *text;
    double number;
    const char *where;
} fanin_rule_setting;

typedef struct fanin_rule {
    const char *where;            /* file:line:column */
    const char *shown;            /* what it matches, for messages: "**.weight" of layer conv2d */
    const fanin_pattern *pattern; /* NULL: every name */
    fanin_layer_kind layer;       /* FANIN_LAYER_NONE: every tensor */
    const char *role;             /* NULL: every role */
    const char *gates;            /* names for the blocks of dimension 0 of what it matches; NULL */
    const char *only;             /* the gates it is for; NULL: the whole tensor */
    bool per_gate;                /* each gate is filled as a matrix of its own */
    bool has_row;                 /* only row `row` of dimension 0, counted from the end if negative */
    int64_t row;
    bool optional;       /* matching nothing is no cause for a warning */
    bool torch_default;  /* what the layer's constructor does; no call then */
    const char *init;    /* the name, or a call in text */
    const char *init_at; /* its place */
    const fanin_rule_setting *settings;
    size_t nsettings;
    const fanin_rule_setting *cut; /* trunc_normal between mean -+ cut std; NULL */
    const fanin_scope *scope;
} fanin_rule;

typedef struct fanin_rules {
    fanin_rule *items;
    size_t count;
    size_t capacity;
    fanin_arena arena; /* strings, patterns, scopes */
} fanin_rules;

struct fanin_recipe {
    fanin_rules rules;
    size_t nset; /* rules that came one by one, as text */
};

/* Appends the rules of a JSON array. The scope is kept by pointer: it belongs to the rules' arena. */
fanin_status fanin_rules_read(fanin_rules *rules, const fanin_json_document *document, const fanin_json *array,
                              const fanin_scope *scope, fanin_error *error);
void fanin_rules_release(fanin_rules *rules);

bool fanin_rule_matches(const fanin_rule *rule, const fanin_model_tensor *tensor);
/* Gives the variables that count tensors their values. */
fanin_status fanin_scope_close(fanin_scope *scope, const fanin_model *model, fanin_error *error);
/* The call with all its values, from a scope that is closed. */
fanin_status fanin_rule_call(const fanin_rule *rule, const fanin_scope *scope, fanin_call *call, fanin_error *error);

/* Lists of names, "i,f,g,o": at most FANIN_MAX_GATES. */
#define FANIN_MAX_GATES 16
size_t fanin_gate_count(const char *gates);
/* Name i: its first byte and length. */
const char *fanin_gate_at(const char *gates, size_t i, size_t *nbytes);
/* Index of a name, or SIZE_MAX. */
size_t fanin_gate_find(const char *gates, const char *name, size_t nbytes);
/* Reads such a list: names are identifiers, none twice. */
fanin_status fanin_gates_read(const fanin_json_document *document, const fanin_json *value, const char *what,
                              fanin_arena *arena, const char **gates, fanin_error *error);

#endif
