internal import CRdKafka
internal import TributaryCore

/// Messages of one partition and the slots that point into them: what a ``RecordBatch`` owns.
///
/// Keys and values stay where librdkafka put them. Only headers are copied, since a batch has them as an encoded list and
/// those of lineage apart.
@safe final class ConsumedRecords {
    static let capacity = 1000
    private static let chunkSize = 1 << 16

    let messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>
    let slots: UnsafeMutablePointer<RecordSlot>
    /// How many messages were handed over by librdkafka and must be given back.
    var messageCount = 0
    var slotCount = 0
    /// Bytes of keys and values.
    var byteCount = 0

    // Headers lie in chunks that never move; the first is kept for the next batch.
    private var chunks: [UnsafeMutableRawPointer]
    private var chunkUsed = 0
    private var chunkCapacity = 0

    init() {
        unsafe chunks = []
        unsafe messages = .allocate(capacity: Self.capacity)
        unsafe messages.initialize(repeating: nil, count: Self.capacity)
        unsafe slots = .allocate(capacity: Self.capacity)
        let none = unsafe RecordSlot()
        unsafe slots.initialize(repeating: none, count: Self.capacity)
    }

    deinit {
        clear()
        unsafe messages.deallocate()
        unsafe slots.deallocate()
        unsafe chunks.indices.forEach { unsafe chunks[$0].deallocate() }
    }

    /// Gives the messages back to librdkafka and forgets the slots.
    func clear() {
        for index in 0..<messageCount {
            if let message = unsafe messages[index] { unsafe rd_kafka_message_destroy(message) }
        }
        messageCount = 0
        slotCount = 0
        byteCount = 0
        chunkUsed = 0
        guard unsafe chunks.count > 1 || chunkCapacity > Self.chunkSize else { return }
        unsafe chunks.indices.forEach { unsafe chunks[$0].deallocate() }
        unsafe chunks = []
        chunkCapacity = 0
    }

    /// Adds the slot of a message, which must stay in ``messages``.
    @inline(__always)
    func add(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        let slot = unsafe slots + slotCount
        unsafe slot.pointee = unsafe RecordSlot()
        unsafe slot.pointee.offset = message.pointee.offset
        unsafe slot.pointee.timestamp = rd_kafka_message_timestamp(message, nil)
        if let key = unsafe message.pointee.key {
            unsafe slot.pointee.key = UnsafeRawPointer(key)
            unsafe slot.pointee.keyCount = Int32(truncatingIfNeeded: message.pointee.key_len)
            unsafe byteCount &+= message.pointee.key_len
        }
        if let value = unsafe message.pointee.payload {
            unsafe slot.pointee.value = UnsafeRawPointer(value)
            unsafe slot.pointee.valueCount = Int32(truncatingIfNeeded: message.pointee.len)
            unsafe byteCount &+= message.pointee.len
        }
        slotCount &+= 1
        var headers: OpaquePointer?
        if unsafe rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR,
            let headers = unsafe headers
        {
            unsafe addHeaders(headers, to: slot)
        }
    }

    // MARK: Headers

    private enum Role {
        case user
        case context
        case cell
        case extra
    }

    @safe private struct Header {
        var name: UnsafePointer<CChar>
        var nameCount: Int
        var value: UnsafeRawPointer?
        var count: Int

        var role: Role {
            // Almost no header of a user begins like one of lineage.
            guard unsafe name[0] | 0x20 == 0x74 else { return .user }
            let text = unsafe UnsafeRawPointer(name)
            switch nameCount {
            case 11 where unsafe Header.isSame(text, HeaderKeys.traceparent): return .context
            case 14 where unsafe Header.isEqual(text, HeaderKeys.cell): return .cell
            case 10 where unsafe Header.isSame(text, HeaderKeys.tracestate): return .extra
            case 18 where unsafe Header.isEqual(text, HeaderKeys.elements): return .extra
            default: return .user
            }
        }

        @unsafe private static func isEqual(_ text: UnsafeRawPointer, _ key: HeaderKeys.Key) -> Bool {
            unsafe RawSpan(_unsafeStart: text, byteCount: key.count)
                .isEqual(to: RawSpan(_unsafeStart: key.text, byteCount: key.count))
        }

        // W3C's names, which are small letters alone, count in any case.
        @unsafe private static func isSame(_ text: UnsafeRawPointer, _ key: HeaderKeys.Key) -> Bool {
            let name = unsafe RawSpan(_unsafeStart: text, byteCount: key.count)
            let wanted = unsafe RawSpan(_unsafeStart: key.text, byteCount: key.count)
            for offset in 0..<key.count where (name.byte(at: offset) ?? 0) | 0x20 != wanted.byte(at: offset) {
                return false
            }
            return true
        }

        /// How many bytes it takes in an encoded list.
        var encodedSize: Int {
            varintSize(UInt64(nameCount)) + nameCount
                + (unsafe value == nil ? 1 : varintSize(UInt64(count) + 1) + count)
        }
    }

