/* Verbs by the admin socket. Threads: one. Memory: the stack. */
#include "sessiond/ctl/remote.h"

#include "consent.h"
#include "sessiond/ctl/client.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { WORD_MAX = 64, NAME_WIDTH = 32 };

/* Each verb's --socket. */
static const enum ctl_option sockets[] = {
    [VERB_PING] = OPTION_PING_SOCKET,
    [VERB_STATS] = OPTION_STATS_SOCKET,
    [VERB_RELOAD] = OPTION_RELOAD_SOCKET,
    [VERB_FLUSH] = OPTION_FLUSH_SOCKET,
};

static enum sess_status open_client(const struct ctl_arguments *arguments, struct client *client,
                                    struct sess_error *error)
{
    return client_open(arguments->options[sockets[arguments->verb]], client, error);
}

enum ctl_exit ping_run(const struct ctl_arguments *arguments)
{
    struct client client;
    struct sess_error error;
    enum sess_status status = open_client(arguments, &client, &error);

    if (status == SESS_OK) {
        status = client_ask(&client, "ping", NULL, NULL, &error);
        client_close(&client);
    }
    if (status != SESS_OK) {
        return complain(status, &error);
    }
    (void)printf("sessiond answers at %s\n", client.path);
    return CTL_DONE;
}

/* `STAT NAME VALUE` as people read it; any other line as it is. */
static void print_figure(void *context, const char *line)
{
    const char *name = strncmp(line, "STAT ", 5) == 0 ? line + 5 : line;
    int width = (int)strcspn(name, " ");

    (void)context;
    (void)printf("%-*.*s %s\n", NAME_WIDTH, width, name,
                 name[width] == ' ' ? name + width + 1 : "");
}

/* One word: it must not end the line, nor begin another. */
static bool is_word(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return size <= WORD_MAX;
}

enum ctl_exit stats_run(const struct ctl_arguments *arguments)
{
    const char *what = arguments->operand == NULL ? "" : arguments->operand;
    char line[WORD_MAX + sizeof "stats "];
    struct client client;
    struct sess_error error;
    enum sess_status status;

    if (!is_word(what)) {
        return complain(
            error_set(&error, SESS_INVALID, "stats: WHAT is one word, such as settings"), &error);
    }
    (void)snprintf(line, sizeof line, "stats %s", what);
    status = open_client(arguments, &client, &error);
    if (status == SESS_OK) {
        status = client_ask(&client, line, print_figure, NULL, &error);
        client_close(&client);
    }
    return status == SESS_OK ? CTL_DONE : complain(status, &error);
}

enum ctl_exit reload_run(const struct ctl_arguments *arguments)
{
    struct client client;
    struct sess_error error;
    enum sess_status status = open_client(arguments, &client, &error);

    if (status != SESS_OK) {
        return complain(status, &error);
    }
    status = client_ask(&client, "reload", print_figure, NULL, &error);
    client_close(&client);
    if (status != SESS_OK) {
        enum ctl_exit code = complain(status, &error);

        return status == SESS_REFUSED ? CTL_CONFIGURATION : code;
    }
    (void)printf("%s: reloaded\n", client.path);
    return CTL_DONE;
}

static bool is_meant(const char *path)
{
    return consent_asked("All sessions of the sessiond at %s end: everybody is logged out.", path);
}

static enum sess_status flush(const struct ctl_arguments *arguments, struct client *client,
                              struct sess_error *error)
{
    if (arguments->options[OPTION_FLUSH_YES] == NULL && !is_meant(client->path)) {
        return error_set(error, SESS_REFUSED, "nothing was flushed");
    }
    return client_ask(client, "flush", NULL, NULL, error);
}

enum ctl_exit flush_run(const struct ctl_arguments *arguments)
{
    struct client client;
    struct sess_error error;
    enum sess_status status;

    if (arguments->options[OPTION_FLUSH_YES] == NULL && !isatty(STDIN_FILENO)) {
        return complain(error_set(&error, SESS_INVALID,
                                  "flush: there is no terminal to ask back: give --yes if it is "
                                  "meant that everybody is logged out"),
                        &error);
    }
    status = open_client(arguments, &client, &error);
    if (status == SESS_OK) {
        status = flush(arguments, &client, &error);
        client_close(&client);
    }
    if (status != SESS_OK) {
        return complain(status, &error);
    }
    (void)printf("%s: all sessions have ended\n", client.path);
    return CTL_DONE;
}
