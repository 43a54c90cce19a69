/* A reply is read from its beginning each time, until it is whole. */
#include "check.h"

#include "sessiond/base/number.h"
#include "wire.h"

#include <string.h>

enum { CANNED_KEY = 64 }; /* bytes */

struct reading {
    const char *at, *end;
};

/* What one step says; each goes on only if the one before was RIGHT. */
enum found { RIGHT, PARTIAL, WRONG };

static enum found expect(struct reading *reading, const char *text, size_t length)
{
    size_t size = (size_t)(reading->end - reading->at);

    if (memcmp(reading->at, text, size < length ? size : length) != 0) {
        return WRONG;
    }
    if (size < length) {
        return PARTIAL;
    }
    reading->at += length;
    return RIGHT;
}

static enum found expect_text(struct reading *reading, const char *text)
{
    return expect(reading, text, strlen(text));
}

/* The bytes of a value behind its head. */
static enum found expect_body(struct reading *reading, size_t length)
{
    static const char block[] = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
                                "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";
    enum found found = RIGHT;

    while (length > 0 && found == RIGHT) {
        size_t part = length < sizeof(block) - 1 ? length : sizeof(block) - 1;

        found = expect(reading, block, part);
        length -= part;
    }
    return found;
}

/* A value from its length on, and the end of its line. */
static enum found expect_value(const struct workload *workload, struct reading *reading,
                               uint64_t index)
{
    char line[NUMBER_DIGITS + 2];
    uint64_t head[2];
    size_t size = (size_t)(reading->end - reading->at);
    const char *newline = memchr(reading->at, '\n', size < sizeof(line) ? size : sizeof(line));
    size_t length;
    enum found found;

    if (newline == NULL) {
        return size < sizeof(line) ? PARTIAL : WRONG;
    }
    if (*reading->at < '0' || *reading->at > '9') {
        return WRONG;
    }
    if (reading->end - (newline + 1) < VALUE_HEAD) {
        return PARTIAL;
    }
    memcpy(head, newline + 1, VALUE_HEAD);
    length = workload_value_length(workload, head);
    found = expect(reading, line, (size_t)(wire_put_length(line, length) - line));
    if (found != RIGHT || head[0] != index || reading->at != newline + 1) {
        return WRONG;
    }
    reading->at += VALUE_HEAD;
    found = expect_body(reading, length - VALUE_HEAD);
    return found == RIGHT ? expect_text(reading, "\r\n") : found;
}

/* Of key number k of a get: whether it must be found. A get of many holds its sessions, so they are as they were. */
static bool must_be_found(const struct workload *workload, const struct request *request, size_t k)
{
    return k == 0 ? request->was_there
                  : sessions_is_there(&workload->sessions, workload_index(workload, request, k));
}

static enum found expect_found(const struct workload *workload, struct reading *reading,
                               const struct request *request, size_t k)
{
    struct key_line room;
    const struct key_line *line = workload_line(workload, request, k, &room);
    enum found found =
        workload->resp ? expect_text(reading, "$") : expect(reading, line->text, line->length);

    return found == RIGHT ? expect_value(workload, reading, workload_index(workload, request, k))
                          : found;
}

static enum found expect_get(const struct workload *workload, struct reading *reading,
                             const struct request *request)
{
    size_t n_keys = workload_n_keys(workload, request);
    enum found found = RIGHT;

    if (workload->resp && n_keys > 1) {
        char count[NUMBER_DIGITS + 3] = "*";

        found = expect(reading, count, (size_t)(wire_put_length(count + 1, n_keys) - count));
    }
    for (size_t k = 0; k < n_keys && found == RIGHT; k++) {
        if (must_be_found(workload, request, k)) {
            found = expect_found(workload, reading, request, k);
        } else if (workload->resp) {
            found = expect_text(reading, "$-1\r\n");
        }
    }
    return found == RIGHT && !workload->resp ? expect_text(reading, "END\r\n") : found;
}

/* The one text that a server without a store answers to every get. */
static enum found expect_canned(const struct workload *workload, struct reading *reading)
{
    const struct length_form *form = &workload->plan.lengths[0];
    size_t value = (form->least + form->most) / 2;
    char behind[NUMBER_DIGITS + 5] = " 0 ";
    size_t length = (size_t)(wire_put_length(behind + 3, value) - behind);
    enum found found = expect_text(reading, "VALUE ");

    if (found == RIGHT && reading->end - reading->at <= CANNED_KEY) {
        return PARTIAL;
    }
    if (found == RIGHT) {
        reading->at += CANNED_KEY;
        found = expect(reading, behind, length);
    }
    if (found == RIGHT && (size_t)(reading->end - reading->at) <= value) {
        return PARTIAL;
    }
    if (found == RIGHT) {
        reading->at += value;
        found = expect_text(reading, "\r\nEND\r\n");
    }
    return found;
}

/* What is said to anything but a get: {of what was not there, of what was}. A lock is an add, an unlock a delete. */
static const char *word_for(const struct workload *workload, const struct request *request)
{
    static const char *const words[2][OPERATIONS][2] = {
        {[SET] = {"STORED\r\n", "STORED\r\n"},
         [TOUCH] = {"NOT_FOUND\r\n", "TOUCHED\r\n"},
         [ADD] = {"STORED\r\n", "NOT_STORED\r\n"},
         [DELETE] = {"NOT_FOUND\r\n", "DELETED\r\n"},
         [LOCK] = {"STORED\r\n", "NOT_STORED\r\n"},
         [UNLOCK] = {"NOT_FOUND\r\n", "DELETED\r\n"}},
        {[SET] = {"+OK\r\n", "+OK\r\n"},
         [TOUCH] = {":0\r\n", ":1\r\n"},
         [ADD] = {"+OK\r\n", "$-1\r\n"},
         [DELETE] = {":0\r\n", ":1\r\n"},
         [LOCK] = {"+OK\r\n", "$-1\r\n"},
         [UNLOCK] = {":0\r\n", ":1\r\n"}},
    };

    return words[workload->resp][request->operation][request->was_there];
}

long check_reply(const struct workload *workload, const char *input, size_t size,
                 const struct request *request)
{
    struct reading reading = {input, input + size};
    enum found found;

    if (request->operation != GET) {
        found = expect_text(&reading, word_for(workload, request));
    } else if (workload->canned) {
        found = expect_canned(workload, &reading);
    } else {
        found = expect_get(workload, &reading, request);
    }
    if (found != RIGHT) {
        return found == PARTIAL ? REPLY_PARTIAL : REPLY_WRONG;
    }
    return reading.at - input;
}
