/* The generated parts of the manual pages, as roff on standard output. Not a part of the daemon. */
#ifndef PRINT_MANUAL_H
#define PRINT_MANUAL_H

#include "sessiond/base/registry.h"

void manual_print_actions(const struct registry *registry);
void manual_print_letters(const struct registry *registry);
void manual_print_options(const struct registry *registry);
void manual_print_signals(const struct registry *registry);
void manual_print_exits(const struct registry *registry);
void manual_print_tool_verbs(const struct registry *registry);
void manual_print_tool_exits(const struct registry *registry);

#endif
