internal import TributaryCore
internal import TributaryLineage

/// The layout of a stored batch; `Docs/Formats.md` has it byte by byte, with vectors.
enum BatchFormat {
    static let magic: UInt16 = 0xfa42
    static let version: UInt8 = 1
    static let baseOffsetAt = 4
    static let checksumAt = 12
    /// What the checksum covers begins here; the base offset before it is proven by the key.
    static let coveredFrom = 20
    static let headerSize = 52
    /// A record has at least its attributes and a timestamp.
    static let smallestRecord = 2

    // Attributes of a record.
    static let context: UInt8 = 1
    static let cell: UInt8 = 2
    static let lineageHeaders: UInt8 = 4
    static let headers: UInt8 = 8
    static let nullKey: UInt8 = 16
    static let nullValue: UInt8 = 32
    static let gap: UInt8 = 64
    static let unknown: UInt8 = 128
}

/// The fixed fields at the front of a batch.
struct BatchHeader: BitwiseCopyable {
    var baseOffset: Int64 = 0
    var lastOffsetDelta: UInt32 = 0
    var count: UInt32 = 0
    var baseTimestamp: Int64 = 0
    var maxTimestamp: Int64 = 0
    /// When tombstones in here may go, ms since the epoch; 0 as long as no compaction has seen them.
    var deleteHorizon: Int64 = 0
    /// What the batch says its checksum is.
    var checksum: UInt64 = 0

    /// The offset after the last one that this batch stands for.
    var endOffset: Int64 { baseOffset &+ Int64(lastOffsetDelta) &+ 1 }

    /// What is wrong with a batch.
    enum Fault: String, Error {
        case short = "the batch is cut short"
        case magic = "the batch has no magic number"
        case version = "the batch has an unknown version"
        case base = "the batch's base offset is not its key's"
        case checksum = "the batch's checksum is wrong"
        case fields = "the batch's fields contradict each other"
        case record = "a record in the batch is malformed"
        case hole = "records are missing"
    }

    /// Reads the header, without the checksum being checked.
    init(_ bytes: RawSpan, key base: Int64) throws(Fault) {
        guard bytes.byteCount >= BatchFormat.headerSize else { throw .short }
        guard bytes.integer(at: 0, as: UInt16.self) == BatchFormat.magic else { throw .magic }
        guard bytes.byte(at: 2) == BatchFormat.version, bytes.byte(at: 3) == 0 else { throw .version }
        baseOffset = bytes.integer(at: 4, as: Int64.self) ?? -1
        checksum = bytes.integer(at: 12, as: UInt64.self) ?? 0
        lastOffsetDelta = bytes.integer(at: 20, as: UInt32.self) ?? 0
        count = bytes.integer(at: 24, as: UInt32.self) ?? 0
        baseTimestamp = bytes.integer(at: 28, as: Int64.self) ?? 0
        maxTimestamp = bytes.integer(at: 36, as: Int64.self) ?? 0
        deleteHorizon = bytes.integer(at: 44, as: Int64.self) ?? 0
        guard baseOffset == base else { throw .base }
        let room = bytes.byteCount - BatchFormat.headerSize
        guard base >= 0, base <= Int64.max - (1 << 33), Int(count) <= room / BatchFormat.smallestRecord,
            Int64(count) <= Int64(lastOffsetDelta) + 1
        else { throw .fields }
    }

    /// Reads the header and checks that every other byte is what was written.
    init(checking bytes: RawSpan, key base: Int64) throws(Fault) {
        try self.init(bytes, key: base)
        guard checksum64(bytes.dropping(BatchFormat.coveredFrom)) == checksum else { throw .checksum }
    }
}

/// Walks over the records of a batch whose checksum was right; every length is checked all the same.
@safe struct BatchWalk {
    private let base: UnsafeRawPointer
    private let end: Int
    private var at = BatchFormat.headerSize
    private var left: UInt32
    private var nextOffset: Int64
    private var timestamp: Int64
    private let lastOffset: Int64

    /// Begins before the first record; the bytes must stay as long as the walk and the slots it fills.
    init(_ base: UnsafeRawPointer, byteCount: Int, _ header: BatchHeader) {
        unsafe self.base = base
        end = byteCount
        left = header.count
        nextOffset = header.baseOffset
        timestamp = header.baseTimestamp
        lastOffset = header.endOffset - 1
    }

