/* Recovery into a new segment. Threads, memory: see the header. */
#include "recovery.h"

#include "checkpoint.h"

#include "sessiond/base/failpoint.h"

/* Of the first segment after a start, beyond what is copied: it is not zeroed, and so soon left. */
enum { FIRST_ROOM = 4 << 20 };

/* Frames on their way from old segments to the new one. */
struct copying {
    const struct recovery *recovery;
    struct replay *replay;
    struct chain *chain;
    struct reader *reader;
    struct segment segment; /* the new one */
    uint64_t at;            /* where its next frame goes */
    uint64_t sequence;      /* of that */
    uint64_t base;          /* frames up to this sequence stay where they are */
    struct record link;     /* to the segment that has the last of them */
    uint64_t link_salt;     /* of that segment */
    uint64_t n_kept;
};

/* The last segment that begins with a frame that stays. */
static struct chain_item *find_base(const struct copying *copying)
{
    struct chain_item *item = copying->replay->first;
    struct chain_item *next;

    while (item != copying->replay->last &&
           (next = chain_successor(copying->chain, item)) != NULL &&
           next->first_sequence <= copying->base) {
        item = next;
    }
    return item;
}

static struct chain_item *next_of(const struct copying *copying, const struct chain_item *item)
{
    return item == copying->replay->last ? NULL : chain_successor(copying->chain, item);
}

static uint64_t end_of_item(const struct copying *copying, const struct chain_item *item)
{
    struct chain_item *next = next_of(copying, item);

    return next == NULL ? copying->replay->end : next->link.offset;
}

static uint64_t new_size(const struct copying *copying)
{
    uint64_t room = copying->recovery->segment_size < FIRST_ROOM ? copying->recovery->segment_size
                                                                 : (uint64_t)FIRST_ROOM;
    uint64_t size = SEGMENT_HEADER_SIZE + FRAME_BLOCK + SEGMENT_SEAL_ROOM + room;

    if (copying->replay->last != NULL) {
        for (struct chain_item *item = find_base(copying); item != NULL;
             item = next_of(copying, item)) {
            size += end_of_item(copying, item);
        }
    }
    return frame_round(size, FRAME_BLOCK);
}

static uint64_t new_number(const struct chain *chain)
{
    return chain->n_items == 0 ? 1 : chain->items[chain->n_items - 1].number + 1;
}

/* Everything below the new segment's first sequence is on disk, or was given up. */
static struct frame new_frame(struct copying *copying, uint64_t durable, int64_t time_s)
{
    return (struct frame){.sequence = copying->sequence++, .durable = durable, .time_s = time_s};
}

static enum sess_status copy_frame(struct copying *copying, const struct frame_read *read,
                                   struct sess_error *error)
{
    uint8_t head[FRAME_HEAD_SIZE];
    struct slice pieces[] = {slice_of(head, sizeof head), read->body};
    struct frame frame = new_frame(copying, 0, read->frame.time_s);
    uint64_t at = copying->at;

    frame.n_records = read->frame.n_records;
    frame.body_size = read->frame.body_size;
    frame_encode(&frame, copying->segment.salt, head, pieces, 2);
    copying->at += frame_size(frame.body_size);
    copying->n_kept++;
    return file_write(&copying->segment.file, pieces, 2, at, error);
}

/* Either it stays, and is the last so far that does, or it is copied if it says anything. */
static enum sess_status take_frame(struct copying *copying, const struct frame_read *read,
                                   struct sess_error *error)
{
    struct record link;

    if (read->frame.sequence <= copying->base || read->frame.n_records == 0 ||
        reader_lone(read, RECORD_LINK, &link)) {
        return SESS_OK;
    }
    return copy_frame(copying, read, error);
}

static enum sess_status copy_item(struct copying *copying, const struct chain_item *item,
                                  struct sess_error *error)
{
    uint64_t end = end_of_item(copying, item);
    struct segment segment;
    struct frame_read read;
    enum sess_status status =
        segment_open(copying->recovery->directory, SEGMENT_JOURNAL, item->number, &segment, error);

    if (status != SESS_OK) {
        return status;
    }
    status = reader_begin(copying->reader, &segment, error);
    while (status == SESS_OK && copying->reader->at < end) {
        status = reader_next(copying->reader, end, &read, error);
        if (status == SESS_OK) {
            status = take_frame(copying, &read, error);
        }
    }
    file_close(&segment.file);
    return status;
}

