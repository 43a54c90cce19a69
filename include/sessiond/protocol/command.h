/* The command table: one row for each command word.
 *
 * Not what commands do (room command). Source: protocol/commands.def. */
#ifndef SESSIOND_PROTOCOL_COMMAND_H
#define SESSIOND_PROTOCOL_COMMAND_H

#include "sessiond/base/slice.h"

enum command_id {
#define COMMAND(id, word, arguments, handler, mode, syntax, doc) COMMAND_##id,
#include "sessiond/protocol/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

/* What tells the variants of one handler apart. */
enum command_mode {
    MODE_PLAIN,
    MODE_ADMIN,          /* a verb that only admin listeners know */
    MODE_WITH_CAS,       /* gets: with the CAS id */
    MODE_TOUCH,          /* gat: with a new exptime */
    MODE_TOUCH_WITH_CAS, /* gats */
    MODE_SET,
    MODE_ADD,
    MODE_REPLACE,
    MODE_APPEND,
    MODE_PREPEND,
    MODE_CAS,
    MODE_INCREMENT,
    MODE_DECREMENT,
};

struct command {
    enum command_id id;
    const char *word;
    size_t word_size;      /* bytes */
    const char *arguments; /* letters: see commands.def */
    uint64_t letters;      /* the same as a set: command_letter of each */
    enum command_mode mode;
    const char *syntax;
    const char *doc;
};

/** The row of a word, or NULL. Words are case-sensitive. */
const struct command *command_find(struct slice word);

/** A letter's place in `letters`: a letter or `~`. */
#define COMMAND_LETTER(letter) ((uint64_t)1 << (((letter) - 'A') & 63))

/** Whether it is among the command's arguments. */
static inline bool command_takes(const struct command *command, uint64_t letters)
{
    return (command->letters & letters) != 0;
}

/** Whether a data block follows the line. */
static inline bool command_takes_data(const struct command *command)
{
    return command_takes(command, COMMAND_LETTER('b'));
}

/** Whether the line ends in keys, each run on its own. */
static inline bool command_takes_keys(const struct command *command)
{
    return command_takes(command, COMMAND_LETTER('K') | COMMAND_LETTER('Z'));
}

/** Whether at least one of them must be there. */
static inline bool command_needs_key(const struct command *command)
{
    return command_takes(command, COMMAND_LETTER('K'));
}

/** Whether it may end in `noreply`. */
static inline bool command_takes_noreply(const struct command *command)
{
    return command_takes(command, COMMAND_LETTER('n'));
}

/** Whether it ends in flags: a meta command. */
static inline bool command_takes_flags(const struct command *command)
{
    return command_takes(command, COMMAND_LETTER('m'));
}

/** The row of an id. */
const struct command *command_get_row(enum command_id id);

#endif
