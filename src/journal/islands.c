/* Going over a directory's islands. Threads, memory: see the header. */
#include "islands.h"

#include "chain.h"

#include <stdlib.h>

enum { PROGRESS_BYTES = 1 << 20 };

/* One visit. */
struct walk {
    struct islands *islands;
    const struct island_visitor *visitor;
    struct sess_error *error;
    size_t item;
    uint64_t next;    /* sequence that the next frame has if nothing is missing */
    uint64_t segment; /* where the last frame ended; 0: there is none */
    uint64_t offset;
    size_t n_gaps;
    bool is_sealed; /* the last frame was a seal: there must be a successor */
    bool has_ended; /* in a tail that nobody was promised */
    uint64_t done;  /* bytes of the segments in front */
    uint64_t told;  /* bytes when progress was told */
};

static void tell_progress(struct walk *walk)
{
    struct islands *islands = walk->islands;
    uint64_t done = walk->done + islands->reader.at;

    if (islands->progress != NULL && done >= walk->told + PROGRESS_BYTES) {
        walk->told = done;
        islands->progress(islands->progress_context, done, islands->bytes);
    }
}

static void tell_gap(struct walk *walk, const struct inspected_gap *gap)
{
    walk->n_gaps++;
    if (walk->visitor->gap != NULL) {
        walk->visitor->gap(walk->visitor->context, gap);
    }
}

/* Whether nothing is missing in front of a frame but what the checkpoint holds. A start skips sequences, and says
 * so in its link. */
static bool goes_on(const struct walk *walk, const struct frame_read *read)
{
    uint64_t held = walk->islands->first_sequence;
    struct record link;

    return read->frame.sequence == walk->next || read->frame.sequence <= held ||
           (reader_lone(read, RECORD_LINK, &link) &&
            (link.sequence == walk->next || link.sequence <= held));
}

/* The first frame that is missed, when the walk does not go on. */
static uint64_t first_missing(const struct walk *walk)
{
    uint64_t first = walk->islands->first_sequence;

    return walk->next > first ? walk->next : first;
}

/* A frame that is not the next one: what is missing had been synced, or the journal has ended. */
static void meet_gap(struct walk *walk, const struct island_item *item,
                     const struct frame_read *read)
{
    struct inspected_gap gap = {
        .segment = walk->segment,
        .offset = walk->offset,
        .next_segment = item->number,
        .next_offset = read->at,
        .first_missing = first_missing(walk),
        .n_missing = read->frame.sequence - first_missing(walk),
    };

    if (walk->next > walk->islands->durable) {
        walk->has_ended = true;
    } else {
        tell_gap(walk, &gap);
    }
}

/* What cannot be read of a frame that is intact is missing like what is damaged. */
static void meet_unknown(struct walk *walk, const struct island_item *item,
                         const struct frame_read *read, uint64_t offset)
{
    struct inspected_gap gap = {
        .segment = item->number,
        .offset = offset,
        .next_segment = item->number,
        .next_offset = read->at + frame_size(read->frame.body_size),
        .first_missing = read->frame.sequence,
    };

    tell_gap(walk, &gap);
}

static enum sess_status visit_records(struct walk *walk, const struct island_item *item,
                                      const struct frame_read *read)
{
    struct island_place place = {
        .kind = SEGMENT_JOURNAL, .segment = item->number, .offset = read->at + FRAME_HEAD_SIZE};
    struct slice rest = read->body;
    enum sess_status status = SESS_OK;

    for (uint32_t i = 0; status == SESS_OK && i < read->frame.n_records; i++) {
        struct record record;
        size_t used;

        if (record_decode(rest, &record, &used) != SESS_OK || record.type == RECORD_SEAL ||
            record.type == RECORD_END) {
            meet_unknown(walk, item, read, place.offset);
            return SESS_OK;
        }
        place.n_gaps = walk->n_gaps;
        if (walk->visitor->record != NULL) {
            status = walk->visitor->record(walk->visitor->context, &record, &place);
        }
        rest = slice_from(rest, used);
        place.offset += used;
    }
    return status;
}

