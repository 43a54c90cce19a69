/* Unit tests of parsing ahead: how far it goes, and how it is taken back. */
#include "ahead.h"

#include "store_fixture.h"
#include "suite_main.h"

static const struct parser_limits limits = {
    .line_max = 2048, .value_max = 4096, .inline_max = 1024};

static struct store_fixture fixture;
static struct command_shared shared;
static struct command_context context;
static struct parser parser;

struct ahead {
    struct ahead_request requests[AHEAD_MAX + AHEAD_VALUES];
    unsigned n_requests;
};

static struct ahead ahead;

static void begin(void)
{
    fixture_open(&fixture);
    shared = (struct command_shared){.store = fixture.store};
    context = (struct command_context){.shared = &shared};
    parser_init(&parser, &limits);
}

static void end(void)
{
    fixture_close(&fixture);
}

static void parse_input(struct slice input)
{
    ahead.n_requests = ahead_parse(ahead.requests, &parser, input);
}

static void parse(const char *text)
{
    parse_input(slice_from_text(text));
}

/* Fewer requests than there is room for: each of them, and what says that there is no more. */
START_TEST(test_ends_at_the_end)
{
    begin();
    parse("get a\r\n");
    ck_assert_uint_eq(ahead.n_requests, 1);
    ck_assert_uint_eq(ahead.requests[0].rest.size, 0);
    parse("get a\r\ntouch b 0\r\nget c\r\nge");
    ck_assert_uint_eq(ahead.n_requests, 4);
    ck_assert(slice_is(ahead.requests[1].request.key, "b"));
    ck_assert_int_eq(ahead.requests[3].result, PARSE_MORE);
    ck_assert(slice_is(ahead.requests[3].rest, "ge"));
    end();
}
END_TEST

/* More requests than there is room for, keys of one get among them. */
START_TEST(test_ends_when_it_is_full)
{
    begin();
    parse("get a b c d e f g h i j k l m n o p q r\r\nget s\r\n");
    ck_assert_uint_eq(ahead.n_requests, AHEAD_MAX);
    ck_assert(slice_is(ahead.requests[AHEAD_MAX - 1].request.key, "p"));
    ck_assert(slice_is(ahead.requests[AHEAD_MAX - 1].rest, "q r\r\nget s\r\n"));
    parse_input(ahead.requests[AHEAD_MAX - 1].rest);
    ck_assert_uint_eq(ahead.n_requests, 3);
    ck_assert(ahead.requests[1].request.is_last_key);
    ck_assert(slice_is(ahead.requests[2].request.key, "s"));
    end();
}
END_TEST

/* What is no request to be run is the last one: nobody knows what follows it before that is done. */
START_TEST(test_ends_at_what_is_no_request)
{
    static const struct {
        const char *text;
        enum parse_result result;
    } rows[] = {
        {"get a\r\nnonsense\r\nget b\r\n", PARSE_ERROR},
        {"get a\r\nset b 0 0 2000\r\nxx", PARSE_UPLOAD},
        {"get a\r\nset b 0 0 5\r\nxx", PARSE_MORE},
    };

    for (size_t i = 0; i < SUITE_ROWS(rows); i++) {
        begin();
        parse(rows[i].text);
        ck_assert_uint_eq(ahead.n_requests, 2);
        ck_assert_int_eq(ahead.requests[1].result, rows[i].result);
        end();
    }
}
END_TEST

/* Whoever stops in front of any of them, and parses again from there, finds the same. */
START_TEST(test_any_can_be_taken_back)
{
    static const char text[] = "gat 100 a b c\r\nget d\r\nset e 1 2 3\r\nxyz\r\ntouch f 9\r\n";
    struct ahead first;

    begin();
    parse(text);
    first = ahead;
    ck_assert_uint_eq(first.n_requests, 6);
    for (unsigned i = 0; i < first.n_requests; i++) {
        parser = first.requests[i].before;
        parse_input(first.requests[i].input);
        ck_assert_uint_eq(ahead.n_requests, first.n_requests - i);
        for (unsigned k = 0; k < ahead.n_requests; k++) {
            const struct request *wanted = &first.requests[i + k].request;

            ck_assert_ptr_eq(ahead.requests[k].request.command, wanted->command);
            ck_assert_ptr_eq(ahead.requests[k].request.key.data, wanted->key.data);
            ck_assert_int_eq(ahead.requests[k].request.exptime, wanted->exptime);
            ck_assert(ahead.requests[k].request.is_last_key == wanted->is_last_key);
        }
    }
    end();
}
END_TEST

/* Keys that are there, far more than one bucket holds, and others: what is fetched changes nothing. */
START_TEST(test_fetching_changes_nothing)
{
    char text[64];

    begin();
    for (unsigned i = 0; i < 5000; i++) {
        ck_assert_int_eq(
            fixture_write(&fixture, STORE_SET, fixture_numbered(i), "v", STORE_NO_DEADLINE),
            SESS_OK);
    }
    for (unsigned i = 0; i < 5000; i += 2) {
        (void)snprintf(text, sizeof text, "get key-%u key-%u none-%u\r\n", i, i + 1, i);
        parse(text);
        HOT_ASSERT(ahead.n_requests == 3);
        ahead_fetch(ahead.requests, ahead.n_requests, &context);
    }
    ck_assert_uint_eq(fixture_figure(&fixture, "curr_items"), 5000);
    end();
}
END_TEST

static uint64_t hash_of(const char *key)
{
    return store_hash(fixture.store, slice_from_text(key));
}

/* A hash of another key would look in another place, so nobody who was not fetched may have one. */
START_TEST(test_hashes_are_of_the_keys)
{
    begin();
    parse("get a\r\n");
    ahead_fetch(ahead.requests, ahead.n_requests, &context);
    ck_assert_uint_eq(ahead.requests[0].hash, 0);
    parse("get b c\r\nversion\r\nset d 0 0 2000\r\n");
    for (unsigned i = 0; i < ahead.n_requests; i++) {
        ck_assert_uint_eq(ahead.requests[i].hash, 0);
    }
    ahead_fetch(ahead.requests, ahead.n_requests, &context);
    ck_assert_uint_eq(ahead.n_requests, 4);
    ck_assert_uint_eq(ahead.requests[0].hash, hash_of("b"));
    ck_assert_uint_eq(ahead.requests[1].hash, hash_of("c"));
    ck_assert_uint_eq(ahead.requests[2].hash, 0);
    ck_assert_uint_eq(ahead.requests[3].hash, 0);
    parser_init(&parser, &limits);
    parse("get a\r\n");
    ck_assert_uint_eq(ahead.requests[0].hash, 0);
    end();
}
END_TEST

SUITE_MAIN("net/ahead", test_ends_at_the_end, test_ends_when_it_is_full,
           test_ends_at_what_is_no_request, test_any_can_be_taken_back,
           test_fetching_changes_nothing, test_hashes_are_of_the_keys)
