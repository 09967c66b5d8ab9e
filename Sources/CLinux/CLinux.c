#include "CLinux.h"

#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int linux_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds, int shared) {
    struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    int operation = shared ? FUTEX_WAIT : FUTEX_WAIT_PRIVATE;
    long result = syscall(SYS_futex, word, operation, expected, nanoseconds < 0 ? NULL : &limit, NULL, 0);
    if (result == 0 || errno == EAGAIN) return 0;
    return errno;
}

int linux_futex_wake(const uint32_t *word, int count, int shared) {
    return (int)syscall(SYS_futex, word, shared ? FUTEX_WAKE : FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

void linux_thread_set_name(const char *name) {
    char cut[16];
    strncpy(cut, name, 15);
    cut[15] = 0;
    pthread_setname_np(pthread_self(), cut);
}

void linux_malloc_trim(void) { malloc_trim(0); }

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_THREAD_SANITIZER 1
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#endif
#endif

void linux_sanitizer_acquire(const void *lock) {
#ifdef WITH_THREAD_SANITIZER
    __tsan_acquire((void *)lock);
#else
    (void)lock;
#endif
}

void linux_sanitizer_release(const void *lock) {
#ifdef WITH_THREAD_SANITIZER
    __tsan_release((void *)lock);
#else
    (void)lock;
#endif
}
