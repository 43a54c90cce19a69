/* Inspection: a start's verdict, and over the islands the roll and the figures. Threads, memory: see the
 * header. */
#include "sessiond/journal/inspect.h"

#include "image.h"
#include "replay.h"
#include "roll.h"

#include "sessiond/store/terms.h"

#include <stdlib.h>

struct inspector {
    struct image image;
    struct islands islands;
    struct roll *roll;
    struct inspection found;
    int64_t now_s;
};

/* As a start does it. Of *reader the caller gives whom to tell of progress. */
static enum sess_status judge(struct directory *directory, struct reader *reader,
                              struct replay *replay, uint64_t *end_segment,
                              struct sess_error *error)
{
    struct chain chain;
    enum sess_status status = chain_load(&chain, directory, reader, error);

    *replay = (struct replay){.directory = directory, .chain = &chain, .reader = reader};
    *end_segment = 0;
    if (status == SESS_OK) {
        status = replay_run(replay, error);
        *end_segment = replay->last == NULL ? 0 : replay->last->number;
    }
    chain_fini(&chain);
    reader_fini(reader);
    replay->chain = NULL;
    replay->reader = NULL;
    return status;
}

enum sess_status inspect_verdict(struct directory *directory, struct sess_error *error)
{
    struct reader reader = {.progress = NULL};
    struct replay replay;
    uint64_t end_segment;

    return judge(directory, &reader, &replay, &end_segment, error);
}

static enum sess_status take_verdict(struct inspector *inspector, struct directory *directory,
                                     struct sess_error *error)
{
    struct inspection *found = &inspector->found;
    struct reader reader = {.progress = inspector->islands.progress,
                            .progress_context = inspector->islands.progress_context};
    struct replay replay;
    enum sess_status status = judge(directory, &reader, &replay, &found->end_segment, error);

    if (status == SESS_DAMAGED) {
        found->is_damaged = true;
        memcpy(found->damage, error->text, sizeof found->damage);
        status = SESS_OK;
    } else if (status == SESS_OK) {
        found->end_offset = replay.end;
        found->n_cut = replay.result.n_cut;
    }
    return status;
}

static void take_frame(void *context, size_t item, const struct frame_read *read, bool is_seal)
{
    struct inspector *inspector = context;
    struct inspection *found = &inspector->found;
    struct inspected_segment *segment = &found->segments[item];
    uint64_t size = frame_size(read->frame.body_size);

    /* What the checkpoint has told of has told of its time, too. */
    if (read->frame.sequence >= inspector->islands.first_sequence &&
        read->frame.time_s > found->time_s) {
        found->time_s = read->frame.time_s;
    }
    if (is_seal) {
        segment->is_sealed = true;
        return;
    }
    segment->n_frames++;
    segment->n_bytes += size;
    segment->last_sequence = read->frame.sequence;
    if (segment->first_sequence == 0) {
        segment->first_sequence = read->frame.sequence;
    }
    found->n_frames++;
    found->n_bytes += size;
}

static enum sess_status take_entry(void *context, const struct record *record,
                                   const struct island_place *place)
{
    struct inspector *inspector = context;
    struct inspection *found = &inspector->found;

    if (record_highest_cas(record) > found->highest_cas) {
        found->highest_cas = record->cas;
    }
    return roll_apply(inspector->roll, record, place);
}

static enum sess_status take_record(void *context, const struct record *record,
                                    const struct island_place *place)
{
    struct inspector *inspector = context;
    struct inspection *found = &inspector->found;

    found->n_records += record->type != RECORD_LINK;
    if (record->type == RECORD_FLUSH) {
        found->flush_at_s = record->is_scheduled ? record->deadline_s : STORE_NO_DEADLINE;
    }
    if (record->type == RECORD_CLOCK) {
        found->time_s = record->time_s;
    }
    return take_entry(context, record, place);
}

static void take_gap(void *context, const struct inspected_gap *gap)
{
    struct inspector *inspector = context;
    struct inspection *found = &inspector->found;

    if (found->n_gaps < INSPECT_GAPS_MAX) {
        found->gaps[found->n_gaps] = *gap;
    }
    found->n_gaps++;
}

/* A deadline that is now has passed, as in the store. */
static bool is_live(const struct inspector *inspector, const struct roll_entry *entry)
{
    return (entry->is_hold || !inspector->found.is_flush_due) &&
           entry->deadline_s > inspector->now_s;
}

static bool is_certain(const struct inspector *inspector, const struct roll_entry *entry)
{
    const struct inspection *found = &inspector->found;

    return entry->place.n_gaps == found->n_gaps &&
           (entry->place.kind == SEGMENT_JOURNAL || found->checkpoint.is_whole);
}

static void count_sessions(struct inspector *inspector)
{
    struct inspection *found = &inspector->found;
    const struct roll_entry *entry = NULL;

    inspector->now_s = found->time_s > inspector->now_s ? found->time_s : inspector->now_s;
    found->is_flush_due =
        found->flush_at_s != STORE_NO_DEADLINE && found->flush_at_s <= inspector->now_s;
    while ((entry = roll_next(inspector->roll, entry)) != NULL) {
        bool lives = !entry->is_hold && is_live(inspector, entry);

        found->n_sessions += lives;
        found->n_expired += !entry->is_hold && entry->deadline_s <= inspector->now_s;
        found->n_uncertain += lives && !is_certain(inspector, entry);
    }
}

static enum sess_status list_segments(struct inspector *inspector, struct sess_error *error)
{
    const struct islands *islands = &inspector->islands;
    struct inspection *found = &inspector->found;

