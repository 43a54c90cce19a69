/* How sessionctl ends.
 *
 * Source: sysexits.h. */
#ifndef SESSIOND_CTL_EXIT_H
#define SESSIOND_CTL_EXIT_H

/* Of `check`, they tell of what was looked at: a salvage does not make a directory whole. */
enum ctl_exit {
    CTL_DONE = 0, /* and whole */
    CTL_USAGE = 64,
    CTL_DAMAGED = 65,     /* damaged, or of a format that is not known */
    CTL_UNAVAILABLE = 69, /* no sessiond answers */
    CTL_IO = 74,
    CTL_REFUSED = 77, /* sessiond, its socket or whoever was asked said no: nothing was done */
    CTL_CONFIGURATION = 78,
};

#endif
