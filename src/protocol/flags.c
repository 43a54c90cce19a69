/* Meta flags. Threads: any. Memory: none. */
#include "flags.h"

#include "sessiond/base/base64.h"
#include "sessiond/base/number.h"
#include "words.h"

#include <string.h>

/* What stands behind each flag. */
enum token_kind { TOKEN_NONE, TOKEN_IGNORED, TOKEN_READ };

/* Every flag of every meta command. Those that mean nothing to a command are read, and ignored, as memcached does. */
static const struct {
    char letter;
    enum token_kind kind;
} known[] = {
    {'b', TOKEN_READ}, {'c', TOKEN_NONE},    {'f', TOKEN_NONE},    {'h', TOKEN_NONE},
    {'k', TOKEN_NONE}, {'l', TOKEN_NONE},    {'q', TOKEN_NONE},    {'s', TOKEN_NONE},
    {'t', TOKEN_NONE}, {'u', TOKEN_NONE},    {'v', TOKEN_NONE},    {'x', TOKEN_NONE},
    {'I', TOKEN_NONE}, {'L', TOKEN_IGNORED}, {'P', TOKEN_IGNORED}, {'C', TOKEN_READ},
    {'D', TOKEN_READ}, {'E', TOKEN_READ},    {'F', TOKEN_READ},    {'J', TOKEN_READ},
    {'M', TOKEN_READ}, {'N', TOKEN_READ},    {'O', TOKEN_READ},    {'R', TOKEN_READ},
    {'T', TOKEN_READ},
};
static const char ordered[] = "cfhklOstTNR";
_Static_assert(sizeof ordered <= META_ORDER_MAX, "all of them, and an end");

bool flags_key_is_base64(struct slice key)
{
    uint8_t place[REQUEST_KEY_MAX];
    bool is = key.size <= REQUEST_KEY_MAX && base64_decode(key, place) > 0;

    explicit_bzero(place, sizeof place);
    return is;
}

static bool read_flags_of_client(struct slice token, struct request *request)
{
    uint64_t flags = 0;
    bool is_number = number_parse_u64(token, UINT32_MAX, &flags) == SESS_OK;

    request->flags = (uint32_t)flags;
    return is_number;
}

static bool read_new_cas(struct slice token, struct meta_flags *meta)
{
    return number_parse_u64(token, UINT64_MAX - 1, &meta->new_cas) == SESS_OK && meta->new_cas > 0;
}

/* Read what stands behind a flag. Returns whether it is right; *reply is what to say if it is not. */
static bool read_token(char flag, struct slice token, struct request *request, enum reply *reply)
{
    struct meta_flags *meta = &request->meta;

    switch (flag) {
    case 'b':
        *reply = REPLY_BAD_BASE64;
        return flags_key_is_base64(request->key);
    case 'F':
        *reply = REPLY_BAD_FORMAT;
        return read_flags_of_client(token, request);
    case 'D':
        *reply = REPLY_BAD_META_DELTA;
        return number_parse_u64(token, UINT64_MAX, &request->delta) == SESS_OK;
    case 'J':
        *reply = REPLY_BAD_INITIAL;
        return number_parse_u64(token, UINT64_MAX, &meta->initial) == SESS_OK;
    case 'M':
        *reply = REPLY_BAD_MODE_LENGTH;
        meta->mode = token.size == 1 ? (char)token.data[0] : '\0';
        return token.size == 1 && token.data[0] != '\0';
    case 'C':
        return number_parse_u64(token, UINT64_MAX, &request->cas) == SESS_OK;
    case 'E':
        return read_new_cas(token, meta);
    case 'T':
        return number_parse_i64(token, &request->exptime) == SESS_OK;
    case 'N':
        return number_parse_i64(token, &meta->vivify) == SESS_OK;
    default:
        return number_parse_i64(token, &meta->recache) == SESS_OK;
    }
}

static const char *find(uint8_t letter, enum token_kind *kind)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if ((uint8_t)known[i].letter == letter) {
            *kind = known[i].kind;
            return &known[i].letter;
        }
    }
    return NULL;
}

static void note_order(struct meta_flags *meta, char flag)
{
    if (strchr(ordered, flag) != NULL) {
        meta->order[strlen(meta->order)] = flag;
    }
}

/* One flag. Returns false for one behind which nothing is read. */
static bool read_flag(struct slice word, struct request *request, struct argument_fault *found)
{
    struct meta_flags *meta = &request->meta;
    enum reply reply = REPLY_BAD_TOKEN;
    enum token_kind kind = TOKEN_NONE;
    const char *flag = find(word.data[0], &kind);

    if (flag == NULL || meta_has(meta, *flag)) {
        found->is_set = true;
        found->reply =
            flag == NULL && word.data[0] < 0x7f ? REPLY_INVALID_FLAG : REPLY_DUPLICATE_FLAG;
        return false;
    }
    meta->set |= meta_bit(*flag);
    note_order(meta, *flag);
    if (*flag == 'O') {
        meta->opaque = word;
    } else if (kind == TOKEN_READ && !read_token(*flag, slice_from(word, 1), request, &reply)) {
        if (*flag != 'F' || !found->is_set) {
            found->reply = reply;
        }
        found->is_set = true;
    }
    return true;
}

/* What the command does not know of itself. */
static void judge(const struct request *request, struct argument_fault *found)
{
    const struct meta_flags *meta = &request->meta;
    enum command_id id = request->command->id;

    if (id == COMMAND_META_SET && meta->mode != '\0' && strchr("EAPRS", meta->mode) == NULL) {
        fault_note(found, REPLY_BAD_SET_MODE);
    }
    if (id == COMMAND_META_COUNT && meta->mode != '\0' && strchr("I+D-", meta->mode) == NULL) {
        fault_note(found, REPLY_BAD_COUNT_MODE);
    }
    if (meta->opaque.size > META_OPAQUE_MAX) {
        fault_note(found, REPLY_OPAQUE_TOO_LONG);
    }
}

void flags_read(struct slice *rest, struct request *request, struct argument_fault *fault)
{
    struct argument_fault found = {.is_set = false};
    enum command_id id = request->command->id;
    struct slice word;
    bool goes_on = true;

    request->meta = (struct meta_flags){.set = 0};
    request->delta = 1;
    if (request->key.size > REQUEST_KEY_MAX) {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
    while (goes_on && (word = words_next(rest)).size > 0) {
        goes_on = read_flag(word, request, &found);
    }
    *rest = slice_first(*rest, 0);
    if (found.is_set && (id == COMMAND_META_DELETE || id == COMMAND_META_COUNT)) {
        found.reply = REPLY_FLAGS_REFUSED;
    }
    judge(request, &found);
    if (id == COMMAND_META_DEBUG) {
        found.reply = REPLY_BAD_FORMAT;
    }
    if (found.is_set) {
        fault_note(fault, found.reply);
    }
}
