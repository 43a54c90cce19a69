/* Unit tests of the system's directory: its lock, its files, and what each failure is called. */
#include "sessiond/base/directory.h"

#include "file_faults.h"
#include "suite_main.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_ROOM = 256, PIECE = 100, NOBODY = 65534 };

static char path[PATH_ROOM];
static char inner[2 * PATH_ROOM];
static struct sess_error error;

static const char *in(const char *name)
{
    (void)snprintf(inner, sizeof inner, "%s/%s", path, name);
    return inner;
}

static bool forget(void *context, const char *name)
{
    (void)context;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && unlink(in(name)) != 0) {
        (void)rmdir(in(name));
    }
    return true;
}

static void make_place(void)
{
    (void)snprintf(path, sizeof path, "/tmp/sessiond-directory.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

static struct directory *open_place(void)
{
    struct directory *directory;

    make_place();
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_OK);
    return directory;
}

static void close_place(struct directory *directory)
{
    ck_assert_int_eq(directory_list(directory, forget, NULL, &error), SESS_OK);
    directory_destroy(&directory);
    ck_assert_ptr_null(directory);
    ck_assert_int_eq(rmdir(path), 0);
}

static void write_text(struct directory *directory, const char *name, const char *text)
{
    struct slice piece = slice_from_text(text);
    struct file file;

    ck_assert_int_eq(file_open(directory, name, FILE_CREATE, &file, &error), SESS_OK);
    ck_assert_int_eq(file_write(&file, &piece, 1, 0, &error), SESS_OK);
    file_close(&file);
}

static bool holds(struct directory *directory, const char *name, const char *text)
{
    char bytes[PATH_ROOM];
    struct file file;
    size_t got;

    ck_assert_int_eq(file_open(directory, name, FILE_READ, &file, &error), SESS_OK);
    ck_assert_int_eq(file_read(&file, bytes, sizeof bytes, 0, &got, &error), SESS_OK);
    file_close(&file);
    return slice_is(slice_of(bytes, got), text);
}

/* What a second open says; it names this process as the owner. */
static void is_locked(void)
{
    struct directory *second = NULL;
    char pid[32];

    (void)snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    ck_assert_int_eq(directory_open(path, &second, &error), SESS_LOCKED);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(error.text, path));
    ck_assert_ptr_nonnull(strstr(error.text, pid));
}

/* The same, whoever is named: the status another process ends with. */
static int open_elsewhere(void)
{
    int state = 0;
    pid_t child = fork();

    if (child == 0) {
        struct directory *second;

        _exit((int)directory_open(path, &second, &error));
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFEXITED(state));
    return WEXITSTATUS(state);
}

START_TEST(is_locked_for_this_process_and_others)
{
    struct directory *directory = open_place();
    struct stat lock;

    is_locked();
    ck_assert_int_eq(open_elsewhere(), SESS_LOCKED);
    ck_assert_int_eq(stat(in("lock"), &lock), 0);
    ck_assert_uint_eq(lock.st_mode & 0777, 0600);
    directory_destroy(&directory);
    ck_assert_int_eq(open_elsewhere(), SESS_OK);
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_OK);
    close_place(directory);
}
END_TEST

START_TEST(is_locked_when_its_file_is_gone)
{
    struct directory *directory = open_place();
    struct directory *second;

    ck_assert_int_eq(unlink(in("lock")), 0);
    ck_assert_int_eq(open_elsewhere(), SESS_LOCKED);
    ck_assert_int_eq(directory_open(path, &second, &error), SESS_LOCKED);
    close_place(directory);
}
END_TEST

START_TEST(is_locked_when_its_file_is_another)
{
    struct directory *directory = open_place();
    struct directory *second;

    write_text(directory, "other", "12 is no pid of ours\n");
    ck_assert_int_eq(directory_rename(directory, "other", "lock", &error), SESS_OK);
    ck_assert_int_eq(open_elsewhere(), SESS_LOCKED);
    ck_assert_int_eq(directory_open(path, &second, &error), SESS_LOCKED);
    ck_assert_ptr_nonnull(strstr(error.text, "pid 12"));
    close_place(directory);
}
END_TEST

/* A child that was forked and lives on has the lock's descriptors, but does nothing with the directory. */
START_TEST(the_lock_file_alone_locks_too)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct directory *directory;
    int fd;

    make_place();
    fd = open(in("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_LOCKED);
    (void)close(fd);
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_OK);
    close_place(directory);
}
END_TEST

