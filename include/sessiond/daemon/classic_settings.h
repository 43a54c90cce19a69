/* memcached's names in `stats settings`, beside our own options.
 *
 * A row says how a name's value is made: a fixed text, or an option or figure of ours in memcached's
 * unit. Threads: any. Source: memcached doc/protocol.txt, "Settings statistics", and what 1.6.18
 * sends. */
#ifndef SESSIOND_DAEMON_CLASSIC_SETTINGS_H
#define SESSIOND_DAEMON_CLASSIC_SETTINGS_H

#include "sessiond/base/registry.h"

/** Add the lines (registry_report_fn; context is the registry). */
void classic_report_settings(void *registry, struct report *report);

#endif
