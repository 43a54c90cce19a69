/* Groups of records. Threads, memory: see the header. */
#include "loader.h"

enum sess_status loader_add(struct loader *loader, const struct record *record)
{
    loader->images[loader->n_images++] = record_image(record);
    return loader->n_images < LOADER_IMAGES ? SESS_OK : loader_apply(loader);
}

enum sess_status loader_apply(struct loader *loader)
{
    size_t n_images = loader->n_images;

    loader->n_images = 0;
    return loader->store == NULL ? SESS_OK : store_apply(loader->store, loader->images, n_images);
}
