/* The script for bash. Threads: one. Memory: none.
 *
 * A `=` is a word of its own for bash: `--socket=/run` is three. */
#include "sessiond/ctl/completion.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char sessionctl_begin[] =
    "# How bash completes sessionctl and sessiond, by: sessionctl completion bash\n"
    "# shellcheck shell=bash\n"
    "\n"
    "# Sets present, the word to complete, and before, the one in front of it; both without their `=`.\n"
    "_sessiond_split()\n"
    "{\n"
    "    present=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    if [[ $present == = ]]; then\n"
    "        present=\n"
    "    elif [[ $before == = ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "}\n"
    "\n"
    "# _sessiond_offer WORDS [files]: those that begin as the present one does.\n"
    "_sessiond_offer()\n"
    "{\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$present\")\n"
    "    if [[ ${2-} == files ]]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$present\")\n"
    "    fi\n"
    "}\n"
    "\n"
    "_sessionctl()\n"
    "{\n"
    "    local present before\n"
    "    _sessiond_split\n"
    "    case $COMP_CWORD:${COMP_WORDS[1]}:$before in\n";

static const char sessionctl_end[] = "    *) _sessiond_offer '' ;;\n"
                                     "    esac\n"
                                     "}\n"
                                     "complete -F _sessionctl sessionctl\n";

static const char sessiond_all[] =
    "\n"
    "# The daemon that is typed says itself what it takes.\n"
    "_sessiond()\n"
    "{\n"
    "    local present before line option argument options='' wanted=no values='' files=''\n"
    "    _sessiond_split\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        '  -'*)\n"
    "            read -r option argument line <<<\"$line\"\n"
    "            options+=\" $option\"\n"
    "            [[ $option == \"$before\" ]] || continue\n"
    "            [[ $argument != [A-Z][A-Z]* ]] || wanted=yes\n"
    "            [[ $argument != @(FILE|PATH) ]] || files=files\n"
    "            ;;\n"
    "        '      Takes '*)\n"
    "            [[ $option == \"$before\" ]] || continue\n"
    "            line=${line#*Takes }\n"
    "            line=${line%%.*}\n"
    "            [[ $line != 'one of '* ]] || values=${line#one of }\n"
    "            [[ $line != 'yes or no'* ]] || values='yes no'\n"
    "            [[ $line != 'a text'* ]] || files=files\n"
    "            [[ $line != *', or '* ]] || values+=\" ${line##*, or }\"\n"
    "            ;;\n"
    "        esac\n"
    "    done < <(\"$1\" --help 2>/dev/null)\n"
    "    if [[ $wanted == yes ]]; then\n"
    "        _sessiond_offer \"$values\" \"$files\"\n"
    "    else\n"
    "        _sessiond_offer \"$options\"\n"
    "    fi\n"
    "}\n"
    "complete -F _sessiond sessiond\n";

/* Whether the placeholder of an operand or an argument stands for a file. */
static bool is_file(const char *placeholder)
{
    return placeholder != NULL &&
           (strstr(placeholder, "FILE") != NULL || strstr(placeholder, "PATH") != NULL ||
            strstr(placeholder, "DIR") != NULL);
}

/* Behind an option that has an argument. */
static void print_arguments(enum ctl_verb verb)
{
    for (size_t i = 0; i < CTL_OPTIONS; i++) {
        const struct ctl_option_row *row = &ctl_option_rows[i];

        if (row->verb == verb && row->argument != NULL) {
            (void)printf("    *:%s:--%s) _sessiond_offer ''%s ;;\n", ctl_verb_rows[verb].name,
                         row->name, is_file(row->argument) ? " files" : "");
        }
    }
}

/* Elsewhere behind the verb. */
static void print_words(enum ctl_verb verb)
{
    (void)printf("    *:%s:*) _sessiond_offer '", ctl_verb_rows[verb].name);
    if (verb == VERB_COMPLETION) {
        (void)fputs("bash ", stdout);
    }
    for (size_t i = 0; i < CTL_OPTIONS; i++) {
        if (ctl_option_rows[i].verb == verb) {
            (void)printf("--%s ", ctl_option_rows[i].name);
        }
    }
    (void)printf("--help'%s ;;\n", is_file(ctl_verb_rows[verb].operand) ? " files" : "");
}

enum ctl_exit completion_run(const struct ctl_arguments *arguments)
{
    if (strcmp(arguments->operand, "bash") != 0) {
        (void)fprintf(stderr, "sessionctl: there is no completion for '%.100s', but for bash\n",
                      arguments->operand);
        return CTL_USAGE;
    }
    (void)fputs(sessionctl_begin, stdout);
    (void)fputs("    1:*) _sessiond_offer '", stdout);
    for (int verb = 0; verb < VERB_HELP; verb++) {
        (void)printf("%s ", ctl_verb_rows[verb].name);
    }
    (void)fputs("--help --version' ;;\n", stdout);
    for (int verb = 0; verb < VERB_HELP; verb++) {
        print_arguments((enum ctl_verb)verb);
        print_words((enum ctl_verb)verb);
    }
    (void)fputs(sessionctl_end, stdout);
    (void)fputs(sessiond_all, stdout);
    return CTL_DONE;
}
