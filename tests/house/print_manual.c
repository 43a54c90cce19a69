/* Rows as paragraphs of man(7). Memory: none.
 *
 * What stands in backticks is bold, a placeholder such as FILE is italic. */
#include "print_manual.h"

#include "sessiond/ctl/arguments.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* One character of a text; a hyphen is one that can be typed. */
static void print_character(char c)
{
    switch (c) {
    case '\\':
        (void)fputs("\\e", stdout);
        break;
    case '-':
        (void)fputs("\\-", stdout);
        break;
    case '~':
        (void)fputs("\\(ti", stdout);
        break;
    case '^':
        (void)fputs("\\(ha", stdout);
        break;
    default:
        (void)putchar(c);
        break;
    }
}

static void print_text(const char *text)
{
    bool is_bold = false;

    for (; *text != '\0'; text++) {
        if (*text == '`') {
            is_bold = !is_bold;
            (void)fputs(is_bold ? "\\fB" : "\\fR", stdout);
        } else {
            print_character(*text);
        }
    }
}

/* A line of its own. A doc of a table may lack the capital and the full stop. */
static void print_sentence(const char *doc)
{
    char last = doc[strlen(doc) - 1];

    (void)fputs("\\&", stdout); /* whatever it begins with, it is text */
    if (islower((unsigned char)doc[0])) {
        (void)putchar(toupper((unsigned char)doc[0]));
        doc++;
    }
    print_text(doc);
    (void)puts(last == '.' ? "" : ".");
}

/* `DIR|DUMP`, `[FILE]`: the words in italics. */
static void print_placeholder(const char *text)
{
    bool is_italic = false;

    for (; *text != '\0'; text++) {
        if ((isupper((unsigned char)*text) != 0) != is_italic) {
            is_italic = !is_italic;
            (void)fputs(is_italic ? "\\fI" : "\\fR", stdout);
        }
        print_character(*text);
    }
    (void)fputs(is_italic ? "\\fR" : "", stdout);
}

/* The head of a paragraph: a word to type, and what follows it. */
static void print_tag(const char *dashes, const char *word, const char *argument)
{
    (void)puts(".TP");
    (void)fputs("\\fB", stdout);
    print_text(dashes);
    print_text(word);
    (void)fputs("\\fR", stdout);
    if (argument != NULL) {
        (void)putchar(' ');
        print_placeholder(argument);
    }
    (void)putchar('\n');
}

void manual_print_actions(const struct registry *registry)
{
    (void)registry;
#define ACTION(id, name, argument, doc)                                                            \
    print_tag("--", name, argument);                                                               \
    print_sentence(doc);
#include "sessiond/daemon/actions.def"
#undef ACTION
}

void manual_print_letters(const struct registry *registry)
{
    (void)registry;
#define SHORT_OPTION(letter, id, argument, doc)                                                    \
    print_tag("-", (const char[]){letter, '\0'}, argument);                                        \
    print_sentence(doc);
#include "sessiond/daemon/short_options.def"
#undef SHORT_OPTION
}

static void print_option(const struct option_row *row)
{
    char name[OPTION_TEXT_SIZE];
    char range[OPTION_TEXT_SIZE];

    option_name(row, name, sizeof name);
    option_range(row, range, sizeof range);
    (void)fputs(".TP\n\\fB", stdout);
    print_text(name);
    (void)fputs("\\fR = ", stdout);
    print_text(row->default_text);
    (void)putchar('\n');
    print_sentence(row->doc);
    (void)fputs(".br\nTakes ", stdout);
    print_text(range);
    (void)printf(".%s\n", option_reload_text(row));
}

void manual_print_options(const struct registry *registry)
{
    for (size_t i = 0; i < registry->n_options; i++) {
        const struct option_table *table = registry->options[i].table;

        (void)printf(".SS %s\n", table->title);
        for (size_t row = 0; row < table->n_rows; row++) {
            print_option(&table->rows[row]);
        }
    }
}

void manual_print_signals(const struct registry *registry)
{
    (void)registry;
#define SIGNAL(number, doc)                                                                        \
    print_tag("", #number, NULL);                                                                  \
    print_sentence(doc);
#include "sessiond/daemon/signals.def"
#undef SIGNAL
}

#define EXIT(id, code, doc)                                                                        \
    print_tag("", #code, NULL);                                                                    \
    print_sentence(doc);

void manual_print_exits(const struct registry *registry)
{
    (void)registry;
#include "sessiond/daemon/exits.def"
}

void manual_print_tool_exits(const struct registry *registry)
{
    (void)registry;
#include "sessiond/ctl/exits.def"
}

#undef EXIT

static void print_tool_options(enum ctl_verb verb)
{
    size_t n_options = 0;

    for (size_t i = 0; i < CTL_OPTIONS; i++) {
        n_options += ctl_option_rows[i].verb == verb;
    }
    if (n_options == 0) {
        return;
    }
    (void)puts(".RS");
    for (size_t i = 0; i < CTL_OPTIONS; i++) {
        const struct ctl_option_row *row = &ctl_option_rows[i];

        if (row->verb == verb) {
            print_tag("--", row->name, row->argument);
            print_sentence(row->doc);
        }
    }
    (void)puts(".RE");
}

void manual_print_tool_verbs(const struct registry *registry)
{
    (void)registry;
    for (int verb = 0; verb < VERB_HELP; verb++) {
        print_tag("", ctl_verb_rows[verb].name, ctl_verb_rows[verb].operand);
        print_sentence(ctl_verb_rows[verb].doc);
        print_tool_options((enum ctl_verb)verb);
    }
}