    found->segments = calloc(islands->n_items + 1, sizeof *found->segments);
    if (found->segments == NULL) {
        return error_set(error, SESS_NO_MEMORY, "no memory to list the journal's files");
    }
    found->n_segments = islands->n_items;
    found->file_bytes = islands->bytes;
    for (size_t i = 0; i < islands->n_items; i++) {
        found->segments[i] = (struct inspected_segment){
            .number = islands->items[i].number,
            .size = islands->items[i].file_size,
            .is_marred = islands->items[i].is_marred,
            .is_left_over = islands->items[i].number < islands->first_segment,
        };
    }
    return SESS_OK;
}

/* Of a checkpoint without its end nobody knows where the journal goes on from it: only that there was one. */
static enum sess_status find_image(struct inspector *inspector, struct sess_error *error)
{
    const struct image *image = &inspector->image;
    struct islands *islands = &inspector->islands;
    struct inspection *found = &inspector->found;
    enum sess_status status = image_find(&inspector->image, error);

    if (status == SESS_OK) {
        found->checkpoint = image->found;
        found->time_s = image->time_s;
        found->flush_at_s = image->end.deadline_s;
        found->highest_cas = image->end.cas;
        islands->first_segment = image->end.segment;
        islands->first_sequence = image->end.sequence;
        islands->reach = image->end.type == RECORD_END ? image->end.last : image->found.number > 0;
    }
    return status;
}

/* The entries, and over them the journal. */
static enum sess_status visit_all(struct inspector *inspector, struct sess_error *error)
{
    struct island_visitor entries = {.record = take_entry, .context = inspector};
    struct island_visitor journal = {
        .frame = take_frame, .record = take_record, .gap = take_gap, .context = inspector};
    enum sess_status status = image_visit(&inspector->image, &entries, error);

    if (status == SESS_OK) {
        status = islands_visit(&inspector->islands, &journal, error);
    }
    if (status == SESS_NO_MEMORY) {
        status = error_set(error, status, "no memory for the list of sessions");
    }
    return status;
}

static enum sess_status look(struct inspector *inspector, struct sess_error *error)
{
    enum sess_status status = take_verdict(inspector, inspector->islands.directory, error);

    if (status == SESS_OK) {
        status = find_image(inspector, error);
    }
    if (status == SESS_OK) {
        status = islands_load(&inspector->islands, error);
    }
    if (status == SESS_OK) {
        status = list_segments(inspector, error);
    }
    if (status == SESS_OK) {
        status = roll_create(&inspector->roll, error);
    }
    if (status == SESS_OK) {
        status = visit_all(inspector, error);
    }
    return status;
}

enum sess_status inspector_create(const struct inspect_config *config, struct inspector **out,
                                  struct sess_error *error)
{
    struct inspector *inspector = calloc(1, sizeof *inspector);
    enum sess_status status;

    if (inspector == NULL) {
        return error_set(error, SESS_NO_MEMORY, "no memory to inspect data-dir");
    }
    inspector->islands.directory = config->directory;
    inspector->islands.progress = config->progress;
    inspector->islands.progress_context = config->progress_context;
    inspector->image.directory = config->directory;
    inspector->image.progress = config->progress;
    inspector->image.progress_context = config->progress_context;
    inspector->now_s = config->now_s;
    status = look(inspector, error);
    if (status != SESS_OK) {
        inspector_destroy(&inspector);
        return status;
    }
    count_sessions(inspector);
    *out = inspector;
    return SESS_OK;
}

const struct inspection *inspector_found(const struct inspector *inspector)
{
    return &inspector->found;
}

struct visiting {
    const struct inspector *inspector;
    inspect_visit_fn visit;
    void *context;
};

/* The record that holds the session's present value is met once. */
static enum sess_status visit_record(void *context, const struct record *record,
                                     const struct island_place *place)
{
    const struct visiting *visiting = context;
    const struct inspector *inspector = visiting->inspector;
    const struct roll_entry *entry =
        record_is_state(record) ? roll_find(inspector->roll, record->key) : NULL;
    struct inspected_session session = {.key = record->key,
                                        .value = record->value,
                                        .flags = record->flags,
                                        .cas = record->cas,
                                        .marks = record->marks};

    if (entry == NULL || entry->place.kind != place->kind ||
        entry->place.segment != place->segment || entry->place.offset != place->offset ||
        !is_live(inspector, entry)) {
        return SESS_OK;
    }
    /* A dump knows no probation: who is in it may well be somebody. */
    session.deadline_s = entry->asked_s != 0 ? entry->asked_s : entry->deadline_s;
    session.is_certain = is_certain(inspector, entry);
    return visiting->visit(visiting->context, &session);
}

enum sess_status inspector_visit(struct inspector *inspector, inspect_visit_fn visit, void *context,
                                 struct sess_error *error)
{
    struct visiting visiting = {.inspector = inspector, .visit = visit, .context = context};
    struct island_visitor visitor = {.record = visit_record, .context = &visiting};
    enum sess_status status = image_visit(&inspector->image, &visitor, error);

    return status == SESS_OK ? islands_visit(&inspector->islands, &visitor, error) : status;
}

void inspector_destroy(struct inspector **inspector)
{
    struct inspector *self = *inspector;

    if (self == NULL) {
        return;
    }
    roll_destroy(&self->roll);
    islands_fini(&self->islands);
    image_fini(&self->image);
    free(self->found.segments);
    free(self);
    *inspector = NULL;
}
