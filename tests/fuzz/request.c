/* Fuzz target: the request parser. Any bytes, in any pieces: no byte outside is read, what it says holds, it
 * never waits for more than its limits allow, and however the bytes are cut the requests are the same.
 *
 * An input is what a client sends. Where it is cut follows from it. */
#include "fuzz.h"

#include "sessiond/protocol/parser.h"

enum {
    RESULTS_MAX = 256,     /* in one input; what follows is not compared */
    BYTES_SINGLE_MAX = 96, /* inputs up to this size are fed byte by byte, too */
};

/* Limits that inputs of some hundred bytes go beyond, and some for a few bytes, on an admin listener. */
static const struct parser_limits limits[] = {
    {.line_max = 600, .value_max = 300, .inline_max = 100},
    {.line_max = 40, .value_max = 30, .inline_max = 12, .is_admin = true},
};

/* What one way to feed an input gave. */
struct feeding {
    const struct parser_limits *limits;
    struct parser parser;
    struct slice input;
    size_t n_used;
    size_t n_arrived;
    uint64_t block;    /* bytes of an upload still to be taken */
    bool in_keys;      /* a get has begun and is not done */
    bool is_closed;    /* by a result */
    bool is_different; /* a long get was spoilt behind keys that had run: see next_result */
    size_t n_results;
    uint64_t results[RESULTS_MAX];
};

static void check_key(struct slice key)
{
    FUZZ_CHECK(key.size <= REQUEST_KEY_MAX);
    for (size_t i = 0; i < key.size; i++) {
        FUZZ_CHECK(key.data[i] > 0x20 && key.data[i] != 0x7f);
    }
}

