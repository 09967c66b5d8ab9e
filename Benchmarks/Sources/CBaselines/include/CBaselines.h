#ifndef C_BASELINES_H
#define C_BASELINES_H

#include <stdint.h>

/// What a loop took between its warm-up and its end.
struct cb_result {
    double wall_ns;   // per record
    double cpu_ns;    // per record, of the process
    int64_t records;
    int64_t dirty;    // entries flushed
    int error;        // LMDB's code or errno; 0 if all went well
};

/// Seconds-independent clocks, in ns: wall, this thread's and this process's CPU time.
int64_t cb_wall(void);
int64_t cb_thread_cpu(void);
int64_t cb_process_cpu(void);

/// The key of record `index`: 16 bytes "key-%012d" of a random number below `keys`.
void cb_key(uint64_t index, uint64_t keys, char out[16]);

/// The key of a number itself.
void cb_number_key(uint64_t number, char out[16]);

/// Writes `records` records of 16 + 100 bytes as batches of 1,000 into an LMDB file.
int cb_prepare_log(const char *folder, int64_t records, uint64_t keys);

/// Counts by key: reads the batches, copies, checks and walks them, counts in a write-back cache; each `commit` records a
/// changelog and an output record per dirty key, sorted store writes, a log commit; each `state_each` of those a state commit.
struct cb_result cb_count(
    const char *log_folder, const char *state_folder, int64_t records, int64_t warm_up, int64_t commit, int state_each);

/// A get and a put of random ones of `keys` keys on one LMDB table, `per_commit` a transaction; ns for both together.
struct cb_result cb_store(
    const char *folder, uint64_t keys, int64_t operations, int64_t per_commit, int value_size);

/// Stores values of 1,000 records, one synced commit each, and reads every record; ns per record of both together.
struct cb_result cb_log(const char *folder, int64_t records);

/// Writes `records` records of 16 + 100 bytes with different keys in key order.
int cb_prepare_changelog(const char *folder, int64_t records);

/// Reads the batches that `cb_prepare_changelog` made and appends their rows presorted to an empty table.
struct cb_result cb_restore(const char *log_folder, const char *state_folder, int64_t records);

#endif
