internal import CLMDB
internal import TributaryCore
internal import TributaryState

/// What a table keeps between calls; nothing here checks whether the table may be used.
struct LMDBTableState: ~Copyable {
    /// Writes made while a cursor is open, which reads by key see and the cursor doesn't: the byte 1 and the value, or just
    /// the byte 0 for a deleted key.
    struct Overlay {
        var tree = ByteTree()
        /// The table was dropped: what lies beneath does not count.
        var isCleared = false
        /// The number of entries of the table with the overlay.
        var count: Int
    }

    let name: String
    let seal: RowSeal
    var database: LMDBDatabase?
    /// Kept from call to call: LMDB looks at the page it stands on before it searches from the root, so that a write after a read
    /// of the same key costs no search.
    var writeCursor: LMDBWriteCursor?
    /// Database open, transaction open.
    var isPrepared = false
    var isDropped = false
    var wasDropped = false
    var overlay: Overlay?
    var openCursors = 0
    /// How many long keys there are beyond one for each bucket: what LMDB's own count lacks.
    var surplus = 0
    var surplusChanged = false

    var physical = ByteWriter(capacity: 512)
    private var bucket = ByteWriter(capacity: 16)
    private var scratch = ByteWriter(capacity: 16)

    init(name: String, seal: RowSeal) {
        self.name = name
        self.seal = seal
    }

    func requireDatabase() throws(StoreError) -> LMDBDatabase {
        guard let database else { throw StoreError(.closed, "the table is closed", store: name) }
        return database
    }

    func requireCursor() throws(StoreError) -> LMDBWriteCursor {
        guard let writeCursor else { throw StoreError(.closed, "the table is closed", store: name) }
        return writeCursor
    }

    // MARK: Reading

    /// Appends the value of a key; returns false if there is none.
    @inline(__always)
    mutating func get(
        _ key: RawSpan, _ core: LMDBStateCore, appendTo value: inout ByteWriter
    ) throws(StoreError) -> Bool {
        if overlay != nil { return try getThroughOverlay(key, core, appendTo: &value) }
        return try getBeneath(key, core, appendTo: &value)
    }

    @inline(never)
    private mutating func getThroughOverlay(
        _ key: RawSpan, _ core: LMDBStateCore, appendTo value: inout ByteWriter
    ) throws(StoreError) -> Bool {
        guard let overlay else { return false }
        scratch.removeAll()
        if overlay.tree.get(key, appendTo: &scratch) {
            guard scratch.bytes.byte(at: 0) == 1 else { return false }
            value.append(scratch.bytes.dropping(1))
            return true
        }
        return overlay.isCleared ? false : try getBeneath(key, core, appendTo: &value)
    }

    @inline(__always)
    private mutating func getBeneath(
        _ key: RawSpan, _ core: LMDBStateCore, appendTo value: inout ByteWriter
    ) throws(StoreError) -> Bool {
        let cursor = try requireCursor()
        KeyBucket.write(key, into: &physical)
        if KeyBucket.isLong(key) { return try getMember(key, core, appendTo: &value) }
        do throws(LMDBError) {
            return try core.state.value.get(cursor, physical.bytes, seal, appendTo: &value)
        } catch {
            throw StoreError(error, store: name)
        }
    }

    @inline(never)
    private mutating func getMember(
        _ key: RawSpan, _ core: LMDBStateCore, appendTo value: inout ByteWriter
    ) throws(StoreError) -> Bool {
        guard try readBucket(core) else { return false }
        do throws(MalformedBytes) {
            let suffix = key.dropping(KeyBucket.prefixLength)
            guard let range = try KeyBucket.value(of: suffix, in: bucket.bytes) else { return false }
            value.append(bucket.bytes(in: range))
            return true
        } catch {
            throw StoreError(error, store: name, key: key)
        }
    }

    /// Reads the bucket whose key is in `physical`; returns false, with an empty one, if there is none.
    private mutating func readBucket(_ core: LMDBStateCore) throws(StoreError) -> Bool {
        let database = try requireDatabase()
        bucket.removeAll()
        do throws(LMDBError) {
            return try core.state.value.get(database, keyIn: physical, seal, appendTo: &bucket)
        } catch {
            throw StoreError(error, store: name)
        }
    }

