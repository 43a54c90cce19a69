/* Feeding the request parser. Not the net room. Memory: the heap, freed by each run. */
#include "delivery.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MAX = 40 }; /* longer keys and values are shown as their size */

struct run {
    struct parser parser;
    const uint8_t *input;
    size_t n_used;    /* bytes of the input that are done with */
    size_t n_arrived; /* bytes of the input that have come */
    size_t block;     /* bytes of an upload still to be taken */
    bool in_keys;     /* the last result was a key that was not the last one */
    bool is_closed;
    FILE *transcript;
    FILE *places; /* where each result came */
    bool is_first;
};

static const char *const reply_names[] = {
#define REPLY(id, text, doc) #id,
#include "sessiond/protocol/replies.def"
#undef REPLY
};

static void begin_result(struct run *run)
{
    (void)fputs(run->is_first ? "" : "; ", run->transcript);
    run->is_first = false;
}

static void show_bytes(struct run *run, const char *head, struct slice bytes)
{
    (void)fputs(head, run->transcript);
    if (bytes.size > SHOWN_MAX) {
        (void)fprintf(run->transcript, "<%zu bytes>", bytes.size);
        return;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        bool is_plain = bytes.data[i] > ' ' && bytes.data[i] < 0x7f;

        (void)fprintf(run->transcript, is_plain ? "%c" : "\\x%02x", bytes.data[i]);
    }
}

static void show_key(struct run *run, const struct request *request)
{
    if (!run->in_keys) {
        begin_result(run);
        (void)fputs(request->command->word, run->transcript);
    }
    if (request->exptime != 0 && (request->key.size > 0 || !run->in_keys)) {
        (void)fprintf(run->transcript, " %" PRId64 ":", request->exptime);
    }
    if (request->key.size > 0) {
        show_bytes(run, " ", request->key);
    }
    if (request->is_last_key) {
        (void)fputs(".", run->transcript);
    }
}

static void show_fields(struct run *run, const struct request *request)
{
    (void)fputs(request->command->word, run->transcript);
    if (request->key.size > 0) {
        show_bytes(run, " key=", request->key);
    }
    if (request->flags != 0) {
        (void)fprintf(run->transcript, " flags=%" PRIu32, request->flags);
    }
    if (request->exptime != 0) {
        (void)fprintf(run->transcript, " exptime=%" PRId64, request->exptime);
    }
    if (request->value_size != 0) {
        (void)fprintf(run->transcript, " size=%zu", request->value_size);
    }
    if (request->cas != 0) {
        (void)fprintf(run->transcript, " cas=%" PRIu64, request->cas);
    }
    if (request->delta != 0) {
        (void)fprintf(run->transcript, " delta=%" PRIu64, request->delta);
    }
    if (request->value.size > 0) {
        show_bytes(run, " value=", request->value);
    }
    if (request->word.size > 0) {
        show_bytes(run, " word=", request->word);
    }
    if (request->argument.size > 0) {
        show_bytes(run, " argument=", request->argument);
    }
    (void)fputs(request->noreply ? " noreply" : "", run->transcript);
}

static void show_error(struct run *run, const struct request *request)
{
    begin_result(run);
    (void)fprintf(run->transcript, "error %s%s%s", reply_names[request->error],
                  request->noreply ? " noreply" : "", request->must_close ? " close" : "");
}

/* Write down one result. Returns false for PARSE_MORE. */
static bool take_result(struct run *run, enum parse_result result, const struct request *request)
{
    bool is_key = result == PARSE_REQUEST && command_takes_keys(request->command);

    switch (result) {
    case PARSE_MORE:
        return false;
    case PARSE_REQUEST:
        if (is_key) {
            show_key(run, request);
        } else {
            begin_result(run);
            show_fields(run, request);
        }
        break;
    case PARSE_UPLOAD:
        begin_result(run);
        (void)fputs("upload ", run->transcript);
        show_fields(run, request);
        run->block = request->value_size + 2;
        (void)fprintf(run->transcript, ", block of %zu bytes", run->block);
        break;
    case PARSE_ERROR:
        show_error(run, request);
        run->is_closed = request->must_close;
        break;
    case PARSE_CLOSE:
    case PARSE_CLOSE_BINARY:
        begin_result(run);
        (void)fputs(result == PARSE_CLOSE ? "CLOSE" : "CLOSE_BINARY", run->transcript);
        run->is_closed = true;
        break;
    }
    run->in_keys = is_key && !request->is_last_key;
    if (!run->is_closed && !run->in_keys) {
        (void)fprintf(run->places, "%zu ", run->n_used);
    }
    return true;
}