    @unsafe private func header(_ headers: OpaquePointer, _ index: Int) -> Header? {
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        guard
            unsafe rd_kafka_header_get_all(headers, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR,
            let name = unsafe name
        else { return nil }
        var length = 0
        while unsafe name[length] != 0 { length &+= 1 }
        return unsafe Header(name: name, nameCount: length, value: value, count: size)
    }

    @inline(never)
    @unsafe private func addHeaders(_ headers: OpaquePointer, to slot: UnsafeMutablePointer<RecordSlot>) {
        let count = unsafe rd_kafka_header_cnt(headers)
        var users = (count: 0, bytes: 0)
        var lineageHeaders = (count: 0, bytes: 0)
        for index in 0..<count {
            guard let header = unsafe header(headers, index) else { continue }
            switch header.role {
            case .user:
                users.count += 1
                users.bytes += header.encodedSize
            case .extra:
                lineageHeaders.count += 1
                lineageHeaders.bytes += header.encodedSize
            case .cell:
                unsafe slot.pointee.cell = header.value
                unsafe slot.pointee.cellCount = header.value == nil ? 0 : Int32(truncatingIfNeeded: header.count)
            case .context: unsafe setContext(header, of: slot)
            }
        }
        if users.count > 0 {
            let size = users.bytes + varintSize(UInt64(users.count))
            unsafe slot.pointee.headers = UnsafeRawPointer(write(headers, count, .user, users.count, size))
            unsafe slot.pointee.headersCount = Int32(truncatingIfNeeded: size)
        }
        if lineageHeaders.count > 0 {
            let size = lineageHeaders.bytes + varintSize(UInt64(lineageHeaders.count))
            unsafe slot.pointee.lineageHeaders = UnsafeRawPointer(
                write(headers, count, .extra, lineageHeaders.count, size))
            unsafe slot.pointee.lineageHeadersCount = Int32(truncatingIfNeeded: size)
        }
    }

    // The last one counts, and one that W3C calls invalid is none.
    @unsafe private func setContext(_ header: Header, of slot: UnsafeMutablePointer<RecordSlot>) {
        unsafe slot.pointee.context = nil
        guard let start = unsafe header.value,
            let context = unsafe TraceContext(traceparent: RawSpan(_unsafeStart: start, byteCount: header.count))
        else { return }
        let stored = unsafe room(TraceContext.storedSize)
        unsafe stored.storeBytes(of: context.traceHigh.bigEndian, as: UInt64.self)
        unsafe stored.storeBytes(of: context.traceLow.bigEndian, toByteOffset: 8, as: UInt64.self)
        unsafe stored.storeBytes(of: context.span.bigEndian, toByteOffset: 16, as: UInt64.self)
        unsafe stored.storeBytes(of: context.flags, toByteOffset: 24, as: UInt8.self)
        unsafe slot.pointee.context = UnsafeRawPointer(stored)
    }

    @unsafe private func write(
        _ headers: OpaquePointer, _ count: Int, _ role: Role, _ number: Int, _ size: Int
    ) -> UnsafeMutableRawPointer {
        let start = unsafe room(size)
        var at = unsafe ConsumedRecords.write(UInt64(number), to: start)
        for index in 0..<count {
            guard let header = unsafe header(headers, index), header.role == role else { continue }
            unsafe at = ConsumedRecords.write(UInt64(header.nameCount), to: at)
            unsafe at.copyMemory(from: header.name, byteCount: header.nameCount)
            unsafe at += header.nameCount
            guard let value = unsafe header.value else {
                unsafe at = ConsumedRecords.write(0, to: at)
                continue
            }
            unsafe at = ConsumedRecords.write(UInt64(header.count) + 1, to: at)
            unsafe at.copyMemory(from: value, byteCount: header.count)
            unsafe at += header.count
        }
        return unsafe start
    }

    @unsafe private static func write(_ varint: UInt64, to start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        var at = unsafe start
        var left = varint
        while left >= 0x80 {
            unsafe at.storeBytes(of: UInt8(truncatingIfNeeded: left) | 0x80, as: UInt8.self)
            unsafe at += 1
            left >>= 7
        }
        unsafe at.storeBytes(of: UInt8(truncatingIfNeeded: left), as: UInt8.self)
        return unsafe at + 1
    }

    @unsafe private func room(_ size: Int) -> UnsafeMutableRawPointer {
        if unsafe chunks.isEmpty || chunkCapacity - chunkUsed < size {
            chunkCapacity = max(Self.chunkSize, size)
            chunkUsed = 0
            unsafe chunks.append(.allocate(byteCount: chunkCapacity, alignment: 8))
        }
        defer { chunkUsed += size }
        return unsafe chunks[chunks.count - 1] + chunkUsed
    }
}

/// The names of lineage's headers, as librdkafka takes and gives them.
@safe enum HeaderKeys {
    @safe struct Key: @unchecked Sendable {
        let text: UnsafePointer<CChar>
        let count: Int

        // Made once for the life of the process.
        init(_ name: String) {
            let bytes = Array(name.utf8)
            let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
            for (index, byte) in bytes.enumerated() { unsafe copy[index] = CChar(bitPattern: byte) }
            unsafe copy[bytes.count] = 0
            unsafe text = UnsafePointer(copy)
            count = bytes.count
        }
    }

    static let traceparent = Key("traceparent")
    static let tracestate = Key("tracestate")
    static let cell = Key("tributary-cell")
    static let elements = Key("tributary-elements")
}

/// Memory of ended batches, for the next ones; batches may end on any thread.
final class ConsumedPool: Sendable {
    // Objects that nobody else has while they lie here.
    private struct Free: @unchecked Sendable { var list: [ConsumedRecords] = [] }
    private struct Handed: @unchecked Sendable { let records: ConsumedRecords? }
    private let free = Guarded(Free())

    func take() -> ConsumedRecords {
        free.withLock { free in Handed(records: free.list.popLast()) }.records ?? ConsumedRecords()
    }

    func give(_ records: ConsumedRecords) {
        records.clear()
        let handed = Handed(records: records)
        free.withLock { free in
            if let records = handed.records, free.list.count < 8 { free.list.append(records) }
        }
    }
}
