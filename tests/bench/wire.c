/* Texts put behind each other; a request is written only once, so nothing is kept of it. */
#include "wire.h"

#include "room.h"
#include "sessiond/base/number.h"

#include <string.h>

static const char lock_prefix[] = "lock.";

/* The parts of a request that vary: its key, and a value with its head. */
struct words {
    const char *key;
    size_t key_length;
    struct key_line passing;              /* where a key is that is not kept, */
    char lock_key[KEY_MAX + LOCK_PREFIX]; /* or is made */
    uint64_t head[2];
    size_t value_length;
};

static char *put_text(char *out, const char *text)
{
    return put(out, text, strlen(text));
}

char *wire_put_length(char *out, size_t length)
{
    return put(out + number_format_u64(length, (uint8_t *)out), "\r\n", 2);
}

static bool is_of_lock(const struct request *request)
{
    return request->operation == LOCK || request->operation == UNLOCK;
}

static void take_key(const struct workload *workload, const struct request *request, size_t k,
                     struct words *words)
{
    const struct key_line *line = workload_line(workload, request, k, &words->passing);

    words->key = line->text + KEY_AT;
    words->key_length = line->length - KEY_AT - 3U;
    if (is_of_lock(request)) {
        size_t before =
            workload->plan.keys[sessions_form(&workload->sessions, request->index)].lock_at;
        char *out = put(put(words->lock_key, words->key, before), lock_prefix, LOCK_PREFIX);

        (void)put(out, words->key + before, words->key_length - before);
        words->key = words->lock_key;
        words->key_length += LOCK_PREFIX;
    }
}

/* A lock's value is one byte; a session's says whose it is. */
static void make_value(struct workload *workload, const struct request *request,
                       struct words *words)
{
    words->value_length = 1;
    if (!is_of_lock(request)) {
        words->head[0] = request->index;
        words->head[1] = draw_next(&workload->random_state);
        words->value_length = workload_value_length(workload, words->head);
        workload->stored_bytes += words->key_length + words->value_length;
    }
}

static char *put_value(char *out, const struct words *words)
{
    if (words->value_length < VALUE_HEAD) {
        return put_text(out, "1\r\n");
    }
    memcpy(out, words->head, VALUE_HEAD);
    memset(out + VALUE_HEAD, 'v', words->value_length - VALUE_HEAD);
    return put(out + words->value_length, "\r\n", 2);
}

/* ---- memcached ------------------------------------------------------------------------------- */

static char *put_number(char *out, uint64_t number)
{
    return out + number_format_u64(number, (uint8_t *)out);
}

static char *put_storing(struct workload *workload, char *out, const struct request *request,
                         const struct words *words)
{
    out = put_text(out, request->operation == SET ? "set " : "add ");
    out = put_text(put(out, words->key, words->key_length), " 0 ");
    out = put_number(out, request->operation == LOCK ? LOCK_SECONDS : workload->plan.ttl_s);
    out = wire_put_length(put_text(out, " "), words->value_length);
    return put_value(out, words);
}

static char *put_get(const struct workload *workload, char *out, const struct request *request)
{
    struct words words;

    out = put_text(out, "get");
    for (size_t k = 0; k < workload_n_keys(workload, request); k++) {
        take_key(workload, request, k, &words);
        out = put(put_text(out, " "), words.key, words.key_length);
    }
    return put_text(out, "\r\n");
}

static char *put_request(struct workload *workload, char *out, const struct request *request)
{
    struct words words;

    if (request->operation == GET) {
        return put_get(workload, out, request);
    }
    take_key(workload, request, 0, &words);
    if (request->operation == TOUCH) {
        out = put(put_text(out, "touch "), words.key, words.key_length);
        return put_text(put_number(put_text(out, " "), workload->plan.ttl_s), "\r\n");
    }
    if (request->operation == DELETE || request->operation == UNLOCK) {
        return put_text(put(put_text(out, "delete "), words.key, words.key_length), "\r\n");
    }
    make_value(workload, request, &words);
    return put_storing(workload, out, request, &words);
}

/* ---- Redis ----------------------------------------------------------------------------------- */

static char *put_resp_word(char *out, const char *word, size_t length)
{
    out = wire_put_length(put_text(out, "$"), length);
    return put(put(out, word, length), "\r\n", 2);
}

static char *put_resp_text(char *out, const char *text)
{
    return put_resp_word(out, text, strlen(text));
}

/* "EX", and the seconds. */
static char *put_resp_seconds(const struct workload *workload, char *out,
                              const struct request *request)
{
    uint8_t digits[NUMBER_DIGITS];
    uint64_t seconds = request->operation == LOCK ? LOCK_SECONDS : workload->plan.ttl_s;

    return put_resp_word(out, (const char *)digits, number_format_u64(seconds, digits));
}

static char *put_resp_storing(struct workload *workload, char *out, const struct request *request,
                              const struct words *words)
{
    bool adds = request->operation != SET;

    out = put_resp_text(put_text(out, adds ? "*6\r\n" : "*5\r\n"), "SET");
    out = put_resp_word(out, words->key, words->key_length);
    out = wire_put_length(put_text(out, "$"), words->value_length);
    out = put_resp_text(put_value(out, words), "EX");
    out = put_resp_seconds(workload, out, request);
    return adds ? put_resp_text(out, "NX") : out;
}

static char *put_resp_get(const struct workload *workload, char *out, const struct request *request)
{
    size_t n_keys = workload_n_keys(workload, request);
    struct words words;

    out = wire_put_length(put_text(out, "*"), n_keys + 1);
    out = put_resp_text(out, n_keys > 1 ? "MGET" : "GET");
    for (size_t k = 0; k < n_keys; k++) {
        take_key(workload, request, k, &words);
        out = put_resp_word(out, words.key, words.key_length);
    }
    return out;
}

static char *put_resp_request(struct workload *workload, char *out, const struct request *request)
{
    struct words words;

    if (request->operation == GET) {
        return put_resp_get(workload, out, request);
    }
    take_key(workload, request, 0, &words);
    if (request->operation == TOUCH) {
        out = put_resp_text(put_text(out, "*3\r\n"), "EXPIRE");
        return put_resp_seconds(workload, put_resp_word(out, words.key, words.key_length), request);
    }
    if (request->operation == DELETE || request->operation == UNLOCK) {
        out = put_resp_text(put_text(out, "*2\r\n"), "DEL");
        return put_resp_word(out, words.key, words.key_length);
    }
    make_value(workload, request, &words);
    return put_resp_storing(workload, out, request, &words);
}

size_t wire_write(struct workload *workload, char *out, const struct request *request)
{
    char *end = workload->resp ? put_resp_request(workload, out, request)
                               : put_request(workload, out, request);

    return (size_t)(end - out);
}
