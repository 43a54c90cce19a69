/* Attached values. Who attaches them: get.c. Threads: any. Memory: the store's blocks. */
#include "sessiond/command/attached.h"

#include "sessiond/store/value.h"

struct slice attached_bytes(const struct value_block *value)
{
    return value_block_bytes(value);
}

void attached_release(const struct command_shared *shared, struct value_block **value)
{
    if (*value == NULL) {
        return;
    }
    value_block_take_back(*value, shared->replies);
    *value = NULL;
}
