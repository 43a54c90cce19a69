/* Inspection: what a data directory holds, how far it is whole, and every session that is provably intact.
 *
 * For tools, beside a stopped daemon or a running one; it writes nothing. Of a directory in use the last bytes
 * are still moving, and what looks damaged there may only be on its way: look twice.
 *
 * Which sessions are certain: behind damage, records may be missing, and any of them may have been the logout,
 * the renewal or the next value of any session. So a session is certain if its value was recorded behind the
 * last damage; one that was recorded in front of it is told as uncertain, and so is one whose value stands in a
 * checkpoint of which anything is damaged. One that an intact later record
 * deleted, or that a flush met, is never told. Source: durability.md, "Recovery".
 * Threads: one. Memory: about 64 bytes and the key for each session; no values. */
#ifndef SESSIOND_JOURNAL_INSPECT_H
#define SESSIOND_JOURNAL_INSPECT_H

#include "sessiond/base/directory.h"
#include "sessiond/journal/inspection.h"

struct inspect_config {
    struct directory *directory;  /* borrowed; only reading calls are made */
    int64_t now_s;                /* wall seconds; a later time in the journal counts instead */
    inspect_progress_fn progress; /* NULL: tell nobody */
    void *progress_context;
};

typedef enum sess_status (*inspect_visit_fn)(void *context,
                                             const struct inspected_session *session);

struct inspector;

/** Look whether a start would go on: by the very code of a start, but for the store.
 *  returns  OK | DAMAGED (which file and offset is in the text) | REFUSED (a format that is not known) |
 *           NOT_FOUND (a file went while it was looked at) | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status inspect_verdict(struct directory *directory,
                                                 struct sess_error *error);

/** Look at all of a directory, damaged or not.
 *  returns  OK (the caller owns *out) | REFUSED | NOT_FOUND | IO | NO_MEMORY, as above */
SESS_MUST_CHECK enum sess_status inspector_create(const struct inspect_config *config,
                                                  struct inspector **out, struct sess_error *error);

/** What was found; the inspector's. */
const struct inspection *inspector_found(const struct inspector *inspector);

/** Visit every session that lives, in the order in which they were recorded.
 *  returns  OK | what a visit returned, which ends it | NOT_FOUND | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status inspector_visit(struct inspector *inspector,
                                                 inspect_visit_fn visit, void *context,
                                                 struct sess_error *error);

/** Free an inspector, its keys zeroed, and set *inspector to NULL. */
void inspector_destroy(struct inspector **inspector);

#endif
