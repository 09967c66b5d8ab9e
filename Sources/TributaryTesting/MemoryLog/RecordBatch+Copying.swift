public import TributaryCore

extension RecordBatch {
    /// Makes a batch with copies of records.
    ///
    /// - Parameters:
    ///   - records: by their offsets; none for a batch that only says where to read on.
    ///   - assignment: the consumer's number of the partition.
    ///   - nextOffset: where to read on; nil for the offset after the last record, or 0 if there is none.
    public convenience init(copying records: [LoggedRecord], assignment: Int, nextOffset: Int64? = nil) {
        var writer = BatchBytes(records)
        let slots = UnsafeMutablePointer<RecordSlot>.allocate(capacity: max(records.count, 1))
        for (index, record) in records.enumerated() {
            var slot = unsafe RecordSlot()
            unsafe slot.offset = record.offset
            unsafe slot.timestamp = record.timestamp
            if let key = record.key {
                unsafe (slot.key, slot.keyCount) = writer.append(key)
            }
            if let value = record.value {
                unsafe (slot.value, slot.valueCount) = writer.append(value)
            }
            unsafe (slot.headers, slot.headersCount) = writer.append(record.headers.encoded)
            if record.context != .none {
                var context = ByteWriter(capacity: TraceContext.storedSize)
                record.context.store(into: &context)
                unsafe slot.context = writer.append(context.copy()).0
            }
            unsafe (slot.cell, slot.cellCount) = writer.append(record.cell)
            unsafe (slot.lineageHeaders, slot.lineageHeadersCount) = writer.append(record.lineageHeaders.encoded)
            unsafe (slots + index).initialize(to: slot)
        }
        let base = unsafe writer.base
        unsafe self.init(
            assignment: assignment, slots: slots, count: records.count,
            nextOffset: nextOffset ?? (records.last?.offset ?? -1) + 1,
            release: {
                unsafe slots.deallocate()
                unsafe base.deallocate()
            })
    }
}

/// The memory of one batch, sized beforehand and filled front to back.
@safe private struct BatchBytes {
    let base: UnsafeMutableRawPointer
    private let capacity: Int
    private var count = 0

    init(_ records: [LoggedRecord]) {
        capacity = records.reduce(0) { $0 + $1.byteCount }
        unsafe base = .allocate(byteCount: max(capacity, 1), alignment: 8)
    }

    mutating func append(_ bytes: [UInt8]) -> (UnsafeRawPointer?, Int32) {
        precondition(bytes.count <= capacity - count)
        let start = unsafe base + count
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress { unsafe start.copyMemory(from: from, byteCount: source.count) }
        }
        count += bytes.count
        return (UnsafeRawPointer(start), Int32(bytes.count))
    }
}
