/* Options as rows of tables: one row gives the struct field, the default, the parser, the range
 * check, `--help`, `--print-config` and `stats settings`.
 *
 * Not the command line and not the config file (daemon/): those find rows here and assign text.
 * A module writes its table once:
 *
 *     #define NET_OPTIONS(X) \
 *         X(line_limit, SIZE, "8k", "1k", "1m", OPTION_FIXED, "longest command line ...")
 *     struct net_options { NET_OPTIONS(OPTION_DECLARE) };
 *
 * Columns: field (the option's name with '_' for '-'), kind, default, lowest, highest (in the same
 * form as a value; for CHOICE `lowest` lists the words), flags, doc. Threads: start-up only, but for
 * option_copy, beside which any thread may read numbers and flags: they are atomic. */
#ifndef SESSIOND_BASE_OPTION_H
#define SESSIOND_BASE_OPTION_H

#include "sessiond/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    OPTION_TEXT_SIZE = 256, /* a text value with its terminator */
    OPTION_LIST_MAX = 16,   /* values of a repeatable option */
    OPTION_ROWS_MAX = 32,   /* rows of one table */
};

struct option_list {
    char items[OPTION_LIST_MAX][OPTION_TEXT_SIZE];
    size_t n_items;
};

enum option_kind {
    OPTION_FLAG,     /* bool: yes, no */
    OPTION_COUNT,    /* uint64_t: digits */
    OPTION_SIZE,     /* uint64_t bytes: 64k, 512m, 2g */
    OPTION_DURATION, /* uint64_t milliseconds: 500ms, 10s, 14d */
    OPTION_TEXT,     /* char[OPTION_TEXT_SIZE], terminated */
    OPTION_CHOICE,   /* uint64_t: index of the word in the row's list */
    OPTION_MODE,     /* uint64_t: permissions of a file, in octal: 660 */
    OPTION_LIST,     /* struct option_list: may be given several times */
};

/* Flags of a row, to be or-ed. */
enum {
    OPTION_FIXED = 0,      /* read at start only */
    OPTION_RELOADABLE = 1, /* a reload applies it; no TEXT and no LIST */
    OPTION_NONE = 2,       /* `none` switches it off: stored as 0, or as the empty text */
    OPTION_AUTO = 4,       /* `auto` lets the daemon choose: stored as 0 */
};

#define OPTION_TYPE_FLAG(field) _Atomic bool field;
#define OPTION_TYPE_COUNT(field) _Atomic uint64_t field;
#define OPTION_TYPE_SIZE(field) _Atomic uint64_t field;
#define OPTION_TYPE_DURATION(field) _Atomic uint64_t field;
#define OPTION_TYPE_TEXT(field) char field[OPTION_TEXT_SIZE];
#define OPTION_TYPE_CHOICE(field) _Atomic uint64_t field;
#define OPTION_TYPE_MODE(field) _Atomic uint64_t field;
#define OPTION_TYPE_LIST(field) struct option_list field;
#define OPTION_DECLARE(field, kind, default_text, lowest, highest, flags, doc)                     \
    OPTION_TYPE_##kind(field)
#define OPTION_ROW(owner, field, kind, default_text, lowest, highest, flags, doc)                  \
    {#field, OPTION_##kind, offsetof(struct owner, field), default_text, lowest, highest, flags,   \
     doc},

struct option_row {
    const char *field; /* the name with '_' for '-' */
    enum option_kind kind;
    size_t offset; /* of the value in the owner's struct */
    const char *default_text;
    const char *lowest;  /* NULL: no lower bound; CHOICE: the words, by blanks */
    const char *highest; /* NULL: no upper bound */
    unsigned flags;
    const char *doc; /* what it does, in one or two sentences */
};

struct option_table {
    const char *title; /* heads the part in --print-config */
    const struct option_row *rows;
    size_t n_rows; /* <= OPTION_ROWS_MAX */
};

/* Where a value came from; a later one outranks an earlier one, whatever the order of reading. */
enum option_source { OPTION_FROM_DEFAULT, OPTION_FROM_FILE, OPTION_FROM_COMMAND_LINE };

/* A table and the struct that holds its values. */
struct option_binding {
    const struct option_table *table;
    void *values;                               /* of the table's owner; borrowed */
    enum option_source source[OPTION_ROWS_MAX]; /* of each row's value */
};

/** Bind and assign every default. returns OK | INVALID, OUT_OF_RANGE (a wrong row: a bug) */
SESS_MUST_CHECK enum sess_status option_bind(struct option_binding *binding,
                                             const struct option_table *table, void *values,
                                             struct sess_error *error);

/** The row of that name ('-' and '_' are alike), or NULL. */
const struct option_row *option_find(const struct option_binding *binding, const char *name);

/** Parse `text` and store it, unless the row has a value from a higher source. The first value of a
 *  list from a higher source replaces the earlier ones, further ones add.
 *  returns  OK | INVALID | OUT_OF_RANGE | LIMIT (list full); on failure nothing changed */
SESS_MUST_CHECK enum sess_status option_assign(struct option_binding *binding,
                                               const struct option_row *row, const char *text,
                                               enum option_source source, struct sess_error *error);

/** The value as option_assign reads it; item `index` of a list, else index is 0. Terminated.
 *  Returns false, with nothing written, when there is no such item. */
bool option_format(const struct option_binding *binding, const struct option_row *row, size_t index,
                   char *out, size_t out_size);

/** The number of a COUNT, SIZE (bytes), DURATION (milliseconds), CHOICE (index of the word) or MODE. */
uint64_t option_number(const struct option_binding *binding, const struct option_row *row);

/** Take over a row's value, and where it came from, from another binding of the same table. A number or a
 *  flag may be read by others meanwhile; a text or a list must not. */
void option_copy(struct option_binding *to, const struct option_binding *from,
                 const struct option_row *row);

/** Whether a row has the same value in both bindings of the same table. */
bool option_equal(const struct option_binding *a, const struct option_binding *b,
                  const struct option_row *row);

/** The name as people type it: `line-limit`. Terminated. */
void option_name(const struct option_row *row, char *out, size_t out_size);

/** The values a row takes, for people: `1k to 1m`, `yes or no`. Terminated. */
void option_range(const struct option_row *row, char *out, size_t out_size);

/** The sentence of a row that a reload applies, with a blank in front of it; else the empty text. Static. */
const char *option_reload_text(const struct option_row *row);

/** One paragraph a row, as for `--help`. */
void option_print_help(FILE *out, const struct option_table *table);

/** The table with comments and the present values, in the form of the config file. */
void option_print_config(FILE *out, const struct option_binding *binding);

#endif
