/* Printing summaries. Threads: one. Memory: the stack. */
#include "sessiond/ctl/summary.h"

#include "sessiond/base/log.h"
#include "sessiond/store/terms.h"

#include <inttypes.h>
#include <time.h>

enum { TEXT_SIZE = 4096 };

/* Sizes are for people: three digits say enough. */
static void print_size(uint64_t bytes, FILE *out)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t unit = 0;

    while (size >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1024;
        unit++;
    }
    (void)fprintf(out, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

static void print_time(int64_t seconds, FILE *out)
{
    time_t time = (time_t)seconds;
    struct tm utc;
    char text[32] = "?";

    if (gmtime_r(&time, &utc) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    (void)fputs(text, out);
}

static const char *escaped(const char *text, char *room)
{
    return log_escape(slice_from_text(text), room, TEXT_SIZE);
}

static void print_checkpoint(const struct inspected_checkpoint *checkpoint, FILE *out)
{
    if (checkpoint->number == 0) {
        return;
    }
    (void)fprintf(out, "  checkpoint   %" PRIu64 ", ", checkpoint->number);
    if (checkpoint->is_whole) {
        (void)fprintf(out, "whole; %" PRIu64 " entries, ", checkpoint->n_entries);
    } else if (checkpoint->n_told > 0) {
        (void)fprintf(out, "DAMAGED; %" PRIu64 " of %" PRIu64 " entries are intact, ",
                      checkpoint->n_entries, checkpoint->n_told);
    } else {
        (void)fprintf(out,
                      "DAMAGED; %" PRIu64 " entries are intact, and nobody can say of how many, ",
                      checkpoint->n_entries);
    }
    print_size(checkpoint->size, out);
    if (checkpoint->n_newer > 0) {
        (void)fprintf(out, "; %" PRIu64 " newer, damaged", checkpoint->n_newer);
    }
    (void)fputc('\n', out);
}

static void print_segments(const struct inspection *found, FILE *out)
{
    (void)fprintf(out, "  journal      %zu files, ", found->n_segments);
    print_size(found->file_bytes, out);
    (void)fprintf(out, "; %" PRIu64 " records in %" PRIu64 " frames, ", found->n_records,
                  found->n_frames);
    print_size(found->n_bytes, out);
    for (size_t i = 0; i < found->n_segments; i++) {
        const struct inspected_segment *segment = &found->segments[i];

        (void)fprintf(out, "\n    journal-%012" PRIu64 "  ", segment->number);
        print_size(segment->size, out);
        if (segment->is_left_over) {
            (void)fputs(", left over: the checkpoint has it all", out);
        } else if (segment->n_frames == 0) {
            (void)fputs(", no frames", out);
        } else {
            (void)fprintf(out, ", frames %" PRIu64 " to %" PRIu64 ", ", segment->first_sequence,
                          segment->last_sequence);
            print_size(segment->n_bytes, out);
        }
        (void)fprintf(out, "%s%s", segment->is_sealed ? ", sealed" : "",
                      segment->is_marred ? ", header damaged" : "");
    }
    (void)fputc('\n', out);
}

static void print_gap(const struct inspected_gap *gap, FILE *out)
{
    (void)fputs("  missing      ", out);
    if (gap->n_missing > 0) {
        (void)fprintf(out, "up to %" PRIu64 " frames from %" PRIu64 " on, ", gap->n_missing,
                      gap->first_missing);
    }
    if (gap->segment == 0) {
        (void)fputs("from the beginning", out);
    } else {
        (void)fprintf(out, "from journal-%012" PRIu64 " offset %" PRIu64, gap->segment,
                      gap->offset);
    }
    if (gap->next_segment == 0) {
        (void)fputs(" to the end\n", out);
    } else {
        (void)fprintf(out, " to journal-%012" PRIu64 " offset %" PRIu64 "\n", gap->next_segment,
                      gap->next_offset);
    }
}

static void print_gaps(const struct inspection *found, FILE *out)
{
    for (size_t i = 0; i < found->n_gaps && i < INSPECT_GAPS_MAX; i++) {
        print_gap(&found->gaps[i], out);
    }
    if (found->n_gaps > INSPECT_GAPS_MAX) {
        (void)fprintf(out, "  missing      and at %zu more places\n",
                      found->n_gaps - INSPECT_GAPS_MAX);
    }
}

static void print_sessions(const struct inspection *found, FILE *out)
{
    (void)fprintf(out, "  sessions     %" PRIu64 " live, %" PRIu64 " expired and still on disk\n",
                  found->n_sessions, found->n_expired);
    if (found->n_uncertain > 0) {
        (void)fprintf(out,
                      "  uncertain    %" PRIu64 " of them were recorded in front of the damage: a "
                      "logout, a renewal or\n               a newer value may be missing\n",
                      found->n_uncertain);
    }
}

static void print_end(const struct inspection *found, FILE *out)
{
    if (found->end_segment != 0 && !found->is_damaged) {
        (void)fprintf(out, "  ends at      journal-%012" PRIu64 " offset %" PRIu64 "\n",
                      found->end_segment, found->end_offset);
    }
    if (found->n_cut > 0) {
        (void)fprintf(out,
                      "  unsynced     %" PRIu64 " bytes behind the end: a start cuts them off\n",
                      found->n_cut);
    }
    if (found->flush_at_s != STORE_NO_DEADLINE) {
        (void)fputs("  flush        of all sessions, at ", out);
        print_time(found->flush_at_s, out);
        (void)fputs(found->is_flush_due ? ": it is due, and no session lives\n"
                                        : ": it is still to come, and in no dump\n",
                    out);
    }
    if (found->time_s != 0) {
        (void)fputs("  latest time  ", out);
        print_time(found->time_s, out);
        (void)fprintf(out, "\n  highest CAS  %" PRIu64 "\n", found->highest_cas);
    }
}

static void print_salvaged(const struct salvaged *salvaged, FILE *out)
{
    char room[TEXT_SIZE];

    (void)fprintf(out, "  salvaged     %" PRIu64 " sessions to %s\n", salvaged->n_sessions,
                  escaped(salvaged->path, room));
    if (salvaged->n_uncertain > 0) {
        (void)fprintf(out,
                      "  WARNING      %" PRIu64 " of them cannot be guaranteed: who logged out "
                      "behind the damage would\n               come back with them\n",
                      salvaged->n_uncertain);
    }
}

void summary_print(const struct summary *summary, FILE *out)
{
    const struct inspection *found = summary->found;
    char room[TEXT_SIZE];

    (void)fprintf(out, "%s: %s", escaped(summary->path, room),
                  found->is_damaged        ? "DAMAGED: "
                  : found->n_segments == 0 ? "whole; there is no journal in it"
                                           : "whole");
    (void)fprintf(out, "%s\n", found->is_damaged ? found->damage : "");
    if (summary->is_in_use) {
        (void)fputs("  in use       by another process: it is locked, and its last bytes may be "
                    "moving\n",
                    out);
    }
    print_gaps(found, out);
    print_sessions(found, out);
    print_checkpoint(&found->checkpoint, out);
    print_segments(found, out);
    print_end(found, out);
    if (summary->salvaged != NULL) {
        print_salvaged(summary->salvaged, out);
    }
}
