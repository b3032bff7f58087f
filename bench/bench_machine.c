/* SPDX-License-Identifier: MIT */
/*
 * What was measured on: processor, caches, memory, system, compiler, and how busy the machine was.
 */
#define _GNU_SOURCE /* sysconf's names of caches, getloadavg */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Of the processor's many flags those that the library or the stores of the roofline can use. */
static const char *const known_flags[] = {"sse2",         "avx",         "avx2",       "fma",      "f16c",
                                          "avx512f",      "avx512bw",    "avx512dq",   "avx512vl", "avx512vbmi",
                                          "avx512_vbmi2", "avx512_bf16", "vpclmulqdq", "sha_ni",   "hypervisor"};

/* The rest of the line of a file under /proc that begins with key, behind its colon; false if there is none. */
static bool proc_line(const char *path, const char *key, char *value, size_t nbytes)
{
    char line[8192];
    FILE *file = fopen(path, "r");
    bool is_found = false;
    while (file != NULL && !is_found && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon == NULL || strncmp(line, key, strlen(key)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(value, nbytes, "%.*s", (int)strcspn(colon, "\n"), colon);
        is_found = true;
    }
    if (file != NULL)
        fclose(file);
    return is_found;
}

static uint64_t memory_line(const char *key)
{
    char value[64];
    return proc_line("/proc/meminfo", key, value, sizeof value) ? strtoull(value, NULL, 10) << 10 : 0;
}

uint64_t bench_available_nbytes(void)
{
    uint64_t available = memory_line("MemAvailable");
    return available > 0 ? available : UINT64_C(1) << 31;
}

static void flags_of_processor(char *flags, size_t nbytes)
{
    static char all[8192];
    size_t used = 0;
    flags[0] = '\0';
    if (!proc_line("/proc/cpuinfo", "flags", all, sizeof all))
        return;
    for (char *word = strtok(all, " "); word != NULL; word = strtok(NULL, " "))
        for (size_t i = 0; i < sizeof known_flags / sizeof known_flags[0]; i++)
            if (strcmp(word, known_flags[i]) == 0 && used < nbytes)
                used += (size_t)snprintf(flags + used, nbytes - used, "%s%s", used > 0 ? " " : "", word);
}

static void huge_pages(char *mode, size_t nbytes)
{
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    char line[128] = "";
    if (file != NULL && fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    if (file != NULL)
        fclose(file);
    char *begin = strchr(line, '['), *end = strchr(line, ']');
    if (begin != NULL && end != NULL && begin < end)
        snprintf(mode, nbytes, "%.*s", (int)(end - begin - 1), begin + 1);
    else
        snprintf(mode, nbytes, "unknown");
}

/* In KiB: the system's own files know what a virtual machine shares, the processor's answer to sysconf does not. */
static long cache_kib(int level)
{
    static const int indices[] = {0, 2, 3}; /* level 1 has its data and its instructions apart */
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    char path[96], line[32] = "";
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", indices[level - 1]);
    FILE *file = fopen(path, "r");
    bool is_read = file != NULL && fgets(line, sizeof line, file) != NULL && strchr(line, 'K') != NULL;
    if (file != NULL)
        fclose(file);
    return is_read ? strtol(line, NULL, 10) : sysconf(names[level - 1]) >> 10;
}

void bench_write_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        if ((unsigned char)*text < 0x20)
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

struct machine {
    char processor[256];
    char flags[512];
    char huge_pages[32];
    struct utsname system;
    double load[3];
};

static struct machine look(void)
{
    struct machine machine = {.load = {0}};
    if (!proc_line("/proc/cpuinfo", "model name", machine.processor, sizeof machine.processor))
        snprintf(machine.processor, sizeof machine.processor, "unknown");
    flags_of_processor(machine.flags, sizeof machine.flags);
    huge_pages(machine.huge_pages, sizeof machine.huge_pages);
    uname(&machine.system);
    getloadavg(machine.load, 3);
    return machine;
}

void bench_print_machine(FILE *file)
{
    struct machine machine = look();
    fprintf(file, "processor  %s, %u for this process; L1d %ld KiB, L2 %ld KiB, L3 %ld KiB\n", machine.processor,
            fanin_processor_count(), cache_kib(1), cache_kib(2), cache_kib(3));
    fprintf(file, "           %s\n", machine.flags);
    fprintf(file, "memory     %.1f GB, %.1f GB of it free; pages of 2 MiB: %s\n",
            1e-9 * (double)memory_line("MemTotal"), 1e-9 * (double)bench_available_nbytes(), machine.huge_pages);
    fprintf(file, "system     %s %s %s, load %.2f\n", machine.system.sysname, machine.system.release,
            machine.system.machine, machine.load[0]);
    fprintf(file, "fanin      %s, %s, %s\n", fanin_version(), FANIN_BENCH_COMPILER, FANIN_BENCH_BUILD_TYPE);
}

void bench_write_machine(FILE *file)
{
    struct machine machine = look();
    fputs("{\"processor\": ", file);
    bench_write_text(file, machine.processor);
    fputs(", \"flags\": ", file);
    bench_write_text(file, machine.flags);
    fprintf(file, ", \"nprocessors\": %u, \"l1d_kib\": %ld, \"l2_kib\": %ld, \"l3_kib\": %ld", fanin_processor_count(),
            cache_kib(1), cache_kib(2), cache_kib(3));
    fprintf(file, ", \"memory_nbytes\": %llu, \"huge_pages\": \"%s\", \"system\": \"%s %s %s\", \"load\": %.2f}",
            (unsigned long long)memory_line("MemTotal"), machine.huge_pages, machine.system.sysname,
            machine.system.release, machine.system.machine, machine.load[0]);
}
