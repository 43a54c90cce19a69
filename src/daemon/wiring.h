/* The rooms, made and joined.
 *
 * Private to the daemon. */
#ifndef SESSIOND_SRC_DAEMON_WIRING_H
#define SESSIOND_SRC_DAEMON_WIRING_H

#include "sessiond/daemon/settings.h"

struct wiring;

/** Make clock, store, commands and server, in this order, and register their figures.
 *  returns  OK (the caller owns *out) | as the rooms' own create calls */
SESS_MUST_CHECK enum sess_status wiring_create(const struct settings *settings,
                                               struct registry *registry, struct wiring **out,
                                               struct sess_error *error);

/** Take everything down in the reverse order; *wiring may be NULL and is NULL afterwards. */
void wiring_destroy(struct wiring **wiring);

struct net_server *wiring_server(struct wiring *wiring);

#endif
