/* The meta commands that change: ms, md, ma. Those that read: meta_get.c; large values of ms: upload.c.
 *
 * Threads: the context's owner. Memory: none of its own. */
#include "meta.h"

#include "sessiond/base/number.h"
#include "sessiond/command/exptime.h"

static enum store_mode store_mode_of(const struct request *request)
{
    switch (request->meta.mode) {
    case 'E':
        return STORE_ADD;
    case 'A':
        return STORE_APPEND;
    case 'P':
        return STORE_PREPEND;
    case 'R':
        return meta_has(&request->meta, 'C') ? STORE_CAS : STORE_REPLACE;
    default:
        return meta_has(&request->meta, 'C') ? STORE_CAS : STORE_SET;
    }
}

struct store_write meta_write_of(const struct request *request, struct slice key)
{
    const struct meta_flags *flags = &request->meta;
    enum store_mode mode = store_mode_of(request);
    bool joins = mode == STORE_APPEND || mode == STORE_PREPEND;
    bool vivifies = joins && meta_has(flags, 'N');

    return (struct store_write){
        .mode = mode,
        .key = key,
        .value = request->value,
        .flags = request->flags,
        .expiry = exptime_to_expiry(vivifies ? flags->vivify : request->exptime),
        .cas = request->cas,
        .new_cas = flags->new_cas,
        .takes_older = mode == STORE_CAS && meta_has(flags, 'I'),
        .vivifies = vivifies,
    };
}

/* A code and what was asked to be given back with it; unless it is HD, which q leaves out. */
static void put_reply(const struct request *request, enum reply code,
                      const struct store_outcome *outcome, struct buffer *out)
{
    if (code == REPLY_META_HD && meta_has(&request->meta, 'q')) {
        return;
    }
    reply_put_word(out, code);
    for (const char *flag = request->meta.order; *flag != '\0'; flag++) {
        if (*flag == 'c' && outcome != NULL) {
            reply_put_flag_number(out, 'c', outcome->cas);
        } else if (*flag == 's' && outcome != NULL && code == REPLY_META_HD) {
            reply_put_flag_number(out, 's', outcome->size_bytes);
        } else {
            meta_put_echo(request, *flag, out);
        }
    }
    reply_put_value_end(out);
}

/* The code of a status; REPLY_COUNT where there is none. */
static enum reply code_of(enum sess_status status)
{
    switch (status) {
    case SESS_OK:
        return REPLY_META_HD;
    case SESS_NOT_STORED:
        return REPLY_META_NS;
    case SESS_EXISTS:
        return REPLY_META_EX;
    case SESS_NOT_FOUND:
        return REPLY_META_NF;
    default:
        return REPLY_COUNT;
    }
}

static enum reply error_of(enum sess_status status)
{
    switch (status) {
    case SESS_TOO_LARGE:
        return REPLY_TOO_LARGE;
    case SESS_NO_MEMORY:
        return REPLY_NO_MEMORY;
    case SESS_INVALID:
        return REPLY_NOT_A_NUMBER;
    default:
        return REPLY_REFUSED;
    }
}

static void answer_status(const struct request *request, enum sess_status status,
                          const struct store_outcome *outcome, struct buffer *out)
{
    enum reply code = code_of(status);

    if (code == REPLY_COUNT) {
        answer(request, out, error_of(status));
    } else {
        put_reply(request, code, outcome, out);
    }
}

void meta_answer_store(struct command_context *context, const struct request *request,
                       enum sess_status status, const struct store_outcome *outcome,
                       struct buffer *out)
{
    enum store_mode mode = store_mode_of(request);

    /* What is sent is within the limit, but not what it would be joined to. */
    if (status == SESS_TOO_LARGE && (mode == STORE_APPEND || mode == STORE_PREPEND)) {
        status = SESS_NOT_STORED;
    }
    count_store(&context->metrics, mode == STORE_CAS, status);
    if (status == SESS_TOO_LARGE || status == SESS_NO_MEMORY) {
        tell_refused(context, request, error_of(status));
    }
    answer_status(request, status, outcome, out);
}

/* Room for a code with all that may stand behind it. */
static bool make_room(struct command_context *context, struct buffer *out)
{
    if (buffer_reserve(out, REPLY_VALUE_MAX) != SESS_OK) {
        context->must_close = true;
    }
    return !context->must_close;
}

enum sess_status command_meta_set(struct command_context *context, const struct request *request,
                                  struct buffer *out)
{
    struct meta_key key;
    struct store_write write = meta_write_of(request, meta_key_of(request, &key));
    struct store_outcome outcome;
    enum sess_status status;

    if (!make_room(context, out)) {
        return SESS_OK;
    }
    status = store_write(context->shared->store, &write, context->now.wall_s, &outcome);
    explicit_bzero(&key, sizeof key);
    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
    meta_answer_store(context, request, status, &outcome, out);
    return SESS_OK;
}

