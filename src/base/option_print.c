/* Option rows as people read them: help, config file, ranges. Parsing is option.c.
 * Threads: start-up only, option_format also later. Memory: the stack. */
#include "sessiond/base/number.h"
#include "sessiond/base/option.h"

#include <inttypes.h>

enum { DOC_WIDTH = 76 };

void option_name(const struct option_row *row, char *out, size_t out_size)
{
    size_t i = 0;

    for (; row->field[i] != '\0' && i + 1 < out_size; i++) {
        out[i] = row->field[i] == '_' ? '-' : row->field[i];
    }
    out[i] = '\0';
}

static void format_word(const char *words, uint64_t index, char *out, size_t out_size)
{
    for (; index > 0; index--) {
        words += strcspn(words, " ");
        words += strspn(words, " ");
    }
    (void)snprintf(out, out_size, "%.*s", (int)strcspn(words, " "), words);
}

static void format_number(const struct option_row *row, uint64_t value, char *out, size_t out_size)
{
    if (value == 0 && (row->flags & (OPTION_NONE | OPTION_AUTO)) != 0) {
        (void)snprintf(out, out_size, "%s", (row->flags & OPTION_NONE) != 0 ? "none" : "auto");
        return;
    }
    switch (row->kind) {
    case OPTION_SIZE:
        number_format_size(value, out, out_size);
        break;
    case OPTION_DURATION:
        number_format_duration(value, out, out_size);
        break;
    case OPTION_MODE:
        (void)snprintf(out, out_size, "%03" PRIo64, value);
        break;
    case OPTION_CHOICE:
        format_word(row->lowest, value, out, out_size);
        break;
    default:
        (void)snprintf(out, out_size, "%" PRIu64, value);
        break;
    }
}

bool option_format(const struct option_binding *binding, const struct option_row *row, size_t index,
                   char *out, size_t out_size)
{
    const void *value = (const char *)binding->values + row->offset;
    const char *text = value;

    if (row->kind == OPTION_LIST) {
        const struct option_list *list = value;

        if (index >= list->n_items) {
            return false;
        }
        text = list->items[index];
        (void)snprintf(out, out_size, "%s", text[0] == '\0' ? "none" : text);
        return true;
    }
    if (index > 0) {
        return false;
    }
    if (row->kind == OPTION_TEXT) {
        (void)snprintf(out, out_size, "%s", text[0] == '\0' ? "none" : text);
    } else if (row->kind == OPTION_FLAG) {
        (void)snprintf(out, out_size, "%s", *(const _Atomic bool *)value ? "yes" : "no");
    } else {
        format_number(row, *(const _Atomic uint64_t *)value, out, out_size);
    }
    return true;
}

uint64_t option_number(const struct option_binding *binding, const struct option_row *row)
{
    return *(const _Atomic uint64_t *)(const void *)((const char *)binding->values + row->offset);
}

static const char *kind_words(const struct option_row *row)
{
    switch (row->kind) {
    case OPTION_FLAG:
        return "yes or no";
    case OPTION_COUNT:
        return "a number";
    case OPTION_SIZE:
        return "a size such as 64k, 512m or 2g";
    case OPTION_DURATION:
        return "a time such as 500ms, 10s or 14d";
    case OPTION_CHOICE:
        return "one of";
    case OPTION_MODE:
        return "permissions in octal, such as 660";
    case OPTION_TEXT:
        return "a text";
    case OPTION_LIST:
        return "a text; may be given several times";
    }
    return "";
}

void option_range(const struct option_row *row, char *out, size_t out_size)
{
    const char *switch_word = (row->flags & OPTION_NONE) != 0   ? ", or none"
                              : (row->flags & OPTION_AUTO) != 0 ? ", or auto"
                                                                : "";

    if (row->kind == OPTION_CHOICE) {
        (void)snprintf(out, out_size, "%s %s%s", kind_words(row), row->lowest, switch_word);
    } else if (row->lowest != NULL && row->highest != NULL) {
        (void)snprintf(out, out_size, "%s, %s to %s%s", kind_words(row), row->lowest, row->highest,
                       switch_word);
    } else if (row->lowest != NULL) {
        (void)snprintf(out, out_size, "%s, at least %s%s", kind_words(row), row->lowest,
                       switch_word);
    } else {
        (void)snprintf(out, out_size, "%s%s", kind_words(row), switch_word);
    }
}

/* `text` in lines of DOC_WIDTH, each behind `indent`. */
static void print_wrapped(FILE *out, const char *indent, const char *text)
{
    while (*text != '\0') {
        size_t room = DOC_WIDTH - strlen(indent);
        size_t length = strlen(text);

        if (length > room) {
            length = room;
            while (length > 0 && text[length] != ' ') {
                length--;
            }
            if (length == 0) {
                length = strcspn(text, " ");
            }
        }
        (void)fprintf(out, "%s%.*s\n", indent, (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

const char *option_reload_text(const struct option_row *row)
{
    return (row->flags & OPTION_RELOADABLE) != 0 ? " A reload applies it." : "";
}

void option_print_help(FILE *out, const struct option_table *table)
{
    (void)fprintf(out, "\n%s:\n", table->title);
    for (size_t i = 0; i < table->n_rows; i++) {
        char name[OPTION_TEXT_SIZE];
        char range[OPTION_TEXT_SIZE];

        option_name(&table->rows[i], name, sizeof name);
        option_range(&table->rows[i], range, sizeof range);
        (void)fprintf(out, "  --%s VALUE   (default %s)\n", name, table->rows[i].default_text);
        print_wrapped(out, "      ", table->rows[i].doc);
        (void)fprintf(out, "      Takes %s.%s\n", range, option_reload_text(&table->rows[i]));
    }
}

void option_print_config(FILE *out, const struct option_binding *binding)
{
    (void)fprintf(out, "\n# ---- %s ----\n", binding->table->title);
    for (size_t i = 0; i < binding->table->n_rows; i++) {
        const struct option_row *row = &binding->table->rows[i];
        char name[OPTION_TEXT_SIZE];
        char text[OPTION_TEXT_SIZE];

        option_name(row, name, sizeof name);
        option_range(row, text, sizeof text);
        (void)fputs("\n", out);
        print_wrapped(out, "# ", row->doc);
        (void)fprintf(out, "# Takes %s.%s\n", text, option_reload_text(row));
        for (size_t index = 0; option_format(binding, row, index, text, sizeof text); index++) {
            (void)fprintf(out, "%s = %s\n", name, text);
        }
    }
}
