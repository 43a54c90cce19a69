/* The workloads that the load generator knows by name: frameworks' sessions, and this bench's own mixture. */
#ifndef BENCH_PLANS_H
#define BENCH_PLANS_H

#include "workload.h"

/** The rows, up to one without a name; the first is the default. */
extern const struct plan plans[];

/** By its name; NULL: there is none. */
const struct plan *plan_find(const char *name);

#endif
