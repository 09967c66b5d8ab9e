internal import TributaryCore
internal import TributaryLineage

/// The record that something in a buffer came with, as Kafka Streams' changelogs of buffers have it (Docs/Formats.md): timestamp, offset, topic,
/// partition, headers.
enum BufferedContext {
    struct Fields {
        var timestamp: Int64
        var offset: Int64
        var topic: String
        var partition: Int32
    }

    static func append(
        timestamp: Int64, origin: RecordOrigin, topic: String?, headers: RawSpan, to writer: inout ByteWriter
    ) {
        writer.append(bigEndian: timestamp)
        writer.append(bigEndian: origin.offset)
        let place = writer.appendZeros(4)
        let start = writer.count
        if let topic { writer.append(utf8: topic) }
        writer.overwrite(at: place, bigEndian: UInt32(truncatingIfNeeded: writer.count - start))
        writer.append(bigEndian: origin.partition)
        let countPlace = writer.appendZeros(4)
        var count: UInt32 = 0
        Headers.forEach(in: headers) { name, value, isNull in
            count &+= 1
            writer.append(bigEndian: Int32(truncatingIfNeeded: name.byteCount))
            writer.append(name)
            writer.append(bigEndian: isNull ? -1 : Int32(truncatingIfNeeded: value.byteCount))
            writer.append(value)
        }
        writer.overwrite(at: countPlace, bigEndian: count)
    }

    /// Reads the fields, and the headers as an encoded list into `headers`: nothing for none.
    static func read(
        _ reader: inout ByteReader, headers: inout ByteWriter
    ) throws(MalformedBytes) -> Fields {
        let timestamp = try reader.integer(Int64.self)
        let offset = try reader.integer(Int64.self)
        var topic = ""
        if let name = try sized(&reader) {
            topic = String(strictUTF8: name) ?? String(decoding: [UInt8](copying: name), as: UTF8.self)
        }
        let partition = try reader.integer(Int32.self)
        let at = reader.offset
        let count = try reader.integer(Int32.self)
        guard count <= reader.remaining else { throw .badLength(offset: at, length: UInt64(count)) }
        headers.removeAll()
        if count > 0 {
            headers.append(varint: UInt64(count))
            for _ in 0..<count {
                guard let name = try sized(&reader) else {
                    throw .badValue(offset: reader.offset, what: "a header without a name")
                }
                headers.append(varint: UInt64(name.byteCount))
                headers.append(name)
                if let value = try sized(&reader) {
                    headers.append(varint: UInt64(value.byteCount) + 1)
                    headers.append(value)
                } else {
                    headers.append(varint: 0)
                }
            }
        }
        return Fields(timestamp: timestamp, offset: offset, topic: topic, partition: partition)
    }

    /// Bytes behind their length of 4 bytes; nil for -1.
    @_lifetime(copy reader)
    static func sized(_ reader: inout ByteReader) throws(MalformedBytes) -> RawSpan? {
        let at = reader.offset
        let length = try reader.integer(Int32.self)
        if length == -1 { return nil }
        guard length >= 0, Int(length) <= reader.remaining else {
            throw .badLength(offset: at, length: UInt64(bitPattern: Int64(length)))
        }
        return try reader.span(Int(length))
    }
}

/// Where the values of a buffered change lie: the one before the first that was buffered, the replaced one, the new one.
struct BufferedChange: BitwiseCopyable {
    private var priorStart = -1
    private var priorEnd = -1
    private var oldStart = -1
    private var oldEnd = -1
    private var newStart = -1
    private var newEnd = -1
    /// Where what follows the values begins.
    private(set) var end = 0

    var prior: Range<Int>? { priorStart < 0 ? nil : priorStart..<priorEnd }
    var old: Range<Int>? { oldStart < 0 ? nil : oldStart..<oldEnd }
    var new: Range<Int>? { newStart < 0 ? nil : newStart..<newEnd }

    /// Finds the values in the bytes of a change.
    init(_ bytes: RawSpan) throws(MalformedBytes) {
        var reader = ByteReader(bytes)
        if let size = try BufferedContext.sized(&reader)?.byteCount {
            (priorStart, priorEnd) = (reader.offset - size, reader.offset)
        }
        if bytes.integer(at: reader.offset, as: Int32.self) == BufferedChange.sameAsPrior {
            _ = try reader.integer(Int32.self)
            (oldStart, oldEnd) = (priorStart, priorEnd)
        } else if let size = try BufferedContext.sized(&reader)?.byteCount {
            (oldStart, oldEnd) = (reader.offset - size, reader.offset)
        }
        if let size = try BufferedContext.sized(&reader)?.byteCount {
            (newStart, newEnd) = (reader.offset - size, reader.offset)
        }
        end = reader.offset
    }

    private static var sameAsPrior: Int32 { -2 }

    /// Writes a change; returns how many bytes of values are in it.
    static func append(prior: RawSpan?, old: RawSpan?, new: RawSpan?, to writer: inout ByteWriter) -> Int {
        var size = append(prior, to: &writer)
        if let prior, let old, prior.isEqual(to: old) {
            writer.append(bigEndian: sameAsPrior)
        } else {
            size += append(old, to: &writer)
        }
        return size + append(new, to: &writer)
    }

    private static func append(_ value: RawSpan?, to writer: inout ByteWriter) -> Int {
        guard let value else {
            writer.append(bigEndian: -1 as Int32)
            return 0
        }
        writer.append(bigEndian: Int32(truncatingIfNeeded: value.byteCount))
        writer.append(value)
        return value.byteCount
    }
}
