/* The census. Threads: under the shard's lock. Memory: none. */
#include "census.h"

enum {
    STEPS_LOG2 = 2, /* four size classes in an octave */
    STEPS = 1 << STEPS_LOG2,
    OCTAVE_FIRST = 4, /* 2^4: 16 B */
};

/* The time between two marks is an eighth of the age, in whole seconds. */
static const struct {
    int64_t age_s;
    int64_t step_s;
} ages[CENSUS_AGES] = {
    {60, 8},        {600, 75},       {3600, 450},       {21600, 2700},
    {86400, 10800}, {604800, 75600}, {2592000, 324000},
};

void census_init(struct census *census, int64_t now_s, uint64_t next_cas)
{
    *census = (struct census){.marked_s = now_s};
    census_restart(census, now_s, next_cas);
}

void census_restart(struct census *census, int64_t now_s, uint64_t next_cas)
{
    census->marked_s = now_s;
    census->next_mark_s = now_s;
    for (size_t age = 0; age < CENSUS_AGES; age++) {
        for (size_t i = 0; i < CENSUS_MARKS; i++) {
            census->marks[age][i] = next_cas;
        }
    }
}

int64_t census_age_s(size_t age)
{
    return ages[age].age_s;
}

size_t census_size_bytes(size_t size)
{
    return (STEPS + size % STEPS) << (size / STEPS + OCTAVE_FIRST - STEPS_LOG2);
}

/* The class of the smallest bound that is not below `bytes`; the last one takes all the rest. */
static size_t size_class(size_t bytes)
{
    size_t octave;
    size_t size;

    if (bytes <= census_size_bytes(0)) {
        return 0;
    }
    /* Of one less, so that a bound belongs to its own class. */
    octave = (size_t)(63 - __builtin_clzll(bytes - 1));
    size = (octave - OCTAVE_FIRST) * STEPS + ((bytes - 1) >> (octave - STEPS_LOG2)) - STEPS + 1;
    return size < CENSUS_SIZES ? size : CENSUS_SIZES - 1;
}

void census_add(struct census *census, size_t size_bytes)
{
    census->sizes[size_class(size_bytes)]++;
}

void census_remove(struct census *census, size_t size_bytes)
{
    census->sizes[size_class(size_bytes)]--;
}

/* Set the marks of one age that have become due; after a long pause only the last ones matter. */
static void mark_age(struct census *census, size_t age, int64_t now_s, uint64_t next_cas)
{
    int64_t from = census->marked_s / ages[age].step_s;
    int64_t last = now_s / ages[age].step_s;

    for (int64_t i = last - from < CENSUS_MARKS ? from + 1 : last - CENSUS_MARKS + 1; i <= last;
         i++) {
        census->marks[age][i % CENSUS_MARKS] = next_cas;
    }
}

void census_mark(struct census *census, int64_t now_s, uint64_t next_cas)
{
    census->next_mark_s = INT64_MAX;
    for (size_t age = 0; age < CENSUS_AGES; age++) {
        int64_t next_s = (now_s / ages[age].step_s + 1) * ages[age].step_s;

        mark_age(census, age, now_s, next_cas);
        if (next_s < census->next_mark_s) {
            census->next_mark_s = next_s;
        }
    }
    census->marked_s = now_s;
}

uint64_t census_first_cas(const struct census *census, size_t age)
{
    /* Behind the latest mark stands the oldest. */
    return census->marks[age][(census->marked_s / ages[age].step_s + 1) % CENSUS_MARKS];
}
