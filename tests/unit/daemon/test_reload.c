/* Unit tests of reloads: all of a file or nothing, the ranks of sources, and the desk where workers ask. */
#include "reload.h"

#include "captured.h"
#include "settings_fixture.h"
#include "suite_main.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct settings_fixture fixture;
static const struct supervisor nobody = {.notifier.fd = -1, .timer = -1};
static struct reloader *reloader;
static struct report changes;
static char path[] = "/tmp/sessiond-test-XXXXXX";

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(close(fd), 0);
}

/* Settings in use, of that command line and of that file. */
static void open_reloader(const char *line, const char *text)
{
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    write_file(text);
    settings_open(&fixture);
    ck_assert_int_eq(settings_read_line(&fixture, line), SESS_OK);
    ck_assert_int_eq(config_file_read(&fixture.registry, path, &fixture.error), SESS_OK);
    ck_assert_int_eq(reloader_create(&fixture.settings, &fixture.registry, path, &nobody, &reloader,
                                     &fixture.error),
                     SESS_OK);
}

static void close_reloader(void)
{
    reloader_destroy(&reloader);
    ck_assert_ptr_null(reloader);
    report_release(&changes);
    changes = (struct report){.is_cut = false};
    (void)unlink(path);
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    log_set_level(LOG_LEVEL_INFO);
}

static enum sess_status reload(const char *text)
{
    write_file(text);
    report_release(&changes);
    changes = (struct report){.is_cut = false};
    return reloader_run(reloader, "somebody", &changes, &fixture.error);
}

/* The lines `NAME VALUE` of the changes, in their order, with semicolons. */
static void expect_changes(const char *expected)
{
    char text[1024] = "";
    size_t used = 0;
    size_t position = 0;
    struct slice name;
    struct slice value;

    while (report_next(&changes, &position, &name, &value)) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%.*s %.*s;", (int)name.size,
                             (const char *)name.data, (int)value.size, (const char *)value.data);
    }
    ck_assert_str_eq(text, expected);
}

/* New values, and the defaults of what is not in the file any more; what is as before is not told. */
START_TEST(test_applies)
{
    open_reloader("", "idle-timeout = 10s\ncommand-timeout = 5s\n");
    ck_assert_int_eq(reload("flush-all = allow\nlog-level = error\ncommand-timeout = 5s\n"),
                     SESS_OK);
    ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_ALLOW);
    ck_assert_uint_eq(fixture.settings.net.idle_timeout, 0);
    ck_assert_uint_eq(fixture.settings.net.command_timeout, 5000);
    expect_changes("idle-timeout none;flush-all allow;log-level error;");
    captured_start();
    log_write(LOG_LEVEL_INFO, "not written any more");
    ck_assert_str_eq(captured_end(), "");
    ck_assert_int_eq(reload("flush-all = allow\nlog-level = error\ncommand-timeout = 5s\n"),
                     SESS_OK);
    expect_changes("");
    close_reloader();
}
END_TEST

/* Each wrong file changes nothing, though what stands in front of the mistake is in order; both the answer
 * and the log say what is wrong. */
START_TEST(test_all_or_nothing)
{
    static const struct {
        const char *text;
        const char *told;
    } rows[] = {
        {"idle-timeout = 10s\nno-such-option = 1\n", ":2: there is no option 'no-such-option'"},
        {"idle-timeout = 10s\nflush-all = perhaps\n", ":2: flush-all: 'perhaps' will not do"},
        {"idle-timeout = 10s\nthreads = 1000\n", ":2: threads: '1000' will not do"},
        {"idle-timeout = 10s\nmax-value = 64m\nmemory = 16m\n", "raise"},
        {"idle-timeout = 10s\nlisten = 0.0.0.0:0\n", "insecure-listen"},
        {"idle-timeout = 10s\nadmin-allow = no-such-user-here\n", "no-such-user-here"},
        {"idle-timeout = 10s\n\33[2J = 1\n", "'\\x1b[2J'"},
    };

    open_reloader("", "flush-all = allow\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        captured_start();
        ck_assert_int_eq(reload(rows[i].text), SESS_REFUSED);
        ck_assert_ptr_nonnull(
            strstr(captured_end(), "error reload for somebody refused: nothing was changed"));
        settings_expect_error(&fixture, rows[i].told);
        settings_expect_error(&fixture, "nothing was changed: ");
        ck_assert_uint_eq(fixture.settings.net.idle_timeout, 0);
        ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_ALLOW);
        expect_changes("");
    }
    close_reloader();
}
END_TEST

/* The command line ranks above the file, still; a value that it outranks is checked. */
START_TEST(test_command_line_holds)
{
    open_reloader("--idle-timeout 30s --listen unix:/s", "");
    ck_assert_int_eq(reload("idle-timeout = 10s\nlisten = 127.0.0.1:1\nflush-all = allow\n"),
                     SESS_OK);
    ck_assert_uint_eq(fixture.settings.net.idle_timeout, 30000);
    expect_changes("flush-all allow;");
    ck_assert_int_eq(reload("idle-timeout = soon\n"), SESS_REFUSED);
    ck_assert_uint_eq(fixture.settings.commands.flush_all, FLUSH_ALL_ALLOW);
    close_reloader();
}
END_TEST

