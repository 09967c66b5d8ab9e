// Calls that Swift's Glibc module lacks, because glibc shows them with _GNU_SOURCE only. Linux; one .c file.
#ifndef TRIBUTARY_CLINUX_H
#define TRIBUTARY_CLINUX_H

#include <stdint.h>
#include <stddef.h>

// Waits while *word == expected, at most `nanoseconds` (negative: without limit). `shared` != 0: the word lies in memory that
// several processes map. Returns 0 when woken or when the word differs, else an errno (ETIMEDOUT, EINTR).
int linux_futex_wait(const uint32_t *_Nonnull word, uint32_t expected, int64_t nanoseconds, int shared);

// Wakes at most `count` waiters; returns how many.
int linux_futex_wake(const uint32_t *_Nonnull word, int count, int shared);

// Names the calling thread; names over 15 bytes are cut.
void linux_thread_set_name(const char *_Nonnull name);

// Returns memory that malloc holds to the system.
void linux_malloc_trim(void);

// For the thread sanitizer, which doesn't see what the standard library's Mutex orders when threads contend for it: to be
// called inside of the lock, first and last. They do nothing in other builds.
void linux_sanitizer_acquire(const void *_Nonnull lock);
void linux_sanitizer_release(const void *_Nonnull lock);

#endif