    /// Adds the first `limit` entries of a range to `rows`, with the cursor that is there; returns false, with some of them added,
    /// where that isn't enough: keys of buckets, writes that aren't in the table yet.
    mutating func copyRows(
        from lower: RawSpan, through upper: RawSpan?, limit: Int, _ core: LMDBStateCore, into rows: CopiedRows
    ) throws(StoreError) -> Bool {
        guard overlay == nil, !KeyBucket.isLong(lower) else { return false }
        let cursor = try requireCursor()
        KeyBucket.write(lower, into: &physical)
        var left = limit
        do throws(LMDBError) {
            var place = try core.state.value.seek(
                cursor, targetIn: physical, seal, key: &bucket, value: &scratch)
            while left > 0, place == .plain {
                if let upper, bucket.bytes.compare(to: upper) > 0 { return true }
                rows.add(bucket.bytes, scratch.bytes)
                left -= 1
                if left > 0 {
                    place = try core.state.value.step(cursor, .next, seal, key: &bucket, value: &scratch)
                }
            }
            return left == 0 || place != .bucket
        } catch {
            throw StoreError(error, store: name)
        }
    }

    // MARK: Writing

    @inline(__always)
    mutating func put(
        _ key: RawSpan, _ value: RawSpan, _ core: LMDBStateCore, append: Bool = false
    ) throws(StoreError) {
        if openCursors > 0 { return try putOver(key, value, core) }
        try putBeneath(key, value, core, append: append)
    }

    @inline(__always)
    private mutating func putBeneath(
        _ key: RawSpan, _ value: RawSpan, _ core: LMDBStateCore, append: Bool
    ) throws(StoreError) {
        KeyBucket.write(key, into: &physical)
        if KeyBucket.isLong(key) { return try rewriteBucket(key, value, core, append: append) }
        let cursor = try requireCursor()
        do throws(LMDBError) {
            try core.state.value.put(cursor, physical.bytes, value, seal, append: append)
        } catch {
            throw writeFailed(error, key, core)
        }
    }

    @inline(never)
    private mutating func rewriteBucket(
        _ key: RawSpan, _ value: RawSpan, _ core: LMDBStateCore, append: Bool
    ) throws(StoreError) {
        let isThere = try readBucket(core)
        let suffix = key.dropping(KeyBucket.prefixLength)
        if append && isThere { try checkAscending(key, core) }
        let change: KeyBucket.Change
        do throws(MalformedBytes) {
            change = try KeyBucket.rewrite(bucketIn: bucket, suffix: suffix, value: value, into: &scratch)
        } catch {
            throw StoreError(error, store: name, key: key)
        }
        let cursor = try requireCursor()
        do throws(LMDBError) {
            try core.state.value.put(cursor, physical.bytes, scratch.bytes, seal, append: append && !isThere)
        } catch {
            throw writeFailed(error, key, core)
        }
        if isThere && !change.existed {
            surplus += 1
            surplusChanged = true
        }
    }

    /// Throws unless the bucket in `bucket` is the table's last and its last member comes before the key.
    private mutating func checkAscending(_ key: RawSpan, _ core: LMDBStateCore) throws(StoreError) {
        let cursor = try requireCursor()
        var isLast = false
        do throws(LMDBError) {
            var last = ByteWriter(capacity: 512)
            var ignored = ByteWriter()
            let place = try core.state.value.step(cursor, .last, seal, key: &last, value: &ignored)
            isLast = place == .bucket && last.bytes.isEqual(to: key.prefix(KeyBucket.prefixLength))
        } catch {
            throw StoreError(error, store: name)
        }
        do throws(MalformedBytes) {
            if isLast, let last = try KeyBucket.members(bucket.bytes).last {
                isLast = bucket.bytes(in: last.suffix).compare(to: key.dropping(KeyBucket.prefixLength)) < 0
            }
        } catch {
            throw StoreError(error, store: name, key: key)
        }
        if !isLast { throw notAscending(key) }
    }

    func notAscending(_ key: RawSpan) -> StoreError {
        StoreError(.invalidRequest, "a key to append is not above the last one", store: name, key: key.hexadecimal)
    }

    @inline(never)
    private func writeFailed(_ error: LMDBError, _ key: RawSpan, _ core: LMDBStateCore) -> StoreError {
        // A refused append leaves the transaction as it was; whatever else fails spoils it.
        error.code == MDB_KEYEXIST ? notAscending(key) : core.failed(error, store: name)
    }

