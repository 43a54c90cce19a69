/* The command table. Not the handlers. Threads: any. Memory: static. */
#include "sessiond/protocol/command.h"

#include <stddef.h>

static const struct command commands[] = {
#define COMMAND(id, word, arguments, handler, mode, syntax, doc)                                   \
    {COMMAND_##id, word, arguments, MODE_##mode, syntax, doc},
#include "sessiond/protocol/commands.def"
#undef COMMAND
};

const struct command *command_find(struct slice word)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (slice_is(word, commands[i].word)) {
            return &commands[i];
        }
    }
    return NULL;
}

const struct command *command_get_row(enum command_id id)
{
    return &commands[id];
}
