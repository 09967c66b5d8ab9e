// Counts the calling thread's allocations by standing in for glibc's allocator, which does the work.
#include "CAllocationCounter.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTS 0
#endif
#endif
#if !defined(COUNTS) && defined(__GLIBC__)
#define COUNTS 1
#elif !defined(COUNTS)
#define COUNTS 0
#endif

#if COUNTS

static _Thread_local int64_t count __attribute__((tls_model("initial-exec")));
static _Thread_local int64_t trap __attribute__((tls_model("initial-exec")));

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static inline void note(void) {
    count += 1;
    if (__builtin_expect(trap != 0, 0) && --trap == 0) __builtin_trap();
}

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}

void *calloc(size_t many, size_t size) {
    note();
    return __libc_calloc(many, size);
}

void *realloc(void *old, size_t size) {
    note();
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
    note();
    void *memory = __libc_memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}

bool allocation_counter_works(void) { return true; }
int64_t allocation_count(void) { return count; }
void allocation_trap_after(int64_t n) { trap = n; }

#else

bool allocation_counter_works(void) { return false; }
int64_t allocation_count(void) { return 0; }
void allocation_trap_after(int64_t n) { (void)n; }

#endif
