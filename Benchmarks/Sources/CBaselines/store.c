// The bare paths of one store, of a log and of a restore, on LMDB.
#include "internal.h"

static uint64_t next_random(uint64_t *state) {
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15u);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static struct cb_result ended(int64_t wall, int64_t cpu, int64_t count, int error) {
    struct cb_result result = {0};
    result.records = count;
    result.wall_ns = (double)(cb_wall() - wall) / (double)count;
    result.cpu_ns = (double)(cb_process_cpu() - cpu) / (double)count;
    result.error = error;
    return result;
}

struct cb_result cb_store(
    const char *folder, uint64_t keys, int64_t operations, int64_t per_commit, int value_size) {
    MDB_env *environment;
    MDB_txn *transaction = NULL;
    MDB_dbi table;
    int error = cb_open(folder, MDB_NOMETASYNC, &environment);
    uint8_t physical[17] = {0}, value[512];
    memset(value, 'v', sizeof value);
    if (!error) error = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (!error) error = mdb_dbi_open(transaction, "store", MDB_CREATE, &table);
    for (uint64_t index = 0; index < keys && !error; index += 1) {
        cb_number_key(index, (char *)physical + 1);
        MDB_val key = {sizeof physical, physical}, bytes = {(size_t)value_size, value};
        error = mdb_put(transaction, table, &key, &bytes, MDB_APPEND);
    }
    if (!error) error = mdb_txn_commit(transaction);
    if (!error) error = mdb_txn_begin(environment, NULL, 0, &transaction);
    uint64_t state = 1, sum = 0;
    int64_t wall = cb_wall(), cpu = cb_process_cpu();
    for (int64_t at = 0; at < operations && !error; at += 1) {
        cb_number_key(next_random(&state) % keys, (char *)physical + 1);
        MDB_val key = {sizeof physical, physical}, found, bytes = {(size_t)value_size, value};
        error = mdb_get(transaction, table, &key, &found);
        if (!error) sum += ((uint8_t *)found.mv_data)[found.mv_size - 1];
        if (!error) error = mdb_put(transaction, table, &key, &bytes, 0);
        if (!error && (at + 1) % per_commit == 0) {
            error = mdb_txn_commit(transaction);
            if (!error) error = mdb_txn_begin(environment, NULL, 0, &transaction);
        }
    }
    struct cb_result result = ended(wall, cpu, operations, error);
    result.dirty = (int64_t)sum;
    if (!error) mdb_txn_abort(transaction);
    mdb_env_close(environment);
    return result;
}

struct cb_result cb_log(const char *folder, int64_t records) {
    MDB_env *environment;
    MDB_txn *transaction = NULL;
    MDB_dbi table;
    int error = cb_open(folder, 0, &environment);
    struct cb_batch batch = {calloc(1, CB_BATCH_BYTES * 2), 0, CB_BATCH_BYTES * 2, 0};
    char key[16], value[CB_VALUE - 16];
    memset(value, 'v', sizeof value);
    int64_t wall = cb_wall(), cpu = cb_process_cpu();
    for (int64_t at = 0; at < records && !error;) {
        int64_t base = at;
        batch.count = 0;
        for (int index = 0; index < CB_BATCH; index += 1, at += 1) {
            cb_number_key((uint64_t)at, key);
            cb_append(&batch, 0, key, sizeof key, value, sizeof value);
        }
        cb_seal(&batch);
        uint8_t offset[8];
        cb_offset_key(base, offset);
        error = mdb_txn_begin(environment, NULL, 0, &transaction);
        if (!error) error = mdb_dbi_open(transaction, "log", MDB_CREATE, &table);
        MDB_val name = {8, offset}, bytes = {batch.length, batch.base};
        if (!error) error = mdb_put(transaction, table, &name, &bytes, MDB_APPEND);
        if (!error) error = mdb_txn_commit(transaction);
    }
    uint64_t sum = 0;
    MDB_cursor *cursor = NULL;
    MDB_val name, bytes;
    if (!error) error = mdb_txn_begin(environment, NULL, MDB_RDONLY, &transaction);
    if (!error) error = mdb_cursor_open(transaction, table, &cursor);
    while (!error && mdb_cursor_get(cursor, &name, &bytes, MDB_NEXT) == 0) {
        uint32_t count;
        error = cb_check(bytes.mv_data, bytes.mv_size, &count);
        const uint8_t *next = (uint8_t *)bytes.mv_data + CB_HEADER, *end = (uint8_t *)bytes.mv_data + bytes.mv_size;
        struct cb_record record = {0};
        while (next < end && !error) {
            next = cb_next(next, end, &record);
            if (!next) error = MDB_CORRUPTED;
            else sum += record.key[15] + record.value[0];
        }
    }
    struct cb_result result = ended(wall, cpu, records, error);
    result.dirty = (int64_t)sum;
    if (cursor) mdb_cursor_close(cursor);
    mdb_txn_abort(transaction);
    mdb_env_close(environment);
    free(batch.base);
    return result;
}

