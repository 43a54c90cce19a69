/* How sessionctl ends.
 *
 * The rows of exits.def as an enum. */
#ifndef SESSIOND_CTL_EXIT_H
#define SESSIOND_CTL_EXIT_H

enum ctl_exit {
#define EXIT(id, code, doc) CTL_##id = (code),
#include "sessiond/ctl/exits.def"
#undef EXIT
};

#endif
