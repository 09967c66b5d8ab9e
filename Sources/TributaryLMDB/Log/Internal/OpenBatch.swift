internal import TributaryCore
internal import TributaryLineage

/// A batch that is being filled, in memory of its own which whoever holds the value gives back.
@safe struct OpenBatch: BitwiseCopyable {
    var base: UnsafeMutableRawPointer?
    var capacity = 0
    var length = 0
    var count: UInt32 = 0
    var firstTimestamp: Int64 = 0
    var lastTimestamp: Int64 = 0
    var maxTimestamp: Int64 = 0
    /// The offset of the next record without a gap, counted from the batch's base.
    var nextDelta: UInt32 = 0

    init() {}

    /// Room for everything of a record that isn't key, value, cell or headers of either kind: attributes, gap, timestamp, five
    /// lengths, context.
    static let overhead = 1 + 5 + 10 + 5 * 5 + TraceContext.storedSize

    /// Makes sure that `size` more bytes fit.
    @inline(never)
    mutating func grow(_ size: Int) {
        let target = max(length + size, capacity * 2, 4096)
        let next = UnsafeMutableRawPointer.allocate(byteCount: target, alignment: 16)
        if let base = unsafe base {
            unsafe next.copyMemory(from: base, byteCount: length)
            unsafe base.deallocate()
        }
        unsafe base = next
        capacity = target
    }

    /// Forgets the records and keeps the memory.
    mutating func clear() {
        length = 0
        count = 0
        nextDelta = 0
    }

    /// Adds a record to a batch that has some, if `size` bytes are left; returns how many it took, 0 if they are not.
    ///
    /// `size` is ``overhead`` and all bytes of the record.
    @inline(__always)
    mutating func appendIfRoom(_ size: Int, _ record: borrowing OutgoingRecord) -> Int {
        let before = length
        guard count != 0, before &+ size <= capacity else { return 0 }
        append(gap: 0, record)
        return length &- before
    }

    /// Adds a record.
    ///
    /// The caller has made room for ``overhead`` and all bytes of the record.
    @inline(__always)
    mutating func append(gap: UInt32, _ record: borrowing OutgoingRecord) {
        guard let base = unsafe base else { return }
        if count == 0 {
            length = BatchFormat.headerSize
            firstTimestamp = record.timestamp
            lastTimestamp = record.timestamp
            maxTimestamp = record.timestamp
        } else if record.timestamp > maxTimestamp {
            maxTimestamp = record.timestamp
        }
        // Arithmetic below stays within `capacity`, which the caller has compared with the record's size.
        var to = unsafe base + length
        var attributes: UInt8 = 0
        let attributesAt = unsafe to
        unsafe to += 1
        if gap != 0 {
            attributes |= BatchFormat.gap
            unsafe to = putVarint(to, UInt64(gap))
        }
        let delta = record.timestamp &- lastTimestamp
        unsafe to = putVarint(to, UInt64(bitPattern: (delta &<< 1) ^ (delta &>> 63)))
        if let key = record.key {
            unsafe to = putVarint(to, UInt64(key.byteCount))
        } else {
            attributes |= BatchFormat.nullKey
        }
        if let value = record.value {
            unsafe to = putVarint(to, UInt64(value.byteCount))
        } else {
            attributes |= BatchFormat.nullValue
        }
        if record.context != .none {
            attributes |= BatchFormat.context
            unsafe to.storeBytes(of: record.context.traceHigh.bigEndian, as: UInt64.self)
            unsafe to.storeBytes(of: record.context.traceLow.bigEndian, toByteOffset: 8, as: UInt64.self)
            unsafe to.storeBytes(of: record.context.span.bigEndian, toByteOffset: 16, as: UInt64.self)
            unsafe to.storeBytes(
                of: record.context.flags & TraceContext.standardFlags, toByteOffset: 24, as: UInt8.self)
            unsafe to += TraceContext.storedSize
        }
        if !record.cell.isEmpty {
            attributes |= BatchFormat.cell
            unsafe to = put(putVarint(to, UInt64(record.cell.byteCount)), record.cell)
        }
        if !record.lineageHeaders.isEmpty {
            attributes |= BatchFormat.lineageHeaders
            unsafe to = put(putVarint(to, UInt64(record.lineageHeaders.byteCount)), record.lineageHeaders)
        }
        if !record.headers.isEmpty {
            attributes |= BatchFormat.headers
            unsafe to = put(putVarint(to, UInt64(record.headers.byteCount)), record.headers)
        }
        if let key = record.key { unsafe to = put(to, key) }
        if let value = record.value { unsafe to = put(to, value) }
        unsafe attributesAt.storeBytes(of: attributes, as: UInt8.self)
        length = unsafe to - base
        lastTimestamp = record.timestamp
        count &+= 1
        nextDelta &+= gap &+ 1
    }