/* Where the last frame that stays ends: what the new segment links to. */
static enum sess_status find_link(struct copying *copying, struct sess_error *error)
{
    struct chain_item *item = copying->replay->last == NULL ? NULL : find_base(copying);
    uint64_t end = item == NULL ? 0 : end_of_item(copying, item);
    struct segment segment;
    struct frame_read read;
    enum sess_status status;

    copying->link = (struct record){
        .type = RECORD_LINK,
        .sequence = 1,
        /* Where ids begin now: they are seen before the records that have them are on disk. */
        .cas = copying->replay->result.highest_cas + RECOVERY_CAS_JUMP,
    };
    if (item == NULL) {
        return SESS_OK;
    }
    status =
        segment_open(copying->recovery->directory, SEGMENT_JOURNAL, item->number, &segment, error);
    if (status != SESS_OK) {
        return status;
    }
    status = reader_begin(copying->reader, &segment, error);
    while (status == SESS_OK && copying->reader->sequence <= copying->base &&
           copying->reader->at < end) {
        status = reader_next(copying->reader, end, &read, error);
    }
    file_close(&segment.file);
    copying->link_salt = segment.salt;
    copying->link.segment = item->number;
    copying->link.sequence = copying->reader->sequence;
    copying->link.offset = copying->reader->at;
    return status;
}

static enum sess_status put_link(struct copying *copying, struct sess_error *error)
{
    struct frame frame = new_frame(copying, copying->sequence - 1, copying->replay->result.time_s);

    return writer_put_record(&copying->segment, copying->at, &frame, &copying->link, &copying->at,
                             error);
}

/* A mark behind the copies: damage to any of them can then be told from a torn tail. */
static enum sess_status put_mark(struct copying *copying, struct sess_error *error)
{
    uint8_t head[FRAME_HEAD_SIZE];
    struct slice piece = slice_of(head, sizeof head);
    struct frame frame = new_frame(copying, copying->sequence - 1, copying->replay->result.time_s);
    uint64_t at = frame_round(copying->at, FRAME_BLOCK);

    frame_encode(&frame, copying->segment.salt, head, &piece, 1);
    copying->at = at + frame_size(0);
    return file_write(&copying->segment.file, &piece, 1, at, error);
}

/* A record of the start's own, which is in the store then, too. */
static enum sess_status put_own(struct copying *copying, const struct record *record,
                                struct sess_error *error)
{
    struct frame frame = new_frame(copying, copying->sequence - 1, copying->replay->result.time_s);
    enum sess_status status =
        writer_put_record(&copying->segment, copying->at, &frame, record, &copying->at, error);

    if (status == SESS_OK && (replay_apply(copying->replay, record) != SESS_OK ||
                              loader_apply(&copying->replay->loader) != SESS_OK)) {
        status = error_set(error, SESS_NO_MEMORY, "no memory to accept the clock");
    }
    return status;
}

/* What the time so far had ended stays so, a flush's time included; then time is what the wall clock says. */
static enum sess_status put_clock(struct copying *copying, struct sess_error *error)
{
    struct recovered *result = &copying->replay->result;
    struct record flush = {.type = RECORD_FLUSH, .deadline_s = result->flush_at_s};
    struct record clock = {
        .type = RECORD_CLOCK, .deadline_s = result->time_s, .time_s = copying->recovery->now_s};
    enum sess_status status = SESS_OK;

    if (!copying->recovery->accepts_clock || clock.time_s >= result->time_s) {
        return SESS_OK;
    }
    if (result->flush_at_s <= result->time_s) {
        status = put_own(copying, &flush, error);
    }
    if (status == SESS_OK) {
        result->left_time_s = result->time_s;
        status = put_own(copying, &clock, error);
    }
    return status;
}

static enum sess_status copy_all(struct copying *copying, struct sess_error *error)
{
    enum sess_status status = find_link(copying, error);

    if (status == SESS_OK) {
        status = put_link(copying, error);
    }
    failpoint("recovery.linked");
    if (copying->replay->last != NULL) {
        for (struct chain_item *item = find_base(copying); status == SESS_OK && item != NULL;
             item = next_of(copying, item)) {
            status = copy_item(copying, item, error);
        }
    }
    failpoint("recovery.copied");
    if (status == SESS_OK) {
        status = put_clock(copying, error);
    }
    return status == SESS_OK ? put_mark(copying, error) : status;
}

/* What is copied, was never acknowledged, or was left when an earlier recovery was cut short, has no further
 * use: all that does not lead to the segment that the new one links to. */
static enum sess_status remove_left_overs(const struct copying *copying, struct sess_error *error)
{
    struct directory *directory = copying->recovery->directory;
    const struct chain *chain = copying->chain;
    const struct chain_item *staying = copying->replay->first;
    enum sess_status status = SESS_OK;

