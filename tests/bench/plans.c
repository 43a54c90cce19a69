/* Where the numbers come from: the frameworks' sources for keys, times to live and the order of requests; Wikimedia's
 * published rates and means for `wiki`; the spread of lengths and the popularity are assumptions. */
#include "plans.h"

#include <string.h>

#define HEX "0123456789abcdef"
#define BASE32 "0123456789abcdefghijklmnopqrstuv"
#define BASE36 "abcdefghijklmnopqrstuvwxyz0123456789"
#define DJANGO                                                                                     \
    {                                                                                              \
        ":1:django.contrib.sessions.cache", 32, 32, BASE36                                         \
    }

const struct plan plans[] = {
    {.name = "mixed",
     .doc = "80 % get, 15 % set, 5 % touch, of all sessions alike",
     .keys = {DJANGO, DJANGO},
     .lengths = {{200, 600, 0, 0}, {200, 600, 0, 0}},
     .ttl_s = 1209600,
     .shares = {[SHARE_GET] = 80, [SHARE_SET] = 15, [SHARE_TOUCH] = 5},
     .resize_percent = 100},
    /* 4 requests a page; 24 % of pages set, those that begin a session among them. A session has 15 requests in the
     * mean, and so 12.5 pages begin one. */
    {.name = "php",
     .doc = "pages: lock, get, set or touch, unlock; 8 % begin a session",
     .keys = {{"memc.sess.key.", 14, 32, HEX}, {"memc.sess.key.", 14, 32, HEX}},
     .lengths = {{32, 32768, 600, 3000}, {32, 32768, 600, 3000}},
     .ttl_s = 1440,
     .shares = {[SHARE_SET] = 16, [SHARE_TOUCH] = 76},
     .zipf_percent = 90,
     .resize_percent = 5,
     .pages = 1,
     .renew_percent = 8},
    {.name = "django",
     .doc = "92 % get, 6 % set, 1 % add, 1 % delete",
     .keys = {DJANGO, DJANGO},
     .lengths = {{200, 1200, 0, 0}, {200, 1200, 0, 0}},
     .ttl_s = 1209600,
     .shares = {[SHARE_GET] = 92, [SHARE_SET] = 6, [SHARE_ADD] = 1, [SHARE_DELETE] = 1},
     .zipf_percent = 120,
     .resize_percent = 100},
    {.name = "rack",
     .doc = "49 % get, 47 % set, 3 % missed, 1 % delete",
     .keys = {{"_session_id:2::", 15, 64, HEX}, {"_session_id:2::", 15, 64, HEX}},
     .lengths = {{32, 32768, 800, 4070}, {32, 32768, 800, 4070}},
     .ttl_s = 86400,
     .shares = {[SHARE_GET] = 49, [SHARE_SET] = 47, [SHARE_MISS] = 3, [SHARE_DELETE] = 1},
     .zipf_percent = 100,
     .resize_percent = 100},
    /* In parts of 1000. The mean of the lognormal one is 2.0 KB. */
    {.name = "wiki",
     .doc = "71.6 % get, 4.2 % missed, 9.3 % set, 13.9 % set and never read, 1 % delete",
     .keys = {{"enwiki:MWSession:", 17, 32, BASE32},
              {"centralauth:session:central:", 28, 32, BASE32}},
     .lengths = {{32, 32768, 1452, 5413}, {250, 250, 0, 0}},
     .second_percent = 12,
     .ttl_s = 86400,
     .shares = {[SHARE_GET] = 716,
                [SHARE_MISS] = 42,
                [SHARE_SET] = 93,
                [SHARE_ONESHOT] = 139,
                [SHARE_DELETE] = 10},
     .zipf_percent = 120,
     .resize_percent = 100},
    {.name = NULL},
};

const struct plan *plan_find(const char *name)
{
    for (const struct plan *plan = plans; plan->name != NULL; plan++) {
        if (strcmp(plan->name, name) == 0) {
            return plan;
        }
    }
    return NULL;
}