    /// Writes the header, all but the base offset, and the checksum.
    ///
    /// - Parameters:
    ///   - span: how many offsets the batch stands for, at least one; nil for those up to its last record. Without records
    ///     it only stands for them.
    ///   - deleteHorizon: see ``BatchHeader``.
    mutating func seal(span: UInt32? = nil, deleteHorizon: Int64 = 0) {
        if count == 0 {
            guard span != nil else { return }
            if capacity < BatchFormat.headerSize { grow(BatchFormat.headerSize) }
            length = BatchFormat.headerSize
            firstTimestamp = 0
            maxTimestamp = .min
        }
        guard let base = unsafe base else { return }
        unsafe base.storeBytes(of: BatchFormat.magic.bigEndian, as: UInt16.self)
        unsafe base.storeBytes(of: BatchFormat.version, toByteOffset: 2, as: UInt8.self)
        unsafe base.storeBytes(of: 0, toByteOffset: 3, as: UInt8.self)
        unsafe base.storeBytes(of: ((span ?? nextDelta) &- 1).bigEndian, toByteOffset: 20, as: UInt32.self)
        unsafe base.storeBytes(of: count.bigEndian, toByteOffset: 24, as: UInt32.self)
        unsafe base.storeBytes(of: firstTimestamp.bigEndian, toByteOffset: 28, as: Int64.self)
        unsafe base.storeBytes(of: maxTimestamp.bigEndian, toByteOffset: 36, as: Int64.self)
        unsafe base.storeBytes(of: deleteHorizon.bigEndian, toByteOffset: 44, as: Int64.self)
        let from = BatchFormat.coveredFrom
        let sum = checksum64(unsafe RawSpan(_unsafeStart: base + from, byteCount: length - from))
        unsafe base.storeBytes(of: sum.bigEndian, toByteOffset: BatchFormat.checksumAt, as: UInt64.self)
        setBaseOffset(0)
    }

    /// Writes the base offset.
    func setBaseOffset(_ offset: Int64) {
        unsafe base?.storeBytes(of: offset.bigEndian, toByteOffset: BatchFormat.baseOffsetAt, as: Int64.self)
    }

    /// The bytes; good until the next change.
    var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            guard let base = unsafe base else { return RawSpan.empty }
            return unsafe _overrideLifetime(RawSpan(_unsafeStart: base, byteCount: length), borrowing: self)
        }
    }
}

@inline(__always)
@unsafe private func putVarint(_ to: UnsafeMutableRawPointer, _ value: UInt64) -> UnsafeMutableRawPointer {
    if value < 0x80 {
        unsafe to.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        return unsafe to + 1
    }
    return unsafe putLongVarint(to, value)
}

@inline(never)
@unsafe private func putLongVarint(_ to: UnsafeMutableRawPointer, _ value: UInt64) -> UnsafeMutableRawPointer {
    var at = unsafe to
    var rest = value
    while rest >= 0x80 {
        unsafe at.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
        unsafe at += 1
        rest >>= 7
    }
    unsafe at.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
    return unsafe at + 1
}

@inline(__always)
@unsafe private func put(_ to: UnsafeMutableRawPointer, _ bytes: RawSpan) -> UnsafeMutableRawPointer {
    unsafe bytes.withUnsafeBytes { source in
        if let from = source.baseAddress { unsafe to.copyMemory(from: from, byteCount: source.count) }
    }
    return unsafe to + bytes.byteCount
}