static struct store_removal removal_of(const struct request *request, struct slice key)
{
    const struct meta_flags *flags = &request->meta;

    return (struct store_removal){
        .key = key,
        .compares_cas = meta_has(flags, 'C'),
        .cas = request->cas,
        .invalidates = meta_has(flags, 'I'),
        .empties = meta_has(flags, 'x'),
        .renews = meta_has(flags, 'I') && meta_has(flags, 'T'),
        .expiry = exptime_to_expiry(request->exptime),
        .new_cas = flags->new_cas,
    };
}

static void count_delete(struct command_metrics *metrics, const struct store_removal *removal,
                         enum sess_status status)
{
    if (status == SESS_NOT_FOUND || status == SESS_EXISTS) {
        metric_add(&metrics->delete_misses, 1);
    } else if (status == SESS_OK && !removal->invalidates && !removal->empties) {
        metric_add(&metrics->delete_hits, 1);
    }
}

enum sess_status command_meta_delete(struct command_context *context, const struct request *request,
                                     struct buffer *out)
{
    struct meta_key key;
    struct store_removal removal = removal_of(request, meta_key_of(request, &key));
    struct store_outcome outcome;
    enum sess_status status;

    if (!make_room(context, out)) {
        return SESS_OK;
    }
    status = store_remove(context->shared->store, &removal, context->now.wall_s, &outcome);
    explicit_bzero(&key, sizeof key);
    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
    count_delete(&context->metrics, &removal, status);
    answer_status(request, status, NULL, out);
    return SESS_OK;
}

/* Of T and N the later one counts, where there was no number. */
static struct store_count count_of(const struct request *request, struct slice key)
{
    const struct meta_flags *flags = &request->meta;
    bool touches_last = meta_has(flags, 'T') && meta_comes_first(flags, 'N', 'T');

    return (struct store_count){
        .key = key,
        .delta = request->delta,
        .is_decrement = flags->mode == 'D' || flags->mode == '-',
        .cas = request->cas,
        .new_cas = flags->new_cas,
        .renews = meta_has(flags, 'T'),
        .expiry = exptime_to_expiry(request->exptime),
        .vivifies = meta_has(flags, 'N'),
        .initial = flags->initial,
        .vivified = exptime_to_expiry(touches_last ? request->exptime : flags->vivify),
    };
}

/* Of what was stored; 0 for what had ended already. */
static int64_t ttl_of(const struct command_context *context, const struct store_outcome *outcome)
{
    if (outcome->deadline_s == STORE_NO_DEADLINE) {
        return STORE_NO_DEADLINE;
    }
    return outcome->deadline_s > context->now.wall_s ? outcome->deadline_s - context->now.wall_s
                                                     : 0;
}

static void answer_number(const struct command_context *context, const struct request *request,
                          const struct store_outcome *outcome, uint64_t number, struct buffer *out)
{
    uint8_t digits[NUMBER_DIGITS];
    struct slice text = slice_of(digits, number_format_u64(number, digits));
    bool shows = meta_has(&request->meta, 'v');

    if (meta_has(&request->meta, 'q') && !outcome->is_new) {
        return;
    }
    reply_put_word(out, shows ? REPLY_META_VA : REPLY_META_HD);
    if (shows) {
        reply_put_number_word(out, text.size);
    }
    for (const char *flag = request->meta.order; *flag != '\0'; flag++) {
        if (*flag == 't') {
            meta_put_ttl(out, ttl_of(context, outcome));
        } else if (*flag == 'c') {
            reply_put_flag_number(out, 'c', outcome->cas);
        } else {
            meta_put_echo(request, *flag, out);
        }
    }
    reply_put_value_end(out);
    if (shows) {
        buffer_put(out, text);
        reply_put_value_end(out);
    }
}

enum sess_status command_meta_count(struct command_context *context, const struct request *request,
                                    struct buffer *out)
{
    struct meta_key key;
    struct store_count count = count_of(request, meta_key_of(request, &key));
    struct store_outcome outcome;
    uint64_t number = 0;
    enum sess_status status;

    if (!make_room(context, out)) {
        return SESS_OK;
    }
    status = store_count(context->shared->store, &count, context->now.wall_s, &number, &outcome);
    explicit_bzero(&key, sizeof key);
    if (status == SESS_BUSY) {
        return status;
    }
    note_change(context, &outcome);
    if (!outcome.is_new) {
        count_count(&context->metrics, count.is_decrement, status);
    }
    if (status == SESS_OK) {
        answer_number(context, request, &outcome, number, out);
    } else {
        answer_status(request, status, NULL, out);
    }
    return SESS_OK;
}
