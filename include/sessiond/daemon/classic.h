/* What memcached's monitors ask for and sessiond has not: names that are always 0, and memcached's
 * slabs.
 *
 * Not our own figures (the rooms' metrics): slabs and items are made of those. Threads: any.
 * Source: memcached doc/protocol.txt, and what 1.6.18 sends. */
#ifndef SESSIOND_DAEMON_CLASSIC_H
#define SESSIOND_DAEMON_CLASSIC_H

#include "sessiond/base/registry.h"

#define CLASSIC_ZEROS(X)                                                                           \
    X(evictions, ZERO, "live sessions are never dropped for lack of memory")                       \
    X(evicted_unfetched, ZERO, "the same")                                                         \
    X(evicted_active, ZERO, "the same")                                                            \
    X(slabs_moved, ZERO, "there are no slabs")                                                     \
    X(slab_reassign_rescues, ZERO, "there are no slabs")                                           \
    X(slab_reassign_chunk_rescues, ZERO, "there are no slabs")                                     \
    X(slab_reassign_evictions_nomem, ZERO, "there are no slabs")                                   \
    X(slab_reassign_inline_reclaim, ZERO, "there are no slabs")                                    \
    X(slab_reassign_busy_items, ZERO, "there are no slabs")                                        \
    X(slab_reassign_busy_deletes, ZERO, "there are no slabs")                                      \
    X(slab_reassign_running, ZERO, "there are no slabs")                                           \
    X(slab_global_page_pool, ZERO, "there are no slabs")                                           \
    X(lru_crawler_running, ZERO, "there is no LRU")                                                \
    X(lru_crawler_starts, ZERO, "there is no LRU")                                                 \
    X(lru_maintainer_juggles, ZERO, "there is no LRU")                                             \
    X(lru_bumps_dropped, ZERO, "there is no LRU")                                                  \
    X(lrutail_reflocked, ZERO, "there is no LRU")                                                  \
    X(crawler_reclaimed, ZERO, "there is no LRU")                                                  \
    X(crawler_items_checked, ZERO, "there is no LRU")                                              \
    X(moves_to_cold, ZERO, "there is no LRU")                                                      \
    X(moves_to_warm, ZERO, "there is no LRU")                                                      \
    X(moves_within_lru, ZERO, "there is no LRU")                                                   \
    X(direct_reclaims, ZERO, "there is no LRU")                                                    \
    X(hash_is_expanding, ZERO, "the index grows bucket by bucket, all the time")                   \
    X(malloc_fails, ZERO, "memory that is refused: store_no_memory, closed_for_memory")            \
    X(response_obj_oom, ZERO, "there are no response objects")                                     \
    X(response_obj_count, ZERO, "there are no response objects")                                   \
    X(response_obj_bytes, ZERO, "there are no response objects")                                   \
    X(read_buf_bytes_free, ZERO, "an idle connection has no buffer")                               \
    X(read_buf_oom, ZERO, "closed_for_memory")                                                     \
    X(cmd_meta, ZERO, "meta commands are counted with the others")                                 \
    X(auth_cmds, ZERO, "nobody is asked for a password yet")                                       \
    X(auth_errors, ZERO, "nobody is asked for a password yet")                                     \
    X(log_worker_dropped, ZERO, "there is no `watch`")                                             \
    X(log_worker_written, ZERO, "there is no `watch`")                                             \
    X(log_watcher_skipped, ZERO, "there is no `watch`")                                            \
    X(log_watcher_sent, ZERO, "there is no `watch`")                                               \
    X(log_watchers, ZERO, "there is no `watch`")                                                   \
    X(unexpected_napi_ids, ZERO, "workers are not bound to network queues")                        \
    X(round_robin_fallback, ZERO, "workers are not bound to network queues")
extern const struct metric_table classic_zero_table;

/** `stats items` and `stats slabs`: one class, 1, of all sessions; none when there is no session
 *  (registry_report_fn; context is the registry). */
void classic_report_items(void *registry, struct report *report);
void classic_report_slabs(void *registry, struct report *report);

#endif
