/* Files in memory. Threads, memory: see the header. */
#include "memory_nodes.h"

#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct memory_directory *self_of(struct directory *directory)
{
    return (struct memory_directory *)(void *)directory;
}

static void tell(const struct memory_directory *self, const struct memory_event *event)
{
    if (self->observe != NULL && !self->is_cut) {
        self->observe(self->context, event);
    }
}

static bool is_to_fail(struct behaviour *behaviour)
{
    if (behaviour->fails_in == 0) {
        return false;
    }
    if (behaviour->fails_in == 1) {
        behaviour->fails_in = behaviour->is_for_ever ? 1 : 0;
        return true;
    }
    behaviour->fails_in--;
    return false;
}

/* Begin a call: takes the lock, stalls, and says whether it fails. The caller gives the lock back. */
static enum sess_status enter(struct memory_directory *self, enum memory_call call,
                              const char *name, struct sess_error *error)
{
    struct behaviour *behaviour = &self->behaviours[call];

    faults_hold();
    (void)pthread_mutex_lock(&self->lock);
    behaviour->n_calls++;
    behaviour->n_waiting++;
    (void)pthread_cond_broadcast(&self->changed);
    while (behaviour->is_stalled && !self->is_cut) {
        (void)pthread_cond_wait(&self->changed, &self->lock);
    }
    behaviour->n_waiting--;
    if (self->is_cut) {
        return error_set(error, SESS_IO, "%s: the machine is off", name);
    }
    if (is_to_fail(behaviour)) {
        self->n_failed++;
        return error_set(error, behaviour->status, "%s: a call that was to fail", name);
    }
    return SESS_OK;
}

static enum sess_status leave(struct memory_directory *self, enum sess_status status)
{
    (void)pthread_mutex_unlock(&self->lock);
    faults_let_go();
    return status;
}

static enum sess_status no_memory(struct sess_error *error)
{
    return error_set(error, SESS_IO, "the directory in memory has no room");
}

static enum sess_status take_handle(struct memory_directory *self, const char *name,
                                    struct node *node, struct file *out, struct sess_error *error)
{
    int handle = 0;

    while (handle < HANDLES_MAX && self->handles[handle] != NULL) {
        handle++;
    }
    if (handle == HANDLES_MAX) {
        return no_memory(error);
    }
    self->handles[handle] = node;
    node->n_uses++;
    *out = (struct file){.directory = &self->base, .handle = handle};
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    return SESS_OK;
}

static enum sess_status open_node(struct memory_directory *self, const char *name,
                                  enum file_mode mode, struct file *out, struct sess_error *error)
{
    struct node *node = memory_name_find(self, name);

    if (mode == FILE_CREATE) {
        if (node != NULL) {
            return error_set(error, SESS_EXISTS, "%s: is there", name);
        }
        node = memory_node_make(self, name);
        if (node == NULL) {
            return no_memory(error);
        }
        tell(self, &(struct memory_event){.call = MEMORY_CREATE, .file = node->id, .name = name});
    }
    if (node == NULL) {
        return error_set(error, SESS_NOT_FOUND, "%s: is not there", name);
    }
    return take_handle(self, name, node, out, error);
}

static enum sess_status open_file(struct directory *directory, const char *name,
                                  enum file_mode mode, struct file *out, struct sess_error *error)
{
    struct memory_directory *self = self_of(directory);
    enum sess_status status =
        enter(self, mode == FILE_CREATE ? MEMORY_CREATE : MEMORY_OPEN, name, error);

    if (status == SESS_OK) {
        status = open_node(self, name, mode, out, error);
    }
    return leave(self, status);
}

static void close_file(struct file *file)
{
    struct memory_directory *self = self_of(file->directory);

    (void)pthread_mutex_lock(&self->lock);
    memory_node_drop(self->handles[file->handle]);
    self->handles[file->handle] = NULL;
    (void)pthread_mutex_unlock(&self->lock);
}

