/* Commands to test with: request texts go through the true parser to a true store; replies, metrics
 * and tickets can be looked at.
 *
 * Not a connection (room net): all of a text is there at once. Failures of the fixture end the test. */
#ifndef SESSIOND_TESTS_SUPPORT_COMMAND_FIXTURE_H
#define SESSIOND_TESTS_SUPPORT_COMMAND_FIXTURE_H

#include "sessiond/command/command.h"
#include "sessiond/protocol/parser.h"
#include "sessiond/store/policy.h"
#include "store_fixture.h"

struct command_fixture {
    struct store_fixture store;
    struct registry registry;
    struct log_limit flush_log;
    struct log_limit store_log;
    struct hash_key log_salt;
    struct budget replies;
    struct command_options options;
    struct policy_options policy_options; /* all off, until a test changes them */
    struct policy policy;
    struct command_shared shared;
    struct command_context context;
    struct parser_limits limits;
    struct parser parser;
    struct buffer out;
    struct command_upload *upload; /* one that PARSE_UPLOAD began */
    uint64_t seen_metrics[METRIC_ROWS_MAX];
    unsigned n_fillings; /* keys that were tried by command_fixture_fill */
};

/** From here on the requests come by an admin listener. */
void command_fixture_become_admin(struct command_fixture *fixture);

/** Open the store at FIXTURE_NOW_S; nothing is in the registry. */
void command_fixture_open(struct command_fixture *fixture);
void command_fixture_close(struct command_fixture *fixture);

/** Let the time go on; requests use it. */
void command_fixture_advance(struct command_fixture *fixture, int64_t seconds);

/** Parse and run all requests of a text, up to one that is BUSY or closes. A large value that begins is
 *  received and finished, one that is attached to a reply is put into its place. Replies are added to `out`. returns OK | BUSY | NO_MEMORY (of an upload) | INVALID */
enum sess_status command_fixture_run(struct command_fixture *fixture, struct slice input);

/** Run a text: the replies to it must be `expected`, byte for byte. */
void command_fixture_say(struct command_fixture *fixture, const char *text, const char *expected);

/* A step of a conversation: what is sent, the reply, and the metrics that move. */
struct command_step {
    const char *text;
    const char *reply;
    const char *metrics;
};

/** Say each step. */
void command_fixture_converse(struct command_fixture *fixture, const struct command_step *steps,
                              size_t n_steps);
#define COMMAND_CONVERSE(fixture, steps)                                                           \
    command_fixture_converse(fixture, steps, sizeof(steps) / sizeof((steps)[0]))

/** Store sessions `fill:N` with values of `size` bytes until there is no memory for one more. */
void command_fixture_fill(struct command_fixture *fixture, size_t size);

/** The metrics that moved since the last call must be `expected`: "cmd_get=1 get_misses=1", in the
 *  order of their table. */
void command_fixture_expect_metrics(struct command_fixture *fixture, const char *expected);

#endif
