/* What a directory in memory consists of: nodes, which are files whatever their names are, and names.
 *
 * Private to memory_directory.c and memory_control.c. Under the directory's lock, all of it. */
#ifndef SESSIOND_TESTS_SUPPORT_MEMORY_NODES_H
#define SESSIOND_TESTS_SUPPORT_MEMORY_NODES_H

#include "memory_directory.h"

#include <pthread.h>

struct node {
    uint64_t id;
    uint8_t *bytes;
    size_t size;
    size_t capacity;
    unsigned n_uses; /* its name, and handles */
    uint8_t *synced; /* what the last sync that succeeded left */
    size_t synced_size;
    bool is_sync_failed;
};

struct name {
    char text[FILE_NAME_SIZE];
    struct node *node;
};

/* How one kind of calls behaves. */
struct behaviour {
    unsigned n_calls;
    unsigned fails_in; /* calls from now; 0: never */
    enum sess_status status;
    bool is_for_ever;
    bool is_stalled;
    unsigned n_waiting;
};

enum { NAMES_MAX = 512, HANDLES_MAX = 512 };

struct memory_directory {
    struct directory base;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct name names[NAMES_MAX]; /* in order */
    size_t n_names;
    struct node *handles[HANDLES_MAX]; /* NULL: free */
    uint64_t last_id;
    struct behaviour behaviours[MEMORY_CALLS];
    bool is_cut;
    bool is_sync_failed; /* of the names */
    bool keeps_synced;
    unsigned n_failed;
    unsigned n_resyncs;
    memory_observe_fn observe;
    void *context;
};

/** Give up one use of a node; the last one frees it. */
void memory_node_drop(struct node *node);

/** Set a node's size; new bytes are 0. Returns false without memory. */
bool memory_node_resize(struct node *node, size_t size);

/** Keep these bytes, malloc'ed, as those that are synced. */
void memory_node_keep(struct node *node, uint8_t *bytes, size_t size);

/** The node of a name, or NULL. */
struct node *memory_name_find(const struct memory_directory *self, const char *text);

/** Remove a name that is there; its use of the node goes on to the caller. */
void memory_name_forget(struct memory_directory *self, const char *text);

/** Add a name, with the caller's use of the node. Returns false when there is no room. */
bool memory_name_put(struct memory_directory *self, const char *text, struct node *node);

/** A new empty node under a new name; NULL when there is no room. */
struct node *memory_node_make(struct memory_directory *self, const char *text);

#endif
