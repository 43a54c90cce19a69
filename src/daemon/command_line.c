/* The command line, on top of getopt_long. Help is generated from the same rows.
 * Threads: start-up only (getopt keeps its position in globals of the C library). Memory: the stack. */
#include "sessiond/daemon/command_line.h"

#include "sessiond/base/number.h"
#include "short_listen.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
    FIRST_ACTION = 256, /* above every letter */
    FIRST_OPTION = 512,
    LONG_OPTIONS_MAX = 128,
};

enum short_letter {
#define SHORT_OPTION(letter, id, argument, doc) SHORT_##id = (letter),
#include "sessiond/daemon/short_options.def"
#undef SHORT_OPTION
};

static const struct action_row {
    const char *name;
    const char *argument;
    const char *doc;
} action_rows[] = {
#define ACTION(id, name, argument, doc) {name, argument, doc},
#include "sessiond/daemon/actions.def"
#undef ACTION
};

static const struct short_row {
    char letter;
    const char *argument;
    const char *doc;
} short_rows[] = {
#define SHORT_OPTION(letter, id, argument, doc) {letter, argument, doc},
#include "sessiond/daemon/short_options.def"
#undef SHORT_OPTION
};

enum {
    N_ACTIONS = sizeof action_rows / sizeof action_rows[0],
    N_SHORTS = sizeof short_rows / sizeof short_rows[0],
};

/* What getopt_long wants, made of the rows. */
struct getopt_tables {
    struct option longs[LONG_OPTIONS_MAX];
    char names[LONG_OPTIONS_MAX][OPTION_TEXT_SIZE];
    struct option_binding *bindings[LONG_OPTIONS_MAX];
    const struct option_row *rows[LONG_OPTIONS_MAX];
    char shorts[2 + 2 * N_SHORTS + 1];
};

struct reading {
    struct registry *registry;
    struct command_line *out;
    struct short_listen listen;
    char hosts[OPTION_LIST_MAX * OPTION_TEXT_SIZE]; /* of all -l, by comma */
    struct sess_error *error;
};

static void make_shorts(char *out)
{
    size_t size = 0;

    /* '+': stop at the first word that is no option; ':': tell a missing value apart. */
    out[size++] = '+';
    out[size++] = ':';
    for (size_t i = 0; i < N_SHORTS; i++) {
        out[size++] = short_rows[i].letter;
        if (short_rows[i].argument != NULL) {
            out[size++] = ':';
        }
    }
    out[size] = '\0';
}

static void make_tables(struct registry *registry, struct getopt_tables *tables)
{
    size_t n = 0;

    memset(tables, 0, sizeof *tables);
    make_shorts(tables->shorts);
    for (size_t i = 0; i < N_ACTIONS; i++) {
        tables->longs[n++] = (struct option){
            .name = action_rows[i].name,
            .has_arg = action_rows[i].argument == NULL ? no_argument : required_argument,
            .val = FIRST_ACTION + ACTION_RUN + 1 + (int)i};
    }
    for (size_t i = 0; i < registry->n_options; i++) {
        struct option_binding *binding = &registry->options[i];

        for (size_t j = 0; j < binding->table->n_rows && n < LONG_OPTIONS_MAX - 1; j++, n++) {
            tables->bindings[n] = binding;
            tables->rows[n] = &binding->table->rows[j];
            option_name(tables->rows[n], tables->names[n], sizeof tables->names[n]);
            tables->longs[n] = (struct option){.name = tables->names[n],
                                               .has_arg = required_argument,
                                               .val = FIRST_OPTION + (int)n};
        }
    }
}

static enum sess_status assign_named(struct reading *reading, const char *name, const char *value)
{
    struct option_binding *binding;
    const struct option_row *row;
    enum sess_status status = registry_find_option(reading->registry, name, &binding, &row);

    if (status != SESS_OK) {
        return error_set(reading->error, status, "there is no option %s", name);
    }
    return option_assign(binding, row, value, OPTION_FROM_COMMAND_LINE, reading->error);
}

static enum sess_status assign_megabytes(struct reading *reading, const char *value)
{
    char size[OPTION_TEXT_SIZE];
    uint64_t megabytes;

    if (number_parse_u64(slice_from_text(value), UINT32_MAX, &megabytes) != SESS_OK) {
        return error_set(reading->error, SESS_INVALID,
                         "-m: '%.100s' will not do: it takes megabytes, as a number", value);
    }
    (void)snprintf(size, sizeof size, "%.200sm", value);
    return assign_named(reading, "memory", size);
}

static void take_action(struct reading *reading, enum command_line_action action, const char *value)
{
    if (action == ACTION_CONFIG) {
        reading->out->config_path = value;
    } else if (action == ACTION_SET_ASIDE_DAMAGED) {
        reading->out->sets_damaged_aside = true;
    } else if (action == ACTION_ACCEPT_CLOCK) {
        reading->out->accepts_clock = true;
    } else {
        reading->out->action = action;
    }
}

/* Several -l are one, with commas. */
static enum sess_status add_hosts(struct reading *reading, const char *hosts)
{
    size_t used = strlen(reading->hosts);
    int added = snprintf(reading->hosts + used, sizeof reading->hosts - used, "%s%s",
                         used == 0 ? "" : ",", hosts);

