/* The words behind a command word, read as the row's argument letters say.
 *
 * Private to the protocol: parser.c finds the line, this reads it. */
#ifndef SESSIOND_SRC_PROTOCOL_ARGUMENTS_H
#define SESSIOND_SRC_PROTOCOL_ARGUMENTS_H

#include "fault.h"
#include "sessiond/protocol/request.h"

/** Whether the bytes may stand in a key: none at or below 0x20, no 0x7F. */
bool arguments_key_is_valid(struct slice key);

/** Read the words in front of the keys off `line`, for a command that takes keys. */
void arguments_read_head(const struct command *command, struct slice *line, struct request *request,
                         struct argument_fault *fault);

/** Read `line` (what follows the command word, without its end) into the request. */
void arguments_read(const struct command *command, struct slice line, struct request *request,
                    struct argument_fault *fault);

#endif
