/* Fuzz target: the config file. Any bytes: they are read or refused with a text that names the line; what was
 * read is printed in a form that reads to the same settings; `memory` is divided or refused.
 *
 * An input is a file. */
#include "fuzz.h"

#include "sessiond/daemon/config_file.h"
#include "sessiond/daemon/settings.h"

#include <sys/mman.h>
#include <unistd.h>

enum { PATH_SIZE = 40 };

struct reading {
    struct settings settings;
    struct registry registry;
    struct sess_error error;
};

static enum sess_status read_bytes(struct reading *reading, struct slice bytes)
{
    char path[PATH_SIZE];
    enum sess_status status;
    int fd = memfd_create("config", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(bytes.size == 0 || write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(reading, 0, sizeof *reading);
    FUZZ_CHECK(settings_register(&reading->settings, &reading->registry, &reading->error) ==
               SESS_OK);
    status = config_file_read(&reading->registry, path, &reading->error);
    if (status != SESS_OK) {
        FUZZ_CHECK(strncmp(reading->error.text, path, strlen(path)) == 0);
    }
    (void)close(fd);
    return status;
}

static char *print(const struct reading *reading)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    FUZZ_CHECK(out != NULL);
    settings_print(&reading->registry, out);
    FUZZ_CHECK(fclose(out) == 0);
    return text;
}

static void divide(const struct reading *reading)
{
    struct memory_split split;
    struct sess_error error;

    if (settings_split_memory(&reading->settings, &split, &error) == SESS_OK) {
        FUZZ_CHECK(split.data > 0 && split.max_connections > 0);
        FUZZ_CHECK(settings_segment_bytes(&reading->settings) % 4096 == 0);
    } else {
        FUZZ_CHECK(error.text[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading first;
    struct reading again;
    char *printed;
    char *printed_again;

    if (read_bytes(&first, slice_of(data, size)) != SESS_OK) {
        return 0;
    }
    divide(&first);
    printed = print(&first);
    FUZZ_CHECK(read_bytes(&again, slice_from_text(printed)) == SESS_OK);
    printed_again = print(&again);
    FUZZ_CHECK(strcmp(printed, printed_again) == 0);
    free(printed);
    free(printed_again);
    return 0;
}
