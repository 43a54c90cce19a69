/* Unit tests of the pace of expiry. */
#include "pace.h"

#include "suite_main.h"

/* A backlog is worked off now and then at first, then without a pause; the next one begins anew. */
START_TEST(test_pace)
{
    static const struct {
        int64_t now_ms;
        bool has_more;
        uint64_t next_ms;
    } rows[] = {
        {1000, false, PACE_REST_MS},    {1500, true, PACE_SOON_MS},
        {1501, true, PACE_SOON_MS},     {1500 + PACE_LATE_MS - 1, true, PACE_SOON_MS},
        {1500 + PACE_LATE_MS, true, 0}, {3000, true, 0},
        {3000, false, PACE_REST_MS},    {3500, false, PACE_REST_MS},
        {4000, true, PACE_SOON_MS},     {4001, false, PACE_REST_MS},
        {4501, true, PACE_SOON_MS},     {4501 + PACE_LATE_MS, true, 0},
    };
    struct pace pace = {.has_backlog = false};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_msg(pace_next(&pace, rows[i].has_more, rows[i].now_ms) == rows[i].next_ms,
                      "row %zu", i);
    }
}
END_TEST

SUITE_MAIN("net/pace", test_pace)
