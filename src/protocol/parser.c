/* Framing: where a request begins and ends. Arguments are arguments.c.
 *
 * Threads: the owner's. Memory: none; slices point into the input.
 * A parser is in one of four states: before a command line, among the keys of a get (keys_of), in
 * the rest of a spoilt line (skips_line), or inside a refused data block (swallow). */
#include "sessiond/protocol/parser.h"

#include "arguments.h"
#include "words.h"

#include <stddef.h>
#include <string.h>

enum { BYTE_BINARY = 0x80, BYTE_TLS = 0x16 };

void parser_init(struct parser *parser, const struct parser_limits *limits)
{
    *parser = (struct parser){.limits = limits};
}

void parser_swallow(struct parser *parser, size_t value_size)
{
    parser->swallow = (uint64_t)value_size + REQUEST_LINE_END_SIZE;
}

bool parser_is_between(const struct parser *parser)
{
    return parser->swallow == 0 && parser->keys_of == NULL && !parser->skips_line;
}

static enum parse_result fail(struct parser *parser, struct request *request, enum reply reply,
                              bool must_close)
{
    /* A value over the limit is an honest request: a session that grew too large is saved again and
     * again, on a connection that others share. */
    parser->errors += reply != REPLY_TOO_LARGE;
    request->error = reply;
    request->must_close = must_close || parser->errors >= PARSER_ERRORS_MAX;
    if (request->must_close) {
        /* The client would wait for ever if it were not told why. */
        request->noreply = false;
    }
    return PARSE_ERROR;
}

static enum parse_result succeed(struct parser *parser, enum parse_result result)
{
    parser->errors = 0;
    parser->has_served = true;
    return result;
}

/* Drop what has come of a refused block. Its line end must be one, else the next request's start
 * is uncertain. */
static enum parse_result drop_block(struct parser *parser, struct slice input, size_t *used)
{
    uint64_t block =
        parser->swallow > REQUEST_LINE_END_SIZE ? parser->swallow - REQUEST_LINE_END_SIZE : 0;

    *used = input.size < block ? input.size : (size_t)block;
    parser->swallow -= *used;
    for (; *used < input.size && parser->swallow > 0; (*used)++, parser->swallow--) {
        if (input.data[*used] != (parser->swallow == REQUEST_LINE_END_SIZE ? '\r' : '\n')) {
            return PARSE_CLOSE;
        }
    }
    return PARSE_MORE;
}

/* Behind a key: is that the end of the line? -1 when it cannot be told yet. */
static int line_ends(struct slice rest, size_t *end_size)
{
    if (rest.size > 0 && rest.data[0] == '\n') {
        *end_size = 1;
        return 1;
    }
    if (rest.size > 1 && rest.data[0] == '\r' && rest.data[1] == '\n') {
        *end_size = 2;
        return 1;
    }
    return rest.size == 0 || (rest.size == 1 && rest.data[0] == '\r') ? -1 : 0;
}

static size_t key_length(struct slice text)
{
    size_t size = scan_key(text);

    /* Behind a byte that spoils it, too. */
    while (size < text.size && text.data[size] > ' ') {
        size++;
    }
    return size;
}

/* A bad key in a line that is streamed: where the line ends is certain, so the connection goes on
 * behind it. */
static enum parse_result spoil_line(struct parser *parser, struct request *request,
                                    enum reply reply)
{
    parser->keys_of = NULL;
    parser->skips_line = true;
    return fail(parser, request, reply, false);
}

static enum parse_result skip_line(struct parser *parser, struct slice input, size_t *used)
{
    const uint8_t *newline = memchr(input.data, '\n', input.size);

    *used = newline == NULL ? input.size : (size_t)(newline - input.data) + 1;
    parser->skips_line = newline == NULL;
    return PARSE_MORE;
}

/* The next key of a get, and whether it is the last: nothing waits for the end of the line. */
static enum parse_result next_key(struct parser *parser, struct slice input,
                                  struct request *request, size_t *used)
{
    struct slice rest = words_skip_blanks(input);
    struct slice key = slice_first(rest, key_length(rest));
    size_t end_size = 0;
    int ends;

