#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/// Whether allocations are counted: not under the sanitizers, which have allocators of their own.
bool allocation_counter_works(void);

/// How many allocations the calling thread has made.
int64_t allocation_count(void);

/// Stops the process, with a trace in a debugger, at the n-th allocation of this thread from now on; 0 for never.
void allocation_trap_after(int64_t n);

#endif
