/* Fuzz target: a whole conversation over a store: parser, commands, replies. Any bytes, in any pieces: nothing
 * is read that is not there, every reply line is one of the protocol's, nothing stays charged, and however the
 * bytes are cut the replies are the same.
 *
 * Not sockets (net). An input is what a client sends; where it is cut follows from it. The time goes on by
 * STEP_S with each `version`. */
#include "fuzz.h"

#include "sessiond/command/attached.h"
#include "sessiond/command/command.h"
#include "sessiond/command/options.h"
#include "sessiond/protocol/parser.h"

enum {
    INLINE_MAX = 64, /* bytes: larger values are received in their place */
    VALUE_MAX = 4096,
    REPLIES_MAX = 1 << 20, /* bytes; then the conversation ends */
    STEP_S = 7,
    NOW_S = 1700000000,
    N_SHARDS = 2, /* a store of many takes longer to make than all that an input says */
};

static const struct parser_limits limits = {
    .line_max = 2048, .value_max = VALUE_MAX, .inline_max = INLINE_MAX};

struct conversation {
    struct budget data;
    struct budget in_flight;
    struct budget attached;
    struct store *store;
    struct registry registry;
    struct log_limit flush_log;
    struct log_limit store_log;
    struct hash_key log_salt;
    struct command_options options;
    struct command_shared shared;
    struct command_context context;
    struct parser parser;
    struct command_upload *upload;
    struct buffer replies;
    bool in_keys; /* a get has begun and is not done */
    /* A get over the line's limit is run key by key while it comes, but not when it has come whole: then a bad key
     * behind good ones spoils it before they have run. */
    bool is_different;
};

static void begin(struct conversation *self)
{
    struct store_config config = {.max_value_bytes = VALUE_MAX,
                                  .data = &self->data,
                                  .in_flight = &self->in_flight,
                                  .hash_key = {.low = 1, .high = 2},
                                  .first_cas = 1,
                                  .now_s = NOW_S,
                                  .n_shards = N_SHARDS};

    log_set_level(LOG_LEVEL_ERROR); /* each conversation may log once a second, and lasts none */
    memset(self, 0, sizeof *self);
    budget_init(&self->data, (size_t)4 << 20);
    budget_init(&self->in_flight, (size_t)1 << 20);
    budget_init(&self->attached, (size_t)1 << 20);
    FUZZ_CHECK(store_create(&config, &self->store) == SESS_OK);
    self->shared = (struct command_shared){.store = self->store,
                                           .registry = &self->registry,
                                           .flush_log = &self->flush_log,
                                           .store_log = &self->store_log,
                                           .log_salt = &self->log_salt,
                                           .replies = &self->attached,
                                           .options = &self->options};
    self->options.flush_all = FLUSH_ALL_ALLOW;
    self->context.shared = &self->shared;
    self->context.peer = "fuzz";
    self->context.now.wall_s = NOW_S;
    parser_init(&self->parser, &limits);
}

static void end(struct conversation *self)
{
    command_upload_abort(&self->upload);
    FUZZ_CHECK(budget_used(&self->attached) == 0);
    FUZZ_CHECK(budget_used(&self->in_flight) == 0);
    store_destroy(&self->store);
    FUZZ_CHECK(budget_used(&self->data) == 0);
    buffer_release(&self->replies);
}

/* Take what there is of a large value. Returns whether it is done. */
static bool fill_upload(struct conversation *self, struct slice *unread)
{
    uint8_t *place;
    size_t size;

    for (;;) {
        FUZZ_CHECK(command_upload_place(self->upload, unread->size + 1, &place, &size) == SESS_OK);
        if (size == 0) {
            enum sess_status status =
                command_upload_finish(&self->context, &self->upload, &self->replies);

            FUZZ_CHECK(self->upload == NULL && (status == SESS_OK || self->context.must_close));
            return true;
        }
        if (unread->size == 0) {
            return false;
        }
        size = size < unread->size ? size : unread->size;
        memcpy(place, unread->data, size);
        command_upload_received(self->upload, size);
        *unread = slice_from(*unread, size);
    }
}