    if (key.size == rest.size && key.size > 0 && key.size <= REQUEST_KEY_MAX) {
        *used = input.size - rest.size;
        return PARSE_MORE;
    }
    if (key.size > 0 && !arguments_key_is_valid(key)) {
        return spoil_line(parser, request, REPLY_BAD_FORMAT);
    }
    rest = words_skip_blanks(slice_from(rest, key.size));
    ends = line_ends(rest, &end_size);
    if (ends == 0 && key.size == 0) {
        return spoil_line(parser, request, REPLY_BAD_FORMAT);
    }
    if (ends < 0 && key.size == 0) {
        *used = input.size - rest.size;
        return PARSE_MORE;
    }
    if (key.size == 0 && !parser->has_key) {
        parser->keys_of = NULL;
        *used = input.size - rest.size + end_size;
        return fail(parser, request, REPLY_ERROR, false);
    }
    parser->has_key = true;
    request->command = parser->keys_of;
    request->exptime = parser->exptime;
    request->key = key;
    request->is_last_key = ends > 0;
    *used = input.size - rest.size + end_size;
    if (ends > 0) {
        parser->keys_of = NULL;
    }
    return succeed(parser, PARSE_REQUEST);
}

/* Take what stands in front of the keys off `rest`, which is behind the command word of `line`. It
 * must be within the line's limit, as the keys need not be. */
static bool take_head(struct parser *parser, struct slice line, struct slice *rest,
                      struct request *request, enum reply *reply)
{
    struct argument_fault fault;

    arguments_read_head(request->command, rest, request, &fault);
    *reply = fault.reply;
    if ((size_t)(rest->data - line.data) > parser->limits->line_max) {
        fault.is_set = true;
        *reply = REPLY_LINE_TOO_LONG;
    }
    parser->exptime = request->exptime;
    return !fault.is_set;
}

/* From here on keys come out of the input. */
static void expect_keys(struct parser *parser, const struct command *command)
{
    parser->keys_of = command;
    parser->has_key = !command_needs_key(command);
}

/* The whole line of a get is here: one bad key spoils it, before any value is sent. `rest` is what
 * stands behind its command word. */
static enum parse_result begin_keys(struct parser *parser, struct slice line, struct slice rest,
                                    struct request *request, size_t *used)
{
    struct slice keys;
    struct slice key;
    enum reply reply;

    if (!take_head(parser, line, &rest, request, &reply)) {
        return fail(parser, request, reply, reply == REPLY_LINE_TOO_LONG);
    }
    keys = rest;
    rest = words_skip_blanks(rest);
    if (rest.size > 0 && arguments_key_is_valid(rest)) {
        request->key = rest;
        request->is_last_key = true;
        return succeed(parser, PARSE_REQUEST);
    }
    key = words_next(&rest);
    if (key.size == 0 && command_needs_key(request->command)) {
        return fail(parser, request, REPLY_ERROR, false);
    }
    for (; key.size > 0; key = words_next(&rest)) {
        if (!arguments_key_is_valid(key)) {
            return fail(parser, request, REPLY_BAD_FORMAT, false);
        }
    }
    expect_keys(parser, request->command);
    *used = (size_t)(keys.data - line.data);
    return PARSE_MORE;
}

/* A line with a data block that will not be stored: read and drop the block if that is bearable. */
static enum parse_result refuse_block(struct parser *parser, const struct argument_fault *fault,
                                      enum reply reply, struct request *request)
{
    uint64_t bearable = (uint64_t)parser->limits->value_max * PARSER_SWALLOW_TIMES;
    bool must_close = fault->bytes_unknown || fault->bytes_absurd || request->value_size > bearable;

    if (!must_close) {
        parser_swallow(parser, request->value_size);
    }
    return fail(parser, request, reply, must_close);
}

/* A valid line whose data block begins at `block`. */
static enum parse_result take_block(struct parser *parser, struct slice block,
                                    struct request *request, size_t *used)
{
    size_t size = request->value_size;

    if (size > parser->limits->inline_max) {
        return succeed(parser, PARSE_UPLOAD);
    }
    if (block.size < size + REQUEST_LINE_END_SIZE) {
        *used = 0;
        return PARSE_MORE;
    }
    if (!slice_equal(slice_of(block.data + size, REQUEST_LINE_END_SIZE), SLICE_LITERAL("\r\n"))) {
        return fail(parser, request, REPLY_BAD_DATA, true);
    }
    request->value = slice_first(block, size);
    *used += size + REQUEST_LINE_END_SIZE;
    return succeed(parser, PARSE_REQUEST);
}

static enum parse_result unknown_command(struct parser *parser, struct slice line,
                                         struct request *request)
{
    if (slice_starts_with(words_last(line), SLICE_LITERAL("HTTP/"))) {
        return PARSE_CLOSE;
    }
    return fail(parser, request, REPLY_ERROR, !parser->has_served);
}

