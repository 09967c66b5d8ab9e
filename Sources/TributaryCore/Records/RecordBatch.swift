/// A record inside a ``RecordBatch``: numbers, and where its bytes lie.
///
/// Made by a log, read through the batch.
@unsafe public struct RecordSlot: BitwiseCopyable {
    /// The record's offset in its partition.
    public var offset: Int64 = 0
    /// The record's timestamp, ms since the epoch; may be negative in logs that take such.
    public var timestamp: Int64 = 0
    /// The key's first byte; ignored where ``keyCount`` is 0 or less.
    public var key: UnsafeRawPointer?
    /// The value's first byte.
    public var value: UnsafeRawPointer?
    /// The encoded header list's first byte (``Headers``), without lineage headers that the log has taken out.
    public var headers: UnsafeRawPointer?
    /// The first of the 25 bytes of the context, or nil if there is none.
    public var context: UnsafeRawPointer?
    /// The first byte of the `tributary-cell` header's value, version byte included.
    public var cell: UnsafeRawPointer?
    /// The first byte of an encoded header list with the rarer lineage headers (`tracestate`, `tributary-elements`).
    public var lineageHeaders: UnsafeRawPointer?
    /// The key's length; -1 for a null key.
    public var keyCount: Int32 = -1
    /// The value's length; -1 for a null value (a tombstone).
    public var valueCount: Int32 = -1
    /// The length of the encoded header list; 0 if there are no headers.
    public var headersCount: Int32 = 0
    /// The length of the `tributary-cell` header's value; 0 if there is none.
    public var cellCount: Int32 = 0
    /// The length of the encoded list of rarer lineage headers; 0 if there are none.
    public var lineageHeadersCount: Int32 = 0

    /// A slot of a record with null key and value.
    public init() {}
}

/// Records of one partition in offset order, with the memory that their bytes lie in.
///
/// A log hands these to one stream thread, which keeps them in a partition buffer until the last record was processed. Views
/// that come out of a batch live as long as the batch.
@safe public final class RecordBatch {
    /// The consumer's number for the partition, from ``LogConsumer/assign(_:from:)``.
    public let assignment: Int
    /// The number of records.
    public let count: Int
    /// The offset after the last record: where the consumer goes on.
    ///
    /// Offsets may have gaps.
    public let nextOffset: Int64
    @usableFromInline let slots: UnsafeMutablePointer<RecordSlot>
    private let release: () -> Void

    /// Makes a batch over slots and bytes that someone else allocated.
    ///
    /// - Parameters:
    ///   - assignment: the number that the consumer gave to the partition.
    ///   - slots: `count` initialised slots, whose pointers stay valid until `release` is called.
    ///   - count: how many records there are.
    ///   - nextOffset: where the consumer goes on after this batch.
    ///   - release: called once when the batch ends; gives back slots and bytes.
    @unsafe public init(
        assignment: Int, slots: UnsafeMutablePointer<RecordSlot>, count: Int, nextOffset: Int64,
        release: @escaping () -> Void
    ) {
        self.assignment = assignment
        unsafe self.slots = slots
        self.count = count
        self.nextOffset = nextOffset
        self.release = release
    }

    deinit { release() }

    @inlinable
    @inline(__always)
    func slot(_ index: Int) -> UnsafeMutablePointer<RecordSlot> {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
        return unsafe slots + index
    }

    /// The offset of record `index`.
    @inlinable public func offset(_ index: Int) -> Int64 { unsafe slot(index).pointee.offset }

    /// The timestamp of record `index`, ms since the epoch.
    @inlinable public func timestamp(_ index: Int) -> Int64 { unsafe slot(index).pointee.timestamp }

    /// The key of record `index`; nil if it is null.
    @inlinable
    @_lifetime(borrow self)
    public func key(_ index: Int) -> RawSpan? {
        let slot = unsafe slot(index)
        guard unsafe slot.pointee.keyCount >= 0 else { return nil }
        return unsafe _overrideLifetime(view(slot.pointee.key, slot.pointee.keyCount), borrowing: self)
    }

    /// The value of record `index`; nil if it is null.
    @inlinable
    @_lifetime(borrow self)
    public func value(_ index: Int) -> RawSpan? {
        let slot = unsafe slot(index)
        guard unsafe slot.pointee.valueCount >= 0 else { return nil }
        return unsafe _overrideLifetime(view(slot.pointee.value, slot.pointee.valueCount), borrowing: self)
    }

    /// The encoded header list of record `index`; empty if it has none.
    @inlinable
    @_lifetime(borrow self)
    public func headers(_ index: Int) -> RawSpan {
        let slot = unsafe slot(index)
        return unsafe _overrideLifetime(view(slot.pointee.headers, slot.pointee.headersCount), borrowing: self)
    }

    /// Whether record `index` has neither headers of its own nor the rarer ones of lineage.
    @inlinable
    public func hasNoHeaders(_ index: Int) -> Bool {
        let slot = unsafe slot(index)
        return unsafe slot.pointee.headersCount | slot.pointee.lineageHeadersCount == 0
    }

    /// The trace context of record `index`; ``TraceContext/none`` if it has none.
    @inlinable
    public func context(_ index: Int) -> TraceContext {
        guard let start = unsafe slot(index).pointee.context else { return .none }
        return unsafe TraceContext(stored: RawSpan(_unsafeStart: start, byteCount: TraceContext.storedSize)) ?? .none
    }

    /// The value of the `tributary-cell` header of record `index`, version byte included; empty if it has none.
    @inlinable
    @_lifetime(borrow self)
    public func cell(_ index: Int) -> RawSpan {
        let slot = unsafe slot(index)
        return unsafe _overrideLifetime(view(slot.pointee.cell, slot.pointee.cellCount), borrowing: self)
    }

    /// The encoded list of the rarer lineage headers of record `index`; empty if it has none.
    @inlinable
    @_lifetime(borrow self)
    public func lineageHeaders(_ index: Int) -> RawSpan {
        let slot = unsafe slot(index)
        return unsafe _overrideLifetime(
            view(slot.pointee.lineageHeaders, slot.pointee.lineageHeadersCount), borrowing: self)
    }

    @inlinable
    @inline(__always)
    @_lifetime(immortal)
    func view(_ start: UnsafeRawPointer?, _ count: Int32) -> RawSpan {
        guard let start = unsafe start, count > 0 else { return RawSpan.empty }
        return unsafe _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: Int(count)), copying: ())
    }
}
