/* SPDX-License-Identifier: MIT */
/*
 * fanin version: the library's version, the frozen profile behind "torch", and the machine variants.
 */
#include "json_output.h"
#include "option.h"
#include "source.h"

#include <string.h>

static void print_json(void)
{
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "version");
    json_string(&json, "version", fanin_version());
    json_string(&json, "profile", fanin_profile_name(FANIN_PROFILE_TORCH));
    json_string(&json, "isa", fanin_isa_active());
    json_begin(&json, "isas", '[');
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        json_begin(&json, NULL, '{');
        json_string(&json, "name", fanin_isa_name(i));
        json_bool(&json, "supported", fanin_isa_is_supported(i));
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
}

static int run(const settings *given)
{
    if (given->operands.count > 0)
        return fail_usage(&command_version, "version takes no operand");
    if (given->json) {
        print_json();
        return EXIT_OK;
    }
    printf("fanin %s\n", fanin_version());
    printf("profile  %s (torch)\n", fanin_profile_name(FANIN_PROFILE_TORCH));
    fputs("isa     ", stdout);
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        const char *name = fanin_isa_name(i);
        const char *state = strcmp(name, fanin_isa_active()) == 0 ? " (in use)"
                            : fanin_isa_is_supported(i)           ? ""
                                                                  : " (not on this processor)";
        printf("%s %s%s", i == 0 ? "" : ",", name, state);
    }
    putchar('\n');
    return EXIT_OK;
}

static const option options[] = {{OPTION_JSON, "print an object"}, {OPTION_HELP}, {OPTION_END}};

const command command_version = {
    .name = "version",
    .summary = "version, profile and machine variants",
    .usage = (const char *const[]){"[--json]", NULL},
    .description = "Prints the version, the frozen profile that 'torch' stands for, and the machine variants, which "
                   "never change a bit. FANIN_ISA=scalar in the environment forces one.",
    .options = options,
    .run = run,
};
