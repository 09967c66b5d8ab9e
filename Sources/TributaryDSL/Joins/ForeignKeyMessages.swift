public import TributaryCore

/// The hash of a left row's value, by which an answer is known to be for that value; nil for no row.
@usableFromInline
struct RowHash: Equatable, BitwiseCopyable {
    @usableFromInline var high: UInt64
    @usableFromInline var low: UInt64

    /// Hashes a value's bytes.
    @usableFromInline
    init(of bytes: RawSpan) { (high, low) = murmur3(bytes) }

    fileprivate init(_ reader: inout ByteReader) throws(MalformedBytes) {
        high = try reader.integer(UInt64.self)
        low = try reader.integer(UInt64.self)
    }

    fileprivate func write(into writer: inout ByteWriter) {
        writer.append(bigEndian: high)
        writer.append(bigEndian: low)
    }

    fileprivate static let isMissing: UInt8 = 0x80
}

/// What a left row tells the right table in a join by foreign key (layout: Kafka Streams' `SubscriptionWrapper`, `Docs/Formats.md`).
@usableFromInline
struct Subscription: ~Escapable {
    /// What is to be done.
    @usableFromInline
    enum Instruction: UInt8 {
        /// Forget the subscription.
        case delete = 0
        /// Forget it, and answer that there is no row.
        case deleteAndAnswer = 1
        /// Note it, and answer with the row or with none.
        case answer = 2
        /// Note it, and answer if there is a row.
        case answerIfThere = 3
    }

    let instruction: Instruction
    let hash: RowHash?
    /// The left row's key.
    let key: RawSpan
    /// The left row's partition; nil in records of Kafka Streams before 3.3.
    let partition: Int32?

    private static let version: UInt8 = 1

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        let head = try reader.byte()
        let version = head & ~RowHash.isMissing
        guard version <= Self.version, let instruction = Instruction(rawValue: try reader.byte()) else {
            throw .badValue(offset: 0, what: "no subscription of a join")
        }
        self.instruction = instruction
        hash = head & RowHash.isMissing != 0 ? nil : try RowHash(&reader)
        let size = reader.remaining - (version == 0 ? 0 : 4)
        guard size >= 0 else { throw .truncated(offset: reader.offset) }
        key = try reader.span(size)
        partition = version == 0 ? nil : try reader.integer(Int32.self)
    }

    @usableFromInline
    static func write(
        _ instruction: Instruction, _ hash: RowHash?, key: RawSpan, partition: Int32, into writer: inout ByteWriter
    ) {
        writer.append(version | (hash == nil ? RowHash.isMissing : 0))
        writer.append(instruction.rawValue)
        hash?.write(into: &writer)
        writer.append(key)
        writer.append(bigEndian: partition)
    }
}

/// What the right table answers (layout: Kafka Streams' `SubscriptionResponseWrapper`, `Docs/Formats.md`).
@usableFromInline
struct SubscriptionAnswer: ~Escapable {
    /// The hash of the left value that it is for.
    @usableFromInline let hash: RowHash?
    /// The right row's value; nil if there is none.
    @usableFromInline let value: RawSpan?

    @usableFromInline
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        let head = try reader.byte()
        guard head & ~RowHash.isMissing == 0 else { throw .badValue(offset: 0, what: "no answer of a join") }
        hash = head & RowHash.isMissing != 0 ? nil : try RowHash(&reader)
        value = reader.remaining == 0 ? nil : try reader.span(reader.remaining)
    }

    static func write(_ hash: RowHash?, _ value: RawSpan?, into writer: inout ByteWriter) {
        writer.append(hash == nil ? RowHash.isMissing : 0 as UInt8)
        hash?.write(into: &writer)
        if let value { writer.append(value) }
    }
}