START_TEST(a_killed_owner_locks_no_more)
{
    struct directory *directory;
    int ready[2];
    char byte;
    pid_t child;

    make_place();
    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    if (child == 0) {
        byte = directory_open(path, &directory, &error) == SESS_OK;
        (void)!write(ready[1], &byte, 1);
        for (;;) {
            (void)pause();
        }
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 1);
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_LOCKED);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_OK);
    close_place(directory);
}
END_TEST

START_TEST(what_is_no_directory_is_said_so)
{
    struct directory *directory = open_place();
    struct directory *other;

    write_text(directory, "file", "");
    ck_assert_int_eq(directory_open(in("missing"), &other, &error), SESS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "missing"));
    ck_assert_ptr_nonnull(strstr(error.text, strerror(ENOENT)));
    ck_assert_int_eq(directory_open(in("file"), &other, &error), SESS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, strerror(ENOTDIR)));
    ck_assert_int_eq(mkdir(in("inner"), 0700), 0);
    ck_assert_int_eq(mkdir(in("inner/lock"), 0700), 0);
    ck_assert_int_eq(directory_open(in("inner"), &other, &error), SESS_IO);
    ck_assert_int_eq(rmdir(in("inner/lock")), 0);
    close_place(directory);
}
END_TEST

/* In a child, which cannot become root again. */
START_TEST(one_that_may_not_be_written_is_refused)
{
    struct directory *directory;
    int state = 0;
    pid_t child;

    make_place();
    ck_assert_int_eq(chmod(path, 0555), 0);
    child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0) {
            _exit(SESS_OK);
        }
        _exit((int)directory_open(path, &directory, &error));
    }
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert_int_eq(WEXITSTATUS(state), SESS_IO);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(one_that_others_may_write_is_refused)
{
    static const mode_t modes[] = {0777, 0720, 0702, 01777, 02770};
    struct directory *directory;

    make_place();
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        ck_assert_int_eq(directory_open(path, &directory, &error), SESS_IO);
        ck_assert_ptr_nonnull(strstr(error.text, "must be 0700"));
    }
    ck_assert_int_eq(chmod(path, 0755), 0);
    ck_assert_int_eq(directory_open(path, &directory, &error), SESS_OK);
    ck_assert_int_eq(directory_remove(directory, "lock", &error), SESS_OK);
    directory_destroy(&directory);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

/* Root could, and its files would be in the way of that user's next start. */
START_TEST(one_of_another_user_is_refused)
{
    struct directory *directory;

    make_place();
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(path, NOBODY, NOBODY), 0);
        ck_assert_int_eq(directory_open(path, &directory, &error), SESS_IO);
        ck_assert_ptr_nonnull(strstr(error.text, "65534"));
    }
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_link_is_not_followed)
{
    struct directory *directory = open_place();
    struct file file;

    write_text(directory, "there", "text");
    ck_assert_int_eq(symlink("there", in("link")), 0);
    ck_assert_int_eq(file_open(directory, "link", FILE_READ, &file, &error), SESS_IO);
    ck_assert_int_eq(file_open(directory, "link", FILE_CHANGE, &file, &error), SESS_IO);
    close_place(directory);
}
END_TEST

START_TEST(files_are_opened_as_asked)
{
    struct directory *directory = open_place();
    struct file file;
    struct stat made;

    ck_assert_int_eq(file_open(directory, "none", FILE_READ, &file, &error), SESS_NOT_FOUND);
    ck_assert_int_eq(error.status, SESS_NOT_FOUND);
    ck_assert_int_eq(file_open(directory, "none", FILE_CHANGE, &file, &error), SESS_NOT_FOUND);
    write_text(directory, "some", "text");
    ck_assert_int_eq(stat(in("some"), &made), 0);
    ck_assert_uint_eq(made.st_mode & 07777, 0600);
    ck_assert_int_eq(file_open(directory, "some", FILE_CREATE, &file, &error), SESS_EXISTS);
    ck_assert_int_eq(error.status, SESS_EXISTS);
    ck_assert(holds(directory, "some", "text"));
    close_place(directory);
}
END_TEST