/* What only a start reads is told and left alone; so is a max-connections above the start's. */
START_TEST(test_needs_a_restart)
{
    open_reloader("--data-dir none", "max-connections = 100\n");
    ck_assert_int_eq(reload("max-connections = 200\nthreads = 3\nlisten = 127.0.0.1:1\nlisten = "
                            "127.0.0.1:2\nfsync = always\n"),
                     SESS_OK);
    expect_changes("listen 127.0.0.1:1 (needs a restart);listen 127.0.0.1:2 (needs a restart);"
                   "threads 3 (needs a restart);max-connections 200;fsync always (needs a restart);"
                   "max-connections 100 until a restart;");
    ck_assert_uint_eq(fixture.settings.net.threads, 0);
    ck_assert_uint_eq(fixture.settings.net.listen.n_items, 1);
    ck_assert_uint_eq(fixture.settings.journal.fsync, FSYNC_EVERYSEC);
    close_reloader();
}
END_TEST

/* A file that is gone or was never there, or that is none. */
START_TEST(test_no_file)
{
    open_reloader("", "");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(reloader_run(reloader, "somebody", &changes, &fixture.error), SESS_REFUSED);
    settings_expect_error(&fixture, "No such file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(reloader_run(reloader, "somebody", &changes, &fixture.error), SESS_REFUSED);
    settings_expect_error(&fixture, "is no plain file");
    close_reloader();
    settings_open(&fixture);
    ck_assert_int_eq(reloader_create(&fixture.settings, &fixture.registry, NULL, &nobody, &reloader,
                                     &fixture.error),
                     SESS_OK);
    ck_assert_int_eq(reloader_run(reloader, "somebody", &changes, &fixture.error), SESS_REFUSED);
    settings_expect_error(&fixture, "without --config");
    close_reloader();
}
END_TEST

static enum sess_status ask(const char *peer)
{
    report_release(&changes);
    changes = (struct report){.is_cut = false};
    return reloader_ask(reloader, peer, &changes, &fixture.error);
}

/* Who asks is told to wait until the first thread has done it, and gets the answer once; others wait behind. */
START_TEST(test_desk)
{
    static const char one[] = "uid 1, pid 1";
    static const char two[] = "uid 2, pid 2";

    open_reloader("", "");
    reloader_serve(reloader); /* nobody has asked */
    write_file("idle-timeout = 10s\n");
    ck_assert_int_eq(ask(one), SESS_BUSY);
    ck_assert_int_eq(ask(one), SESS_BUSY);
    ck_assert_int_eq(ask(two), SESS_BUSY);
    ck_assert_uint_eq(fixture.settings.net.idle_timeout, 0);
    captured_start();
    reloader_serve(reloader);
    ck_assert_ptr_nonnull(strstr(captured_end(), "reload for uid 1, pid 1"));
    ck_assert_int_eq(ask(two), SESS_BUSY);
    ck_assert_int_eq(ask(one), SESS_OK);
    expect_changes("idle-timeout 10s;");
    write_file("idle-timeout = soon\n");
    ck_assert_int_eq(ask(two), SESS_BUSY);
    reloader_serve(reloader);
    ck_assert_int_eq(ask(two), SESS_REFUSED);
    settings_expect_error(&fixture, "'soon' will not do");
    close_reloader();
}
END_TEST

/* An answer that nobody fetches, for its connection is gone, does not keep others out for ever. */
START_TEST(test_answer_is_left)
{
    static const char one[] = "uid 1, pid 1";
    static const char two[] = "uid 2, pid 2";
    unsigned n_asked = 0;

    open_reloader("", "");
    write_file("idle-timeout = 10s\n");
    ck_assert_int_eq(ask(one), SESS_BUSY);
    reloader_serve(reloader);
    while (ask(two) == SESS_BUSY) {
        ck_assert_uint_lt(++n_asked, 1000);
        reloader_serve(reloader);
    }
    expect_changes("");
    close_reloader();
}
END_TEST

/* Texts and lists are read by many threads, without a lock: no reload may touch them. */
START_TEST(test_what_is_reloadable_is_a_number)
{
    settings_open(&fixture);
    for (size_t i = 0; i < fixture.registry.n_options; i++) {
        const struct option_table *table = fixture.registry.options[i].table;

        for (size_t n = 0; n < table->n_rows; n++) {
            bool is_text = table->rows[n].kind == OPTION_TEXT || table->rows[n].kind == OPTION_LIST;

            ck_assert_msg(!is_text || (table->rows[n].flags & OPTION_RELOADABLE) == 0, "%s",
                          table->rows[n].field);
        }
    }
}
END_TEST

SUITE_MAIN("daemon/reload", test_applies, test_all_or_nothing, test_command_line_holds,
           test_needs_a_restart, test_no_file, test_desk, test_answer_is_left,
           test_what_is_reloadable_is_a_number)
