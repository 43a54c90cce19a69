/* Dumps of a store in use. What one is: dump.h. Threads, memory: see the header.
 *
 * A slice of the walk is copied into the piece under the shard's lock. What is large, or has no room left in the
 * piece, is only noted by its key: it is looked for again, where the walk met it, when its turn comes. If it is
 * not there any more it has ended meanwhile, or the walk will meet it again in a later bucket. */
#include "sessiond/journal/dump_stream.h"

#include "checksum.h"
#include "dump_lines.h"

#include <stdlib.h>

enum {
    SLICES_MAX = 32, /* of the walk, for a piece: where there is little, they are cheap */
    ENOUGH = STREAM_PIECE_MAX / 2,    /* bytes behind which no slice is begun */
    CHUNK_MAX = STREAM_PIECE_MAX - 1, /* of a large value: its line end fits behind it */
};
_Static_assert(STORE_COPY_MAX + DUMP_LINE_MAX < STREAM_PIECE_MAX, "what is copied fits a piece");

struct dump_stream {
    struct stream stream;
    struct store *store;
    struct budget *replies;
    struct checksum *checksum; /* over all pieces so far */
    int64_t created_s;
    uint64_t n_entries;
    bool has_begun;
    bool is_walked; /* all slices */
    bool is_out_of_memory;
    struct store_walk walk;    /* where it goes on */
    struct store_walk met_at;  /* where the slice began in which the noted keys were met */
    struct buffer noted;       /* keys, each behind a byte that is its size */
    size_t noted_at;           /* of them: those before are done with */
    struct value_block *block; /* NULL, or a large value that is being told; lent */
    size_t n_told;             /* bytes of it */
};

static struct slice noted_key(const struct dump_stream *self)
{
    struct slice rest = slice_from(buffer_slice(&self->noted), self->noted_at);

    return rest.size == 0 ? rest : slice_of(rest.data + 1, rest.data[0]);
}

static void note_key(struct dump_stream *self, struct slice key)
{
    uint8_t size = (uint8_t)key.size;

    if (buffer_reserve(&self->noted, 1 + key.size) != SESS_OK) {
        self->is_out_of_memory = true;
        return;
    }
    buffer_put(&self->noted, slice_of(&size, 1));
    buffer_put(&self->noted, key);
}

static void put_line(struct dump_stream *self, const struct store_image *image, struct buffer *out)
{
    struct dump_entry entry = {
        .key = image->key,
        .value = image->value,
        .flags = image->flags,
        .cas = image->cas,
        /* A dump knows no probation: who is in it may well be somebody. */
        .deadline_s = image->marks.asked_s != 0 ? image->marks.asked_s : image->deadline_s,
        .marks = image->marks,
    };

    out->size += dump_line_entry(&entry, (char *)out->data + out->size);
    self->n_entries++;
}

static void put_entry(struct dump_stream *self, const struct store_image *image, struct buffer *out)
{
    put_line(self, image, out);
    buffer_put(out, image->value);
    buffer_put(out, SLICE_LITERAL("\n"));
}

/* A slice of the walk, or a look for one key, and what comes of it. */
struct telling {
    struct dump_stream *self;
    struct buffer *out;
    size_t limit; /* of out->size */
    bool is_found;
    bool is_busy;
};

/* A store_walk_fn. */
static void tell(void *context, const struct store_image *image, struct value_block *block)
{
    struct telling *telling = context;
    size_t most = DUMP_LINE_MAX + image->value.size + 1;

    if (block != NULL || most > telling->limit - telling->out->size) {
        note_key(telling->self, image->key);
    } else {
        put_entry(telling->self, image, telling->out);
    }
}

/* Returns false when replies take all the memory that they may. */
static bool lend(struct dump_stream *self, struct value_block *block, size_t size)
{
    if (size > self->replies->limit) {
        value_block_lend_always(block, self->replies);
    } else if (!value_block_lend(block, self->replies)) {
        return false;
    }
    self->block = block;
    self->n_told = 0;
    return true;
}