/* A whole line of any command but a get; `rest` are its arguments, `behind` follows it. */
static enum parse_result read_line(struct parser *parser, struct slice rest, struct slice behind,
                                   struct request *request, size_t *used)
{
    struct argument_fault fault;

    arguments_read(request->command, rest, request, &fault);
    if (!command_takes_data(request->command)) {
        return fault.is_set ? fail(parser, request, fault.reply, false)
                            : succeed(parser, PARSE_REQUEST);
    }
    if (fault.is_set) {
        return refuse_block(parser, &fault, fault.reply, request);
    }
    if (fault.bytes_absurd || request->value_size > parser->limits->value_max) {
        return refuse_block(parser, &fault, REPLY_TOO_LARGE, request);
    }
    return take_block(parser, behind, request, used);
}

/* Take the command word off `rest`. A line that begins with a blank has an empty one. */
static const struct command *find_command(const struct parser *parser, struct slice *rest)
{
    const struct command *command =
        rest->size > 0 && rest->data[0] == ' ' ? NULL : command_find(words_next(rest));

    return command != NULL && command->mode == MODE_ADMIN && !parser->limits->is_admin ? NULL
                                                                                       : command;
}

/* No line end yet: wait, unless the line is too long or its keys can be streamed. */
static enum parse_result read_partial(struct parser *parser, struct slice input,
                                      struct request *request, size_t *used)
{
    struct slice rest = input;
    enum reply reply;

    if (input.size <= parser->limits->line_max + (input.data[input.size - 1] == '\r')) {
        return PARSE_MORE;
    }
    request->command = find_command(parser, &rest);
    if (request->command == NULL || !command_takes_keys(request->command)) {
        return fail(parser, request, REPLY_LINE_TOO_LONG, true);
    }
    if (!take_head(parser, input, &rest, request, &reply)) {
        return reply == REPLY_LINE_TOO_LONG ? fail(parser, request, reply, true)
                                            : spoil_line(parser, request, reply);
    }
    expect_keys(parser, request->command);
    *used = input.size - rest.size;
    return PARSE_MORE;
}

/* Before a command line. The keys of a get stay in the input: keys_of is set, then. */
static enum parse_result next_line(struct parser *parser, struct slice input,
                                   struct request *request, size_t *used)
{
    const uint8_t *newline = memchr(input.data, '\n', input.size);
    struct slice line;
    struct slice rest;

    if (newline == NULL) {
        return read_partial(parser, input, request, used);
    }
    *used = (size_t)(newline - input.data) + 1;
    line = slice_first(input, *used - 1);
    if (line.size > 0 && line.data[line.size - 1] == '\r') {
        line.size--;
    }
    rest = line;
    request->command = find_command(parser, &rest);
    if (request->command != NULL && command_takes_keys(request->command)) {
        return begin_keys(parser, line, rest, request, used);
    }
    if (line.size > parser->limits->line_max) {
        return fail(parser, request, REPLY_LINE_TOO_LONG, true);
    }
    if (request->command == NULL) {
        return unknown_command(parser, line, request);
    }
    return read_line(parser, rest, slice_from(input, *used), request, used);
}

/* Whether a byte of another protocol stands where the first request should. */
static bool is_foreign(const struct parser *parser, uint8_t byte)
{
    return !parser->has_served && parser->errors == 0 && (byte == BYTE_BINARY || byte == BYTE_TLS);
}

/* One step: some input is used, or a request found, or more input needed. */
static enum parse_result step(struct parser *parser, struct slice input, struct request *request,
                              size_t *used)
{
    if (parser->swallow > 0) {
        return drop_block(parser, input, used);
    }
    if (parser->skips_line) {
        return skip_line(parser, input, used);
    }
    if (parser->keys_of != NULL) {
        return next_key(parser, input, request, used);
    }
    if (is_foreign(parser, input.data[0])) {
        return input.data[0] == BYTE_BINARY ? PARSE_CLOSE_BINARY : PARSE_CLOSE;
    }
    return next_line(parser, input, request, used);
}

enum parse_result parser_next(struct parser *parser, struct slice input, struct request *request,
                              size_t *used)
{
    enum parse_result result = PARSE_MORE;
    size_t step_used = 1;

    /* Flags are for meta commands alone, and set when there are any. */
    memset(request, 0, offsetof(struct request, meta));
    for (*used = 0; result == PARSE_MORE && step_used > 0 && *used < input.size;
         *used += step_used) {
        step_used = 0;
        result = step(parser, slice_from(input, *used), request, &step_used);
    }
    return result;
}