static enum sess_status put_pieces(struct node *node, const struct slice *pieces, size_t n_pieces,
                                   uint64_t offset, struct sess_error *error)
{
    for (size_t i = 0; i < n_pieces; i++) {
        uint64_t end = offset + pieces[i].size;

        if (end > node->size && !memory_node_resize(node, (size_t)end)) {
            return no_memory(error);
        }
        if (pieces[i].size > 0) {
            memcpy(node->bytes + offset, pieces[i].data, pieces[i].size);
        }
        offset = end;
    }
    return SESS_OK;
}

static enum sess_status write_file(struct file *file, const struct slice *pieces, size_t n_pieces,
                                   uint64_t offset, struct sess_error *error)
{
    struct memory_directory *self = self_of(file->directory);
    enum sess_status status = enter(self, MEMORY_WRITE, file->name, error);
    struct node *node = self->handles[file->handle];

    if (status == SESS_OK) {
        status = put_pieces(node, pieces, n_pieces, offset, error);
    }
    if (status == SESS_OK) {
        tell(self, &(struct memory_event){.call = MEMORY_WRITE,
                                          .file = node->id,
                                          .offset = offset,
                                          .pieces = pieces,
                                          .n_pieces = n_pieces});
    }
    return leave(self, status);
}

static enum sess_status read_file(struct file *file, void *to, size_t size, uint64_t offset,
                                  size_t *got, struct sess_error *error)
{
    struct memory_directory *self = self_of(file->directory);
    enum sess_status status = enter(self, MEMORY_READ, file->name, error);
    const struct node *node = self->handles[file->handle];

    *got = 0;
    if (status == SESS_OK && offset < node->size) {
        *got = size < node->size - offset ? size : (size_t)(node->size - offset);
        memcpy(to, node->bytes + offset, *got);
    }
    return leave(self, status);
}

static enum sess_status size_of_file(struct file *file, uint64_t *size, struct sess_error *error)
{
    struct memory_directory *self = self_of(file->directory);
    enum sess_status status = enter(self, MEMORY_SIZE, file->name, error);

    *size = self->handles[file->handle]->size;
    return leave(self, status);
}

/* Allocate never shrinks, truncate never grows. */
static enum sess_status change_size(struct file *file, enum memory_call call, uint64_t size,
                                    struct sess_error *error)
{
    struct memory_directory *self = self_of(file->directory);
    enum sess_status status = enter(self, call, file->name, error);
    struct node *node = self->handles[file->handle];

    if (status == SESS_OK && (call == MEMORY_ALLOCATE) == (size > node->size) &&
        !memory_node_resize(node, (size_t)size)) {
        status = no_memory(error);
    }
    if (status == SESS_OK) {
        tell(self, &(struct memory_event){.call = call, .file = node->id, .offset = size});
    }
    return leave(self, status);
}

static enum sess_status allocate(struct file *file, uint64_t size, struct sess_error *error)
{
    return change_size(file, MEMORY_ALLOCATE, size, error);
}

static enum sess_status truncate_file(struct file *file, uint64_t size, struct sess_error *error)
{
    return change_size(file, MEMORY_TRUNCATE, size, error);
}

/* Between its beginning and its end others may call. `node` is NULL for the names. */
static enum sess_status sync_any(struct memory_directory *self, enum memory_call call,
                                 struct node *node, const char *name, struct sess_error *error)
{
    uint64_t file = node == NULL ? 0 : node->id;
    bool *is_failed = node == NULL ? &self->is_sync_failed : &node->is_sync_failed;
    uint8_t *bytes = NULL;
    size_t size;
    enum sess_status status;

    faults_hold();
    (void)pthread_mutex_lock(&self->lock);
    tell(self, &(struct memory_event){.call = call, .is_begin = true, .file = file});
    self->n_resyncs += *is_failed;
    size = node == NULL || !self->keeps_synced ? 0 : node->size;
    if (size > 0 && (bytes = malloc(size)) != NULL) {
        memcpy(bytes, node->bytes, size);
    }
    (void)pthread_mutex_unlock(&self->lock);
    faults_let_go();
    status = enter(self, call, name, error);
    if (status == SESS_OK) {
        tell(self, &(struct memory_event){.call = call, .file = file});
        if (node != NULL && self->keeps_synced) {
            memory_node_keep(node, bytes, size);
        }
    } else {
        *is_failed = true;
        free(bytes);
    }
    return leave(self, status);
}

