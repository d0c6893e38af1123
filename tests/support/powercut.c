/* Writes down, in order, what a program does to the files of one folder: for tests.powercut.
 *
 * Preloaded (LD_PRELOAD) with POWERCUT_ROOT, the folder, and POWERCUT_JOURNAL, a file elsewhere.
 * Each record is appended before the call is made, so that a kill loses none of what was done:
 *
 *     u8 kind, u32 length of path, u64 offset, u32 length of data, path, data   (little-endian)
 *
 * Syncs are written down after the call: only one that has returned promises anything. Memory that
 * is mapped is not seen: of SQLite that is the -shm file alone, which nobody needs after a cut.
 *
 * With POWERCUT_SLOW, a file elsewhere that holds a number, each sync in the folder takes so many
 * milliseconds more; the number may change meanwhile. A journal may be left out then.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE = 1, TRUNCATE = 2, SYNC = 3, UNLINK = 4, RENAME = 5, CREATE = 6 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int started, journal = -1;
static int (*plain_open)(const char *, int, ...);

#define REAL(type, name, ...)                                      \
    static type (*real)(__VA_ARGS__);                              \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void start(void) {
    if (started) return;
    const char *place = getenv("POWERCUT_JOURNAL"), *folder = getenv("POWERCUT_ROOT");
    started = 1;
    plain_open = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    if (!folder || !realpath(folder, root)) root[0] = 0;
    else if (place) journal = plain_open(place, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ours(const char *path) {
    start();
    size_t length = strlen(root);
    return length && strncmp(path, root, length) == 0 &&
           (path[length] == '/' || path[length] == 0);
}

/* The path of a descriptor, if it is of a file in the folder. */
static int of(int fd, char *path) {
    char link[64];
    start();
    if (!root[0] || fd == journal) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return ours(path);
}

static int named(const char *given, char *path) {
    char folder[PATH_MAX];
    start();
    if (!root[0]) return 0;
    const char *slash = strrchr(given, '/');
    if (snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - given) : 1,
                 slash ? given : ".") < 0 ||
        !realpath(folder[0] ? folder : "/", path))
        return 0;
    size_t length = strlen(path);
    snprintf(path + length, PATH_MAX - length, "/%s", slash ? slash + 1 : given);
    return ours(path);
}

static void record(uint8_t kind, const char *path, uint64_t offset, const void *data, uint32_t n) {
    if (journal < 0) return;
    uint32_t length = strlen(path);
    struct iovec parts[] = {{&kind, 1}, {&length, 4}, {&offset, 8}, {&n, 4},
                            {(void *)path, length}, {(void *)data, n}};
    if (writev(journal, parts, 6) < 0) abort();
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    if (of(fd, path)) record(WRITE, path, offset, data, n);
    ssize_t done = real(fd, data, n, offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) {
    return pwrite(fd, data, n, offset);
}

ssize_t write(int fd, const void *data, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    if (of(fd, path)) {
        int append = fcntl(fd, F_GETFL) & O_APPEND;
        record(WRITE, path, lseek(fd, 0, append ? SEEK_END : SEEK_CUR), data, n);
    }
    ssize_t done = real(fd, data, n);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t size) {
    REAL(int, "ftruncate", int, off_t);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    if (of(fd, path)) record(TRUNCATE, path, size, "", 0);
    int done = real(fd, size);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

/* Wait as a slow disk lets one wait: others go on meanwhile. */
static void dawdle(int fd) {
    char path[PATH_MAX], text[16] = "";
    const char *slow = getenv("POWERCUT_SLOW");
    pthread_mutex_lock(&lock);
    int affected = slow && of(fd, path);
    pthread_mutex_unlock(&lock);
    int file = affected ? plain_open(slow, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    long ms = read(file, text, sizeof text - 1) > 0 ? atol(text) : 0;
    close(file);
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static int synced(int (*real)(int), int fd) {
    char path[PATH_MAX];
    dawdle(fd);
    pthread_mutex_lock(&lock);
    int done = real(fd);
    if (done == 0 && of(fd, path)) record(SYNC, path, 0, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return synced(real, fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return synced(real, fd);
}

int unlink(const char *given) {
    REAL(int, "unlink", const char *);
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    int known = named(given, path);
    int done = real(given);
    if (known && done == 0) record(UNLINK, path, 0, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    char path[PATH_MAX], other[PATH_MAX];
    pthread_mutex_lock(&lock);
    int known = named(from, path) && named(to, other);
    int done = real(from, to);
    if (known && done == 0) record(RENAME, path, 0, other, strlen(other));
    pthread_mutex_unlock(&lock);
    return done;
}

static int opened(int (*real)(const char *, int, ...), const char *given, int flags, mode_t mode) {
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    if ((flags & (O_CREAT | O_TRUNC)) && named(given, path)) {
        if ((flags & O_CREAT) && access(path, F_OK) != 0) record(CREATE, path, 0, "", 0);
        else if (flags & O_TRUNC) record(TRUNCATE, path, 0, "", 0);
    }
    int fd = real(given, flags, mode);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name)                                      \
    int name(const char *path, int flags, ...) {        \
        REAL(int, #name, const char *, int, ...);       \
        va_list rest;                                   \
        va_start(rest, flags);                          \
        mode_t mode = va_arg(rest, mode_t);             \
        va_end(rest);                                   \
        return opened(real, path, flags, mode);         \
    }

OPEN(open)
OPEN(open64)