static bool is_within(struct slice part, struct slice whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static uint64_t digest_flags(uint64_t digest, const struct meta_flags *flags)
{
    uint64_t numbers[] = {flags->set,
                          flags->new_cas,
                          flags->initial,
                          (uint64_t)flags->vivify,
                          (uint64_t)flags->recache,
                          (uint64_t)flags->mode};

    digest = fuzz_digest(digest, slice_of(numbers, sizeof numbers));
    digest = fuzz_digest(digest, slice_from_text(flags->order));
    return fuzz_digest(digest, flags->opaque);
}

static void check_flags(const struct meta_flags *flags, struct slice unread)
{
    FUZZ_CHECK(is_within(flags->opaque, unread) && flags->opaque.size <= META_OPAQUE_MAX);
    FUZZ_CHECK(memchr(flags->order, '\0', sizeof flags->order) != NULL);
}

static void check_request(const struct feeding *feeding, enum parse_result result,
                          const struct request *request, struct slice unread)
{
    FUZZ_CHECK(request->command != NULL);
    check_key(request->key);
    FUZZ_CHECK(is_within(request->key, unread) && is_within(request->value, unread) &&
               is_within(request->word, unread) && is_within(request->argument, unread));
    FUZZ_CHECK(request->value_size <= feeding->limits->value_max);
    if (command_takes_flags(request->command)) {
        check_flags(&request->meta, unread);
    }
    if (result == PARSE_UPLOAD) {
        FUZZ_CHECK(command_takes_data(request->command) && request->key.size > 0);
        FUZZ_CHECK(request->value_size > feeding->limits->inline_max && request->value.size == 0);
    } else {
        FUZZ_CHECK(request->value.size == request->value_size);
        FUZZ_CHECK(command_takes_data(request->command) || request->value_size == 0);
    }
}

static uint64_t digest_of(const struct feeding *feeding, enum parse_result result,
                          const struct request *request)
{
    uint64_t numbers[] = {
        result,
        request->command == NULL ? COMMAND_COUNT : request->command->id,
        request->flags,
        (uint64_t)request->exptime,
        request->value_size,
        request->cas,
        request->delta,
        (uint64_t)request->noreply | (uint64_t)request->must_close << 1,
        request->error,
        /* The end of a key, or of a line that is wrong, is used sooner or later. */
        request->command == NULL || command_takes_keys(request->command) ? 0 : feeding->n_used,
    };
    uint64_t digest = fuzz_digest(FUZZ_DIGEST_BEGIN, slice_of(numbers, sizeof numbers));

    digest = fuzz_digest_number(fuzz_digest(digest, request->key), request->key.size);
    digest = fuzz_digest_number(fuzz_digest(digest, request->value), request->value.size);
    digest = fuzz_digest_number(fuzz_digest(digest, request->word), request->word.size);
    digest = fuzz_digest(digest, request->argument);
    return request->command != NULL && command_takes_flags(request->command)
               ? digest_flags(digest, &request->meta)
               : digest;
}

static void note_digest(struct feeding *feeding, uint64_t digest)
{
    if (feeding->n_results < RESULTS_MAX) {
        feeding->results[feeding->n_results] = digest;
    }
    feeding->n_results++;
}

static void note(struct feeding *feeding, enum parse_result result, const struct request *request)
{
    bool is_request = result == PARSE_REQUEST || result == PARSE_UPLOAD;
    bool takes_keys = is_request && command_takes_keys(request->command);
    /* The command of a line that is wrong may be known or not. */
    struct request noted = {
        .error = request->error, .noreply = request->noreply, .must_close = request->must_close};

    /* That a key was the last may be told with it or, without a key, later. */
    if (!takes_keys || request->key.size > 0) {
        note_digest(feeding, digest_of(feeding, result, is_request ? request : &noted));
    }
    if (takes_keys && request->is_last_key) {
        note_digest(feeding, feeding->n_used);
    }
}

/* More than this is never kept for a connection that has not sent a whole request. */
static void check_wait(const struct feeding *feeding, size_t n_unread)
{
    const struct parser_limits *most = feeding->limits;
    size_t line = most->line_max > REQUEST_KEY_MAX ? most->line_max : REQUEST_KEY_MAX;

    FUZZ_CHECK(n_unread <= line + most->inline_max + 2 * REQUEST_LINE_END_SIZE);
}

static void take_result(struct feeding *feeding, enum parse_result result,
                        const struct request *request, struct slice unread)
{
    bool was_in_keys = feeding->in_keys;

    switch (result) {
    case PARSE_REQUEST:
        check_request(feeding, result, request, unread);
        feeding->in_keys = command_takes_keys(request->command) && !request->is_last_key;
        break;
    case PARSE_UPLOAD:
        check_request(feeding, result, request, unread);
        feeding->block = (uint64_t)request->value_size + REQUEST_LINE_END_SIZE;
        break;
    case PARSE_ERROR:
        /* A get over the limit is run key by key while it comes, but not when it has come whole. */
        feeding->is_different = was_in_keys;
        feeding->in_keys = false;
        feeding->is_closed = request->must_close;
        FUZZ_CHECK(!request->must_close || !request->noreply);
        break;
    default:
        feeding->is_closed = true;
        break;
    }
    note(feeding, result, request);
}

/* Call the parser once. Returns whether to call it again with what there is. */
static bool next_result(struct feeding *feeding, struct slice *unread)
{
    struct request request;
    size_t used = SIZE_MAX;
    enum parse_result result = parser_next(&feeding->parser, *unread, &request, &used);

    FUZZ_CHECK(used <= unread->size);
    feeding->n_used += used;
    if (result == PARSE_MORE) {
        check_wait(feeding, unread->size - used);
    } else {
        take_result(feeding, result, &request, *unread);
        /* It goes on: some bytes are used, or the rest of the line will be. */
        FUZZ_CHECK(used > 0 || feeding->is_closed || !parser_is_between(&feeding->parser));
    }
    *unread = slice_from(*unread, used);
    return result != PARSE_MORE && !feeding->is_closed && !feeding->is_different;
}

static void take_block(struct feeding *feeding, struct slice *unread)
{
    size_t taken = feeding->block < unread->size ? (size_t)feeding->block : unread->size;

    feeding->block -= taken;
    feeding->n_used += taken;
    *unread = slice_from(*unread, taken);
}

/* What has arrived, in a place of its own. */
static void take_piece(struct feeding *feeding)
{
    struct slice unread = fuzz_piece(
        slice_of(feeding->input.data + feeding->n_used, feeding->n_arrived - feeding->n_used));
    bool goes_on = true;

    while (goes_on) {
        take_block(feeding, &unread);
        goes_on = feeding->block == 0 && next_result(feeding, &unread);
    }
}

/* Feed pieces of 1 to `piece_max` bytes; 0: all at once. */
static void feed(struct feeding *feeding, struct slice input, const struct parser_limits *most,
                 size_t piece_max)
{
    struct test_random random = fuzz_random(input);

    *feeding = (struct feeding){.limits = most, .input = input};
    parser_init(&feeding->parser, most);
    while (!feeding->is_closed && !feeding->is_different && feeding->n_arrived < input.size) {
        size_t rest = input.size - feeding->n_arrived;
        size_t piece = piece_max == 0 ? rest : 1 + (size_t)test_random_below(&random, piece_max);

        feeding->n_arrived += piece < rest ? piece : rest;
        take_piece(feeding);
    }
}

static void compare(const struct feeding *whole, const struct feeding *pieces)
{
    size_t n = pieces->n_results < RESULTS_MAX ? pieces->n_results : RESULTS_MAX;

    if (pieces->is_different) {
        return;
    }
    FUZZ_CHECK(whole->n_results == pieces->n_results && whole->is_closed == pieces->is_closed);
    for (size_t i = 0; i < n; i++) {
        FUZZ_CHECK(whole->results[i] == pieces->results[i]);
    }
    FUZZ_CHECK(whole->is_closed ||
               parser_is_between(&whole->parser) == parser_is_between(&pieces->parser));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct feeding whole;
    static struct feeding pieces;
    struct slice input = slice_of(data, size);

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        feed(&whole, input, &limits[i], 0);
        feed(&pieces, input, &limits[i], 40);
        compare(&whole, &pieces);
        if (size <= BYTES_SINGLE_MAX) {
            feed(&pieces, input, &limits[i], 1);
            compare(&whole, &pieces);
        }
    }
    return 0;
}