int cb_prepare_changelog(const char *folder, int64_t records) {
    MDB_env *environment;
    MDB_txn *transaction = NULL;
    MDB_dbi table;
    int error = cb_open(folder, MDB_NOSYNC, &environment);
    struct cb_batch batch = {calloc(1, CB_BATCH_BYTES * 2), 0, CB_BATCH_BYTES * 2, 0};
    char key[16], value[CB_VALUE];
    memset(value, 'v', sizeof value);
    if (!error) error = mdb_txn_begin(environment, NULL, 0, &transaction);
    if (!error) error = mdb_dbi_open(transaction, "in", MDB_CREATE, &table);
    for (int64_t at = 0; at < records && !error;) {
        int64_t base = at;
        batch.count = 0;
        for (int index = 0; index < CB_BATCH && at < records; index += 1, at += 1) {
            cb_number_key((uint64_t)at, key);
            cb_append(&batch, 0, key, sizeof key, value, sizeof value);
        }
        cb_seal(&batch);
        uint8_t offset[8];
        cb_offset_key(base, offset);
        MDB_val name = {8, offset}, bytes = {batch.length, batch.base};
        error = mdb_put(transaction, table, &name, &bytes, MDB_APPEND);
    }
    if (!error) error = mdb_txn_commit(transaction);
    free(batch.base);
    mdb_env_close(environment);
    return error;
}

struct cb_result cb_restore(const char *log_folder, const char *state_folder, int64_t records) {
    MDB_env *log, *state = NULL;
    MDB_txn *reader = NULL, *transaction = NULL;
    MDB_dbi in, table;
    MDB_cursor *from = NULL, *to = NULL;
    int64_t wall = cb_wall(), cpu = cb_process_cpu();
    int error = cb_open(log_folder, MDB_NOSYNC, &log);
    if (!error) error = cb_open(state_folder, MDB_NOMETASYNC, &state);
    if (!error) error = mdb_txn_begin(log, NULL, MDB_RDONLY, &reader);
    if (!error) error = mdb_dbi_open(reader, "in", 0, &in);
    if (!error) error = mdb_cursor_open(reader, in, &from);
    if (!error) error = mdb_txn_begin(state, NULL, 0, &transaction);
    if (!error) error = mdb_dbi_open(transaction, "store", MDB_CREATE, &table);
    if (!error) error = mdb_cursor_open(transaction, table, &to);
    uint8_t *copy = malloc(CB_BATCH_BYTES * 2);
    MDB_val name, bytes;
    int64_t rows = 0;
    while (!error && mdb_cursor_get(from, &name, &bytes, MDB_NEXT) == 0 && bytes.mv_size <= CB_BATCH_BYTES * 2) {
        memcpy(copy, bytes.mv_data, bytes.mv_size);
        uint32_t count;
        error = cb_check(copy, bytes.mv_size, &count);
        const uint8_t *next = copy + CB_HEADER, *end = copy + bytes.mv_size;
        struct cb_record record = {0};
        while (next < end && !error) {
            next = cb_next(next, end, &record);
            if (!next || record.key_size != 16 || record.value_size != CB_VALUE) {
                error = MDB_CORRUPTED;
                break;
            }
            uint8_t physical[17] = {0}, envelope[12 + CB_VALUE] = {0xfa, 0x4c, 1, 0};
            memcpy(physical + 1, record.key, 16);
            memcpy(envelope + 12, record.value, CB_VALUE);
            MDB_val key = {sizeof physical, physical}, value = {sizeof envelope, envelope};
            error = mdb_cursor_put(to, &key, &value, MDB_APPEND);
            rows += 1;
        }
    }
    if (!error) error = mdb_txn_commit(transaction);
    struct cb_result result = ended(wall, cpu, records, error ? error : rows == records ? 0 : MDB_NOTFOUND);
    if (from) mdb_cursor_close(from);
    if (reader) mdb_txn_abort(reader);
    if (state) mdb_env_close(state);
    mdb_env_close(log);
    free(copy);
    return result;
}
