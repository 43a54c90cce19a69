/* The entry: command line, config file, and what they ask for. */
#include "sessiond/daemon/command_line.h"
#include "sessiond/daemon/config_file.h"
#include "sessiond/daemon/daemon.h"
#include "sessiond/daemon/privileges.h"

#include <stdio.h>

static enum exit_code complain(enum exit_code code, const struct sess_error *error)
{
    (void)fprintf(stderr, "sessiond: %s\n", error->text);
    if (code == EXIT_COMMAND_LINE) {
        (void)fputs("sessiond --help lists the options.\n", stderr);
    }
    return code;
}

static enum exit_code check(const struct settings *settings)
{
    struct identity identity;
    struct sess_error error;

    if (settings_check(settings, &error) != SESS_OK ||
        privileges_check(settings->daemon.user, &error) != SESS_OK ||
        privileges_find(settings->daemon.user, &identity, &error) != SESS_OK) {
        return complain(EXIT_CONFIGURATION, &error);
    }
    (void)puts("The configuration is in order.");
    return EXIT_DONE;
}

static enum exit_code act(const struct command_line *line, struct settings *settings,
                          struct registry *registry)
{
    switch (line->action) {
    case ACTION_PRINT_CONFIG:
        settings_print(registry, stdout);
        return EXIT_DONE;
    case ACTION_CHECK_CONFIG:
        return check(settings);
    case ACTION_VERSION:
        (void)printf("sessiond %s\n", SESSIOND_VERSION);
        return EXIT_DONE;
    case ACTION_HELP:
        command_line_print_help(registry, stdout);
        return EXIT_DONE;
    default:
        return daemon_run(settings, registry, line);
    }
}

int main(int argc, char *argv[])
{
    struct settings settings;
    struct registry registry = {.n_options = 0};
    struct command_line line;
    struct sess_error error;

    if (settings_register(&settings, &registry, &error) != SESS_OK) {
        return (int)complain(EXIT_CONFIGURATION, &error);
    }
    if (command_line_read(&registry, argc, argv, &line, &error) != SESS_OK) {
        return (int)complain(EXIT_COMMAND_LINE, &error);
    }
    if (line.config_path != NULL && line.action != ACTION_HELP && line.action != ACTION_VERSION &&
        config_file_read(&registry, line.config_path, &error) != SESS_OK) {
        return (int)complain(EXIT_CONFIGURATION, &error);
    }
    return (int)act(&line, &settings, &registry);
}