    reading->listen.hosts = reading->hosts;
    return added < 0 || (size_t)added >= sizeof reading->hosts - used
               ? error_set(reading->error, SESS_LIMIT, "-l: too many addresses")
               : SESS_OK;
}

static enum sess_status take_short(struct reading *reading, enum short_letter letter,
                                   const char *value)
{
    switch (letter) {
    case SHORT_PORT:
        reading->listen.port = value;
        return SESS_OK;
    case SHORT_HOST:
        return add_hosts(reading, value);
    case SHORT_SOCKET:
        reading->listen.path = value;
        return SESS_OK;
    case SHORT_MEGABYTES:
        return assign_megabytes(reading, value);
    case SHORT_CONNECTIONS:
        return assign_named(reading, "max-connections", value);
    case SHORT_THREADS:
        return assign_named(reading, "threads", value);
    case SHORT_USER:
        return assign_named(reading, "user", value);
    case SHORT_VERBOSE:
        return assign_named(reading, "log-level", "debug");
    case SHORT_NO_FLUSH:
        return assign_named(reading, "flush-all", "refuse");
    case SHORT_HELP:
        take_action(reading, ACTION_HELP, NULL);
        return SESS_OK;
    case SHORT_VERSION:
        take_action(reading, ACTION_VERSION, NULL);
        return SESS_OK;
    }
    return SESS_OK;
}

static enum sess_status take_option(struct reading *reading, const struct getopt_tables *tables,
                                    int code, const char *word)
{
    if (code == ':') {
        return error_set(reading->error, SESS_INVALID, "%s needs a value", word);
    }
    if (code == '?') {
        return error_set(reading->error, SESS_NOT_FOUND, "there is no option %.100s", word);
    }
    if (code >= FIRST_OPTION) {
        size_t n = (size_t)(code - FIRST_OPTION);

        return option_assign(tables->bindings[n], tables->rows[n], optarg, OPTION_FROM_COMMAND_LINE,
                             reading->error);
    }
    if (code >= FIRST_ACTION) {
        take_action(reading, (enum command_line_action)(code - FIRST_ACTION), optarg);
        return SESS_OK;
    }
    return take_short(reading, (enum short_letter)code, optarg);
}

/* -p, -l and -s together make the listeners. */
static enum sess_status assign_listen(struct reading *reading)
{
    char items[OPTION_LIST_MAX][OPTION_TEXT_SIZE];
    size_t n_items;
    enum sess_status status =
        short_listen_compose(&reading->listen, items, &n_items, reading->error);

    for (size_t i = 0; status == SESS_OK && i < n_items; i++) {
        status = assign_named(reading, "listen", items[i]);
    }
    return status;
}

enum sess_status command_line_read(struct registry *registry, int argc, char *const argv[],
                                   struct command_line *out, struct sess_error *error)
{
    struct getopt_tables tables;
    struct reading reading = {.registry = registry, .out = out, .error = error};
    enum sess_status status = SESS_OK;
    int code;

    *out = (struct command_line){.action = ACTION_RUN, .argc = argc, .argv = argv};
    make_tables(registry, &tables);
    /* 0 starts anew, which also lets a test read more than one command line. */
    optind = 0;
    opterr = 0;
    while (status == SESS_OK && out->action != ACTION_HELP) {
        int before = optind == 0 ? 1 : optind;

        /* Before any thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        code = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
        if (code == -1) {
            break;
        }
        status = take_option(&reading, &tables, code, argv[before]);
    }
    if (status == SESS_OK && out->action != ACTION_HELP && optind < argc) {
        status = error_set(error, SESS_INVALID, "'%.100s' is no option", argv[optind]);
    }
    return status == SESS_OK ? assign_listen(&reading) : status;
}

void command_line_print_help(const struct registry *registry, FILE *out)
{
    (void)fputs("Usage: sessiond [OPTION]...\n"
                "A session store that speaks the memcached text protocol, on 127.0.0.1:11200.\n\n",
                out);
    for (size_t i = 0; i < N_ACTIONS; i++) {
        (void)fprintf(out, "  --%-17s %-6s %s\n", action_rows[i].name,
                      action_rows[i].argument == NULL ? "" : action_rows[i].argument,
                      action_rows[i].doc);
    }
    (void)fputs("\nAs with memcached:\n", out);
    for (size_t i = 0; i < N_SHORTS; i++) {
        (void)fprintf(out, "  -%c %-10s %s\n", short_rows[i].letter,
                      short_rows[i].argument == NULL ? "" : short_rows[i].argument,
                      short_rows[i].doc);
    }
    for (size_t i = 0; i < registry->n_options; i++) {
        option_print_help(out, registry->options[i].table);
    }
    (void)fputs("\nSignals:\n", out);
#define SIGNAL(number, doc) (void)fprintf(out, "  %-8s %s\n", #number, doc);
#include "sessiond/daemon/signals.def"
#undef SIGNAL
    (void)fputs("\nExit codes:\n", out);
#define EXIT(id, code, doc) (void)fprintf(out, "  %2d  %s\n", code, doc);
#include "sessiond/daemon/exits.def"
#undef EXIT
}
