/* What the kernel says of memory.
 *
 * For tests of the arena alone. */
#ifndef SESSIOND_TESTS_UNIT_STORE_MAPPING_H
#define SESSIOND_TESTS_UNIT_STORE_MAPPING_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/** Bytes of whole pages that are in memory. */
static inline size_t mapping_resident(void *start, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages = calloc(size / page, 1);
    size_t bytes = 0;

    ck_assert_ptr_nonnull(pages);
    ck_assert_int_eq(mincore(start, size, pages), 0);
    for (size_t i = 0; i < size / page; i++) {
        bytes += (pages[i] & 1) * page;
    }
    free(pages);
    return bytes;
}

/** Whether the mapping that an address is in has a flag of `VmFlags`, written with a space in front. */
static inline bool mapping_has_flag(const void *address, const char *flag)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    bool is_there = false;
    bool has_flag = false;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long start;
        unsigned long end;

        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            is_there = (uintptr_t)address >= start && (uintptr_t)address < end;
        } else if (is_there && strncmp(line, "VmFlags:", 8) == 0) {
            has_flag = strstr(line, flag) != NULL;
        }
    }
    (void)fclose(file);
    return has_flag;
}

#endif
