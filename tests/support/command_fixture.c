/* The commands' fixture. One thread. Memory: the reply buffer. */
#include "command_fixture.h"

#include "sessiond/command/attached.h"
#include "suite_main.h"

#include <inttypes.h>
#include <stdio.h>

static void set_time(struct command_fixture *fixture)
{
    fixture->context.now.wall_s = fixture->store.now_s;
}

void command_fixture_open(struct command_fixture *fixture)
{
    *fixture = (struct command_fixture){.out = {.size = 0}};
    fixture_prepare(&fixture->store);
    budget_init(&fixture->store.data, (size_t)8 << 20); /* soon full, where a test wants that */
    fixture->policy = (struct policy){.options = &fixture->policy_options};
    fixture->store.config.policy = &fixture->policy;
    fixture_start(&fixture->store);
    fixture->shared = (struct command_shared){.store = fixture->store.store,
                                              .registry = &fixture->registry,
                                              .flush_log = &fixture->flush_log,
                                              .store_log = &fixture->store_log,
                                              .log_salt = &fixture->log_salt,
                                              .replies = &fixture->replies,
                                              .options = &fixture->options};
    budget_init(&fixture->replies, (size_t)4 << 20);
    fixture->context.shared = &fixture->shared;
    fixture->context.peer = "127.0.0.1:4711";
    fixture->limits = (struct parser_limits){.line_max = 8192,
                                             .value_max = fixture->store.config.max_value_bytes,
                                             .inline_max = STORE_COPY_MAX};
    parser_init(&fixture->parser, &fixture->limits);
    set_time(fixture);
}

void command_fixture_become_admin(struct command_fixture *fixture)
{
    fixture->limits.is_admin = true;
    fixture->context.is_admin = true;
}

void command_fixture_close(struct command_fixture *fixture)
{
    command_upload_abort(&fixture->upload);
    ck_assert_uint_eq(budget_used(&fixture->replies), 0);
    buffer_release(&fixture->out);
    fixture_close(&fixture->store);
}

void command_fixture_advance(struct command_fixture *fixture, int64_t seconds)
{
    fixture->store.now_s += seconds;
    set_time(fixture);
}

/* Receive a large value out of `input`, and finish it. */
static enum sess_status upload(struct command_fixture *fixture, const struct request *request,
                               struct slice *input)
{
    enum sess_status status =
        command_upload_begin(&fixture->context, request, &fixture->out, &fixture->upload);

    if (status != SESS_OK) {
        parser_swallow(&fixture->parser, request->value_size);
        return SESS_OK;
    }
    for (;;) {
        uint8_t *place;
        size_t size;

        HOT_ASSERT(command_upload_place(fixture->upload, input->size + 1, &place, &size) ==
                   SESS_OK);
        if (size == 0) {
            return command_upload_finish(&fixture->context, &fixture->upload, &fixture->out);
        }
        size = size < input->size ? size : input->size;
        HOT_ASSERT(size > 0);
        memcpy(place, input->data, size);
        command_upload_received(fixture->upload, size);
        *input = slice_from(*input, size);
    }
}

/* What net would send from where it is. */
static void insert_attached(struct command_fixture *fixture)
{
    struct command_context *context = &fixture->context;
    struct buffer *out = &fixture->out;
    struct slice value;
    uint8_t *place;

    if (context->attached == NULL) {
        return;
    }
    value = attached_bytes(context->attached);
    HOT_ASSERT(buffer_reserve(out, value.size) == SESS_OK);
    place = out->data + context->attached_at;
    memmove(place + value.size, place, out->size - context->attached_at);
    memcpy(place, value.data, value.size);
    out->size += value.size;
    attached_release(context->shared, &context->attached);
}

/* No ck_assert here: it allocates, and a test may have asked for the next allocation to fail. */
enum sess_status command_fixture_run(struct command_fixture *fixture, struct slice input)
{
    enum sess_status status = SESS_OK;

    while (status == SESS_OK && !fixture->context.must_close) {
        struct request request;
        size_t used = 0;
        enum parse_result result = parser_next(&fixture->parser, input, &request, &used);
        struct slice rest = slice_from(input, used);

        switch (result) {
        case PARSE_REQUEST:
            status = command_run(&fixture->context, &request, &fixture->out);
            insert_attached(fixture);
            break;
        case PARSE_UPLOAD:
            status = upload(fixture, &request, &rest);
            break;
        case PARSE_ERROR:
            command_reject(&fixture->context, &request, &fixture->out);
            break;
        default:
            HOT_ASSERT(rest.size == 0);
            return SESS_OK;
        }
        input = rest;
    }
    return status;
}

void command_fixture_say(struct command_fixture *fixture, const char *text, const char *expected)
{
    buffer_clear(&fixture->out, 0);
    ck_assert_int_eq(command_fixture_run(fixture, slice_from_text(text)), SESS_OK);
    ck_assert_int_eq(buffer_append(&fixture->out, slice_of("", 1)), SESS_OK);
    ck_assert_str_eq((const char *)fixture->out.data, expected);
    buffer_clear(&fixture->out, 0);
}

void command_fixture_converse(struct command_fixture *fixture, const struct command_step *steps,
                              size_t n_steps)
{
    for (size_t i = 0; i < n_steps; i++) {
        command_fixture_say(fixture, steps[i].text, steps[i].reply);
        command_fixture_expect_metrics(fixture, steps[i].metrics);
    }
}

void command_fixture_fill(struct command_fixture *fixture, size_t size)
{
    static uint8_t value[1 << 20];
    enum sess_status status = SESS_OK;
    char key[32];

    ck_assert_uint_le(size, sizeof value);
    while (status == SESS_OK) {
        (void)snprintf(key, sizeof key, "fill:%u", fixture->n_fillings++);
        status = fixture_write_slice(&fixture->store, STORE_ADD, key, slice_of(value, size), 0,
                                     STORE_NO_DEADLINE);
        HOT_ASSERT(fixture->n_fillings < 10000000);
    }
    ck_assert_int_eq(status, SESS_NO_MEMORY);
}

void command_fixture_expect_metrics(struct command_fixture *fixture, const char *expected)
{
    uint64_t totals[METRIC_ROWS_MAX] = {0};
    char moved[1024] = "";
    size_t used = 0;

    metric_sum(&command_metric_table, &fixture->context.metrics, totals);
    for (size_t i = 0; i < command_metric_table.n_rows; i++) {
        if (totals[i] != fixture->seen_metrics[i]) {
            used += (size_t)snprintf(moved + used, sizeof moved - used, "%s%s=%" PRIu64,
                                     used == 0 ? "" : " ", command_metric_table.rows[i].name,
                                     totals[i] - fixture->seen_metrics[i]);
            fixture->seen_metrics[i] = totals[i];
        }
    }
    ck_assert_str_eq(moved, expected);
}