static enum sess_status take_frame(struct walk *walk, const struct island_item *item,
                                   const struct frame_read *read, bool is_seal)
{
    enum sess_status status = SESS_OK;

    if (read->frame.sequence < walk->next) {
        return SESS_OK;
    }
    if (!goes_on(walk, read)) {
        meet_gap(walk, item, read);
    }
    if (walk->has_ended) {
        return SESS_OK;
    }
    if (walk->visitor->frame != NULL) {
        walk->visitor->frame(walk->visitor->context, walk->item, read, is_seal);
    }
    if (!is_seal && read->frame.sequence >= walk->islands->first_sequence) {
        status = visit_records(walk, item, read);
    }
    walk->is_sealed = is_seal;
    walk->next = read->frame.sequence + (is_seal ? 0 : 1);
    walk->segment = item->number;
    walk->offset = read->at + (is_seal ? 0 : frame_size(read->frame.body_size));
    return status;
}

/* A seal has the sequence that its successor begins with. */
static bool belongs(const struct island_item *item, const struct frame_read *read, bool is_seal)
{
    return read->frame.sequence < item->ceiling ||
           (is_seal && read->frame.sequence == item->ceiling);
}

static enum sess_status visit_frames(struct walk *walk, const struct island_item *item)
{
    struct reader *reader = &walk->islands->reader;
    struct frame_read read;
    struct record seal;
    enum sess_status status = SESS_OK;

    while (status == SESS_OK && !walk->has_ended) {
        bool is_seal;

        status = reader_next_intact(reader, &read, walk->error);
        if (status != SESS_OK) {
            return status == SESS_NOT_FOUND ? SESS_OK : status;
        }
        is_seal = reader_lone(&read, RECORD_SEAL, &seal);
        if (!belongs(item, &read, is_seal)) {
            return SESS_OK;
        }
        status = take_frame(walk, item, &read, is_seal);
        tell_progress(walk);
        if (is_seal) {
            return status;
        }
    }
    return status;
}

static enum sess_status visit_item(struct walk *walk, struct island_item *item)
{
    struct reader *reader = &walk->islands->reader;
    enum sess_status verdict;
    struct sess_error ignored;
    enum sess_status status = segment_open_anyway(walk->islands->directory, SEGMENT_JOURNAL,
                                                  item->number, &item->segment, &verdict, &ignored);

    if (status != SESS_OK) {
        *walk->error = ignored;
        return status;
    }
    status = reader_begin(reader, &item->segment, walk->error);
    if (status == SESS_OK) {
        status = visit_frames(walk, item);
        walk->done += reader->file_size;
    }
    file_close(&item->segment.file);
    return status;
}

/* Behind everything: is there a mark, or a seal, that tells of more? */
static void judge_end(struct walk *walk)
{
    uint64_t durable = walk->islands->durable;
    struct inspected_gap gap = {
        .segment = walk->segment,
        .offset = walk->offset,
        .first_missing = first_missing(walk),
    };

    if (walk->has_ended || durable == UINT64_MAX) {
        return;
    }
    if (walk->is_sealed || durable >= walk->next) {
        tell_gap(walk, &gap);
    }
}

enum sess_status islands_visit(struct islands *islands, const struct island_visitor *visitor,
                               struct sess_error *error)
{
    struct walk walk = {.islands = islands, .visitor = visitor, .error = error, .next = 1};
    enum sess_status status = SESS_OK;

    for (; status == SESS_OK && !walk.has_ended && walk.item < islands->n_items; walk.item++) {
        if (islands->items[walk.item].number >= islands->first_segment) {
            status = visit_item(&walk, &islands->items[walk.item]);
        }
    }
    if (status == SESS_OK) {
        judge_end(&walk);
    }
    return status;
}

