/* The option table engine: rows to values and back. What people read of a row is option_print.c.
 * Threads: start-up only. Memory: none of its own. */
#include "sessiond/base/option.h"

#include "sessiond/base/number.h"

enum { OCTAL_DIGITS_MAX = 6 };

static void *value_of(const struct option_binding *binding, const struct option_row *row)
{
    return (char *)binding->values + row->offset;
}

static bool same_name(const char *field, const char *name)
{
    for (; *field != '\0' && *name != '\0'; field++, name++) {
        if (*field != *name && !(*field == '_' && *name == '-')) {
            return false;
        }
    }
    return *field == *name;
}

const struct option_row *option_find(const struct option_binding *binding, const char *name)
{
    for (size_t i = 0; i < binding->table->n_rows; i++) {
        if (same_name(binding->table->rows[i].field, name)) {
            return &binding->table->rows[i];
        }
    }
    return NULL;
}

/* Index of `text` among the blank-separated `words`. */
static enum sess_status parse_choice(const char *words, struct slice text, uint64_t *out)
{
    uint64_t index = 0;

    for (const char *word = words; *word != '\0'; index++) {
        size_t length = strcspn(word, " ");

        if (slice_equal(slice_of(word, length), text)) {
            *out = index;
            return SESS_OK;
        }
        word += length;
        word += strspn(word, " ");
    }
    return SESS_INVALID;
}

static enum sess_status parse_octal(struct slice text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > OCTAL_DIGITS_MAX) {
        return SESS_INVALID;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '7') {
            return SESS_INVALID;
        }
        value = value << 3 | (uint64_t)(text.data[i] - '0');
    }
    *out = value;
    return SESS_OK;
}

static enum sess_status parse_number(const struct option_row *row, struct slice text, uint64_t *out)
{
    switch (row->kind) {
    case OPTION_COUNT:
        return number_parse_u64(text, UINT64_MAX, out);
    case OPTION_SIZE:
        return number_parse_size(text, out);
    case OPTION_DURATION:
        return number_parse_duration(text, out);
    case OPTION_CHOICE:
        return parse_choice(row->lowest, text, out);
    case OPTION_MODE:
        return parse_octal(text, out);
    case OPTION_FLAG:
        return parse_choice("no yes", text, out);
    default:
        return SESS_INVALID;
    }
}

static bool is_switched_off(const struct option_row *row, const char *text)
{
    return ((row->flags & OPTION_NONE) != 0 && strcmp(text, "none") == 0) ||
           ((row->flags & OPTION_AUTO) != 0 && strcmp(text, "auto") == 0);
}

static bool in_range(const struct option_row *row, uint64_t value)
{
    uint64_t bound;

    if (row->kind == OPTION_CHOICE) {
        return true;
    }
    if (row->lowest != NULL &&
        (parse_number(row, slice_from_text(row->lowest), &bound) != SESS_OK || value < bound)) {
        return false;
    }
    return row->highest == NULL ||
           (parse_number(row, slice_from_text(row->highest), &bound) == SESS_OK && value <= bound);
}

static enum sess_status refuse(const struct option_row *row, const char *text,
                               enum sess_status status, struct sess_error *error)
{
    char name[OPTION_TEXT_SIZE];
    char range[OPTION_TEXT_SIZE];

    option_name(row, name, sizeof name);
    option_range(row, range, sizeof range);
    return error_set(error, status, "%s: '%.100s' will not do: it takes %s", name, text, range);
}

static enum sess_status assign_number(const struct option_binding *binding,
                                      const struct option_row *row, const char *text,
                                      struct sess_error *error)
{
    uint64_t value = 0;

    if (!is_switched_off(row, text)) {
        enum sess_status status = parse_number(row, slice_from_text(text), &value);

        if (status == SESS_OK && !in_range(row, value)) {
            status = SESS_OUT_OF_RANGE;
        }
        if (status != SESS_OK) {
            return refuse(row, text, status, error);
        }
    }
    if (row->kind == OPTION_FLAG) {
        *(_Atomic bool *)value_of(binding, row) = value != 0;
    } else {
        *(_Atomic uint64_t *)value_of(binding, row) = value;
    }
    return SESS_OK;
}

/* Whether a line of a config file can say it: there, blanks at the ends mean nothing, and `#` begins a comment at
 * the start and behind a blank. */
static bool can_stand_in_a_file(const char *text)
{
    bool is_behind_blank = true;

    for (size_t i = 0; text[i] != '\0'; i++) {
        bool is_blank = text[i] == ' ' || text[i] == '\t';
        bool is_control = !is_blank && ((unsigned char)text[i] < ' ' || text[i] == 0x7f);

        if (is_control || (is_blank && i == 0) || (text[i] == '#' && is_behind_blank)) {
            return false;
        }
        is_behind_blank = is_blank;
    }
    return !is_behind_blank;
}

