/* Unit tests of version, quit, verbosity, stats and help. */
#include "sessiond/command/command.h"

#include "captured.h"
#include "command_fixture.h"
#include "faults.h"
#include "suite_main.h"

#include <stdio.h>

static struct command_fixture fixture;

static void say(const char *text, const char *expected)
{
    command_fixture_say(&fixture, text, expected);
}

static void report_two(void *context, struct report *report)
{
    report_add(report, "first", "%s", (const char *)context);
    report_add_u64(report, "second", 2);
}

static void report_third(void *context, struct report *report)
{
    (void)context;
    report_add_u64(report, "third", 3);
}

/* A report whose memory ran out. */
static void report_cut(void *context, struct report *report)
{
    (void)context;
    report->is_cut = true;
}

static const struct metric_row rows[] = {{"first", METRIC_TEXT, "a text"},
                                         {"second", METRIC_GAUGE, "a number"}};
static const struct metric_table table = {.rows = rows, .n_rows = 2};
static const struct metric_row other_rows[] = {{"third", METRIC_COUNTER, "another number"}};
static const struct metric_table other_table = {.rows = other_rows, .n_rows = 1};
static char word[] = "a word";

static void open_with_sections(void)
{
    struct registry *registry = &fixture.registry;

    command_fixture_open(&fixture);
    ck_assert_int_eq(registry_add_texts(registry, &table, report_two, word), SESS_OK);
    ck_assert_int_eq(registry_add_texts(registry, &other_table, report_third, NULL), SESS_OK);
    ck_assert_int_eq(registry_add_section(registry, "twice", "Two lines.", report_two, word),
                     SESS_OK);
    ck_assert_int_eq(registry_add_section(registry, "cut", "None.", report_cut, NULL), SESS_OK);
}

/* version, whatever stands behind it. */
START_TEST(test_version)
{
    command_fixture_open(&fixture);
    say("version\r\n", "VERSION 1.6.18\r\n");
    say("version of what\r\n", "VERSION 1.6.18\r\n");
    command_fixture_expect_metrics(&fixture, "");
    command_fixture_close(&fixture);
}
END_TEST

