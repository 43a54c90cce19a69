/* Texts of the status codes. Not what clients see. Threads: any. Memory: static. */
#include "sessiond/base/status.h"

#include <stddef.h>

static const char *const texts[] = {
#define STATUS(id, text) [SESS_##id] = (text),
#include "sessiond/base/status.def"
#undef STATUS
};

const char *status_text(enum sess_status status)
{
    size_t index = (size_t)status;

    return index < sizeof texts / sizeof texts[0] ? texts[index] : "unknown status";
}