    for (size_t i = 0; status == SESS_OK && i < chain->n_items; i++) {
        char name[FILE_NAME_SIZE];

        if (staying != NULL && staying == &chain->items[i]) {
            staying = staying->number == copying->link.segment ? NULL : next_of(copying, staying);
        } else {
            segment_name(SEGMENT_JOURNAL, chain->items[i].number, name);
            status = directory_remove(directory, name, error);
            failpoint("recovery.removed");
        }
    }
    return status;
}

/* The reserved space of the segment that is linked to goes back. A seal behind its last frame tells it from
 * a whole journal if the new segment should ever be missing; nobody reads so far while that is there. */
static enum sess_status end_base(const struct copying *copying, struct sess_error *error)
{
    struct segment base = {.number = copying->link.segment, .salt = copying->link_salt};
    char name[FILE_NAME_SIZE];
    enum sess_status status;

    if (base.number == 0) {
        return SESS_OK;
    }
    segment_name(SEGMENT_JOURNAL, base.number, name);
    status = file_open(copying->recovery->directory, name, FILE_CHANGE, &base.file, error);
    if (status != SESS_OK) {
        return status;
    }
    status = file_truncate(&base.file, copying->link.offset, error);
    if (status == SESS_OK) {
        status = writer_seal(&base, &copying->link, copying->segment.number,
                             copying->replay->result.time_s, error);
    }
    if (status == SESS_OK) {
        status = file_sync(&base.file, error);
    }
    file_close(&base.file);
    failpoint("recovery.sealed");
    return status;
}

static enum sess_status make_segment(struct copying *copying, struct sess_error *error)
{
    enum sess_status status;

    copying->segment =
        (struct segment){.number = new_number(copying->chain), .size = new_size(copying)};
    status = segment_begin(copying->recovery->directory, copying->recovery->now_s,
                           &copying->segment, error);

    if (status == SESS_OK) {
        status = copy_all(copying, error);
        if (status == SESS_OK) {
            status = segment_finish(&copying->segment, error);
        }
        failpoint("recovery.finished");
        if (status == SESS_OK) {
            status = remove_left_overs(copying, error);
        }
        if (status == SESS_OK) {
            status = checkpoint_remove_others(copying->recovery->directory,
                                              copying->replay->result.checkpoint, error);
        }
        if (status == SESS_OK) {
            status = end_base(copying, error);
        }
        failpoint("recovery.cut");
        if (status != SESS_OK) {
            file_close(&copying->segment.file);
        }
    }
    return status;
}

static void hand_over(const struct copying *copying, struct writer *writer)
{
    *writer = (struct writer){
        .current = copying->segment,
        .at = copying->at,
        .must_align = true,
        .link = copying->link,
        .next_sequence = copying->sequence,
        .next_number = copying->segment.number + 1,
    };
}

static enum sess_status go_on(const struct recovery *recovery, struct replay *replay,
                              struct writer *writer, struct sess_error *error)
{
    struct copying copying = {
        .recovery = recovery,
        .replay = replay,
        .chain = replay->chain,
        .reader = replay->reader,
        .at = SEGMENT_HEADER_SIZE,
        .sequence = replay->result.highest_sequence + 1,
        .base = replay->durable,
    };
    enum sess_status status;

    /* The first frame of all was synced before its segment had a name. */
    if (replay->last != NULL && copying.base < replay->first->first_sequence) {
        copying.base = replay->first->first_sequence;
    }
    status = make_segment(&copying, error);
    replay->result.n_kept = copying.n_kept;
    if (status == SESS_OK) {
        hand_over(&copying, writer);
    }
    return status;
}

enum sess_status recovery_run(const struct recovery *recovery, struct writer *writer,
                              struct recovered *result, struct sess_error *error)
{
    struct reader reader = {.progress = recovery->progress,
                            .progress_context = recovery->progress_context};
    struct chain chain;
    struct replay replay = {
        .directory = recovery->directory,
        .store = recovery->store,
        .chain = &chain,
        .reader = &reader,
    };
    enum sess_status status;

    failpoint("recovery.begun");
    status = chain_load(&chain, recovery->directory, &reader, error);
    if (status == SESS_OK) {
        status = replay_run(&replay, error);
        failpoint("recovery.replayed");
        if (status == SESS_OK) {
            status = chain_remove_unfinished(recovery->directory, error);
        }
        if (status == SESS_OK) {
            status = go_on(recovery, &replay, writer, error);
        }
        *result = replay.result;
    }
    chain_fini(&chain);
    reader_fini(&reader);
    return status;
}
