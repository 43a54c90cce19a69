/* What inspections tell of a small journal, and one that has everything in it.
 *
 * Not the oracles: each test knows what it has damaged. Failures of the fixture itself end the test. */
#ifndef SESSIOND_TESTS_UNIT_JOURNAL_INSPECTED_JOURNAL_H
#define SESSIOND_TESTS_UNIT_JOURNAL_INSPECTED_JOURNAL_H

#include "sessiond/journal/inspect.h"

#include "written_journal.h"

enum { INSPECTED_SEED = 0x1254, INSPECTED_LAST = 4 };

/* What an inspection told of the keys. */
struct inspected_told {
    struct written_state state;
    bool is_certain[WRITTEN_KEYS];
    size_t n_sessions;
};

static inline enum sess_status inspected_tell(void *context,
                                              const struct inspected_session *session)
{
    struct inspected_told *told = context;
    unsigned number = session->key.data[4] - '0';
    struct written_key *key = &told->state.keys[number];

    HOT_ASSERT(!key->is_there);
    *key = (struct written_key){.is_there = true,
                                .size = session->value.size,
                                .fill = session->value.size > 0 ? session->value.data[0] : 0,
                                .flags = session->flags,
                                .cas = session->cas,
                                .deadline_s = session->deadline_s};
    told->is_certain[number] = session->is_certain;
    told->n_sessions++;
    return SESS_OK;
}

static inline void inspected_at(struct written *written, int64_t now_s, struct inspection *found,
                                struct inspected_told *told)
{
    struct inspect_config config = {.directory = written->directory, .now_s = now_s};
    struct inspector *inspector;

    *told = (struct inspected_told){.n_sessions = 0};
    ck_assert_int_eq(inspector_create(&config, &inspector, &written->error), SESS_OK);
    ck_assert_int_eq(inspector_visit(inspector, inspected_tell, told, &written->error), SESS_OK);
    *found = *inspector_found(inspector);
    found->segments = NULL;
    ck_assert_uint_eq(found->n_sessions, told->n_sessions);
    inspector_destroy(&inspector);
    ck_assert_ptr_null(inspector);
}

static inline void inspected_look(struct written *written, struct inspection *found,
                                  struct inspected_told *told)
{
    inspected_at(written, FIXTURE_NOW_S, found, told);
}

static inline uint8_t *inspected_bytes(struct written *written, uint64_t segment)
{
    char name[FILE_NAME_SIZE];
    size_t size;

    segment_name(SEGMENT_JOURNAL, segment, name);
    return (uint8_t *)(uintptr_t)memory_directory_bytes(written->memory, name, &size);
}

/* Segments: three that are full and sealed, and one with frames that no mark tells of. */
static inline void inspected_write(struct written *written)
{
    struct test_random random = {INSPECTED_SEED};

    written_begin(written);
    while (written->writer.current.number < INSPECTED_LAST) {
        if (!written->writer.has_next) {
            written_make_next(written);
        }
        written_fill(written, &random);
        written_commit(written);
        if (written->writer.has_previous) {
            written_seal(written);
        } else if (written->writer.next_sequence % 3 > 0) {
            written_sync(written);
        }
    }
    written->writer.must_align = false;
    for (size_t i = 0; i < 4; i++) {
        written_fill(written, &random);
        written_commit(written);
    }
    written_survey(written);
    written_stop(written);
}

#endif
