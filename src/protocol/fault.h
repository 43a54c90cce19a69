/* What is wrong with a line.
 *
 * Private to the protocol. */
#ifndef SESSIOND_SRC_PROTOCOL_FAULT_H
#define SESSIOND_SRC_PROTOCOL_FAULT_H

#include "sessiond/protocol/reply.h"

#include <stdbool.h>

/* When several things are wrong, the first one counts, but for the byte count: without it nobody knows where the next
 * request begins. */
struct argument_fault {
    bool is_set;
    enum reply reply;
    bool bytes_unknown; /* the byte count is missing or no number */
    bool bytes_absurd;  /* it is a number, but beyond every limit */
};

/** Note what is wrong, unless something was before. */
static inline void fault_note(struct argument_fault *fault, enum reply reply)
{
    if (!fault->is_set) {
        fault->is_set = true;
        fault->reply = reply;
    }
}

#endif
