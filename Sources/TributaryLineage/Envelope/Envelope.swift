public import TributaryCore

/// The stored value: lineage and user headers in front of a payload that is never altered.
///
/// Bytes and vectors: `Docs/Formats.md`, "Stored value". Writing goes into a reused buffer, reading is ``EnvelopeView``:
/// neither allocates.
public enum Envelope {
    /// The first two bytes of every stored value.
    public static let magic: UInt16 = 0xfa4c
    /// The version that is written.
    public static let version: UInt8 = 1

    /// The bytes that a stored value with a timestamp and nothing else takes beside its payload.
    public static let plainSize = 12

    /// Magic and version.
    static let head = UInt32(magic) << 8 | UInt32(version)

    /// Flag: 25 bytes of context follow.
    static let hasContext: UInt8 = 1
    /// Flag: a tracestate follows.
    static let hasTracestate: UInt8 = 2
    /// Flag: a list of headers follows.
    static let hasHeaders: UInt8 = 4
    /// Flag: sections follow.
    static let hasSections: UInt8 = 8
    /// Flag: there is no timestamp.
    static let noTimestamp: UInt8 = 16
    /// Flag: the payload is null.
    static let nullPayload: UInt8 = 32
    /// All the flags of version 1.
    static let allFlags: UInt8 = 63

    /// The kind of the section that holds a cell.
    static let cellKind: UInt64 = 1
    /// The kind of the section that holds the elements of a value of several records.
    static let elementsKind: UInt64 = 2
    /// The kind of the section that says when a grave was dug: 8 bytes, big-endian, ms of the wall clock.
    static let deletionKind: UInt64 = 3

    /// The section of a grave that says when its row was deleted, for `otherSections`.
    public static func appendDeletion(at time: Int64, to writer: inout ByteWriter) {
        writer.append(varint: deletionKind)
        writer.append(varint: 8)
        writer.append(bigEndian: time)
    }

    /// Writes one stored value behind what `writer` holds.
    ///
    /// - Parameters:
    ///   - timestamp: ms since the epoch; nil for none.
    ///   - context: left out unless it is valid.
    ///   - tracestate: the text of the header; empty for none.
    ///   - headers: an encoded list (`Headers`); empty for none.
    ///   - cell: the bytes of a cell without version byte; empty for none.
    ///   - elements: the bytes of the section of elements; empty for none.
    ///   - payload: the value; nil for null (a grave, a versioned tombstone).
    ///   - writer: what the envelope is appended to.
    public static func encode(
        timestamp: Int64?, context: TraceContext, tracestate: RawSpan, headers: RawSpan, cell: RawSpan,
        elements: RawSpan, payload: RawSpan?, into writer: inout ByteWriter
    ) {
        encode(
            timestamp: timestamp, context: context, tracestate: tracestate, headers: headers, cell: cell,
            elements: elements, otherSections: .empty, payload: payload, into: &writer)
    }

    /// Writes one stored value that also keeps sections of unknown kinds, as ``EnvelopeView/copyOtherSections(to:)`` gave them.
    public static func encode(
        timestamp: Int64?, context: TraceContext, tracestate: RawSpan, headers: RawSpan, cell: RawSpan,
        elements: RawSpan, otherSections: RawSpan, payload: RawSpan?, into writer: inout ByteWriter
    ) {
        var flags: UInt8 = 0
        if context.isValid { flags |= hasContext }
        if !tracestate.isEmpty { flags |= hasTracestate }
        if !headers.isEmpty { flags |= hasHeaders }
        if !cell.isEmpty || !elements.isEmpty || !otherSections.isEmpty { flags |= hasSections }
        if timestamp == nil { flags |= noTimestamp }
        if payload == nil { flags |= nullPayload }
        unsafe writer.append(upTo: 4 + 8 + TraceContext.storedSize) { start in
            var cursor = unsafe FieldCursor(start)
            cursor.put(bigEndian: UInt32(magic) << 16 | UInt32(version) << 8 | UInt32(flags))
            if let timestamp { cursor.put(bigEndian: timestamp) }
            if flags & hasContext != 0 {
                cursor.put(bigEndian: context.traceHigh)
                cursor.put(bigEndian: context.traceLow)
                cursor.put(bigEndian: context.span)
                cursor.put(context.flags & TraceContext.standardFlags)
            }
            return unsafe cursor.next - start
        }
        if flags & (hasTracestate | hasHeaders | hasSections) != 0 {
            if flags & (hasTracestate | hasHeaders) == 0 && elements.isEmpty && otherSections.isEmpty {
                // The common shape: one section, a cell of less than 128 bytes or not.
                writer.append(bigEndian: UInt16(1) << 8 | UInt16(cellKind))
                writer.append(varint: UInt64(cell.byteCount))
                writer.append(cell)
            } else {
                encodeRest(tracestate, headers, cell, elements, otherSections, into: &writer)
            }
        }
        if let payload { writer.append(payload) }
    }

    @inline(never)
    private static func encodeRest(
        _ tracestate: RawSpan, _ headers: RawSpan, _ cell: RawSpan, _ elements: RawSpan, _ otherSections: RawSpan,
        into writer: inout ByteWriter
    ) {
        if !tracestate.isEmpty {
            writer.append(varint: UInt64(tracestate.byteCount))
            writer.append(tracestate)
        }
        // An encoded list of headers is the field of the stored value as it is.
        writer.append(headers)
        var count: UInt64 = 0
        if !cell.isEmpty { count += 1 }
        if !elements.isEmpty { count += 1 }
        var others = ByteReader(otherSections)
        while others.remaining > 0, (try? others.varint()) != nil, (try? others.lengthPrefixed()) != nil { count += 1 }
        guard count > 0 else { return }
        writer.append(varint: count)
        if !cell.isEmpty {
            writer.append(varint: cellKind)
            writer.append(varint: UInt64(cell.byteCount))
            writer.append(cell)
        }
        if !elements.isEmpty {
            writer.append(varint: elementsKind)
            writer.append(varint: UInt64(elements.byteCount))
            writer.append(elements)
        }
        writer.append(otherSections)
    }
}

/// Why bytes are not a stored value; the store adds its name and the key.
public struct EnvelopeError: Error, Sendable, Equatable {
    /// What is wrong, as far as a caller must tell apart.
    public enum Code: String, Sendable {
        /// The bytes don't begin with the magic: corruption, in a store that holds envelopes.
        case missingMagic
        /// Written by a newer library: rebuild from the changelog.
        case unknownVersion
        /// The bytes end inside a field, or a length is larger than what is left.
        case truncated
        /// A field has a value that the format does not allow.
        case malformed
    }

    /// What is wrong.
    public let code: Code
    /// Where in the value.
    public let offset: Int
    /// What is wrong, in words.
    public let message: String

    /// Makes an error.
    init(_ code: Code, at offset: Int, _ message: String) {
        self.code = code
        self.offset = offset
        self.message = message
    }

    /// The error of a cell section that is not a cell.
    public init(cell error: MalformedBytes) { self.init(.malformed, at: 0, "the cell: \(error)") }
}