/* A large value of a reply, sent from where it is. */
static void send_attached(struct conversation *self)
{
    struct slice value;
    struct slice behind;

    if (self->context.attached == NULL) {
        return;
    }
    value = attached_bytes(self->context.attached);
    FUZZ_CHECK(buffer_reserve(&self->replies, value.size) == SESS_OK);
    behind =
        slice_from(slice_of(self->replies.data, self->replies.size), self->context.attached_at);
    memmove(self->replies.data + self->context.attached_at + value.size, behind.data, behind.size);
    memcpy(self->replies.data + self->context.attached_at, value.data, value.size);
    self->replies.size += value.size;
    attached_release(&self->shared, &self->context.attached);
}

static void run(struct conversation *self, const struct request *request)
{
    FUZZ_CHECK(command_run(&self->context, request, &self->replies) == SESS_OK);
    send_attached(self);
    self->in_keys = command_takes_keys(request->command) && !request->is_last_key;
    if (request->command->id == COMMAND_VERSION) {
        self->context.now.wall_s += STEP_S;
    }
}

static void begin_upload(struct conversation *self, const struct request *request)
{
    if (command_upload_begin(&self->context, request, &self->replies, &self->upload) != SESS_OK) {
        parser_swallow(&self->parser, request->value_size);
    }
}

/* One stage of net/turn.c. Returns whether to go on with what is unread. */
static bool step(struct conversation *self, struct slice *unread)
{
    struct request request;
    size_t used;
    enum parse_result result;

    if (self->upload != NULL) {
        return fill_upload(self, unread);
    }
    result = parser_next(&self->parser, *unread, &request, &used);
    switch (result) {
    case PARSE_REQUEST:
        run(self, &request);
        break;
    case PARSE_UPLOAD:
        begin_upload(self, &request);
        break;
    case PARSE_ERROR:
        self->is_different = self->in_keys;
        command_reject(&self->context, &request, &self->replies);
        break;
    case PARSE_MORE:
        break;
    default:
        self->context.must_close = true;
        break;
    }
    *unread = slice_from(*unread, used);
    return result != PARSE_MORE;
}

static bool is_over(const struct conversation *self)
{
    return self->context.must_close || self->is_different || self->replies.size > REPLIES_MAX;
}

/* Say it in pieces of 1 to `piece_max` bytes; 0: all at once. */
static void say(struct conversation *self, struct slice input, size_t piece_max)
{
    struct test_random random = fuzz_random(input);
    size_t n_used = 0;
    size_t n_arrived = 0;

    while (n_arrived < input.size && !is_over(self)) {
        size_t rest = input.size - n_arrived;
        size_t piece = piece_max == 0 ? rest : 1 + (size_t)test_random_below(&random, piece_max);
        struct slice unread;

        n_arrived += piece < rest ? piece : rest;
        unread = fuzz_piece(slice_of(input.data + n_used, n_arrived - n_used));
        while (!is_over(self) && step(self, &unread)) {
        }
        n_used = n_arrived - unread.size;
    }
}

static void compare(const struct conversation *whole, const struct conversation *pieces)
{
    FUZZ_CHECK(whole->context.must_close == pieces->context.must_close);
    FUZZ_CHECK(slice_equal(slice_of(whole->replies.data, whole->replies.size),
                           slice_of(pieces->replies.data, pieces->replies.size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conversation whole;
    static struct conversation pieces;
    struct slice input = slice_of(data, size);

    begin(&whole);
    begin(&pieces);
    say(&whole, input, 0);
    say(&pieces, input, 30);
    if (!whole.is_different && !pieces.is_different) {
        compare(&whole, &pieces);
    }
    end(&whole);
    end(&pieces);
    return 0;
}
