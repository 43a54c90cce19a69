/* The entry of sessionctl: the verb of the command line, run. */
#include "sessiond/ctl/arguments.h"
#include "sessiond/ctl/check.h"
#include "sessiond/ctl/completion.h"
#include "sessiond/ctl/remote.h"
#include "sessiond/ctl/transfer.h"

static enum ctl_exit run(const struct ctl_arguments *arguments)
{
    switch (arguments->verb) {
#define VERB(id, name, function, operand, doc)                                                     \
    case VERB_##id:                                                                                \
        return function(arguments);
#include "sessiond/ctl/verbs.def"
#undef VERB
    case VERB_HELP:
        ctl_arguments_print_help(arguments->help_of, stdout);
        break;
    case VERB_VERSION:
        (void)printf("sessionctl %s\n", SESSIOND_VERSION);
        break;
    }
    return CTL_DONE;
}

int main(int argc, char *argv[])
{
    struct ctl_arguments arguments;
    struct sess_error error;
    enum ctl_exit code;

    if (ctl_arguments_read(argc, argv, &arguments, &error) != SESS_OK) {
        (void)fprintf(stderr, "sessionctl: %s\nsessionctl --help lists what it can do.\n",
                      error.text);
        return CTL_USAGE;
    }
    code = run(&arguments);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fputs("sessionctl: cannot write to standard output\n", stderr);
        code = CTL_IO;
    }
    return (int)code;
}
