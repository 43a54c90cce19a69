/* The log, and the disk's states. Threads, memory: see the header. */
#include "disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, BLOCK = 4096 };

static void *must(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

void log_init(struct disk_log *log)
{
    *log = (struct disk_log){.entries = NULL};
    (void)pthread_mutex_init(&log->lock, NULL);
}

void log_fini(struct disk_log *log)
{
    for (size_t i = 0; i < log->n_entries; i++) {
        free(log->entries[i].bytes);
    }
    free(log->entries);
    (void)pthread_mutex_destroy(&log->lock);
}

void log_add(struct disk_log *log, const struct log_entry *entry)
{
    (void)pthread_mutex_lock(&log->lock);
    if (log->n_entries == log->capacity) {
        log->capacity = log->capacity == 0 ? 1024 : 2 * log->capacity;
        log->entries = must(realloc(log->entries, log->capacity * sizeof *log->entries));
    }
    log->entries[log->n_entries++] = *entry;
    (void)pthread_mutex_unlock(&log->lock);
}

static void copy_pieces(struct log_entry *entry, const struct memory_event *event)
{
    size_t at = 0;

    for (size_t i = 0; i < event->n_pieces; i++) {
        entry->size += event->pieces[i].size;
    }
    entry->bytes = must(malloc(entry->size + 1));
    for (size_t i = 0; i < event->n_pieces; i++) {
        memcpy(entry->bytes + at, event->pieces[i].data, event->pieces[i].size);
        at += event->pieces[i].size;
    }
}

void log_add_call(struct disk_log *log, const struct memory_event *event, int64_t wall_s)
{
    struct log_entry entry = {
        .kind = LOG_CALL,
        .wall_s = wall_s,
        .call = event->call,
        .is_begin = event->is_begin,
        .file = event->file,
        .offset = event->offset,
    };

    if (event->name != NULL) {
        (void)snprintf(entry.name, sizeof entry.name, "%s", event->name);
    }
    if (event->to != NULL) {
        (void)snprintf(entry.to, sizeof entry.to, "%s", event->to);
    }
    if (event->call == MEMORY_WRITE) {
        copy_pieces(&entry, event);
    }
    log_add(log, &entry);
}

/* ---- files and names as they would be ---- */

static struct disk_file *find_file(struct disk_file *files, size_t n_files, uint64_t id)
{
    for (size_t i = 0; i < n_files; i++) {
        if (files[i].id == id) {
            return &files[i];
        }
    }
    return NULL;
}

static void resize(struct disk_file *file, size_t size)
{
    file->bytes = must(realloc(file->bytes, size + 1));
    if (size > file->size) {
        memset(file->bytes + file->size, 0, size - file->size);
    }
    file->size = size;
}

static void put(struct disk_file *file, uint64_t offset, const uint8_t *bytes, size_t size)
{
    if (size == 0) {
        return;
    }
    if (offset + size > file->size) {
        resize(file, (size_t)offset + size);
    }
    memcpy(file->bytes + offset, bytes, size);
}

static void put_some_sectors(struct disk_file *file, const struct log_entry *entry,
                             struct test_random *random)
{
    for (size_t at = 0; at < entry->size;) {
        size_t size = SECTOR - (size_t)((entry->offset + at) % SECTOR);

        size = size < entry->size - at ? size : entry->size - at;
        if (test_random_below(random, 2) == 0) {
            put(file, entry->offset + at, entry->bytes + at, size);
        }
        at += size;
    }
}

/* The block that a write ends in, whatever else is in it. */
static void garble(struct disk_file *file, const struct log_entry *entry,
                   struct test_random *random)
{
    uint64_t at = entry->size == 0 ? 0 : (entry->offset + entry->size - 1) / BLOCK * BLOCK;
    /* Either its end, or where it begins: that is where it meets what was there before. */
    uint64_t from = test_random_below(random, 2) == 0 ? at : entry->offset / BLOCK * BLOCK;
    uint8_t filler = (uint8_t)test_random_below(random, 2);

    for (uint64_t i = from; i < from + BLOCK && i < file->size; i++) {
        file->bytes[i] = filler == 0 ? 0 : (uint8_t)test_random_next(random);
    }
}

static void write_in_part(struct disk_file *file, const struct log_entry *entry, enum fate fate,
                          struct test_random *random)
{
    uint64_t end = entry->offset + test_random_below(random, entry->size + 1);

    switch (fate) {
    case FATE_TORN_SECTORS:
    case FATE_TORN_BYTES:
        end = fate == FATE_TORN_SECTORS ? end / SECTOR * SECTOR : end;
        put(file, entry->offset, entry->bytes,
            end > entry->offset ? (size_t)(end - entry->offset) : 0);
        break;
    case FATE_GARBLED:
        put_some_sectors(file, entry, random);
        garble(file, entry, random);
        break;
    default:
        put_some_sectors(file, entry, random);
        break;
    }
}

static void change_file(struct disk_file *file, const struct log_entry *entry, enum fate fate,
                        struct test_random *random)
{
    if (entry->call == MEMORY_WRITE && fate == FATE_KEPT) {
        put(file, entry->offset, entry->bytes, entry->size);
    } else if (entry->call == MEMORY_WRITE) {
        write_in_part(file, entry, fate, random);
    } else if ((entry->call == MEMORY_ALLOCATE) == (entry->offset > file->size)) {
        resize(file, (size_t)entry->offset);
    }
}

static size_t find_name(const struct disk_name *names, size_t n_names, const char *text)
{
    size_t at = 0;

    while (at < n_names && strcmp(names[at].text, text) != 0) {
        at++;
    }
    return at;
}

static void set_name(struct disk_name *names, size_t *n_names, const char *text, uint64_t file)
{
    size_t at = find_name(names, *n_names, text);

    if (at == *n_names) {
        if (*n_names == DISK_FILES_MAX) {
            abort();
        }
        (*n_names)++;
    }
    (void)snprintf(names[at].text, FILE_NAME_SIZE, "%s", text);
    names[at].file = file;
}

static void drop_name(struct disk_name *names, size_t *n_names, const char *text, uint64_t file)
{
    size_t at = find_name(names, *n_names, text);

    if (at < *n_names && names[at].file == file) {
        names[at] = names[--*n_names];
    }
}

static bool is_of_names(const struct log_entry *entry)
{
    return entry->call == MEMORY_CREATE || entry->call == MEMORY_RENAME ||
           entry->call == MEMORY_REMOVE;
}

static void change_name(struct disk_name *names, size_t *n_names, const struct log_entry *entry)
{
    if (entry->call == MEMORY_CREATE) {
        set_name(names, n_names, entry->name, entry->file);
        return;
    }
    drop_name(names, n_names, entry->name, entry->file);
    if (entry->call == MEMORY_RENAME) {
        set_name(names, n_names, entry->to, entry->file);
    }
}

/* ---- the disk as it goes on ---- */

void disk_begin(struct disk *disk, const struct disk_log *log, const struct memory_file *files,
                const uint64_t *ids, size_t n_files)
{
    *disk = (struct disk){.log = log};
    for (size_t i = 0; i < n_files; i++) {
        disk->files[i].id = ids[i];
        put(&disk->files[i], 0, files[i].bytes, files[i].size);
        set_name(disk->names, &disk->n_names, files[i].name, ids[i]);
        disk->n_files++;
    }
}

void disk_end(struct disk *disk)
{
    for (size_t i = 0; i < disk->n_files; i++) {
        free(disk->files[i].bytes);
    }
}

static struct disk_file *file_of(struct disk *disk, uint64_t id)
{
    struct disk_file *file = find_file(disk->files, disk->n_files, id);

    if (file == NULL) {
        if (disk->n_files == DISK_FILES_MAX) {
            abort();
        }
        file = &disk->files[disk->n_files++];
        file->id = id;
    }
    return file;
}

/* Pending calls in front of entry `begun` that are about names, or about this file, last now. */
static void settle(struct disk *disk, struct disk_file *file, size_t begun)
{
    size_t n_left = 0;

    for (size_t i = 0; i < disk->n_pending; i++) {
        const struct log_entry *entry = &disk->log->entries[disk->pending[i]];
        bool is_meant =
            file == NULL ? is_of_names(entry) : !is_of_names(entry) && entry->file == file->id;

        if (!is_meant || disk->pending[i] >= begun) {
            disk->pending[n_left++] = disk->pending[i];
        } else if (file == NULL) {
            change_name(disk->names, &disk->n_names, entry);
        } else {
            change_file(file, entry, FATE_KEPT, NULL);
        }
    }
    disk->n_pending = n_left;
}

static void step_sync(struct disk *disk, const struct log_entry *entry)
{
    struct disk_file *file = file_of(disk, entry->file);

    if (entry->is_begin) {
        file->begun = disk->at;
    } else {
        settle(disk, file, file->begun);
    }
}

static void step_call(struct disk *disk, const struct log_entry *entry)
{
    if (entry->call == MEMORY_SYNC) {
        step_sync(disk, entry);
    } else if (entry->call == MEMORY_SYNC_DIRECTORY && entry->is_begin) {
        disk->names_begun = disk->at;
    } else if (entry->call == MEMORY_SYNC_DIRECTORY) {
        settle(disk, NULL, disk->names_begun);
    } else {
        if (disk->n_pending == DISK_PENDING_MAX) {
            abort();
        }
        (void)file_of(disk, entry->file);
        disk->pending[disk->n_pending++] = disk->at;
    }
}

static size_t later(size_t a, size_t b)
{
    return a > b ? a : b;
}

void disk_step(struct disk *disk)
{
    const struct log_entry *entry = &disk->log->entries[disk->at];

    switch (entry->kind) {
    case LOG_CALL:
        step_call(disk, entry);
        break;
    case LOG_LIFE:
        disk->life = entry->life;
        disk->n_acked = entry->k;
        disk->n_durable = entry->k;
        break;
    case LOG_ACK:
        disk->n_acked = later(disk->n_acked, entry->k);
        disk->n_durable = entry->is_durable ? later(disk->n_durable, entry->k) : disk->n_durable;
        break;
    }
    disk->at++;
}

/* ---- one state ---- */

struct building {
    struct disk_file files[DISK_FILES_MAX];
    struct disk_name names[DISK_FILES_MAX];
    size_t n_names;
};

static void settle_by_fates(const struct disk *disk, const enum fate *fates,
                            struct test_random *random, struct building *building)
{
    for (size_t i = 0; i < disk->n_pending; i++) {
        const struct log_entry *entry = &disk->log->entries[disk->pending[i]];

        if (fates[i] == FATE_LOST) {
            continue;
        }
        if (is_of_names(entry)) {
            change_name(building->names, &building->n_names, entry);
        } else {
            change_file(find_file(building->files, disk->n_files, entry->file), entry, fates[i],
                        random);
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct memory_file *)a)->name, ((const struct memory_file *)b)->name);
}

void disk_build(const struct disk *disk, const enum fate *fates, struct test_random *random,
                struct memory_file **files, size_t *n_files)
{
    static struct building building;

    building = (struct building){.n_names = disk->n_names};
    memcpy(building.names, disk->names, sizeof building.names);
    for (size_t i = 0; i < disk->n_files; i++) {
        building.files[i].id = disk->files[i].id;
        put(&building.files[i], 0, disk->files[i].bytes, disk->files[i].size);
    }
    settle_by_fates(disk, fates, random, &building);
    *files = must(calloc(building.n_names + 1, sizeof **files));
    *n_files = building.n_names;
    for (size_t i = 0; i < building.n_names; i++) {
        const struct disk_file *file =
            find_file(building.files, disk->n_files, building.names[i].file);

        memcpy((*files)[i].name, building.names[i].text, FILE_NAME_SIZE);
        (*files)[i].size = file->size;
        (*files)[i].bytes = must(malloc(file->size + 1));
        if (file->size > 0) {
            memcpy((*files)[i].bytes, file->bytes, file->size);
        }
    }
    qsort(*files, *n_files, sizeof **files, by_name);
    for (size_t i = 0; i < disk->n_files; i++) {
        free(building.files[i].bytes);
    }
}