/* FILE_PIECES_MAX pieces of all sizes, one of them empty, and what they are in one run. */
static size_t make_pieces(struct slice *pieces, uint8_t *bytes)
{
    size_t total = 0;

    for (size_t i = 0; i < FILE_PIECES_MAX; i++) {
        size_t size = i * 37 % PIECE;

        memset(bytes + total, (int)('A' + i), size);
        pieces[i] = slice_of(bytes + total, size);
        total += size;
    }
    return total;
}

static void write_and_read_pieces(struct directory *directory)
{
    static uint8_t bytes[FILE_PIECES_MAX * PIECE];
    static uint8_t back[sizeof bytes + 1];
    struct slice pieces[FILE_PIECES_MAX];
    size_t total = make_pieces(pieces, bytes);
    struct file file;
    uint64_t size;
    size_t got;

    ck_assert_int_eq(file_open(directory, "pieces", FILE_CREATE, &file, &error), SESS_OK);
    ck_assert_int_eq(file_write(&file, pieces, FILE_PIECES_MAX, 5, &error), SESS_OK);
    ck_assert_int_eq(file_size(&file, &size, &error), SESS_OK);
    ck_assert_uint_eq(size, total + 5);
    ck_assert_int_eq(file_read(&file, back, sizeof back, 5, &got, &error), SESS_OK);
    ck_assert_uint_eq(got, total);
    ck_assert_mem_eq(back, bytes, total);
    ck_assert_int_eq(file_read(&file, back, 5, 0, &got, &error), SESS_OK);
    ck_assert_mem_eq(back, "\0\0\0\0\0", 5);
    ck_assert_int_eq(file_read(&file, back, 5, size, &got, &error), SESS_OK);
    ck_assert_uint_eq(got, 0);
    ck_assert_int_eq(file_read(&file, back, 5, size + 4096, &got, &error), SESS_OK);
    ck_assert_uint_eq(got, 0);
    file_close(&file);
    file_close(&file);
}

START_TEST(many_pieces_are_written_and_read)
{
    struct directory *directory = open_place();

    write_and_read_pieces(directory);
    close_place(directory);
}
END_TEST

START_TEST(parts_and_interruptions_are_gone_on_with)
{
    struct directory *directory = open_place();

    file_faults_do_parts(7);
    write_and_read_pieces(directory);
    close_place(directory);
}
END_TEST

START_TEST(nothing_to_write_is_written)
{
    struct directory *directory = open_place();
    struct slice none = slice_of(NULL, 0);
    struct file file;

    ck_assert_int_eq(file_open(directory, "none", FILE_CREATE, &file, &error), SESS_OK);
    ck_assert_int_eq(file_write(&file, &none, 1, 0, &error), SESS_OK);
    ck_assert_int_eq(file_write(&file, &none, 0, 0, &error), SESS_OK);
    file_close(&file);
    close_place(directory);
}
END_TEST

static const struct {
    int reason;
    enum sess_status status;
} write_failures[] = {
    {EIO, SESS_IO},
    {ENOSPC, SESS_NO_SPACE},
    {EDQUOT, SESS_NO_SPACE},
    {EFBIG, SESS_NO_SPACE},
};

START_TEST(a_failed_write_is_told)
{
    struct directory *directory = open_place();
    struct slice piece = SLICE_LITERAL("text");
    struct file file;

    ck_assert_int_eq(file_open(directory, "some", FILE_CREATE, &file, &error), SESS_OK);
    file_faults_fail_write(write_failures[_i].reason);
    ck_assert_int_eq(file_write(&file, &piece, 1, 0, &error), write_failures[_i].status);
    ck_assert_int_eq(error.status, write_failures[_i].status);
    ck_assert_ptr_nonnull(strstr(error.text, "/some: "));
    ck_assert_ptr_nonnull(strstr(error.text, strerror(write_failures[_i].reason)));
    file_close(&file);
    close_place(directory);
}
END_TEST

START_TEST(a_failed_read_is_told)
{
    struct directory *directory = open_place();
    struct file file;
    char byte;
    size_t got;

    write_text(directory, "some", "text");
    ck_assert_int_eq(file_open(directory, "some", FILE_READ, &file, &error), SESS_OK);
    file_faults_fail_read(EIO);
    ck_assert_int_eq(file_read(&file, &byte, 1, 0, &got, &error), SESS_IO);
    file_close(&file);
    close_place(directory);
}
END_TEST

