/* Nodes and names. Threads, memory: see the headers. */
#include "memory_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void memory_node_drop(struct node *node)
{
    if (--node->n_uses == 0) {
        free(node->bytes);
        free(node->synced);
        free(node);
    }
}

void memory_node_keep(struct node *node, uint8_t *bytes, size_t size)
{
    free(node->synced);
    node->synced = bytes;
    node->synced_size = size;
}

bool memory_node_resize(struct node *node, size_t size)
{
    if (size > node->capacity) {
        size_t capacity = size < 2 * node->capacity ? 2 * node->capacity : size;
        uint8_t *grown = realloc(node->bytes, capacity);

        if (grown == NULL) {
            return false;
        }
        node->bytes = grown;
        node->capacity = capacity;
    }
    if (size > node->size) {
        memset(node->bytes + node->size, 0, size - node->size);
    }
    node->size = size;
    return true;
}

/* Where a name is, or would be. */
static size_t place_of(const struct memory_directory *self, const char *text)
{
    size_t at = 0;

    while (at < self->n_names && strcmp(self->names[at].text, text) < 0) {
        at++;
    }
    return at;
}

struct node *memory_name_find(const struct memory_directory *self, const char *text)
{
    size_t at = place_of(self, text);

    return at < self->n_names && strcmp(self->names[at].text, text) == 0 ? self->names[at].node
                                                                         : NULL;
}

void memory_name_forget(struct memory_directory *self, const char *text)
{
    size_t at = place_of(self, text);

    self->n_names--;
    memmove(&self->names[at], &self->names[at + 1], (self->n_names - at) * sizeof self->names[0]);
}

bool memory_name_put(struct memory_directory *self, const char *text, struct node *node)
{
    size_t at = place_of(self, text);

    if (self->n_names == NAMES_MAX || strlen(text) >= FILE_NAME_SIZE) {
        return false;
    }
    memmove(&self->names[at + 1], &self->names[at], (self->n_names - at) * sizeof self->names[0]);
    self->n_names++;
    (void)snprintf(self->names[at].text, FILE_NAME_SIZE, "%s", text);
    self->names[at].node = node;
    return true;
}

struct node *memory_node_make(struct memory_directory *self, const char *text)
{
    struct node *node = calloc(1, sizeof *node);

    if (node != NULL) {
        node->id = ++self->last_id;
        node->n_uses = 1;
        if (!memory_name_put(self, text, node)) {
            memory_node_drop(node);
            node = NULL;
        }
    }
    return node;
}
