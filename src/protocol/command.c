/* The command table. Not the handlers. Threads: any. Memory: static. */
#include "sessiond/protocol/command.h"

#include <stddef.h>

enum { LETTERS_MAX = 6 }; /* of one command */

/* One letter of a literal, as a set; `0` is in none, nor is what would be behind its end. */
#define INDEX_IN(letters, i) ((i) < sizeof(letters) ? (i) : sizeof(letters) - 1)
#define LETTER_AT(letters, i)                                                                      \
    ((letters)[INDEX_IN(letters, i)] >= 'A' ? COMMAND_LETTER((letters)[INDEX_IN(letters, i)]) : 0)
#define LETTERS_OF(letters)                                                                        \
    (LETTER_AT(letters, 0) | LETTER_AT(letters, 1) | LETTER_AT(letters, 2) |                       \
     LETTER_AT(letters, 3) | LETTER_AT(letters, 4) | LETTER_AT(letters, 5))

static const struct command commands[] = {
#define COMMAND(id, word, arguments, handler, mode, syntax, doc)                                   \
    {COMMAND_##id,          word,        sizeof(word) - 1, arguments,                              \
     LETTERS_OF(arguments), MODE_##mode, syntax,           doc},
#include "sessiond/protocol/commands.def"
#undef COMMAND
};

#define COMMAND(id, word, arguments, handler, mode, syntax, doc)                                   \
    _Static_assert(sizeof(arguments) - 1 <= LETTERS_MAX, "LETTERS_OF sees every letter");
#include "sessiond/protocol/commands.def"
#undef COMMAND

const struct command *command_find(struct slice word)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        const struct command *command = &commands[i];

        if (slice_equal(word, slice_of(command->word, command->word_size))) {
            return command;
        }
    }
    return NULL;
}

const struct command *command_get_row(enum command_id id)
{
    return &commands[id];
}
