/* What tests do with a directory in memory. Threads, memory: see the header. */
#include "memory_nodes.h"

#include <stdlib.h>
#include <string.h>

static void lock(struct memory_directory *self)
{
    (void)pthread_mutex_lock(&self->lock);
}

static void unlock(struct memory_directory *self)
{
    (void)pthread_mutex_unlock(&self->lock);
}

/* It was there before: it is on the disk. */
static bool keep(struct node *node)
{
    uint8_t *bytes = node->size == 0 ? NULL : malloc(node->size);

    if (bytes != NULL) {
        memcpy(bytes, node->bytes, node->size);
    }
    memory_node_keep(node, bytes, node->size);
    return node->size == 0 || bytes != NULL;
}

uint64_t memory_directory_add(struct memory_directory *directory, const char *name,
                              struct slice bytes)
{
    struct node *node;
    uint64_t id = 0;

    lock(directory);
    node = memory_name_find(directory, name) == NULL ? memory_node_make(directory, name) : NULL;
    if (node != NULL && memory_node_resize(node, bytes.size)) {
        if (bytes.size > 0) {
            memcpy(node->bytes, bytes.data, bytes.size);
        }
        id = !directory->keeps_synced || keep(node) ? node->id : 0;
    }
    unlock(directory);
    return id;
}

static bool copy_file(const struct name *name, struct memory_file *out)
{
    const struct node *node = name->node;

    memcpy(out->name, name->text, sizeof out->name);
    out->size = node->size;
    if (node->size == 0) {
        return true;
    }
    out->bytes = malloc(node->size);
    if (out->bytes != NULL) {
        memcpy(out->bytes, node->bytes, node->size);
    }
    return out->bytes != NULL;
}

bool memory_directory_copy(struct memory_directory *directory, struct memory_file **files,
                           size_t *n_files)
{
    bool is_copied;

    lock(directory);
    *n_files = directory->n_names;
    *files = calloc(*n_files + 1, sizeof **files);
    is_copied = *files != NULL;
    for (size_t i = 0; is_copied && i < *n_files; i++) {
        is_copied = copy_file(&directory->names[i], &(*files)[i]);
    }
    unlock(directory);
    if (!is_copied) {
        memory_files_free(*files, *n_files);
        *files = NULL;
    }
    return is_copied;
}

void memory_files_free(struct memory_file *files, size_t n_files)
{
    for (size_t i = 0; files != NULL && i < n_files; i++) {
        free(files[i].bytes);
    }
    free(files);
}

const uint8_t *memory_directory_bytes(struct memory_directory *directory, const char *name,
                                      size_t *size)
{
    const struct node *node;

    lock(directory);
    node = memory_name_find(directory, name);
    *size = node == NULL ? 0 : node->size;
    unlock(directory);
    return node == NULL ? NULL : node->bytes;
}

size_t memory_directory_count(struct memory_directory *directory)
{
    size_t n_names;

    lock(directory);
    n_names = directory->n_names;
    unlock(directory);
    return n_names;
}

void memory_directory_observe(struct memory_directory *directory, memory_observe_fn observe,
                              void *context)
{
    lock(directory);
    directory->observe = observe;
    directory->context = context;
    unlock(directory);
}

void memory_directory_fail(struct memory_directory *directory, enum memory_call call, unsigned n,
                           enum sess_status status)
{
    lock(directory);
    directory->behaviours[call].fails_in = n;
    directory->behaviours[call].status = status;
    directory->behaviours[call].is_for_ever = false;
    unlock(directory);
}

void memory_directory_fail_from(struct memory_directory *directory, enum memory_call call,
                                unsigned n, enum sess_status status)
{
    memory_directory_fail(directory, call, n, status);
    lock(directory);
    directory->behaviours[call].is_for_ever = true;
    unlock(directory);
}

unsigned memory_directory_failed(struct memory_directory *directory)
{
    unsigned n_failed;

    lock(directory);
    n_failed = directory->n_failed;
    unlock(directory);
    return n_failed;
}

unsigned memory_directory_resyncs(struct memory_directory *directory)
{
    unsigned n_resyncs;

    lock(directory);
    n_resyncs = directory->n_resyncs;
    unlock(directory);
    return n_resyncs;
}

void memory_directory_keep_synced(struct memory_directory *directory)
{
    lock(directory);
    directory->keeps_synced = true;
    unlock(directory);
}

unsigned memory_directory_lose(struct memory_directory *directory)
{
    unsigned n_lost = 0;

    lock(directory);
    for (size_t i = 0; i < directory->n_names; i++) {
        struct node *node = directory->names[i].node;

        if (node->is_sync_failed) {
            free(node->bytes);
            node->bytes = node->synced;
            node->size = node->synced_size;
            node->capacity = node->synced_size;
            node->synced = NULL;
            node->synced_size = 0;
            node->is_sync_failed = false;
            n_lost++;
        }
    }
    unlock(directory);
    return n_lost;
}

void memory_directory_cut(struct memory_directory *directory)
{
    lock(directory);
    directory->is_cut = true;
    (void)pthread_cond_broadcast(&directory->changed);
    unlock(directory);
}

void memory_directory_restart(struct memory_directory *directory)
{
    lock(directory);
    directory->is_cut = false;
    directory->is_sync_failed = false;
    directory->base.sync_failure.status = SESS_OK;
    memset(directory->behaviours, 0, sizeof directory->behaviours);
    unlock(directory);
}

static void set_stalled(struct memory_directory *directory, enum memory_call call, bool is_stalled)
{
    lock(directory);
    directory->behaviours[call].is_stalled = is_stalled;
    (void)pthread_cond_broadcast(&directory->changed);
    unlock(directory);
}

void memory_directory_stall(struct memory_directory *directory, enum memory_call call)
{
    set_stalled(directory, call, true);
}

void memory_directory_release(struct memory_directory *directory, enum memory_call call)
{
    set_stalled(directory, call, false);
}

void memory_directory_await_stalled(struct memory_directory *directory, enum memory_call call)
{
    const struct behaviour *behaviour = &directory->behaviours[call];

    lock(directory);
    while (!behaviour->is_stalled || behaviour->n_waiting == 0) {
        (void)pthread_cond_wait(&directory->changed, &directory->lock);
    }
    unlock(directory);
}

unsigned memory_directory_calls(struct memory_directory *directory, enum memory_call call)
{
    unsigned n_calls;

    lock(directory);
    n_calls = directory->behaviours[call].n_calls;
    unlock(directory);
    return n_calls;
}
