/* Reading the config file again while clients are served.
 *
 * Private to the daemon. All of the file is read and checked beside the settings in use; then either every
 * option that is RELOADABLE gets its new value, or, if anything is wrong, none. The command line still ranks
 * above the file. It is done on the first thread, at a signal or for an admin listener's worker, which asks
 * again until there is an answer. */
#ifndef SESSIOND_SRC_DAEMON_RELOAD_H
#define SESSIOND_SRC_DAEMON_RELOAD_H

#include "sessiond/base/report.h"
#include "sessiond/daemon/settings.h"
#include "supervisor.h"

struct reloader;

/** Make one for settings that are in use. `settings`, `registry` and `supervisor`, which is told of each reload, are
 *  borrowed; so is `config_path`, NULL when there is no file.
 *  returns  OK (the caller owns *out) | NO_MEMORY | IO (no eventfd) */
SESS_MUST_CHECK enum sess_status reloader_create(struct settings *settings,
                                                 struct registry *registry, const char *config_path,
                                                 const struct supervisor *supervisor,
                                                 struct reloader **out, struct sess_error *error);
void reloader_destroy(struct reloader **reloader);

/** Readable when somebody has asked. */
int reloader_fd(const struct reloader *reloader);

/** Reload, and say in the log who wanted it and what came of it. Threads: the first.
 *  changes  gets a line for each option that is another now, as command_shared.reload says
 *  returns  OK | REFUSED (nothing changed) */
SESS_MUST_CHECK enum sess_status reloader_run(struct reloader *reloader, const char *who,
                                              struct report *changes, struct sess_error *error);

/** Do what was asked for, if anything was. Threads: the first. */
void reloader_serve(struct reloader *reloader);

/** Wired call, command to daemon: see command_shared.reload. Threads: any. */
enum sess_status reloader_ask(void *reloader, const char *peer, struct report *changes,
                              struct sess_error *error);

#endif