/* quit says nothing and closes. */
START_TEST(test_quit)
{
    command_fixture_open(&fixture);
    say("quit\r\n", "");
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* verbosity says OK, and the log stays as it is. */
START_TEST(test_verbosity)
{
    command_fixture_open(&fixture);
    say("verbosity 0\r\n", "OK\r\n");
    say("verbosity 1 noreply\r\n", "");
    captured_start();
    say("flush_all\r\n", "CLIENT_ERROR flush_all not allowed\r\n");
    ck_assert_ptr_nonnull(strstr(captured_end(), "flush_all from"));
    command_fixture_close(&fixture);
}
END_TEST

/* stats alone gives every table's figures, stats WORD one section, and another word is no command. */
START_TEST(test_stats)
{
    open_with_sections();
    say("stats twice\r\n", "STAT first a word\r\nSTAT second 2\r\nEND\r\n");
    say("stats\r\n", "STAT first a word\r\nSTAT second 2\r\nSTAT third 3\r\nEND\r\n");
    say("stats \r\n", "STAT first a word\r\nSTAT second 2\r\nSTAT third 3\r\nEND\r\n");
    say("stats thrice\r\n", "ERROR\r\n");
    say("stats noreply\r\n", "ERROR\r\n");
    say("stats reset\r\n", "RESET\r\n");
    say("stats twice or more\r\n", "STAT first a word\r\nSTAT second 2\r\nEND\r\n");
    ck_assert(!fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* The words of stats that tell no figures, as memcached answers them; no key is listed. */
START_TEST(test_stats_words)
{
    static const char usage[] = "CLIENT_ERROR usage: stats detail on|off|dump\r\n";

    open_with_sections();
    say("stats detail on\r\n", "OK\r\n");
    say("stats detail off\r\n", "OK\r\n");
    say("stats detail on again\r\n", "OK\r\n");
    say("stats detail dump\r\n", "END\r\n");
    say("stats detail\r\n", usage);
    say("stats detail onward\r\n", usage);
    say("set k 0 0 1\r\na\r\n", "STORED\r\n");
    say("stats cachedump\r\n", "END\r\n");
    say("stats cachedump 1 0\r\n", "END\r\n");
    say("stats cachedumps\r\n", "ERROR\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* A report that is not complete is no reply. */
START_TEST(test_stats_cut)
{
    open_with_sections();
    say("stats cut\r\n", "");
    ck_assert(fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* help lists every command and every section, one line each, and ends as figures do; verbs of admin
 * listeners only there. */
static void assert_help(bool is_admin)
{
    char line[600];

    open_with_sections();
    if (is_admin) {
        command_fixture_become_admin(&fixture);
    }
    ck_assert_int_eq(command_fixture_run(&fixture, SLICE_LITERAL("help me\r\n")), SESS_OK);
    ck_assert_int_eq(buffer_append(&fixture.out, slice_of("", 1)), SESS_OK);
    for (unsigned id = 0; id < COMMAND_COUNT; id++) {
        const struct command *row = command_get_row((enum command_id)id);

        (void)snprintf(line, sizeof line, "\r\n  %s ", row->syntax);
        ck_assert_msg((strstr((const char *)fixture.out.data, line) != NULL) ==
                          (is_admin || row->mode != MODE_ADMIN),
                      "%s", row->word);
        ck_assert_ptr_nonnull(
            strstr((const char *)fixture.out.data, is_admin ? row->doc : "Read sessions."));
    }
    ck_assert_ptr_nonnull(strstr((const char *)fixture.out.data, "\r\n  stats twice "));
    ck_assert_ptr_nonnull(strstr((const char *)fixture.out.data, " Two lines.\r\n"));
    ck_assert(slice_ends_with(slice_first(buffer_slice(&fixture.out), fixture.out.size - 1),
                              SLICE_LITERAL("\r\nEND\r\n")));
    command_fixture_close(&fixture);
}

START_TEST(test_help)
{
    assert_help(false);
    assert_help(true);
}
END_TEST

static struct {
    enum sess_status status;
    unsigned n_asked;
} reloads;

static enum sess_status reload(void *context, const char *peer, struct report *changes,
                               struct sess_error *error)
{
    faults_hold(); /* a check allocates */
    ck_assert_ptr_eq(context, &reloads);
    ck_assert_ptr_eq(peer, fixture.context.peer);
    faults_let_go();
    reloads.n_asked++;
    if (reloads.status == SESS_OK) {
        report_add(changes, "idle-timeout", "10s");
        report_add(changes, "threads", "3 (needs a restart)");
    }
    return error_set(error, reloads.status, "nothing was changed: because");
}

/* reload waits as long as it is told to, tells what changed, or why nothing did. */
START_TEST(test_reload)
{
    command_fixture_open(&fixture);
    command_fixture_become_admin(&fixture);
    say("reload\r\n", "ERROR\r\n");
    fixture.shared.reload = reload;
    fixture.shared.reload_context = &reloads;
    reloads.status = SESS_BUSY;
    ck_assert_int_eq(command_fixture_run(&fixture, SLICE_LITERAL("reload\r\n")), SESS_BUSY);
    ck_assert_uint_eq(fixture.out.size, 0);
    reloads.status = SESS_OK;
    say("reload\r\n", "STAT idle-timeout 10s\r\nSTAT threads 3 (needs a restart)\r\nOK\r\n");
    reloads.status = SESS_REFUSED;
    say("reload\r\n", "SERVER_ERROR nothing was changed: because\r\n");
    ck_assert_uint_eq(reloads.n_asked, 3);
    say("reload now\r\n", "ERROR\r\n");
    ck_assert_uint_eq(reloads.n_asked, 3);
    ck_assert(!fixture.context.must_close);
    command_fixture_close(&fixture);
}
END_TEST

/* Memory runs out at any point of a reload's reply: it is whole, or the connection closes. */
START_TEST(test_reload_without_memory)
{
    static const struct {
        enum sess_status status;
        const char *end;
    } ends[] = {{SESS_OK, "OK\r\n"}, {SESS_REFUSED, "because\r\n"}};

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        unsigned n_closed = 0;
        unsigned n_failed = 1;

        for (unsigned nth = 1; n_failed > 0; nth++) {
            enum sess_status status;

            command_fixture_open(&fixture);
            command_fixture_become_admin(&fixture);
            fixture.shared.reload = reload;
            fixture.shared.reload_context = &reloads;
            reloads.status = ends[i].status;
            faults_fail_allocation(nth);
            status = command_fixture_run(&fixture, SLICE_LITERAL("reload\r\n"));
            n_failed = faults_failed_allocations();
            faults_fail_allocation(0);
            ck_assert_int_eq(status, SESS_OK);
            ck_assert(fixture.context.must_close ||
                      slice_ends_with(buffer_slice(&fixture.out), slice_from_text(ends[i].end)));
            n_closed += fixture.context.must_close;
            command_fixture_close(&fixture);
        }
        ck_assert_uint_gt(n_closed, 0);
    }
}
END_TEST

/* ping answers, on an admin listener alone. */
START_TEST(test_ping)
{
    command_fixture_open(&fixture);
    say("version\r\nping\r\n", "VERSION 1.6.18\r\nERROR\r\n");
    command_fixture_become_admin(&fixture);
    say("ping\r\n", "OK\r\n");
    say("ping pong\r\n", "ERROR\r\n");
    command_fixture_close(&fixture);
}
END_TEST

/* Memory runs out at any point of a long reply: the connection closes, and it is no loss. */
START_TEST(test_long_replies_without_memory)
{
    static const char *const texts[] = {"help\r\n", "stats\r\n"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        unsigned nth = 0;

        do {
            enum sess_status status;

            open_with_sections();
            faults_fail_allocation(++nth);
            status = command_fixture_run(&fixture, slice_from_text(texts[i]));
            faults_fail_allocation(0);
            ck_assert_int_eq(status, SESS_OK);
            ck_assert(fixture.context.must_close ||
                      slice_ends_with(buffer_slice(&fixture.out), SLICE_LITERAL("END\r\n")));
            command_fixture_close(&fixture);
        } while (fixture.context.must_close);
        ck_assert_uint_gt(nth, 2);
    }
}
END_TEST

SUITE_MAIN("command/service", test_version, test_quit, test_verbosity, test_stats, test_stats_words,
           test_stats_cut, test_help, test_reload, test_reload_without_memory, test_ping,
           test_long_replies_without_memory)
