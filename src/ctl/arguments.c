/* Reading arguments, on top of getopt_long; help of the same rows.
 * Threads: start-up only (getopt keeps its position in globals of the C library). Memory: the stack. */
#include "sessiond/ctl/arguments.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

enum {
    N_VERBS = VERB_HELP,
    CODE_HELP = CTL_OPTIONS,
};

const struct ctl_verb_row ctl_verb_rows[N_VERBS] = {
#define VERB(id, name, function, operand, doc) {name, operand, doc},
#include "sessiond/ctl/verbs.def"
#undef VERB
};

const struct ctl_option_row ctl_option_rows[CTL_OPTIONS] = {
#define OPTION(verb, id, name, argument, doc) {VERB_##verb, name, argument, doc},
#include "sessiond/ctl/options.def"
#undef OPTION
};

static void make_longs(enum ctl_verb verb, struct option *longs)
{
    size_t n = 0;

    for (int i = 0; i < CTL_OPTIONS; i++) {
        if (ctl_option_rows[i].verb == verb) {
            longs[n++] = (struct option){
                .name = ctl_option_rows[i].name,
                .has_arg = ctl_option_rows[i].argument == NULL ? no_argument : required_argument,
                .val = i};
        }
    }
    longs[n++] = (struct option){.name = "help", .has_arg = no_argument, .val = CODE_HELP};
    longs[n] = (struct option){.name = NULL};
}

static enum sess_status take_operands(int argc, char *const argv[], struct ctl_arguments *out,
                                      struct sess_error *error)
{
    const char *operand = ctl_verb_rows[out->verb].operand;
    bool is_given = optind < argc && argv[optind][0] != '\0';

    if (operand == NULL && optind < argc) {
        return error_set(error, SESS_INVALID, "%s takes no '%.100s'", ctl_verb_rows[out->verb].name,
                         argv[optind]);
    }
    if (!is_given) {
        return operand == NULL || operand[0] == '['
                   ? SESS_OK
                   : error_set(error, SESS_INVALID, "%s needs %s", ctl_verb_rows[out->verb].name,
                               operand);
    }
    if (optind + 1 < argc) {
        return error_set(error, SESS_INVALID, "%s takes one %s: '%.100s' is one too many",
                         ctl_verb_rows[out->verb].name, operand, argv[optind + 1]);
    }
    out->operand = argv[optind];
    return SESS_OK;
}

/* The words behind the verb, which stands for the program's name here. */
static enum sess_status read_verb(int argc, char *const argv[], struct ctl_arguments *out,
                                  struct sess_error *error)
{
    struct option longs[CTL_OPTIONS + 2];
    int code;

    make_longs(out->verb, longs);
    /* 0 starts anew, which also lets a test read more than once. */
    optind = 0;
    opterr = 0;
    /* Before any thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((code = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        switch (code) {
        case ':':
            return error_set(error, SESS_INVALID, "%.100s needs a value", argv[optind - 1]);
        case '?':
            return error_set(error, SESS_INVALID, "%s has no option %.100s",
                             ctl_verb_rows[out->verb].name, argv[optind - 1]);
        case 'h':
        case CODE_HELP:
            out->help_of = out->verb;
            out->verb = VERB_HELP;
            return SESS_OK;
        default:
            out->options[code] = optarg == NULL ? "" : optarg;
            break;
        }
    }
    return take_operands(argc, argv, out, error);
}

enum sess_status ctl_arguments_read(int argc, char *const argv[], struct ctl_arguments *out,
                                    struct sess_error *error)
{
    const char *word = argc < 2 ? "" : argv[1];

    *out = (struct ctl_arguments){.verb = VERB_HELP, .help_of = VERB_HELP};
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        return SESS_OK;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        out->verb = VERB_VERSION;
        return SESS_OK;
    }
    for (int i = 0; i < N_VERBS; i++) {
        if (strcmp(word, ctl_verb_rows[i].name) == 0) {
            out->verb = (enum ctl_verb)i;
            return read_verb(argc - 1, argv + 1, out, error);
        }
    }
    return word[0] == '\0'
               ? error_set(error, SESS_INVALID, "it wants to be told what to do")
               : error_set(error, SESS_INVALID, "'%.100s' is nothing that it can do", word);
}

static void print_options(enum ctl_verb verb, FILE *out)
{
    for (size_t i = 0; i < CTL_OPTIONS; i++) {
        const struct ctl_option_row *row = &ctl_option_rows[i];

        if (row->verb == verb) {
            (void)fprintf(out, "  --%-10s %-5s %s\n", row->name,
                          row->argument == NULL ? "" : row->argument, row->doc);
        }
    }
    (void)fprintf(out, "  --%-10s %-5s %s\n", "help", "", "print this, and end");
}

void ctl_arguments_print_help(enum ctl_verb verb, FILE *out)
{
    if (verb != VERB_HELP) {
        const char *operand = ctl_verb_rows[verb].operand;

        (void)fprintf(out, "Usage: sessionctl %s%s%s [OPTION]...\n%s.\n\n",
                      ctl_verb_rows[verb].name, operand == NULL ? "" : " ",
                      operand == NULL ? "" : operand, ctl_verb_rows[verb].doc);
        print_options(verb, out);
    } else {
        (void)fputs("Usage: sessionctl VERB ...\nThe tool beside the session store sessiond.\n\n",
                    out);
        for (size_t i = 0; i < N_VERBS; i++) {
            (void)fprintf(out, "  %-10s %-9s %s\n", ctl_verb_rows[i].name,
                          ctl_verb_rows[i].operand == NULL ? "" : ctl_verb_rows[i].operand,
                          ctl_verb_rows[i].doc);
        }
        (void)fputs("  --help               print this, and end\n"
                    "  --version            print the version, and end\n\n"
                    "sessionctl VERB --help lists the options of a verb.\n",
                    out);
    }
    (void)fputs("\nExit codes:\n", out);
#define EXIT(id, code, doc) (void)fprintf(out, "  %2d  %s\n", code, doc);
#include "sessiond/ctl/exits.def"
#undef EXIT
}