/* One call, on a copy of exactly the bytes that there are: a sanitizer sees any other byte read. */
static bool call_parser(struct run *run)
{
    size_t size = run->n_arrived - run->n_used;
    uint8_t *unread = malloc(size > 0 ? size : 1);
    struct request request;
    size_t used = SIZE_MAX;
    enum parse_result result;
    bool goes_on;

    ck_assert_ptr_nonnull(unread);
    memcpy(unread, run->input + run->n_used, size);
    result = parser_next(&run->parser, slice_of(unread, size), &request, &used);
    ck_assert_uint_le(used, size);
    run->n_used += used;
    goes_on = take_result(run, result, &request);
    free(unread);
    return goes_on && !run->is_closed;
}

static void take_piece(struct run *run, size_t size)
{
    bool goes_on = true;

    run->n_arrived += size;
    while (goes_on) {
        size_t rest = run->n_arrived - run->n_used;
        size_t taken = run->block < rest ? run->block : rest;

        run->block -= taken;
        run->n_used += taken;
        goes_on = run->block == 0 && call_parser(run);
    }
}

/* As delivery_run, and where each result came. */
static char *run_pieces(const struct parser_limits *limits, struct slice input, size_t first,
                        size_t further, char **places)
{
    char *transcript = NULL;
    size_t transcript_size;
    size_t places_size;
    struct run run = {.input = input.data, .is_first = true};
    size_t piece = first;

    run.transcript = open_memstream(&transcript, &transcript_size);
    run.places = open_memstream(places, &places_size);
    ck_assert_ptr_nonnull(run.transcript);
    ck_assert_ptr_nonnull(run.places);
    parser_init(&run.parser, limits);
    while (!run.is_closed && run.n_arrived < input.size) {
        size_t rest = input.size - run.n_arrived;

        take_piece(&run, piece < rest ? piece : rest);
        piece = further;
    }
    if (!run.is_closed &&
        (run.n_used < input.size || run.block > 0 || !parser_is_between(&run.parser))) {
        begin_result(&run);
        (void)fputs("waits", run.transcript);
    }
    ck_assert_int_eq(fclose(run.transcript), 0);
    ck_assert_int_eq(fclose(run.places), 0);
    return transcript;
}

char *delivery_run(const struct parser_limits *limits, struct slice input, size_t first,
                   size_t further)
{
    char *places = NULL;
    char *transcript = run_pieces(limits, input, first, further, &places);

    free(places);
    return transcript;
}

struct expected {
    const char *transcript;
    const char *places;
};

static void assert_pieces(const struct parser_limits *limits, struct slice input, size_t first,
                          size_t further, const struct expected *expected)
{
    char *places = NULL;
    char *transcript = run_pieces(limits, input, first, further, &places);

    ck_assert_msg(strcmp(transcript, expected->transcript) == 0,
                  "pieces of %zu and %zu bytes of\n%.*s\ngave\n%s\nnot\n%s", first, further,
                  (int)(input.size < 500 ? input.size : 500), (const char *)input.data, transcript,
                  expected->transcript);
    ck_assert_msg(strcmp(places, expected->places) == 0,
                  "pieces of %zu and %zu bytes of\n%.*s\ngave results at\n%s\nnot\n%s", first,
                  further, (int)(input.size < 500 ? input.size : 500), (const char *)input.data,
                  places, expected->places);
    free(transcript);
    free(places);
}

static void assert_every_delivery(const struct parser_limits *limits, struct slice input,
                                  const struct expected *expected)
{
    assert_pieces(limits, input, 1, 1, expected);
    for (size_t split = 1; split < input.size; split++) {
        assert_pieces(limits, input, split, input.size, expected);
    }
}

void delivery_assert(const struct parser_limits *limits, struct slice input, const char *expected)
{
    char *places = NULL;
    char *whole = run_pieces(limits, input, input.size, 1, &places);

    ck_assert_str_eq(whole, expected);
    assert_every_delivery(limits, input, &(struct expected){expected, places});
    free(whole);
    free(places);
}

void delivery_assert_same(const struct parser_limits *limits, struct slice input)
{
    char *places = NULL;
    char *whole = run_pieces(limits, input, input.size, 1, &places);

    assert_every_delivery(limits, input, &(struct expected){whole, places});
    free(whole);
    free(places);
}
