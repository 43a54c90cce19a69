/* All figures of the daemon, told to the registry.
 *
 * Threads: start-up only. */
#ifndef SESSIOND_DAEMON_FIGURES_H
#define SESSIOND_DAEMON_FIGURES_H

#include "sessiond/base/registry.h"
#include "sessiond/daemon/process.h"
#include "sessiond/journal/journal.h"
#include "sessiond/net/server.h"
#include "sessiond/store/store.h"

/** Register every metric table and `stats` section. With NULL for the owners only the rows may be
 *  used, as for printing tables. returns OK | LIMIT */
SESS_MUST_CHECK enum sess_status figures_register(struct registry *registry,
                                                  struct process *process,
                                                  struct net_server *server, struct store *store);

/** The same for the section of the journal, when there is one. returns OK | LIMIT */
SESS_MUST_CHECK enum sess_status figures_register_journal(struct registry *registry,
                                                          struct journal *journal);

/** Sessions that are there now. Threads: any. */
uint64_t figures_count_sessions(const struct registry *registry);

#endif
