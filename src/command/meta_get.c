/* The meta commands that read: mg, which may do more, me, and mn. Those that change: meta_change.c.
 *
 * Threads: the context's owner. Memory: as get: a large value is handed on by reference. */
#include "meta.h"

#include "sessiond/base/base64.h"
#include "sessiond/base/number.h"
#include "sessiond/command/exptime.h"
#include "sessiond/store/value.h"

struct slice meta_key_of(const struct request *request, struct meta_key *key)
{
    if (!meta_has(&request->meta, 'b')) {
        return request->key;
    }
    return slice_of(key->place, base64_decode(request->key, key->place));
}

void meta_put_echo(const struct request *request, char flag, struct buffer *out)
{
    if (flag == 'O') {
        reply_put_text_word(out, request->meta.opaque);
    } else if (flag == 'k') {
        reply_put_flag_text(out, 'k', request->key);
        if (meta_has(&request->meta, 'b')) {
            reply_put_flag(out, 'b');
        }
    }
}

void meta_put_ttl(struct buffer *out, int64_t ttl_s)
{
    if (ttl_s == STORE_NO_DEADLINE) {
        reply_put_flag_text(out, 't', SLICE_LITERAL("-1"));
    } else {
        reply_put_flag_number(out, 't', (uint64_t)ttl_s);
    }
}

/* Flags have their effect in the order in which they stand: of T and N the later one counts. */
static struct store_look look_of(const struct command_context *context,
                                 const struct request *request, struct slice key)
{
    const struct meta_flags *flags = &request->meta;
    bool touches_last = meta_has(flags, 'T') && meta_comes_first(flags, 'N', 'T');

    return (struct store_look){
        .key = key,
        .hash = key.data == request->key.data ? context->hash : 0,
        .replies = meta_has(flags, 'v') ? context->shared->replies : NULL,
        .leaves_no_trace = meta_has(flags, 'u'),
        .renews = meta_has(flags, 'T'),
        .expiry = exptime_to_expiry(request->exptime),
        .vivifies = meta_has(flags, 'N'),
        .vivified = exptime_to_expiry(touches_last ? request->exptime : flags->vivify),
        .new_cas = flags->new_cas,
        .recaches = meta_has(flags, 'R') && flags->recache != 0,
        .recache = exptime_to_expiry(flags->recache),
        .recaches_renewed = meta_comes_first(flags, 'T', 'R'),
    };
}

static void put_flags(const struct request *request, const struct store_reading *reading,
                      const struct store_sight *sight, struct buffer *out)
{
    int64_t ttl_s = sight->old_ttl_s;

    for (const char *flag = request->meta.order; *flag != '\0'; flag++) {
        switch (*flag) {
        case 'T':
            ttl_s = sight->ttl_s;
            break;
        case 's':
            reply_put_flag_number(out, 's', reading->value.size);
            break;
        case 't':
            meta_put_ttl(out, ttl_s);
            break;
        case 'c':
            reply_put_flag_number(out, 'c', reading->cas);
            break;
        case 'f':
            reply_put_flag_number(out, 'f', reading->flags);
            break;
        case 'l':
            reply_put_flag_number(out, 'l', (uint64_t)sight->idle_s);
            break;
        case 'h':
            reply_put_flag_number(out, 'h', sight->was_fetched);
            break;
        default:
            meta_put_echo(request, *flag, out);
            break;
        }
    }
}

static void put_marks(const struct store_sight *sight, struct buffer *out)
{
    if (sight->had_winner) {
        reply_put_flag(out, 'Z');
    }
    if (sight->is_stale) {
        reply_put_flag(out, 'X');
    }
    if (sight->has_won) {
        reply_put_flag(out, 'W');
    }
}

static void answer_hit(struct command_context *context, const struct request *request,
                       const struct store_reading *reading, const struct store_sight *sight,
                       struct buffer *out)
{
    bool asks = meta_has(&request->meta, 'v');
    bool shows = asks && !(meta_has(&request->meta, 'C') && request->cas == reading->cas);

    reply_put_word(out, shows ? REPLY_META_VA : REPLY_META_HD);
    if (shows) {
        reply_put_number_word(out, reading->value.size);
    }
    put_flags(request, reading, sight, out);
    put_marks(sight, out);
    reply_put_value_end(out);
    if (shows) {
        put_value(context, reading, out);
    } else if (asks && reading->block != NULL) {
        value_block_take_back(reading->block, context->shared->replies);
    }
}

static void answer_miss(const struct request *request, struct buffer *out)
{
    if (meta_has(&request->meta, 'q')) {
        return;
    }
    reply_put_word(out, REPLY_META_EN);
    for (const char *flag = request->meta.order; *flag != '\0'; flag++) {
        meta_put_echo(request, *flag, out);
    }
    reply_put_value_end(out);
}

