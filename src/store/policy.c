/* Policy. Threads, memory: see the header. */
#include "sessiond/store/policy.h"

#include "sessiond/base/number.h"

#include <stdatomic.h>
#include <string.h>

enum { MS_PER_S = 1000 };

#define ROW(...) OPTION_ROW(policy_options, __VA_ARGS__)
static const struct option_row option_rows[] = {POLICY_OPTIONS(ROW)};
#undef ROW
const struct option_table policy_option_table = {
    .title = "Sessions", .rows = option_rows, .n_rows = sizeof option_rows / sizeof option_rows[0]};

static int64_t seconds_of(uint64_t ms)
{
    return (int64_t)((ms + MS_PER_S - 1) / MS_PER_S);
}

/* Split at the last blank: no key has one. */
static enum sess_status parse_cap(const char *text, struct policy_cap *cap,
                                  struct sess_error *error)
{
    const char *blank = strrchr(text, ' ');
    struct slice time = slice_from_text(blank == NULL ? text : blank + 1);
    uint64_t ms = 0;
    bool is_none = slice_is(time, "none");

    cap->prefix = slice_of(text, blank == NULL ? 0 : (size_t)(blank - text));
    if (memchr(text, ' ', cap->prefix.size) != NULL ||
        (!is_none && (number_parse_duration(time, &ms) != SESS_OK || ms < MS_PER_S))) {
        return error_set(error, SESS_INVALID,
                         "max-ttl: '%.100s' will not do: it takes [PREFIX ]TIME, where TIME is "
                         "1s or longer, or none",
                         text);
    }
    cap->ttl_s = is_none ? POLICY_NO_CAP : seconds_of(ms);
    return SESS_OK;
}

/* Behind all that are at least as long. */
static enum sess_status insert_cap(struct policy *policy, const struct policy_cap *cap,
                                   struct sess_error *error)
{
    size_t at = policy->n_caps;

    for (size_t i = 0; i < policy->n_caps; i++) {
        if (slice_equal(policy->caps[i].prefix, cap->prefix)) {
            return error_set(error, SESS_INVALID, "max-ttl: '%.*s' is given twice",
                             (int)cap->prefix.size, (const char *)cap->prefix.data);
        }
    }
    for (; at > 0 && policy->caps[at - 1].prefix.size < cap->prefix.size; at--) {
        policy->caps[at] = policy->caps[at - 1];
    }
    policy->caps[at] = *cap;
    policy->n_caps++;
    return SESS_OK;
}

enum sess_status policy_init(struct policy *policy, const struct policy_options *options,
                             struct sess_error *error)
{
    const struct option_list *list = &options->max_ttl;
    enum sess_status status = SESS_OK;

    *policy = (struct policy){.options = options};
    for (size_t i = 0; status == SESS_OK && i < list->n_items; i++) {
        struct policy_cap cap;

        if (list->items[i][0] == '\0') {
            continue;
        }
        status = parse_cap(list->items[i], &cap, error);
        if (status == SESS_OK) {
            status = insert_cap(policy, &cap, error);
        }
    }
    return status;
}

int64_t policy_cap_s(const struct policy *policy, struct slice key)
{
    for (size_t i = 0; policy != NULL && i < policy->n_caps; i++) {
        if (slice_starts_with(key, policy->caps[i].prefix)) {
            return policy->caps[i].ttl_s;
        }
    }
    return POLICY_NO_CAP;
}

static bool is_word_byte(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

/* PHP's, memcached-session-manager's and the like are deleted and set again with every request. */
static bool has_word_lock(struct slice key)
{
    const struct slice word = SLICE_LITERAL("lock");

    for (size_t i = 0; i + word.size <= key.size; i++) {
        if (slice_starts_with(slice_from(key, i), word) &&
            (i == 0 || !is_word_byte(key.data[i - 1])) &&
            (i + word.size == key.size || !is_word_byte(key.data[i + word.size]))) {
            return true;
        }
    }
    return false;
}

/* Seconds of an option that says nothing of locks. */
static int64_t seconds_for(const _Atomic uint64_t *option_ms, struct slice key)
{
    uint64_t ms = atomic_load_explicit(option_ms, memory_order_relaxed);

    return ms == 0 || has_word_lock(key) ? 0 : seconds_of(ms);
}

int64_t policy_first_s(const struct policy *policy, struct slice key)
{
    return policy == NULL ? 0 : seconds_for(&policy->options->first_write_ttl, key);
}

int64_t policy_hold_s(const struct policy *policy, struct slice key)
{
    return policy == NULL ? 0 : seconds_for(&policy->options->logout_hold, key);
}