static enum sess_status assign_text(const struct option_row *row, const char *text, char *out,
                                    struct sess_error *error)
{
    if (strlen(text) >= OPTION_TEXT_SIZE) {
        return refuse(row, text, SESS_OUT_OF_RANGE, error);
    }
    if (text[0] == '\0') {
        return refuse(row, text, SESS_INVALID, error);
    }
    if (!can_stand_in_a_file(text)) {
        char name[OPTION_TEXT_SIZE];

        option_name(row, name, sizeof name);
        return error_set(
            error, SESS_INVALID,
            "%s: '%.100s' will not do: in a config file, `#` at its start or behind a blank "
            "would begin a comment, and blanks at its ends or control characters would be lost",
            name, text);
    }
    memset(out, 0, OPTION_TEXT_SIZE);
    memcpy(out, is_switched_off(row, text) ? "" : text,
           is_switched_off(row, text) ? 0 : strlen(text));
    return SESS_OK;
}

static enum sess_status assign_item(const struct option_row *row, const char *text,
                                    bool replace_all, struct option_list *list,
                                    struct sess_error *error)
{
    size_t index = replace_all ? 0 : list->n_items;
    enum sess_status status;

    if (index == OPTION_LIST_MAX) {
        char name[OPTION_TEXT_SIZE];

        option_name(row, name, sizeof name);
        return error_set(error, SESS_LIMIT, "%s: given more than %d times", name, OPTION_LIST_MAX);
    }
    status = assign_text(row, text, list->items[index], error);
    if (status == SESS_OK) {
        list->n_items = index + 1;
    }
    return status;
}

/* Parse, and forget the value. */
static enum sess_status try_value(const struct option_row *row, const char *text,
                                  struct sess_error *error)
{
    char scratch_text[OPTION_TEXT_SIZE];
    _Atomic uint64_t scratch_number;
    struct option_row elsewhere = *row;
    struct option_binding trial = {.values = &scratch_number};

    elsewhere.offset = 0;
    return row->kind == OPTION_LIST || row->kind == OPTION_TEXT
               ? assign_text(row, text, scratch_text, error)
               : assign_number(&trial, &elsewhere, text, error);
}

enum sess_status option_assign(struct option_binding *binding, const struct option_row *row,
                               const char *text, enum option_source source,
                               struct sess_error *error)
{
    enum option_source *present = &binding->source[row - binding->table->rows];
    enum sess_status status;

    if (source < *present) {
        /* Outranked, but a wrong value must still be told. */
        return try_value(row, text, error);
    }
    switch (row->kind) {
    case OPTION_LIST:
        status = assign_item(row, text, source > *present || source == OPTION_FROM_DEFAULT,
                             value_of(binding, row), error);
        break;
    case OPTION_TEXT:
        status = assign_text(row, text, value_of(binding, row), error);
        break;
    default:
        status = assign_number(binding, row, text, error);
        break;
    }
    if (status == SESS_OK) {
        *present = source;
    }
    return status;
}

enum sess_status option_bind(struct option_binding *binding, const struct option_table *table,
                             void *values, struct sess_error *error)
{
    *binding = (struct option_binding){.table = table, .values = values};
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option_row *row = &table->rows[i];
        enum sess_status status =
            option_assign(binding, row, row->default_text, OPTION_FROM_DEFAULT, error);

        if (status != SESS_OK) {
            return status;
        }
    }
    return SESS_OK;
}

void option_copy(struct option_binding *to, const struct option_binding *from,
                 const struct option_row *row)
{
    const void *value = value_of(from, row);
    void *place = value_of(to, row);
    size_t i = (size_t)(row - from->table->rows);

    switch (row->kind) {
    case OPTION_TEXT:
        memcpy(place, value, OPTION_TEXT_SIZE);
        break;
    case OPTION_LIST:
        memcpy(place, value, sizeof(struct option_list));
        break;
    case OPTION_FLAG:
        *(_Atomic bool *)place = *(const _Atomic bool *)value;
        break;
    default:
        *(_Atomic uint64_t *)place = *(const _Atomic uint64_t *)value;
        break;
    }
    to->source[i] = from->source[i];
}

bool option_equal(const struct option_binding *a, const struct option_binding *b,
                  const struct option_row *row)
{
    char text[OPTION_TEXT_SIZE];
    char other[OPTION_TEXT_SIZE];
    bool is_there = true;

    for (size_t i = 0; is_there; i++) {
        is_there = option_format(a, row, i, text, sizeof text);
        if (is_there != option_format(b, row, i, other, sizeof other) ||
            (is_there && strcmp(text, other) != 0)) {
            return false;
        }
    }
    return true;
}
