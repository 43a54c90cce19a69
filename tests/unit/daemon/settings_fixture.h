/* Settings with their registry, a config file, and a command line to read into them.
 *
 * For tests of the daemon's room alone. */
#ifndef SESSIOND_TESTS_UNIT_DAEMON_SETTINGS_FIXTURE_H
#define SESSIOND_TESTS_UNIT_DAEMON_SETTINGS_FIXTURE_H

#include "sessiond/daemon/command_line.h"
#include "sessiond/daemon/config_file.h"
#include "sessiond/daemon/settings.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIXTURE_ARGUMENTS_MAX = 48, FIXTURE_PATH_SIZE = 64, FIXTURE_WORDS_SIZE = 4096 };

struct settings_fixture {
    struct settings settings;
    struct registry registry;
    struct command_line line;
    struct sess_error error;
    char path[FIXTURE_PATH_SIZE];   /* of the last config file */
    char words[FIXTURE_WORDS_SIZE]; /* of the last command line, each terminated */
};

/** All defaults. */
static inline void settings_open(struct settings_fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    ck_assert_int_eq(settings_register(&fixture->settings, &fixture->registry, &fixture->error),
                     SESS_OK);
}

/** Read a config file of these bytes. */
static inline enum sess_status settings_read_bytes(struct settings_fixture *fixture,
                                                   struct slice bytes)
{
    enum sess_status status;
    int fd;

    (void)snprintf(fixture->path, sizeof fixture->path, "/tmp/sessiond-test-XXXXXX");
    fd = mkstemp(fixture->path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes.data, bytes.size), (ssize_t)bytes.size);
    ck_assert_int_eq(close(fd), 0);
    status = config_file_read(&fixture->registry, fixture->path, &fixture->error);
    ck_assert_int_eq(unlink(fixture->path), 0);
    return status;
}

static inline enum sess_status settings_read_file(struct settings_fixture *fixture,
                                                  const char *text)
{
    return settings_read_bytes(fixture, slice_from_text(text));
}

/** Read the command line `sessiond WORDS`, the words parted by single blanks. */
static inline enum sess_status settings_read_line(struct settings_fixture *fixture,
                                                  const char *words)
{
    char *text = fixture->words;
    char *argv[FIXTURE_ARGUMENTS_MAX + 1] = {text};
    int argc = 1;

    ck_assert_int_lt(snprintf(text, FIXTURE_WORDS_SIZE, "sessiond %s", words), FIXTURE_WORDS_SIZE);
    for (char *blank = strchr(text, ' '); blank != NULL; blank = strchr(blank + 1, ' ')) {
        *blank = '\0';
        if (blank[1] != '\0') {
            ck_assert_int_lt(argc, FIXTURE_ARGUMENTS_MAX);
            argv[argc++] = blank + 1;
        }
    }
    return command_line_read(&fixture->registry, argc, argv, &fixture->line, &fixture->error);
}

/** The error's text holds `words`. */
static inline void settings_expect_error(const struct settings_fixture *fixture, const char *words)
{
    ck_assert_msg(strstr(fixture->error.text, words) != NULL, "'%s' does not say '%s'",
                  fixture->error.text, words);
}

/** The settings as --print-config shows them; to be freed. */
static inline char *settings_printed(const struct settings_fixture *fixture)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ck_assert_ptr_nonnull(out);
    settings_print(&fixture->registry, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

#endif