static const int sync_failures[] = {EINTR, EIO, ENOSPC, EDQUOT, ENOMEM};

/* Whatever the reason: the kernel may have dropped what it could not write. */
START_TEST(a_failed_sync_is_not_tried_again)
{
    struct directory *directory = open_place();
    unsigned n_before = file_faults_syncs();
    struct file file;

    ck_assert_int_eq(file_open(directory, "some", FILE_CREATE, &file, &error), SESS_OK);
    ck_assert_int_eq(file_sync(&file, &error), SESS_OK);
    file_faults_fail_sync(sync_failures[_i]);
    ck_assert_int_eq(file_sync(&file, &error), SESS_IO);
    ck_assert_uint_eq(file_faults_syncs(), n_before + 2);
    file_close(&file);
    close_place(directory);
}
END_TEST

START_TEST(a_file_may_be_too_large_for_its_process)
{
    struct directory *directory = open_place();
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    static const uint8_t bytes[200];
    struct slice piece = slice_of(bytes, sizeof bytes);
    struct file file;

    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(file_open(directory, "some", FILE_CREATE, &file, &error), SESS_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(file_write(&file, &piece, 1, 0, &error), SESS_NO_SPACE);
    ck_assert_int_eq(file_allocate(&file, 200, &error), SESS_NO_SPACE);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_ptr_nonnull(strstr(error.text, strerror(EFBIG)));
    file_close(&file);
    close_place(directory);
}
END_TEST

START_TEST(space_is_reserved_and_cut)
{
    struct directory *directory = open_place();
    struct file file;
    uint64_t size;
    struct stat on_disk;
    char bytes[5] = "xxxxx";
    size_t got;

    write_text(directory, "some", "text");
    ck_assert_int_eq(file_open(directory, "some", FILE_CHANGE, &file, &error), SESS_OK);
    ck_assert_int_eq(file_allocate(&file, 1 << 20, &error), SESS_OK);
    ck_assert_int_eq(file_size(&file, &size, &error), SESS_OK);
    ck_assert_uint_eq(size, 1 << 20);
    ck_assert_int_eq(stat(in("some"), &on_disk), 0);
    ck_assert_int_ge(on_disk.st_blocks * 512, 1 << 20);
    ck_assert_int_eq(file_read(&file, bytes, sizeof bytes, 0, &got, &error), SESS_OK);
    ck_assert_mem_eq(bytes, "text\0", 5);
    ck_assert_int_eq(file_truncate(&file, 2, &error), SESS_OK);
    file_close(&file);
    ck_assert(holds(directory, "some", "te"));
    close_place(directory);
}
END_TEST

START_TEST(a_directory_is_no_file)
{
    struct directory *directory = open_place();
    struct file file;
    char byte;
    size_t got;
    uint64_t size;

    ck_assert_int_eq(mkdir(in("inner"), 0700), 0);
    ck_assert_int_eq(file_open(directory, "inner", FILE_CHANGE, &file, &error), SESS_IO);
    ck_assert_int_eq(file_open(directory, "inner", FILE_READ, &file, &error), SESS_OK);
    ck_assert_int_eq(file_read(&file, &byte, 1, 0, &got, &error), SESS_IO);
    ck_assert_int_eq(file_size(&file, &size, &error), SESS_IO);
    file_close(&file);
    ck_assert_int_eq(directory_remove(directory, "inner", &error), SESS_IO);
    close_place(directory);
}
END_TEST

START_TEST(names_are_changed_and_removed)
{
    struct directory *directory = open_place();

    write_text(directory, "old", "of old");
    write_text(directory, "new", "of new");
    ck_assert_int_eq(directory_rename(directory, "new", "old", &error), SESS_OK);
    ck_assert(holds(directory, "old", "of new"));
    ck_assert_int_eq(directory_sync(directory, &error), SESS_OK);
    ck_assert_int_eq(directory_rename(directory, "new", "old", &error), SESS_NOT_FOUND);
    ck_assert_int_eq(directory_remove(directory, "old", &error), SESS_OK);
    ck_assert_int_eq(directory_remove(directory, "old", &error), SESS_NOT_FOUND);
    ck_assert_int_eq(error.status, SESS_NOT_FOUND);
    close_place(directory);
}
END_TEST

struct names {
    unsigned seen; /* a bit for each of "a", "b", "c" */
    unsigned n;
    unsigned most;
};

static bool note(void *context, const char *name)
{
    struct names *names = context;

    if (name[0] >= 'a' && name[0] <= 'c' && name[1] == '\0') {
        names->seen |= 1U << (name[0] - 'a');
        names->n++;
    }
    return names->n < names->most;
}

START_TEST(all_names_are_listed_each_time)
{
    struct directory *directory = open_place();

    write_text(directory, "a", "");
    write_text(directory, "b", "");
    write_text(directory, "c", "");
    for (unsigned tries = 0; tries < 2; tries++) {
        struct names names = {.most = 9};

        ck_assert_int_eq(directory_list(directory, note, &names, &error), SESS_OK);
        ck_assert_uint_eq(names.seen, 7);
        ck_assert_uint_eq(names.n, 3);
    }
    close_place(directory);
}
END_TEST

START_TEST(a_list_ends_when_it_is_told_to)
{
    struct directory *directory = open_place();
    struct names names = {.most = 1};

    write_text(directory, "a", "");
    write_text(directory, "b", "");
    ck_assert_int_eq(directory_list(directory, note, &names, &error), SESS_OK);
    ck_assert_uint_eq(names.n, 1);
    close_place(directory);
}
END_TEST

/* Half a list would be a journal whose last files never were. */
START_TEST(half_a_list_is_no_list)
{
    struct directory *directory = open_place();
    struct names names = {.most = 9};

    write_text(directory, "a", "");
    file_faults_fail_list(EIO);
    ck_assert_int_eq(directory_list(directory, note, &names, &error), SESS_IO);
    ck_assert_ptr_nonnull(strstr(error.text, strerror(EIO)));
    close_place(directory);
}
END_TEST

START_TEST(directories_are_made_with_those_above)
{
    struct directory *directory = open_place();
    struct stat made;

    ck_assert_int_eq(directory_make(in("one/two/three"), getuid(), getgid(), &error), SESS_OK);
    ck_assert_int_eq(directory_make(in("one/two/three"), getuid(), getgid(), &error), SESS_OK);
    ck_assert_int_eq(stat(in("one/two/three"), &made), 0);
    ck_assert(S_ISDIR(made.st_mode));
    ck_assert_uint_eq(made.st_mode & 07777, 0700);
    ck_assert_uint_eq(made.st_uid, getuid());
    ck_assert_int_eq(directory_make(in("lock/below"), getuid(), getgid(), &error), SESS_IO);
    ck_assert_int_eq(directory_make("", getuid(), getgid(), &error), SESS_IO);
    ck_assert_int_eq(rmdir(in("one/two/three")), 0);
    ck_assert_int_eq(rmdir(in("one/two")), 0);
    close_place(directory);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    static char longest[5000];

    memset(longest, 'x', sizeof longest - 1);
    ck_assert_int_eq(directory_make(longest, getuid(), getgid(), &error), SESS_IO);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        is_locked_for_this_process_and_others,
        is_locked_when_its_file_is_gone,
        is_locked_when_its_file_is_another,
        the_lock_file_alone_locks_too,
        a_killed_owner_locks_no_more,
        what_is_no_directory_is_said_so,
        one_that_may_not_be_written_is_refused,
        one_that_others_may_write_is_refused,
        one_of_another_user_is_refused,
        a_link_is_not_followed,
        files_are_opened_as_asked,
        many_pieces_are_written_and_read,
        parts_and_interruptions_are_gone_on_with,
        nothing_to_write_is_written,
        a_failed_read_is_told,
        a_file_may_be_too_large_for_its_process,
        space_is_reserved_and_cut,
        a_directory_is_no_file,
        names_are_changed_and_removed,
        all_names_are_listed_each_time,
        a_list_ends_when_it_is_told_to,
        half_a_list_is_no_list,
        directories_are_made_with_those_above,
        a_path_that_is_too_long_is_refused,
    };
    Suite *suite = suite_create("base/directory");
    TCase *facts = suite_case(suite, "directory");

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(facts, tests[i]);
    }
    tcase_add_loop_test(facts, a_failed_write_is_told, 0, SUITE_ROWS(write_failures));
    tcase_add_loop_test(facts, a_failed_sync_is_not_tried_again, 0, SUITE_ROWS(sync_failures));
    return suite_run(suite);
}
