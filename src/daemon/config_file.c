/* The config file. Not the command line. Threads: start-up only. Memory: one line. */
#include "sessiond/daemon/config_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cut the blanks off both ends, in place. */
static char *trim(char *text)
{
    size_t size;

    while (is_blank(*text)) {
        text++;
    }
    size = strlen(text);
    while (size > 0 && is_blank(text[size - 1])) {
        size--;
    }
    text[size] = '\0';
    return text;
}

static void cut_comment(char *line)
{
    for (size_t i = 0; line[i] != '\0'; i++) {
        if (line[i] == '#' && (i == 0 || is_blank(line[i - 1]))) {
            line[i] = '\0';
            return;
        }
    }
}

static enum sess_status assign_line(struct registry *registry, char *line, struct sess_error *error)
{
    struct option_binding *binding;
    const struct option_row *row;
    char *equals;
    const char *name;

    cut_comment(line);
    line = trim(line);
    if (line[0] == '\0') {
        return SESS_OK;
    }
    equals = strchr(line, '=');
    if (equals == NULL) {
        return error_set(error, SESS_INVALID, "'%.100s' is not of the form name = value", line);
    }
    *equals = '\0';
    name = trim(line);
    if (registry_find_option(registry, name, &binding, &row) != SESS_OK) {
        return error_set(error, SESS_NOT_FOUND,
                         "there is no option '%.100s'; sessiond --print-config lists them", name);
    }
    return option_assign(binding, row, trim(equals + 1), OPTION_FROM_FILE, error);
}

/* A line as text: its end cut off, and nothing hidden behind a NUL. */
static enum sess_status check_line(const char *line, size_t size, struct sess_error *error)
{
    if (size > CONFIG_LINE_MAX) {
        return error_set(error, SESS_INVALID, "the line is longer than %d bytes", CONFIG_LINE_MAX);
    }
    if (strlen(line) != size) {
        return error_set(error, SESS_INVALID, "this is no text: the line holds a NUL");
    }
    return SESS_OK;
}

static enum sess_status read_lines(struct registry *registry, FILE *file, const char *path,
                                   struct sess_error *error)
{
    enum sess_status status = SESS_OK;
    unsigned number = 0;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    while (status == SESS_OK && (size = getline(&line, &capacity, file)) >= 0) {
        number++;
        status = check_line(line, (size_t)size, error);
        if (status == SESS_OK) {
            status = assign_line(registry, line, error);
        }
    }
    if (status != SESS_OK) {
        status = error_wrap(error, "%s:%u", path, number);
    } else if (ferror(file) != 0) {
        status = error_set(error, SESS_IO, "cannot read %s: %s", path, strerror(errno));
    }
    free(line);
    return status;
}

enum sess_status config_file_read(struct registry *registry, const char *path,
                                  struct sess_error *error)
{
    FILE *file = fopen(path, "re");
    enum sess_status status;

    if (file == NULL) {
        return error_set(error, SESS_IO, "cannot open %s: %s", path, strerror(errno));
    }
    status = read_lines(registry, file, path, error);
    (void)fclose(file);
    return status;
}
