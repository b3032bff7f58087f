/* SPDX-License-Identifier: MIT */
/*
 * The fanin command: a table of commands, and what is the same for all of them - standard streams, signals, and that
 * nothing printed is lost without a word.
 */
#define _POSIX_C_SOURCE 200809L
#include "option.h"
#include "suggest.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const command *const commands[] = {&command_init,  &command_plan,    &command_explain, &command_verify,
                                   &command_check, &command_which,   &command_same,    &command_fill,
                                   &command_list,  &command_version, &command_help,    NULL};

void print_general_help(FILE *file)
{
    fputs("usage: fanin COMMAND [options]\n\n"
          "Makes the initial weights of neural networks: the bytes of torch.nn.init, from the\n"
          "same seed, without PyTorch.\n\n"
          "commands:\n",
          file);
    for (size_t i = 0; commands[i] != NULL; i++)
        fprintf(file, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n'fanin help COMMAND' or 'fanin COMMAND --help' tells more.\n\n"
          "exit status:\n"
          "  0        done\n"
          "  1        verify found differences, check found something, or there was a warning\n"
          "           and --strict\n"
          "  2        bad usage or bad input\n"
          "  3        the system refused: reading, writing, memory\n"
          "  128 + n  stopped by signal n (130: interrupted)\n",
          file);
}

const command *command_find(const char *name)
{
    suggestion nearest = {.wanted = name};
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
        suggest_consider(&nearest, commands[i]->name);
    }
    char meant[SUGGESTION_NBYTES];
    print_error("unknown command '%s'%s ('fanin help' lists them)", name, suggest_text(&nearest, "", meant));
    return NULL;
}

static int run_help(const settings *given)
{
    if (given->operands.count > 1) {
        print_error("help takes one command");
        return EXIT_USAGE;
    }
    if (given->operands.count == 0) {
        print_general_help(stdout);
        return EXIT_OK;
    }
    const command *of = command_find(given->operands.items[0]);
    if (of == NULL)
        return EXIT_USAGE;
    option_print_help(of, stdout);
    return EXIT_OK;
}

static const option help_options[] = {{OPTION_HELP}, {OPTION_END}};

const command command_help = {
    .name = "help",
    .summary = "how to use a command",
    .usage = (const char *const[]){"[COMMAND]", NULL},
    .description = "Prints the general help, or that of one command.",
    .options = help_options,
    .run = run_help,
};

/*
 * A closed standard stream would give its number to the next file that is opened, and a message would end up in a
 * checkpoint. It is replaced by one on which reading or writing fails.
 */
static void keep_standard_streams(void)
{
    for (int stream = 0; stream <= 2; stream++) {
        if (fcntl(stream, F_GETFD) == -1 && errno == EBADF) {
            int opened = open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
            if (opened != -1 && opened != stream)
                close(opened);
        }
    }
}

/* What was printed may still be in the buffer: a full disk shows here. A reader that went away needs no message. */
static int finish_output(int exit_status)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0)
        failed = true;
    if (!failed)
        return exit_status;
    if (errno != EPIPE)
        print_error("cannot write standard output%s%s", errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    return exit_status == EXIT_OK || exit_status == EXIT_DIFFERENT ? EXIT_SYSTEM : exit_status;
}

/* The library takes what it can get; a person who forces a variant wants that one or an error. */
static bool apply_isa(void)
{
    fanin_error error;
    const char *name = getenv("FANIN_ISA");
    if (name == NULL || *name == '\0' || fanin_isa_force(name, &error) == FANIN_OK)
        return true;
    print_error("FANIN_ISA in the environment: %s", error.message);
    return false;
}

static int run(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name == NULL) {
        print_general_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    else if (name[0] == '-') {
        print_error("unknown option %s; options of a command follow it ('fanin help' shows how)", name);
        return EXIT_USAGE;
    }
    const command *of = command_find(name);
    if (of == NULL || !apply_isa())
        return EXIT_USAGE;
    settings given;
    int exit_status = EXIT_USAGE;
    if (option_parse(of, argc - 2, argv + 2, &given)) {
        if (given.help) {
            option_print_help(of, stdout);
            exit_status = EXIT_OK;
        } else {
            exit_status = of->run(&given);
        }
    }
    option_release(&given);
    return exit_status;
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    /* A reader that went away, or a limit on file sizes, is an error of the write that meets it. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return finish_output(run(argc, argv));
}
