/* Arguments by letter. Not framing (parser.c). Threads: any. Memory: none. */
#include "arguments.h"

#include "flags.h"
#include "sessiond/base/number.h"
#include "words.h"

#include <string.h>

/* Lengths beyond this are not lengths: memcached's largest is just below. */
#define BYTES_ABSURD ((uint64_t)1 << 31)

bool arguments_key_is_valid(struct slice key)
{
    return key.size > 0 && key.size <= REQUEST_KEY_MAX && scan_key(key) == key.size;
}

static void read_key(struct slice word, struct request *request, struct argument_fault *fault)
{
    if (arguments_key_is_valid(word)) {
        request->key = word;
    } else {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
}

/* Of a meta command, when its flags are known. */
static void judge_key(const struct request *request, struct argument_fault *fault)
{
    if (!meta_has(&request->meta, 'b') && !arguments_key_is_valid(request->key)) {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
}

static void read_flags(struct slice word, struct request *request, struct argument_fault *fault)
{
    uint64_t flags;

    if (number_parse_u64(word, UINT32_MAX, &flags) == SESS_OK) {
        request->flags = (uint32_t)flags;
    } else {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
}

static void read_exptime(struct slice word, struct request *request, struct argument_fault *fault)
{
    if (number_parse_i64(word, &request->exptime) != SESS_OK) {
        fault_note(fault,
                   command_takes_data(request->command) ? REPLY_BAD_FORMAT : REPLY_BAD_EXPTIME);
    }
}

static void read_cas(struct slice word, struct request *request, struct argument_fault *fault)
{
    if (number_parse_u64(word, UINT64_MAX, &request->cas) != SESS_OK) {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
}

static void read_delta(struct slice word, struct request *request, struct argument_fault *fault)
{
    if (number_parse_u64(word, UINT64_MAX, &request->delta) != SESS_OK) {
        fault_note(fault, REPLY_BAD_DELTA);
    }
}

static void read_bytes(struct slice word, struct request *request, struct argument_fault *fault)
{
    uint64_t bytes = 0;

    switch (number_parse_u64(word, BYTES_ABSURD - 1, &bytes)) {
    case SESS_OK:
        request->value_size = (size_t)bytes;
        break;
    case SESS_OUT_OF_RANGE:
        fault->bytes_absurd = true;
        request->value_size = BYTES_ABSURD; /* or more */
        break;
    default:
        fault->bytes_unknown = true;
        fault_note(fault, REPLY_BAD_FORMAT);
        break;
    }
}

/* A word too many. Before a data block it may mean that a key holds a blank: then the byte count is
 * another word than the client thinks, and the data could run as commands. */
static void note_surplus(struct argument_fault *fault, const struct command *command,
                         enum reply otherwise)
{
    fault_note(fault, command->id == COMMAND_DELETE ? REPLY_DELETE_USAGE
                      : command_takes_data(command) ? REPLY_BAD_FORMAT
                                                    : otherwise);
    fault->bytes_unknown = fault->bytes_unknown || command_takes_data(command);
}

static bool is_noreply(struct slice word)
{
    return slice_equal(word, SLICE_LITERAL("noreply"));
}

/* Nothing but a key and a time. */
static bool is_hold(const struct request *request)
{
    const struct meta_flags *marks = &request->meta;

    return request->exptime > 0 && request->cas == 0 && request->flags == 0 &&
           request->value_size == 0 && !meta_has(marks, 'X') && !meta_has(marks, 'W') &&
           !meta_has(marks, 'E');
}

/* Those that a dump's line ends in, and b in front of them; behind them all of the session is known. */
static void read_marks(struct slice word, struct request *request, struct argument_fault *fault)
{
    const char *left = "bXWEH";
    uint64_t most;
    bool is_sound;

    request->meta = (struct meta_flags){.set = 0};
    for (size_t i = 0; i < word.size && left != NULL; i++) {
        left = word.data[i] == '\0' ? NULL : strchr(left, word.data[i]);
        request->meta.set |= left == NULL ? 0 : meta_bit(*left++);
    }
    if (left == NULL) {
        note_surplus(fault, request->command, REPLY_BAD_FORMAT);
    }
    /* A client's may be any; the store's own are counted on from there. */
    most = meta_has(&request->meta, 'E') ? UINT64_MAX - 1 : INT64_MAX;
    is_sound = meta_has(&request->meta, 'H') ? is_hold(request) : request->cas > 0;
    if (request->exptime < 0 || !is_sound || request->cas > most) {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
    if (meta_has(&request->meta, 'b') && !flags_key_is_base64(request->key)) {
        fault_note(fault, REPLY_BAD_BASE64);
    }
    judge_key(request, fault);
}

/* A word where only `noreply` may stand. */
static void read_noreply(struct slice word, const struct command *command,
                         struct argument_fault *fault)
{
    if (word.size > 0 && !is_noreply(word)) {
        note_surplus(fault, command, REPLY_BAD_FORMAT);
    }
}

/* A word that may be missing in front of the last one, `noreply`; empty if it is. */
static struct slice take_optional(struct slice *rest, const struct request *request)
{
    struct slice after = *rest;
    struct slice word = words_next(&after);

    if (request->noreply && is_noreply(word)) {
        return slice_first(word, 0);
    }
    *rest = after;
    return word;
}

static void read_level(struct slice word, const struct request *request,
                       struct argument_fault *fault)
{
    uint64_t level;

    if (word.size == 0 && !request->noreply) {
        fault_note(fault, REPLY_ERROR);
    } else if (word.size > 0 && number_parse_u64(word, UINT64_MAX, &level) != SESS_OK) {
        fault_note(fault, REPLY_BAD_FORMAT);
    }
}

static void take_zero(struct slice *rest)
{
    struct slice after = *rest;

    if (slice_equal(words_next(&after), SLICE_LITERAL("0"))) {
        *rest = after;
    }
}

/* A word that must be there: a missing one is a fault of the line. */
static void read_word(char letter, struct slice word, struct request *request,
                      struct argument_fault *fault)
{
    if (word.size == 0) {
        fault_note(fault, command_takes_data(request->command) ||
                                  request->command->id == COMMAND_META_DEBUG
                              ? REPLY_BAD_FORMAT
                              : REPLY_ERROR);
        fault->bytes_unknown = true;
        return;
    }
    switch (letter) {
    case 'k':
        read_key(word, request, fault);
        break;
    case 'x':
        request->key = word;
        break;
    case 'f':
        read_flags(word, request, fault);
        break;
    case 'e':
        read_exptime(word, request, fault);
        break;
    case 'c':
        read_cas(word, request, fault);
        break;
    case 'd':
        read_delta(word, request, fault);
        break;
    default:
        read_bytes(word, request, fault);
        break;
    }
}

/* One argument. */
static void read_argument(char letter, struct slice *rest, struct request *request,
                          struct argument_fault *fault)
{
    switch (letter) {
    case '0':
        take_zero(rest);
        return;
    case 'w':
        request->word = words_next(rest);
        return;
    case 'a':
        request->argument = words_next(rest);
        return;
    case 't':
        request->word = take_optional(rest, request);
        return;
    case 'g':
        read_marks(words_next(rest), request, fault);
        return;
    case 'v':
        read_level(take_optional(rest, request), request, fault);
        return;
    case 'n':
        read_noreply(words_next(rest), request->command, fault);
        return;
    case 'm':
        flags_read(rest, request, fault);
        judge_key(request, fault);
        return;
    case '~':
        *rest = slice_first(*rest, 0);
        return;
    default:
        read_word(letter, words_next(rest), request, fault);
        return;
    }
}

/* Whether the line ends in `noreply`, which is a key where a key stands. */
static bool ends_in_noreply(const struct command *command, struct slice line)
{
    struct slice last = words_last(line);

    return command_takes_noreply(command) && is_noreply(last) &&
           (command->arguments[0] != 'k' || last.data != words_skip_blanks(line).data);
}

/* More words than the command has letters, which is known when a surplus one stands behind them, and none of them
 * announces a data block. */
static bool has_too_many_words(const struct command *command, struct slice line)
{
    size_t n_words = 0;

    if (command_takes_data(command)) {
        return false;
    }
    while (words_next(&line).size > 0) {
        n_words++;
    }
    return n_words > strlen(command->arguments);
}

void arguments_read_head(const struct command *command, struct slice *line, struct request *request,
                         struct argument_fault *fault)
{
    *fault = (struct argument_fault){.is_set = false};
    for (const char *letter = command->arguments; *letter != 'K' && *letter != 'Z'; letter++) {
        read_argument(*letter, line, request, fault);
    }
}

void arguments_read(const struct command *command, struct slice line, struct request *request,
                    struct argument_fault *fault)
{
    struct slice rest = line;

    *fault = (struct argument_fault){.is_set = false};
    request->noreply = ends_in_noreply(command, line);
    for (const char *letter = command->arguments; *letter != '\0'; letter++) {
        read_argument(*letter, &rest, request, fault);
    }
    if (words_next(&rest).size == 0) {
        return;
    }
    if (has_too_many_words(command, line)) {
        /* That counts before whatever is wrong with one of them. */
        *fault = (struct argument_fault){.is_set = true, .reply = REPLY_ERROR};
    } else {
        note_surplus(fault, command, REPLY_ERROR);
    }
}
