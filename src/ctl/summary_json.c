/* Summaries as JSON. Threads: one. Memory: none. */
#include "sessiond/ctl/summary.h"

#include "sessiond/store/terms.h"

#include <inttypes.h>

void summary_print_quoted(const char *text, FILE *out)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        uint8_t byte = (uint8_t)*text;

        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\') {
            (void)fprintf(out, "\\u%04x", byte);
        } else {
            (void)fputc(byte, out);
        }
    }
    (void)fputc('"', out);
}

static void print_number(const char *name, uint64_t value, FILE *out)
{
    (void)fprintf(out, "\"%s\": %" PRIu64 ", ", name, value);
}

static void print_truth(const char *name, bool value, FILE *out)
{
    (void)fprintf(out, "\"%s\": %s, ", name, value ? "true" : "false");
}

static void print_segments(const struct inspection *found, FILE *out)
{
    (void)fputs("\"segments\": [", out);
    for (size_t i = 0; i < found->n_segments; i++) {
        const struct inspected_segment *segment = &found->segments[i];

        (void)fputs(i == 0 ? "{" : ", {", out);
        print_number("number", segment->number, out);
        print_number("size", segment->size, out);
        print_number("frames", segment->n_frames, out);
        print_number("bytes", segment->n_bytes, out);
        print_number("first_sequence", segment->first_sequence, out);
        print_number("last_sequence", segment->last_sequence, out);
        print_truth("sealed", segment->is_sealed, out);
        print_truth("left_over", segment->is_left_over, out);
        (void)fprintf(out, "\"header_damaged\": %s}", segment->is_marred ? "true" : "false");
    }
    (void)fputs("], ", out);
}

static void print_checkpoint(const struct inspected_checkpoint *checkpoint, FILE *out)
{
    if (checkpoint->number == 0) {
        (void)fputs("\"checkpoint\": null, ", out);
        return;
    }
    (void)fputs("\"checkpoint\": {", out);
    print_number("number", checkpoint->number, out);
    print_truth("damaged", !checkpoint->is_whole, out);
    print_number("entries", checkpoint->n_entries, out);
    print_number("bytes", checkpoint->size, out);
    (void)fprintf(out, "\"newer_damaged\": %" PRIu64 "}, ", checkpoint->n_newer);
}

static void print_gaps(const struct inspection *found, FILE *out)
{
    print_number("gaps_found", found->n_gaps, out);
    (void)fputs("\"gaps\": [", out);
    for (size_t i = 0; i < found->n_gaps && i < INSPECT_GAPS_MAX; i++) {
        const struct inspected_gap *gap = &found->gaps[i];

        (void)fputs(i == 0 ? "{" : ", {", out);
        print_number("segment", gap->segment, out);
        print_number("offset", gap->offset, out);
        print_number("next_segment", gap->next_segment, out);
        print_number("next_offset", gap->next_offset, out);
        print_number("first_missing", gap->first_missing, out);
        (void)fprintf(out, "\"missing\": %" PRIu64 "}", gap->n_missing);
    }
    (void)fputs("], ", out);
}

static void print_figures(const struct inspection *found, FILE *out)
{
    print_number("sessions", found->n_sessions, out);
    print_number("uncertain", found->n_uncertain, out);
    print_number("expired", found->n_expired, out);
    print_number("file_bytes", found->file_bytes, out);
    print_number("frames", found->n_frames, out);
    print_number("frame_bytes", found->n_bytes, out);
    print_number("records", found->n_records, out);
    print_number("highest_cas", found->highest_cas, out);
    print_number("end_segment", found->end_segment, out);
    print_number("end_offset", found->end_offset, out);
    print_number("unsynced_bytes", found->n_cut, out);
    (void)fprintf(out, "\"time\": %" PRId64 ", ", found->time_s);
    if (found->flush_at_s != STORE_NO_DEADLINE) {
        (void)fprintf(out, "\"flush_at\": %" PRId64 ", ", found->flush_at_s);
        print_truth("flush_due", found->is_flush_due, out);
    }
}

static void print_salvaged(const struct salvaged *salvaged, FILE *out)
{
    (void)fputs("\"salvaged\": {\"file\": ", out);
    summary_print_quoted(salvaged->path, out);
    (void)fprintf(out, ", \"sessions\": %" PRIu64 ", \"uncertain\": %" PRIu64 "}, ",
                  salvaged->n_sessions, salvaged->n_uncertain);
}

void summary_print_json(const struct summary *summary, FILE *out)
{
    const struct inspection *found = summary->found;

    (void)fputs("{\"directory\": ", out);
    summary_print_quoted(summary->path, out);
    (void)fputs(", ", out);
    print_truth("damaged", found->is_damaged, out);
    if (found->is_damaged) {
        (void)fputs("\"damage\": ", out);
        summary_print_quoted(found->damage, out);
        (void)fputs(", ", out);
    }
    print_figures(found, out);
    print_checkpoint(&found->checkpoint, out);
    print_segments(found, out);
    print_gaps(found, out);
    if (summary->salvaged != NULL) {
        print_salvaged(summary->salvaged, out);
    }
    (void)fprintf(out, "\"in_use\": %s}\n", summary->is_in_use ? "true" : "false");
}
