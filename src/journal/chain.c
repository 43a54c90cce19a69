/* Which segments there are. Threads, memory: see the header. */
#include "chain.h"

#include <stdlib.h>

enum { ITEMS_FIRST = 16 };

/* What a listing of the directory gathers. */
struct listing {
    enum segment_kind kind;
    uint64_t *numbers;
    size_t n_numbers;
    size_t capacity;
    char unfinished[FILE_NAME_SIZE]; /* one of them, or "" */
    enum sess_status status;
};

static bool add_number(struct listing *listing, uint64_t number)
{
    if (listing->n_numbers == listing->capacity) {
        size_t capacity = listing->capacity == 0 ? ITEMS_FIRST : 2 * listing->capacity;
        uint64_t *grown = realloc(listing->numbers, capacity * sizeof *grown);

        if (grown == NULL) {
            listing->status = SESS_NO_MEMORY;
            return false;
        }
        listing->numbers = grown;
        listing->capacity = capacity;
    }
    listing->numbers[listing->n_numbers++] = number;
    return true;
}

static bool visit(void *context, const char *name)
{
    struct listing *listing = context;
    uint64_t number;

    if (segment_is_unfinished(name) && strlen(name) < sizeof listing->unfinished) {
        memcpy(listing->unfinished, name, strlen(name) + 1);
    }
    return !segment_number_of(listing->kind, name, &number) || add_number(listing, number);
}

static int compare(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a;
    uint64_t second = *(const uint64_t *)b;

    return first < second ? -1 : first > second;
}

static enum sess_status list(struct listing *listing, struct directory *directory,
                             struct sess_error *error)
{
    enum sess_status status = directory_list(directory, visit, listing, error);

    if (status == SESS_OK && listing->status != SESS_OK) {
        status = error_set(error, listing->status, "no memory to list data-dir");
    }
    if (status == SESS_OK && listing->n_numbers > 0) {
        qsort(listing->numbers, listing->n_numbers, sizeof *listing->numbers, compare);
    }
    return status;
}

enum sess_status chain_list(struct directory *directory, enum segment_kind kind, uint64_t **numbers,
                            size_t *n_numbers, struct sess_error *error)
{
    struct listing listing = {.kind = kind};
    enum sess_status status = list(&listing, directory, error);

    if (status != SESS_OK) {
        free(listing.numbers);
        return status;
    }
    *numbers = listing.numbers;
    *n_numbers = listing.n_numbers;
    return SESS_OK;
}

/* Nothing was ever acknowledged of a segment that had not got its name: it is made anew. */
enum sess_status chain_remove_unfinished(struct directory *directory, struct sess_error *error)
{
    struct listing listing;
    enum sess_status status;

    do {
        listing = (struct listing){.numbers = NULL};
        status = list(&listing, directory, error);
        free(listing.numbers);
        if (status == SESS_OK && listing.unfinished[0] != '\0') {
            status = directory_remove(directory, listing.unfinished, error);
        }
    } while (status == SESS_OK && listing.unfinished[0] != '\0');
    return status;
}

static enum sess_status read_link(struct chain_item *item, struct reader *reader,
                                  struct sess_error *error)
{
    struct frame_read read;
    enum sess_status status = reader_next(reader, UINT64_MAX, &read, error);

    if (status == SESS_OK && reader_lone(&read, RECORD_LINK, &item->link)) {
        item->has_link = true;
        item->first_sequence = read.frame.sequence;
    }
    return status == SESS_NOT_FOUND ? SESS_OK : status;
}

static enum sess_status look_into(struct chain *chain, struct chain_item *item, uint64_t number,
                                  struct directory *directory, struct reader *reader,
                                  struct sess_error *error)
{
    struct segment segment;
    enum sess_status status = segment_open(directory, SEGMENT_JOURNAL, number, &segment, error);

    if (status != SESS_OK) {
        return status;
    }
    item->number = number;
    chain->n_items++;
    status = reader_begin(reader, &segment, error);
    if (status == SESS_OK) {
        chain->bytes += reader->file_size;
        status = read_link(item, reader, error);
    }
    file_close(&segment.file);
    return status;
}

enum sess_status chain_load(struct chain *chain, struct directory *directory, struct reader *reader,
                            struct sess_error *error)
{
    uint64_t *numbers = NULL;
    size_t n_numbers = 0;
    enum sess_status status = chain_list(directory, SEGMENT_JOURNAL, &numbers, &n_numbers, error);

    *chain = (struct chain){.items = NULL};
    if (status == SESS_OK && n_numbers > 0) {
        chain->items = calloc(n_numbers, sizeof *chain->items);
        if (chain->items == NULL) {
            status = error_set(error, SESS_NO_MEMORY, "no memory to read data-dir");
        }
    }
    for (size_t i = 0; status == SESS_OK && chain->items != NULL && i < n_numbers; i++) {
        status = look_into(chain, &chain->items[i], numbers[i], directory, reader, error);
    }
    free(numbers);
    if (status != SESS_OK) {
        chain_fini(chain);
    }
    return status;
}

struct chain_item *chain_successor(struct chain *chain, const struct chain_item *item)
{
    for (size_t i = chain->n_items; i-- > 0;) {
        struct chain_item *other = &chain->items[i];

        if (other->number > item->number && other->has_link &&
            other->link.segment == item->number) {
            return other;
        }
    }
    return NULL;
}

void chain_fini(struct chain *chain)
{
    free(chain->items);
    *chain = (struct chain){.items = NULL};
}