static enum sess_status sync_file(struct file *file, struct sess_error *error)
{
    struct memory_directory *self = self_of(file->directory);

    /* The caller holds the handle. */
    return sync_any(self, MEMORY_SYNC, self->handles[file->handle], file->name, error);
}

static enum sess_status sync_names(struct directory *directory, struct sess_error *error)
{
    return sync_any(self_of(directory), MEMORY_SYNC_DIRECTORY, NULL, "the directory", error);
}

static enum sess_status rename_file(struct directory *directory, const char *from, const char *to,
                                    struct sess_error *error)
{
    struct memory_directory *self = self_of(directory);
    enum sess_status status = enter(self, MEMORY_RENAME, from, error);
    struct node *node = memory_name_find(self, from);
    struct node *old = memory_name_find(self, to);

    if (status == SESS_OK && node == NULL) {
        status = error_set(error, SESS_IO, "%s: is not there", from);
    }
    if (status == SESS_OK && node != old) {
        if (old != NULL) {
            memory_name_forget(self, to);
            memory_node_drop(old);
        }
        memory_name_forget(self, from);
        (void)memory_name_put(self, to, node);
        tell(self, &(struct memory_event){
                       .call = MEMORY_RENAME, .file = node->id, .name = from, .to = to});
    }
    return leave(self, status);
}

static enum sess_status remove_file(struct directory *directory, const char *name,
                                    struct sess_error *error)
{
    struct memory_directory *self = self_of(directory);
    enum sess_status status = enter(self, MEMORY_REMOVE, name, error);
    struct node *node = memory_name_find(self, name);

    if (status == SESS_OK && node == NULL) {
        status = error_set(error, SESS_NOT_FOUND, "%s: is not there", name);
    }
    if (status == SESS_OK) {
        memory_name_forget(self, name);
        tell(self, &(struct memory_event){.call = MEMORY_REMOVE, .file = node->id, .name = name});
        memory_node_drop(node);
    }
    return leave(self, status);
}

/* The visitor may not call the directory. */
static enum sess_status list(struct directory *directory, directory_list_fn visit, void *context,
                             struct sess_error *error)
{
    struct memory_directory *self = self_of(directory);
    enum sess_status status = enter(self, MEMORY_LIST, "the directory", error);

    for (size_t i = 0; status == SESS_OK && i < self->n_names; i++) {
        bool has_more;

        /* The visitor's allocations are the caller's. */
        faults_let_go();
        has_more = visit(context, self->names[i].text);
        faults_hold();
        if (!has_more) {
            break;
        }
    }
    return leave(self, status);
}

static void destroy(struct directory *directory)
{
    struct memory_directory *self = self_of(directory);

    for (size_t i = 0; i < self->n_names; i++) {
        memory_node_drop(self->names[i].node);
    }
    directory_end(directory);
    (void)pthread_cond_destroy(&self->changed);
    (void)pthread_mutex_destroy(&self->lock);
    free(self);
}

static const struct directory_calls calls = {
    .open = open_file,
    .close = close_file,
    .write = write_file,
    .read = read_file,
    .size = size_of_file,
    .allocate = allocate,
    .truncate = truncate_file,
    .sync = sync_file,
    .sync_directory = sync_names,
    .rename = rename_file,
    .remove = remove_file,
    .list = list,
    .destroy = destroy,
};

struct memory_directory *memory_directory_create(void)
{
    struct memory_directory *self = calloc(1, sizeof *self);

    if (self != NULL) {
        (void)!directory_begin(&self->base, &calls);
        (void)pthread_mutex_init(&self->lock, NULL);
        (void)pthread_cond_init(&self->changed, NULL);
    }
    return self;
}

struct directory *memory_directory_base(struct memory_directory *directory)
{
    return &directory->base;
}
