/* A wall clock that is wrong: preloaded (LD_PRELOAD), for tests.support.clock_off.
 *
 * CLOCK_OFF_SECONDS is added to it; with CLOCK_OFF_AFTER only so many seconds after the program
 * began, as when somebody sets the clock. The monotonic clock and /proc/uptime go on as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static int (*real_gettime)(clockid_t, struct timespec *);
static struct timespec began;
static long seconds, after;

__attribute__((constructor)) static void begin(void) {
    real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    const char *said = getenv("CLOCK_OFF_SECONDS");
    seconds = said ? atol(said) : 0;
    said = getenv("CLOCK_OFF_AFTER");
    after = said ? atol(said) : 0;
    real_gettime(CLOCK_MONOTONIC, &began);
}

static long off(void) {
    struct timespec now;
    real_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - began.tv_sec >= after ? seconds : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!real_gettime)
        begin();
    int failed = real_gettime(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += off();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    (void)zone;
    struct timespec exact;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *said) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (said)
        *said = now.tv_sec;
    return now.tv_sec;
}