    /// How many bytes have been walked over.
    var position: Int { at }

    @inline(__always)
    private mutating func varint() throws(BatchHeader.Fault) -> UInt64 {
        guard at < end else { throw .record }
        let first = unsafe base.load(fromByteOffset: at, as: UInt8.self)
        at &+= 1
        return first < 0x80 ? UInt64(first) : try longVarint(UInt64(first & 0x7f))
    }

    @inline(never)
    private mutating func longVarint(_ low: UInt64) throws(BatchHeader.Fault) -> UInt64 {
        var value = low
        var shift: UInt64 = 7
        while at < end, shift < 64 {
            let next = unsafe base.load(fromByteOffset: at, as: UInt8.self)
            at &+= 1
            if shift == 63 && next > 1 { throw .record }
            value |= UInt64(next & 0x7f) &<< shift
            if next < 0x80 { return value }
            shift &+= 7
        }
        throw .record
    }

    @inline(__always)
    private mutating func length() throws(BatchHeader.Fault) -> Int32 {
        let length = try varint()
        guard length <= UInt64(Int32.max) else { throw .record }
        return Int32(truncatingIfNeeded: length)
    }

    @inline(__always)
    private mutating func take(_ count: Int32) throws(BatchHeader.Fault) -> UnsafeRawPointer {
        guard Int(count) <= end &- at else { throw .record }
        let start = unsafe base + at
        at &+= Int(count)
        return unsafe start
    }

    /// Fills the slot with the next record; returns false at the end.
    @inline(__always)
    mutating func next(into slot: UnsafeMutablePointer<RecordSlot>) throws(BatchHeader.Fault) -> Bool {
        if left == 0 {
            guard at == end else { throw .record }
            return false
        }
        left &-= 1
        guard at < end else { throw .record }
        let attributes = unsafe base.load(fromByteOffset: at, as: UInt8.self)
        at &+= 1
        guard attributes & BatchFormat.unknown == 0 else { throw .record }
        if attributes & BatchFormat.gap != 0 {
            let gap = try varint()
            guard gap <= UInt64(UInt32.max) else { throw .record }
            nextOffset &+= Int64(gap)
        }
        guard nextOffset <= lastOffset else { throw .record }
        let delta = try varint()
        timestamp &+= Int64(bitPattern: delta &>> 1) ^ -Int64(bitPattern: delta & 1)
        unsafe slot.initialize(to: RecordSlot())
        unsafe slot.pointee.offset = nextOffset
        unsafe slot.pointee.timestamp = timestamp
        nextOffset &+= 1
        let keyCount = attributes & BatchFormat.nullKey == 0 ? try length() : -1
        let valueCount = attributes & BatchFormat.nullValue == 0 ? try length() : -1
        if attributes & 15 != 0 { try unsafe lineageAndHeaders(attributes, slot) }
        if keyCount >= 0 { unsafe slot.pointee.key = try take(keyCount) }
        if valueCount >= 0 { unsafe slot.pointee.value = try take(valueCount) }
        unsafe slot.pointee.keyCount = keyCount
        unsafe slot.pointee.valueCount = valueCount
        return true
    }

    private mutating func lineageAndHeaders(
        _ attributes: UInt8, _ slot: UnsafeMutablePointer<RecordSlot>
    ) throws(BatchHeader.Fault) {
        if attributes & BatchFormat.context != 0 {
            unsafe slot.pointee.context = try take(Int32(TraceContext.storedSize))
        }
        if attributes & BatchFormat.cell != 0 {
            let count = try length()
            unsafe slot.pointee.cell = try take(count)
            unsafe slot.pointee.cellCount = count
        }
        if attributes & BatchFormat.lineageHeaders != 0 {
            let count = try length()
            unsafe slot.pointee.lineageHeaders = try list(count)
            unsafe slot.pointee.lineageHeadersCount = count
        }
        if attributes & BatchFormat.headers != 0 {
            let count = try length()
            unsafe slot.pointee.headers = try list(count)
            unsafe slot.pointee.headersCount = count
        }
    }

    private mutating func list(_ count: Int32) throws(BatchHeader.Fault) -> UnsafeRawPointer {
        let start = try unsafe take(count)
        let span = unsafe RawSpan(_unsafeStart: start, byteCount: Int(count))
        do throws(MalformedBytes) { try Headers.validate(span) } catch { throw .record }
        return unsafe start
    }
}
