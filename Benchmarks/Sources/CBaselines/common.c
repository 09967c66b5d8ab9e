#include "internal.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static int64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cb_wall(void) { return read_clock(CLOCK_MONOTONIC); }
int64_t cb_thread_cpu(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }
int64_t cb_process_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

void cb_key(uint64_t index, uint64_t keys, char out[16]) {
    uint64_t mixed = index + 0x9e3779b97f4a7c15u;  // splitmix64
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    cb_number_key((mixed ^ (mixed >> 31)) % keys, out);
}

void cb_number_key(uint64_t number, char out[16]) {
    memcpy(out, "key-", 4);
    for (int at = 15; at >= 4; at -= 1) {
        out[at] = (char)('0' + number % 10);
        number /= 10;
    }
}

void cb_offset_key(int64_t offset, uint8_t key[8]) {
    for (int at = 7; at >= 0; at -= 1) {
        key[at] = (uint8_t)offset;
        offset >>= 8;
    }
}

void cb_seal(struct cb_batch *batch) {
    memcpy(batch->base + 24, &batch->count, 4);
    uint64_t sum = XXH3_64bits(batch->base + 20, batch->length - 20);
    memcpy(batch->base + 12, &sum, 8);
}

int cb_check(const uint8_t *bytes, size_t size, uint32_t *count) {
    if (size < CB_HEADER) return MDB_CORRUPTED;
    uint64_t sum;
    memcpy(&sum, bytes + 12, 8);
    memcpy(count, bytes + 24, 4);
    return sum == XXH3_64bits(bytes + 20, size - 20) ? 0 : MDB_CORRUPTED;
}

int cb_open(const char *folder, unsigned flags, MDB_env **environment) {
    mkdir(folder, 0777);
    int error = mdb_env_create(environment);
    if (error) return error;
    mdb_env_set_mapsize(*environment, (size_t)32 << 30);
    mdb_env_set_maxdbs(*environment, 8);
    error = mdb_env_open(*environment, folder, flags | MDB_NOTLS, 0666);
    if (error) mdb_env_close(*environment);
    return error;
}

int cb_prepare_log(const char *folder, int64_t records, uint64_t keys) {
    MDB_env *environment;
    int error = cb_open(folder, MDB_NOSYNC, &environment);
    if (error) return error;
    struct cb_batch batch = {malloc(CB_BATCH_BYTES * 2), 0, CB_BATCH_BYTES * 2, 0};
    char key[16], value[CB_VALUE];
    memset(value, 'v', sizeof value);
    memset(batch.base, 0, CB_HEADER);
    MDB_txn *transaction = NULL;
    MDB_dbi records_db;
    for (int64_t at = 0; at < records && !error;) {
        error = mdb_txn_begin(environment, NULL, 0, &transaction);
        if (!error) error = mdb_dbi_open(transaction, "in", MDB_CREATE, &records_db);
        for (int in_transaction = 0; in_transaction < 100 && at < records && !error; in_transaction += 1) {
            int64_t base = at;
            batch.count = 0;
            for (int index = 0; index < CB_BATCH && at < records; index += 1, at += 1) {
                cb_key((uint64_t)at, keys, key);
                cb_append(&batch, 0, key, sizeof key, value, sizeof value);
            }
            cb_seal(&batch);
            uint8_t offset[8];
            cb_offset_key(base, offset);
            MDB_val key_bytes = {8, offset}, batch_bytes = {batch.length, batch.base};
            error = mdb_put(transaction, records_db, &key_bytes, &batch_bytes, MDB_APPEND);
        }
        if (error) mdb_txn_abort(transaction);
        else error = mdb_txn_commit(transaction);
    }
    free(batch.base);
    mdb_env_close(environment);
    return error;
}
