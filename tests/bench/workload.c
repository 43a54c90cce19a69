/* Requests for sessions, in memcached's text protocol or Redis's, and the check of their replies. */
#include "workload.h"

#include "sessiond/base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As Django names them: version 1, its session engine's prefix, 32 random characters. */
static const char key_prefix[] = ":1:django.contrib.sessions.cache";
static const char two_weeks[] = "1209600";
static const char lock_prefix[] = "lock.";

const char *const operation_names[OPERATIONS] = {"get", "set", "touch", "lock", "unlock"};

/* The finaliser of splitmix64. */
static uint64_t mix_bits(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static uint64_t next_random(struct workload *workload)
{
    workload->random_state += 0x9e3779b97f4a7c15U;
    return mix_bits(workload->random_state);
}

static char *put(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

static void make_key_line(char *out, uint64_t index)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    out = put(put(out, "VALUE ", KEY_AT), key_prefix, sizeof(key_prefix) - 1);
    for (size_t at = sizeof(key_prefix) - 1; at < KEY_LENGTH; at++) {
        *out++ = alphabet[mix_bits((index << 8) | at) % (sizeof(alphabet) - 1)];
    }
    (void)put(out, " 0 ", 3);
}

void workload_prepare(struct workload *workload)
{
    workload->random_state = workload->seed;
    workload->key_lines = calloc(workload->keys, KEY_LINE);
    if (workload->key_lines == NULL) {
        perror("load: calloc");
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < workload->keys; i++) {
        make_key_line(workload->key_lines[i], i);
    }
}

void workload_release(struct workload *workload)
{
    free(workload->key_lines);
}

const char *workload_key(const struct workload *workload, size_t index)
{
    return workload->key_lines[index] + KEY_AT;
}

bool visit_is_open(const struct visit *visit)
{
    return visit->step != 0;
}

static enum operation choose_write(struct workload *workload)
{
    uint64_t set = workload->percent[SET];

    return next_random(workload) % (set + workload->percent[TOUCH]) < set ? SET : TOUCH;
}

static size_t choose_of_lane(struct workload *workload, size_t lane)
{
    uint64_t n_lane = (workload->keys - lane + workload->lanes - 1) / workload->lanes;

    return lane + workload->lanes * (next_random(workload) % n_lane);
}

/* PHP's four requests for one page, one after the other. */
static struct request visit_next(struct workload *workload, struct visit *visit)
{
    const enum operation steps[] = {LOCK, GET, SET, UNLOCK};
    struct request request = {steps[visit->step], 0};

    if (request.operation == LOCK) {
        visit->index = choose_of_lane(workload, visit->lane);
    } else if (request.operation == SET) {
        request.operation = choose_write(workload);
    }
    request.index = visit->index;
    visit->step = (visit->step + 1) % (sizeof(steps) / sizeof(steps[0]));
    return request;
}

static struct request choose_mixed(struct workload *workload)
{
    uint64_t random = next_random(workload);
    uint64_t roll = (random >> 32) % 100;
    struct request request = {TOUCH, (random & UINT32_MAX) % workload->keys};

    if (roll < workload->percent[GET]) {
        request.operation = GET;
    } else if (roll < workload->percent[GET] + workload->percent[SET]) {
        request.operation = SET;
    }
    return request;
}

struct request workload_choose(struct workload *workload, struct visit *visit)
{
    return workload->php ? visit_next(workload, visit) : choose_mixed(workload);
}

/* The head of a value says how long it is, so any stored value can be checked. */
static size_t value_length(const struct workload *workload, const uint64_t head[2])
{
    return workload->value_min +
           mix_bits(head[0] ^ head[1]) % (workload->value_max - workload->value_min + 1);
}

/* The length of a value and the end of its line. */
static char *put_length(char *out, size_t length)
{
    return put(out + number_format_u64(length, (uint8_t *)out), "\r\n", 2);
}

static char *put_text(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

static char *put_key(const struct workload *workload, char *out, size_t index)
{
    return put(out, workload_key(workload, index), KEY_LENGTH);
}

/* With its length in front of it and the end of the line behind it. */
static char *put_value(struct workload *workload, char *out, size_t index)
{
    uint64_t head[2] = {index, next_random(workload)};
    size_t length = value_length(workload, head);

    out = put_length(out, length);
    memcpy(out, head, VALUE_HEAD);
    memset(out + VALUE_HEAD, 'v', length - VALUE_HEAD);
    workload->stored_bytes += KEY_LENGTH + length;
    return put(out + length, "\r\n", 2);
}

static char *put_set(struct workload *workload, char *out, size_t index)
{
    out = put_key(workload, put_text(out, "set "), index);
    out = put_text(put_text(put_text(out, " 0 "), two_weeks), " ");
    return put_value(workload, out, index);
}

/* Of a RESP request: `head`, the count of words and the verb, and the key. */
static char *put_resp_head(const struct workload *workload, char *out, const char *head,
                           size_t index)
{
    out = put_length(put_text(put_text(out, head), "\r\n$"), KEY_LENGTH);
    return put_text(put_key(workload, out, index), "\r\n");
}

static char *put_resp_two_weeks(char *out)
{
    out = put_length(put_text(out, "$"), sizeof(two_weeks) - 1);
    return put_text(put_text(out, two_weeks), "\r\n");
}

static char *put_resp_request(struct workload *workload, char *out, struct request request)
{
    switch (request.operation) {
    case GET:
        return put_resp_head(workload, out, "*2\r\n$3\r\nGET", request.index);
    case SET:
        out = put_resp_head(workload, out, "*5\r\n$3\r\nSET", request.index);
        out = put_value(workload, put_text(out, "$"), request.index);
        return put_resp_two_weeks(put_text(out, "$2\r\nEX\r\n"));
    default:
        out = put_resp_head(workload, out, "*3\r\n$6\r\nEXPIRE", request.index);
        return put_resp_two_weeks(out);
    }
}

static char *put_lock(const struct workload *workload, char *out, size_t index)
{
    out = put_key(workload, put_text(put_text(out, "add "), lock_prefix), index);
    return put_text(out, " 0 30 1\r\n1\r\n");
}

static char *put_unlock(const struct workload *workload, char *out, size_t index)
{
    out = put_key(workload, put_text(put_text(out, "delete "), lock_prefix), index);
    return put_text(out, "\r\n");
}

static char *put_touch(const struct workload *workload, char *out, size_t index)
{
    out = put_key(workload, put_text(out, "touch "), index);
    return put_text(put_text(put_text(out, " "), two_weeks), "\r\n");
}

static char *put_get(const struct workload *workload, char *out, size_t index)
{
    return put_text(put_key(workload, put_text(out, "get "), index), "\r\n");
}

static char *put_request(struct workload *workload, char *out, struct request request)
{
    switch (request.operation) {
    case GET:
        return put_get(workload, out, request.index);
    case SET:
        return put_set(workload, out, request.index);
    case LOCK:
        return put_lock(workload, out, request.index);
    case UNLOCK:
        return put_unlock(workload, out, request.index);
    default:
        return put_touch(workload, out, request.index);
    }
}

size_t workload_write(struct workload *workload, char *out, struct request request)
{
    char *end = workload->resp ? put_resp_request(workload, out, request)
                               : put_request(workload, out, request);

    return (size_t)(end - out);
}

static long check_bytes(const char *input, size_t size, const char *text, size_t length)
{
    if (memcmp(input, text, size < length ? size : length) != 0) {
        return REPLY_WRONG;
    }
    return size < length ? REPLY_PARTIAL : (long)length;
}

/* A value from its length on; behind it comes `behind`. */
static long check_value(const struct workload *workload, const char *input, size_t size,
                        size_t index, const char *behind)
{
    char line[NUMBER_DIGITS + 2] = {0};
    uint64_t head[2];
    size_t line_length, length;
    long end;
    const char *newline = memchr(input, '\n', size < sizeof(line) ? size : sizeof(line));

    if (newline == NULL) {
        return size < sizeof(line) ? REPLY_PARTIAL : REPLY_WRONG;
    }
    line_length = (size_t)(newline + 1 - input);
    if (size <= line_length + VALUE_HEAD) {
        return REPLY_PARTIAL;
    }
    memcpy(head, newline + 1, VALUE_HEAD);
    length = value_length(workload, head);
    (void)put_length(line, length);
    if (head[0] != index || memcmp(input, line, line_length) != 0) {
        return REPLY_WRONG;
    }
    line_length += length;
    if (size <= line_length) {
        return REPLY_PARTIAL;
    }
    end = check_bytes(input + line_length, size - line_length, behind, strlen(behind));
    return end <= 0 ? end : (long)line_length + end;
}

static long check_get(const struct workload *workload, const char *input, size_t size, size_t index)
{
    const char *line = workload->resp ? "$" : workload->key_lines[index];
    const char *behind = workload->resp ? "\r\n" : "\r\nEND\r\n";
    long begin = check_bytes(input, size, line, workload->resp ? 1 : KEY_LINE);
    long rest = begin <= 0
                    ? begin
                    : check_value(workload, input + begin, size - (size_t)begin, index, behind);

    return rest <= 0 ? rest : begin + rest;
}

/* The one text that a server without a store answers to every get. */
static long check_canned(const struct workload *workload, const char *input, size_t size)
{
    static const char end[] = "\r\nEND\r\n";
    char digits[NUMBER_DIGITS];
    size_t value = (workload->value_min + workload->value_max) / 2;
    size_t length = KEY_LINE + number_format_u64(value, (uint8_t *)digits) + 2 + value;

    if (memcmp(input, "VALUE ", size < KEY_AT ? size : KEY_AT) != 0) {
        return REPLY_WRONG;
    }
    if (size < length + sizeof(end) - 1) {
        return REPLY_PARTIAL;
    }
    return memcmp(input + length, end, sizeof(end) - 1) == 0 ? (long)(length + sizeof(end) - 1)
                                                             : REPLY_WRONG;
}

long workload_check(const struct workload *workload, const char *input, size_t size,
                    struct request request)
{
    static const char *const replies[][OPERATIONS] = {
        {NULL, "STORED\r\n", "TOUCHED\r\n", "STORED\r\n", "DELETED\r\n"},
        {NULL, "+OK\r\n", ":1\r\n", NULL, NULL},
    };
    const char *reply = replies[workload->resp][request.operation];

    if (request.operation != GET) {
        return check_bytes(input, size, reply, strlen(reply));
    }
    return workload->canned ? check_canned(workload, input, size)
                            : check_get(workload, input, size, request.index);
}
