internal import TributaryCore

/// One batch copied out of the log, for work that isn't reading as a consumer does.
struct StoredBatch: ~Copyable {
    private var copy = ByteWriter(capacity: 4096)
    /// What its key says.
    private(set) var base: Int64 = -1

    init() {}

    /// A copy of bytes that do not come from a log.
    init(copying bytes: RawSpan, base: Int64) {
        copy.append(bytes)
        self.base = base
    }

    var byteCount: Int { copy.count }

    /// The batch's bytes.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get { copy.bytes }
    }

    /// Copies the first batch of a partition whose base offset is not below `offset`; false if there is none.
    mutating func load(
        _ store: LogStore, _ topic: UInt32, _ partition: Int32, atOrAfter offset: Int64
    ) throws(LMDBError) -> Bool {
        let transaction = try store.environment.read()
        let cursor = try transaction.cursor(store.databases.records)
        var key = LogKey()
        key.record(topic, partition, offset)
        guard let entry = try cursor.seek(key.bytes), let base = baseOffset(entry.key, topic, partition) else {
            return false
        }
        self.base = base
        copy.removeAll()
        copy.append(entry.value)
        return true
    }

    /// The header, everything checked.
    func header() throws(BatchHeader.Fault) -> BatchHeader { try BatchHeader(checking: copy.bytes, key: base) }

    /// Calls `body` for each record in order, until it returns false.
    func forEach(_ header: BatchHeader, _ body: (borrowing StoredRecord) -> Bool) throws(BatchHeader.Fault) {
        let slot = UnsafeMutablePointer<RecordSlot>.allocate(capacity: 1)
        defer { unsafe slot.deallocate() }
        let fault = unsafe copy.bytes.withUnsafeBytes { bytes -> BatchHeader.Fault? in
            guard let start = bytes.baseAddress else { return nil }
            var walk = unsafe BatchWalk(start, byteCount: bytes.count, header)
            do throws(BatchHeader.Fault) {
                while try unsafe walk.next(into: slot) {
                    guard unsafe body(StoredRecord(slot: unsafe slot)) else { return nil }
                }
            } catch { return error }
            return nil
        }
        if let fault { throw fault }
    }
}

/// A record of a ``StoredBatch``, valid inside of the walk's closure.
@safe struct StoredRecord: ~Copyable {
    private let slot: UnsafeMutablePointer<RecordSlot>

    init(slot: UnsafeMutablePointer<RecordSlot>) { unsafe self.slot = slot }

    var offset: Int64 { unsafe slot.pointee.offset }
    var timestamp: Int64 { unsafe slot.pointee.timestamp }
    var isTombstone: Bool { unsafe slot.pointee.valueCount < 0 }
    var key: RawSpan? {
        @_lifetime(borrow self)
        get {
            guard unsafe slot.pointee.keyCount >= 0 else { return nil }
            return unsafe _overrideLifetime(span(slot.pointee.key, slot.pointee.keyCount), borrowing: self)
        }
    }

    /// Adds a copy to a batch, at the same distance from `base`.
    func append(to batch: inout OpenBatch, base: Int64) {
        let value = unsafe slot.pointee
        let size =
            unsafe Int(max(value.keyCount, 0)) + Int(max(value.valueCount, 0)) + Int(value.headersCount)
            + Int(value.cellCount) + Int(value.lineageHeadersCount) + OpenBatch.overhead
        if batch.count == 0 { batch.length = BatchFormat.headerSize }
        if batch.length + size > batch.capacity { batch.grow(size) }
        var context = TraceContext.none
        if let start = unsafe value.context {
            context =
                unsafe TraceContext(stored: RawSpan(_unsafeStart: start, byteCount: TraceContext.storedSize)) ?? .none
        }
        let gap = unsafe UInt32(clamping: value.offset - base - Int64(batch.nextDelta))
        unsafe batch.append(
            gap: gap,
            OutgoingRecord(
                timestamp: value.timestamp, key: key,
                value: value.valueCount < 0 ? nil : span(value.value, value.valueCount),
                headers: span(value.headers, value.headersCount), context: context,
                cell: span(value.cell, value.cellCount),
                lineageHeaders: span(value.lineageHeaders, value.lineageHeadersCount)))
    }

    @_lifetime(immortal)
    private func span(_ start: UnsafeRawPointer?, _ count: Int32) -> RawSpan {
        guard let start = unsafe start, count > 0 else { return RawSpan.empty }
        return unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: Int(count)), copying: ())
    }
}

extension LogStore {
    /// The offset of the first record of a partition at or after a time; nil if there is none.
    func offset(_ partition: TopicPartition, atOrAfter time: Int64) throws(LogError) -> Int64? {
        let row = try row(of: partition)
        guard let topic = try topic(partition.topic) else { return nil }
        var batch = StoredBatch()
        var from: Int64 = 0
        while true {
            let found = try translating { () throws(LMDBError) in
                try firstBatch(topic.id, partition.partition, from: &from, reaching: time)
            }
            guard let found else { return nil }
            let loaded = try translating { () throws(LMDBError) in
                try batch.load(self, topic.id, partition.partition, atOrAfter: found)
            }
            guard loaded else { return nil }
            var result: Int64?
            do throws(BatchHeader.Fault) {
                try batch.forEach(try batch.header()) { record in
                    if record.timestamp >= time && record.offset >= row.startOffset { result = record.offset }
                    return result == nil
                }
            } catch {
                throw LogError(
                    .corrupt, error.rawValue, topic: partition.topic, partition: partition.partition, offset: batch.base
                )
            }
            if let result { return result }
            from = batch.base + 1
        }
    }

    /// The first batch from an offset on with a record at or after a time, by the headers only.
    ///
    /// Several read transactions.
    private func firstBatch(
        _ topic: UInt32, _ partition: Int32, from: inout Int64, reaching time: Int64
    ) throws(LMDBError) -> Int64? {
        var key = LogKey()
        while true {
            let transaction = try environment.read()
            let cursor = try transaction.cursor(databases.records)
            key.record(topic, partition, from)
            var entry = try cursor.seek(key.bytes)
            for _ in 0..<1000 {
                guard let here = entry, let base = baseOffset(here.key, topic, partition) else { return nil }
                from = base + 1
                if let latest = here.value.integer(at: 36, as: Int64.self), latest >= time { return base }
                entry = try cursor.move(.next)
            }
        }
    }
}
