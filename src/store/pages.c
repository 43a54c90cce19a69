/* Pages beside the entries. Not what stands in them. Threads: under the shard's lock. Memory: the arena's. */
#include "pages.h"

static void uncharge(struct pages *pages, size_t size)
{
    budget_release(pages->budget, size);
    if (pages->held != NULL) {
        budget_release(pages->held, size);
    }
}

static void *take(struct pages *pages)
{
    size_t size = pages_size(pages);
    void *page = arena_take(pages->arena, size);

    if (page == NULL) {
        uncharge(pages, size);
        return NULL;
    }
    pages->n_pages++;
    return page;
}

void *pages_add(struct pages *pages, size_t limit)
{
    size_t size = pages_size(pages);

    if (pages->held != NULL && !budget_charge_within(pages->held, size, limit)) {
        return NULL;
    }
    if (!budget_charge(pages->budget, size)) {
        if (pages->held != NULL) {
            budget_release(pages->held, size);
        }
        return NULL;
    }
    return take(pages);
}

void *pages_add_always(struct pages *pages)
{
    size_t size = pages_size(pages);

    budget_charge_always(pages->budget, size);
    if (pages->held != NULL) {
        budget_charge_always(pages->held, size);
    }
    return take(pages);
}

void pages_release(struct pages *pages)
{
    if (pages->n_pages > 0) {
        uncharge(pages, pages->n_pages * pages_size(pages));
        pages->n_pages = 0;
    }
}