/* Read a segment's header, and its link if that is intact. */
static enum sess_status scout(struct islands *islands, struct island_item *item,
                              struct sess_error *error)
{
    struct frame_read read;
    struct record link;
    enum sess_status verdict = SESS_OK;
    enum sess_status status = segment_open_anyway(islands->directory, SEGMENT_JOURNAL, item->number,
                                                  &item->segment, &verdict, error);

    if (status != SESS_OK) {
        return status;
    }
    item->is_marred = verdict != SESS_OK;
    item->link_sequence = UINT64_MAX;
    status =
        verdict == SESS_REFUSED ? verdict : reader_begin(&islands->reader, &item->segment, error);
    if (status == SESS_OK) {
        item->file_size = islands->reader.file_size;
        islands->bytes += item->file_size;
        status = reader_next(&islands->reader, UINT64_MAX, &read, error);
        if (status == SESS_OK && reader_lone(&read, RECORD_LINK, &link)) {
            item->link_sequence = link.sequence;
            item->first_sequence = read.frame.sequence;
        }
        status = status == SESS_NOT_FOUND ? SESS_OK : status;
    }
    file_close(&item->segment.file);
    return status;
}

static void set_ceilings(struct islands *islands)
{
    uint64_t ceiling = UINT64_MAX;

    for (size_t i = islands->n_items; i-- > 0;) {
        struct island_item *item = &islands->items[i];

        item->ceiling = ceiling;
        ceiling = item->link_sequence < ceiling ? item->link_sequence : ceiling;
    }
}

static void note_mark(void *context, size_t item, const struct frame_read *read, bool is_seal)
{
    uint64_t *durable = context;

    (void)item;
    (void)is_seal;
    *durable = read->frame.durable > *durable ? read->frame.durable : *durable;
}

/* When nobody can say where the journal goes on from the checkpoint: what is there is taken. */
static void find_begin(struct islands *islands)
{
    if (islands->reach > 0 && islands->first_sequence == 0) {
        islands->first_sequence = islands->n_items == 0 ? 0 : islands->items[0].first_sequence;
    }
}

/* With no end in sight every gap is passed. */
static enum sess_status read_marks(struct islands *islands, struct sess_error *error)
{
    uint64_t durable = islands->reach;
    struct island_visitor visitor = {.frame = note_mark, .context = &durable};
    enum sess_status status;

    islands->durable = UINT64_MAX;
    status = islands_visit(islands, &visitor, error);
    islands->durable = durable;
    return status;
}

static enum sess_status make_items(struct islands *islands, size_t n_items,
                                   struct sess_error *error)
{
    if (n_items == 0) {
        return SESS_OK;
    }
    islands->items = calloc(n_items, sizeof *islands->items);
    if (islands->items == NULL) {
        return error_set(error, SESS_NO_MEMORY, "no memory to read data-dir");
    }
    islands->n_items = n_items;
    return SESS_OK;
}

enum sess_status islands_load(struct islands *islands, struct sess_error *error)
{
    uint64_t *numbers = NULL;
    size_t n_numbers = 0;
    enum sess_status status =
        chain_list(islands->directory, SEGMENT_JOURNAL, &numbers, &n_numbers, error);

    islands->items = NULL;
    islands->n_items = 0;
    islands->bytes = 0;
    if (status == SESS_OK) {
        status = make_items(islands, n_numbers, error);
    }
    for (size_t i = 0; status == SESS_OK && numbers != NULL && i < islands->n_items; i++) {
        islands->items[i].number = numbers[i];
        status = scout(islands, &islands->items[i], error);
    }
    free(numbers);
    if (status == SESS_OK) {
        set_ceilings(islands);
        find_begin(islands);
        status = read_marks(islands, error);
    }
    if (status != SESS_OK) {
        islands_fini(islands);
    }
    return status;
}

void islands_fini(struct islands *islands)
{
    reader_fini(&islands->reader);
    free(islands->items);
    islands->items = NULL;
    islands->n_items = 0;
}