    mutating func delete(_ key: RawSpan, _ core: LMDBStateCore) throws(StoreError) -> Bool {
        if openCursors > 0 { return try deleteOver(key, core) }
        return try deleteBeneath(key, core)
    }

    private mutating func deleteBeneath(_ key: RawSpan, _ core: LMDBStateCore) throws(StoreError) -> Bool {
        let database = try requireDatabase()
        KeyBucket.write(key, into: &physical)
        if KeyBucket.isLong(key) {
            guard try readBucket(core) else { return false }
            let change: KeyBucket.Change
            do throws(MalformedBytes) {
                let suffix = key.dropping(KeyBucket.prefixLength)
                change = try KeyBucket.rewrite(bucketIn: bucket, suffix: suffix, value: nil, into: &scratch)
            } catch {
                throw StoreError(error, store: name, key: key)
            }
            guard change.existed else { return false }
            if change.count > 0 {
                let cursor = try requireCursor()
                do throws(LMDBError) {
                    try core.state.value.put(cursor, physical.bytes, scratch.bytes, seal, append: false)
                } catch {
                    throw core.failed(error, store: name)
                }
                surplus -= 1
                surplusChanged = true
                return true
            }
        }
        do throws(LMDBError) {
            return try core.state.value.delete(database, physical.bytes)
        } catch {
            throw core.failed(error, store: name)
        }
    }

    // MARK: While cursors are open

    private mutating func putOver(_ key: RawSpan, _ value: RawSpan, _ core: LMDBStateCore) throws(StoreError) {
        let isNew = try !contains(key, core)
        try beginOverlay(core)
        scratch.removeAll()
        scratch.append(1 as UInt8)
        scratch.append(value)
        writeOver(key, change: isNew ? 1 : 0)
    }

    private mutating func deleteOver(_ key: RawSpan, _ core: LMDBStateCore) throws(StoreError) -> Bool {
        guard try contains(key, core) else { return false }
        try beginOverlay(core)
        scratch.removeAll()
        scratch.append(0 as UInt8)
        writeOver(key, change: -1)
        return true
    }

    /// Puts what is in `scratch` into the overlay, which is taken out meanwhile so that it isn't copied.
    private mutating func writeOver(_ key: RawSpan, change: Int) {
        guard var overlay = overlay.take() else { return }
        overlay.tree.put(key, scratch.bytes)
        overlay.count += change
        self.overlay = overlay
    }

    private mutating func contains(_ key: RawSpan, _ core: LMDBStateCore) throws(StoreError) -> Bool {
        var ignored = ByteWriter()
        return try get(key, core, appendTo: &ignored)
    }

    private mutating func beginOverlay(_ core: LMDBStateCore) throws(StoreError) {
        if overlay == nil { overlay = Overlay(count: try countBeneath(core)) }
    }

    /// Drops the content from the view of everyone but the open cursors.
    mutating func clearOver() {
        overlay = Overlay(isCleared: true, count: 0)
    }

    /// Writes the overlay into the table, in key order; to be called when no cursor is open.
    mutating func applyOverlay(_ core: LMDBStateCore) throws(StoreError) {
        guard let overlay = overlay.take() else { return }
        if overlay.isCleared {
            let database = try requireDatabase()
            do throws(LMDBError) {
                try core.state.value.transaction?.drop(database, contentOnly: true)
            } catch {
                throw core.failed(error, store: name)
            }
            surplusChanged = surplusChanged || surplus != 0
            surplus = 0
        }
        var cursor = ByteTreeCursor(overlay.tree, from: nil, through: nil, reverse: false)
        var key = ByteWriter()
        var value = ByteWriter()
        while cursor.next(appendKeyTo: &key, appendValueTo: &value) {
            if value.bytes.byte(at: 0) == 1 {
                try putBeneath(key.bytes, value.bytes.dropping(1), core, append: false)
            } else {
                _ = try deleteBeneath(key.bytes, core)
            }
            key.removeAll()
            value.removeAll()
        }
    }

    // MARK: Counting

    func count(_ core: LMDBStateCore) throws(StoreError) -> Int {
        if let overlay { return overlay.count }
        return try countBeneath(core)
    }

    private func countBeneath(_ core: LMDBStateCore) throws(StoreError) -> Int {
        let database = try requireDatabase()
        do throws(LMDBError) {
            return try (core.state.value.transaction?.count(database) ?? 0) + surplus
        } catch {
            throw StoreError(error, store: name)
        }
    }
}