/* A store_walk_fn: the noted key alone. */
static void tell_noted(void *context, const struct store_image *image, struct value_block *block)
{
    struct telling *telling = context;
    struct dump_stream *self = telling->self;

    if (telling->is_found || !slice_equal(image->key, noted_key(self))) {
        return;
    }
    telling->is_found = true;
    if (block == NULL) {
        put_entry(self, image, telling->out);
    } else if (lend(self, block, image->value.size)) {
        put_line(self, image, telling->out);
    } else {
        telling->is_busy = true;
    }
}

static enum sess_status put_noted(struct dump_stream *self, struct buffer *out)
{
    struct telling telling = {.self = self, .out = out};
    struct store_walk walk = self->met_at;

    (void)store_walk_step(self->store, &walk, SIZE_MAX, tell_noted, &telling);
    if (telling.is_busy) {
        return SESS_BUSY;
    }
    self->noted_at += 1 + noted_key(self).size;
    if (self->noted_at == self->noted.size) {
        self->noted_at = 0;
        buffer_clear(&self->noted, STREAM_PIECE_MAX);
    }
    return SESS_OK;
}

static void put_chunk(struct dump_stream *self, struct buffer *out)
{
    struct slice rest = slice_from(value_block_bytes(self->block), self->n_told);
    bool is_last = rest.size <= CHUNK_MAX;

    rest = is_last ? rest : slice_first(rest, CHUNK_MAX);
    buffer_put(out, rest);
    self->n_told += rest.size;
    if (is_last) {
        buffer_put(out, SLICE_LITERAL("\n"));
        value_block_take_back(self->block, self->replies);
        self->block = NULL;
    }
}

static enum sess_status put_slices(struct dump_stream *self, struct buffer *out)
{
    size_t before = out->size;
    struct telling telling = {.self = self, .out = out, .limit = before + STREAM_PIECE_MAX};

    for (unsigned i = 0;
         i < SLICES_MAX && !self->is_walked && self->noted.size == 0 && out->size - before < ENOUGH;
         i++) {
        self->met_at = self->walk;
        self->is_walked = !store_walk_step(self->store, &self->walk, 1, tell, &telling);
    }
    return self->is_out_of_memory ? SESS_NO_MEMORY : SESS_OK;
}

static enum sess_status put_piece(struct dump_stream *self, struct buffer *out)
{
    char *end = (char *)out->data + out->size;

    if (!self->has_begun) {
        self->has_begun = true;
        out->size += dump_line_first(self->created_s, end);
    } else if (self->block != NULL) {
        put_chunk(self, out);
    } else if (self->noted.size > 0) {
        return put_noted(self, out);
    } else if (!self->is_walked) {
        return put_slices(self, out);
    } else {
        out->size += dump_line_last(self->n_entries, checksum_value(self->checksum), end);
        return SESS_NOT_FOUND;
    }
    return SESS_OK;
}

static enum sess_status next(struct stream *stream, struct buffer *out)
{
    struct dump_stream *self = (struct dump_stream *)stream;
    size_t before = out->size;
    enum sess_status status = buffer_reserve(out, STREAM_PIECE_MAX);

    if (status == SESS_OK) {
        status = put_piece(self, out);
        checksum_add(self->checksum, slice_from(buffer_slice(out), before));
    }
    return status;
}

static void end(struct stream *stream)
{
    struct dump_stream *self = (struct dump_stream *)stream;

    if (self->block != NULL) {
        value_block_take_back(self->block, self->replies);
    }
    checksum_destroy(&self->checksum);
    buffer_release(&self->noted);
    free(self);
}

enum sess_status dump_stream_begin(struct store *store, struct budget *replies, int64_t created_s,
                                   struct stream **out)
{
    struct dump_stream *self = calloc(1, sizeof *self);

    if (self == NULL) {
        return SESS_NO_MEMORY;
    }
    *self = (struct dump_stream){
        .stream = {.next = next, .end = end},
        .store = store,
        .replies = replies,
        .created_s = created_s,
    };
    if (checksum_create(0, &self->checksum) != SESS_OK) {
        free(self);
        return SESS_NO_MEMORY;
    }
    *out = &self->stream;
    return SESS_OK;
}
