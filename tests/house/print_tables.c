/* Prints one table of the documentation, from the rows that the program is made of: as Markdown here, as roff for
 * the manual in print_manual.c.
 *
 * Not a part of the daemon: tests/house/check_generated.py compares and rewrites the docs with it. */
#include "print_manual.h"
#include "sessiond/base/registry.h"
#include "sessiond/daemon/figures.h"
#include "sessiond/daemon/settings.h"
#include "sessiond/protocol/command.h"
#include "sessiond/protocol/reply.h"

#include <stdio.h>
#include <string.h>

static void print_rows(bool is_admin)
{
    (void)puts("| command | what it does |\n|---|---|");
    for (unsigned id = 0; id < COMMAND_COUNT; id++) {
        const struct command *row = command_get_row((enum command_id)id);

        if ((row->mode == MODE_ADMIN) == is_admin) {
            (void)printf("| `%s` | %s |\n", row->syntax, row->doc);
        }
    }
}

static void print_commands(const struct registry *registry)
{
    (void)registry;
    print_rows(false);
}

static void print_verbs(const struct registry *registry)
{
    (void)registry;
    print_rows(true);
}

static void print_replies(const struct registry *registry)
{
    (void)registry;
    (void)puts("| reply | what it says |\n|---|---|");
    for (unsigned id = 0; id < REPLY_COUNT; id++) {
        const struct reply_row *row = reply_get_row((enum reply)id);

        (void)printf("| `%s` | %s |\n", row->text, row->doc);
    }
}

static void print_metrics(const struct registry *registry)
{
    (void)puts("| name | kind | what it is |\n|---|---|---|");
    for (size_t i = 0; i < registry->n_metrics; i++) {
        const struct metric_table *table = registry->metrics[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            (void)printf("| `%s` | %s | %s |\n", table->rows[row].name,
                         metric_kind_text(table->rows[row].kind), table->rows[row].doc);
        }
    }
}

static void print_sections(const struct registry *registry)
{
    (void)puts("| command | what it shows |\n|---|---|");
    for (size_t i = 0; i < registry->n_sections; i++) {
        (void)printf("| `stats %s` | %s |\n", registry->sections[i].name,
                     registry->sections[i].doc);
    }
}

static void print_options(const struct registry *registry)
{
    (void)puts("| option | default | takes | what it does |\n|---|---|---|---|");
    for (size_t i = 0; i < registry->n_options; i++) {
        const struct option_table *table = registry->options[i].table;

        for (size_t row = 0; row < table->n_rows; row++) {
            char name[OPTION_TEXT_SIZE];
            char range[OPTION_TEXT_SIZE];

            option_name(&table->rows[row], name, sizeof name);
            option_range(&table->rows[row], range, sizeof range);
            (void)printf("| `%s` | `%s` | %s | %s |\n", name, table->rows[row].default_text, range,
                         table->rows[row].doc);
        }
    }
}

static void print_signals(const struct registry *registry)
{
    (void)registry;
    (void)puts("| signal | what happens |\n|---|---|");
#define SIGNAL(number, doc) (void)puts("| " #number " | " doc " |");
#include "sessiond/daemon/signals.def"
#undef SIGNAL
}

static void print_exits(const struct registry *registry)
{
    (void)registry;
    (void)puts("| exit code | why |\n|---|---|");
#define EXIT(id, code, doc) (void)puts("| " #code " | " doc " |");
#include "sessiond/daemon/exits.def"
#undef EXIT
}

static const struct {
    const char *name;
    void (*print)(const struct registry *registry);
} tables[] = {
    {"commands", print_commands},
    {"verbs", print_verbs},
    {"replies", print_replies},
    {"metrics", print_metrics},
    {"sections", print_sections},
    {"options", print_options},
    {"signals", print_signals},
    {"exits", print_exits},
    {"man-actions", manual_print_actions},
    {"man-letters", manual_print_letters},
    {"man-options", manual_print_options},
    {"man-signals", manual_print_signals},
    {"man-exits", manual_print_exits},
    {"man-tool-verbs", manual_print_tool_verbs},
    {"man-tool-exits", manual_print_tool_exits},
};

int main(int argc, char *argv[])
{
    struct settings settings;
    struct registry registry = {.n_options = 0};
    struct sess_error error;

    if (settings_register(&settings, &registry, &error) != SESS_OK ||
        figures_register(&registry, NULL, NULL, NULL) != SESS_OK ||
        figures_register_journal(&registry, NULL) != SESS_OK) {
        (void)fputs("print_tables: the rows cannot be registered\n", stderr);
        return 1;
    }
    for (size_t i = 0; argc == 2 && i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(argv[1], tables[i].name) == 0) {
            tables[i].print(&registry);
            return 0;
        }
    }
    (void)fputs("Usage: print_tables TABLE, which is one of those at the end of print_tables.c\n",
                stderr);
    return 64;
}