static void count_look(struct command_metrics *metrics, bool is_touch, enum sess_status status)
{
    if (status == SESS_OK && is_touch) {
        metric_add(&metrics->cmd_touch, 1);
        metric_add(&metrics->touch_hits, 1);
    } else if (status == SESS_OK || status == SESS_NOT_FOUND) {
        metric_add(&metrics->cmd_get, 1);
        metric_add(status == SESS_OK ? &metrics->get_hits : &metrics->get_misses, 1);
    } else if (status == SESS_NO_MEMORY) {
        metric_add(&metrics->store_no_memory, 1);
    }
}

static enum sess_status get_one(struct command_context *context, const struct request *request,
                                struct buffer *out)
{
    struct meta_key key;
    struct store_look look = look_of(context, request, meta_key_of(request, &key));
    struct store_reading reading;
    struct store_sight sight;
    enum sess_status status =
        store_look_begin(context->shared->store, &look, context->now.wall_s, &reading, &sight);

    if (status == SESS_OK) {
        answer_hit(context, request, &reading, &sight, out);
        store_read_end(&reading);
    }
    explicit_bzero(&key, sizeof key);
    if (status == SESS_BUSY) {
        return status;
    }
    if (look.renews || look.vivifies || (status == SESS_OK && reading.has_changed)) {
        note_change(context, &reading.outcome);
    } else {
        note_read(context, &reading.outcome);
    }
    count_look(&context->metrics, look.renews, status);
    return status;
}

enum sess_status command_meta_get(struct command_context *context, const struct request *request,
                                  struct buffer *out)
{
    enum sess_status status = SESS_TOO_LARGE;

    if (buffer_reserve(out, REPLY_VALUE_MAX + STORE_COPY_MAX + REPLY_LINE_MAX) == SESS_OK) {
        status = get_one(context, request, out);
    }
    switch (status) {
    case SESS_BUSY:
        return status;
    case SESS_OK:
        break;
    case SESS_NOT_FOUND:
        answer_miss(request, out);
        break;
    case SESS_NO_MEMORY:
        answer(request, out, REPLY_NO_MEMORY);
        break;
    case SESS_REFUSED:
        answer(request, out, REPLY_REFUSED);
        break;
    default:
        answer(request, out, REPLY_NO_MEMORY_READING);
        context->must_close = true;
        break;
    }
    return SESS_OK;
}

static void put_number_fact(struct buffer *out, const char *name, uint64_t number)
{
    uint8_t digits[NUMBER_DIGITS];

    reply_put_fact(out, name, slice_of(digits, number_format_u64(number, digits)));
}

static void put_facts(const struct store_reading *reading, const struct store_sight *sight,
                      struct buffer *out)
{
    if (sight->ttl_s == STORE_NO_DEADLINE) {
        reply_put_fact(out, "exp", SLICE_LITERAL("-1"));
    } else {
        put_number_fact(out, "exp", (uint64_t)sight->ttl_s);
    }
    put_number_fact(out, "la", (uint64_t)sight->idle_s);
    put_number_fact(out, "cas", reading->cas);
    reply_put_fact(out, "fetch", sight->was_fetched ? SLICE_LITERAL("yes") : SLICE_LITERAL("no"));
    /* There is one class: see stats slabs. */
    put_number_fact(out, "cls", 1);
    put_number_fact(out, "size", sight->held_bytes);
}

enum sess_status command_meta_debug(struct command_context *context, const struct request *request,
                                    struct buffer *out)
{
    struct meta_key key;
    struct store_look look = {.key = meta_key_of(request, &key), .leaves_no_trace = true};
    struct store_reading reading;
    struct store_sight sight;
    enum sess_status status;

    if (buffer_reserve(out, REPLY_VALUE_MAX) != SESS_OK) {
        context->must_close = true;
        return SESS_OK;
    }
    status = store_look_begin(context->shared->store, &look, context->now.wall_s, &reading, &sight);
    explicit_bzero(&key, sizeof key);
    if (status == SESS_BUSY) {
        return status;
    }
    note_read(context, &reading.outcome);
    if (status != SESS_OK) {
        answer(request, out, REPLY_META_EN);
        return SESS_OK;
    }
    reply_put_word(out, REPLY_META_ME);
    reply_put_text_word(out, request->key);
    put_facts(&reading, &sight, out);
    reply_put_value_end(out);
    store_read_end(&reading);
    return SESS_OK;
}

enum sess_status command_meta_noop(struct command_context *context, const struct request *request,
                                   struct buffer *out)
{
    (void)context;
    answer(request, out, REPLY_META_MN);
    return SESS_OK;
}
