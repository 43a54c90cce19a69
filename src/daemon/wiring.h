/* The rooms, made and joined.
 *
 * Private to the daemon. */
#ifndef SESSIOND_SRC_DAEMON_WIRING_H
#define SESSIOND_SRC_DAEMON_WIRING_H

#include "activation.h"
#include "sessiond/daemon/command_line.h"
#include "sessiond/daemon/settings.h"

struct wiring;

/** Make clock, store, commands and server, in this order, and register their figures.
 *  handed   sockets to listen with; NULL: none
 *  returns  OK (the caller owns *out) | as the rooms' own create calls */
SESS_MUST_CHECK enum sess_status wiring_create(const struct settings *settings,
                                               struct registry *registry,
                                               const struct activation *handed, struct wiring **out,
                                               struct sess_error *error);

/** What is told when the disk fails: an eventfd, to be written to. To be set before wiring_recover. */
void wiring_on_failure(struct wiring *wiring, int failure_fd);

/** Who is told how far recovery is (journal_config.progress). To be set before wiring_recover. */
void wiring_on_progress(struct wiring *wiring,
                        void (*progress)(void *context, uint64_t done, uint64_t all),
                        void *context);

/** Who reloads for admin listeners (command_shared.reload). To be set before the server starts. */
void wiring_on_reload(struct wiring *wiring,
                      enum sess_status (*reload)(void *context, const char *peer,
                                                 struct report *changes, struct sess_error *error),
                      void *context);

/** Open the data directory and recover what is in it; nothing to do for memory only. To be called when the
 *  process has become the user that it stays.
 *  path     the directory, or ""
 *  line     what it says beside settings: whether a damaged one is renamed, and the start empty; whether a
 *           clock that is behind is taken
 *  returns  OK | LOCKED | DAMAGED | OUT_OF_RANGE (more sessions than `memory`) | NO_SPACE | IO | NO_MEMORY */
SESS_MUST_CHECK enum sess_status wiring_recover(struct wiring *wiring,
                                                const struct settings *settings, const char *path,
                                                const struct command_line *line,
                                                struct registry *registry,
                                                struct sess_error *error);

/** Who has done nothing since the last call, as a word or two; NULL: each worker and each thread of the journal
 *  has finished a turn, or waits for the disk. While they run. Threads: the first. */
const char *wiring_find_stuck(struct wiring *wiring);

/** Write and sync all that was accepted. returns OK | IO (also when the disk had failed before) */
SESS_MUST_CHECK enum sess_status wiring_close_journal(struct wiring *wiring,
                                                      struct sess_error *error);

/** Take everything down in the reverse order; *wiring may be NULL and is NULL afterwards. */
void wiring_destroy(struct wiring **wiring);

struct net_server *wiring_server(struct wiring *wiring);

#endif
