/* Unit tests of users and descriptor limits. What differs for root is tried where the tests run as
 * root, in a process of its own. */
#include "sessiond/daemon/privileges.h"

#include "suite_main.h"

#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sess_error error;

/* What the daemon does with its option `user`. */
static enum sess_status find_and_drop(const char *user)
{
    struct identity identity;
    enum sess_status status = privileges_find(user, &identity, &error);

    return status == SESS_OK ? privileges_drop(&identity, &error) : status;
}

/* Root without a user is an accident; root by name, or anybody else, is not. */
START_TEST(test_check)
{
    ck_assert_int_eq(privileges_check("root", &error), SESS_OK);
    ck_assert_int_eq(privileges_check("nobody", &error), SESS_OK);
    if (geteuid() == 0) {
        ck_assert_int_eq(privileges_check("", &error), SESS_REFUSED);
        ck_assert_ptr_nonnull(strstr(error.text, "--user root"));
    } else {
        ck_assert_int_eq(privileges_check("", &error), SESS_OK);
    }
}
END_TEST

/* No user is set, or the one that the process already has. */
START_TEST(test_drop_to_the_present_user)
{
    uid_t before = geteuid();
    const struct passwd *self = getpwuid(before);

    ck_assert_int_eq(find_and_drop(""), SESS_OK);
    ck_assert_ptr_nonnull(self);
    ck_assert_int_eq(find_and_drop(self->pw_name), SESS_OK);
    ck_assert_uint_eq(geteuid(), before);
}
END_TEST

/* Nobody has this name. */
START_TEST(test_drop_to_an_unknown_user)
{
    struct identity identity;

    ck_assert_int_eq(privileges_find("no-such-user-here", &identity, &error), SESS_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(error.text, "'no-such-user-here'"));
}
END_TEST

/* The first step that is not as it should be, or 0. Runs in a process of its own. */
static int become_nobody(void)
{
    if (geteuid() == 0) {
        if (find_and_drop("nobody") != SESS_OK) {
            return 1;
        }
        /* For good: the way back is barred, and no core file will tell secrets. */
        if (geteuid() == 0 || getuid() == 0 || getgid() == 0 || setuid(0) == 0) {
            return 2;
        }
        if (prctl(PR_GET_DUMPABLE) != 0) {
            return 3;
        }
    }
    if (find_and_drop("root") != SESS_REFUSED ||
        strstr(error.text, "only root can become 'root'") == NULL) {
        return 4;
    }
    return privileges_check("", &error) == SESS_OK ? 0 : 5;
}

/* Root becomes another user and cannot go back; who is not root cannot become another. */
START_TEST(test_drop_is_for_good)
{
    pid_t child = fork();
    int result = -1;

    ck_assert_int_ge(child, 0);
    if (child == 0) {
        /* Not exit: coverage and leak checks need rights that are gone. */
        _exit(become_nobody());
    }
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(result, 0);
}
END_TEST

static void limit_descriptors(rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t present_limit(void)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

/* The limit is high enough as it is: it stays. */
START_TEST(test_enough_descriptors)
{
    limit_descriptors(200, 300);
    ck_assert_uint_eq(privileges_raise_descriptors(100, 1), 100);
    ck_assert_uint_eq(present_limit(), 200);
}
END_TEST

/* The limit is raised as far as needed. */
START_TEST(test_descriptors_are_raised)
{
    limit_descriptors(100, 300);
    ck_assert_uint_eq(privileges_raise_descriptors(200, 1), 200);
    ck_assert_uint_ge(present_limit(), 200);
    ck_assert_uint_le(present_limit(), 300);
}
END_TEST

/* The limit cannot be raised enough: fewer connections, with some descriptors left for the rest. */
START_TEST(test_too_few_descriptors)
{
    size_t allowed;

    limit_descriptors(100, 300);
    allowed = privileges_raise_descriptors(1000, 1);
    ck_assert_uint_eq(present_limit(), 300);
    ck_assert_uint_gt(allowed, 200);
    ck_assert_uint_lt(allowed, 290);
    limit_descriptors(60, 60);
    allowed = privileges_raise_descriptors(1000, 1);
    ck_assert_uint_ge(allowed, 20);
    ck_assert_uint_lt(allowed, 50);
}
END_TEST

/* The workers' own descriptors come first; with hardly any left over there is nothing to serve with. */
START_TEST(test_descriptors_of_workers)
{
    limit_descriptors(300, 300);
    ck_assert_uint_eq(privileges_raise_descriptors(1000, 64), 0);
    ck_assert_uint_gt(privileges_raise_descriptors(1000, 8), 200);
}
END_TEST

SUITE_MAIN("daemon/privileges", test_check, test_drop_to_the_present_user,
           test_drop_to_an_unknown_user, test_drop_is_for_good, test_enough_descriptors,
           test_descriptors_are_raised, test_too_few_descriptors, test_descriptors_of_workers)
