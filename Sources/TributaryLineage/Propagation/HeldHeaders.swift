internal import TributaryCore

/// The headers on the propagation list that belong to one record: its own, and those of rows that it read.
///
/// What a record's outputs and writes lack of them is added: the record's own value of a name wins, then that of the first row
/// that was read, with all its values in order. A name is on the list in any case of its letters; two spellings are two headers.
///
/// They go with the record's coordinate, so that nothing of them reaches what another record led to: neither a cache's flush nor
/// a punctuation. Used by one thread.
final class HeldHeaders {
    /// What is held, kept while a flush has headers of its own.
    struct Saved {
        fileprivate var owner: RecordOrigin
        fileprivate var count: Int
        fileprivate var bytes: [UInt8]
    }

    private let names: [[UInt8]]
    private let limit: Int
    /// How often a header didn't fit into what a row or record may have.
    private(set) var leftOut: Int64 = 0
    private var owner = RecordOrigin.none
    // Encoded headers without the count before them.
    private var count = 0
    private let held = ByteBuffer(capacity: 256)
    private let scratch = ByteBuffer(capacity: 256)
    private let result = ByteBuffer(capacity: 256)

    init(_ names: [[UInt8]], limit: Int) {
        self.names = names
        self.limit = limit
    }

    /// A record begins: it holds its own headers.
    func begin(_ origin: RecordOrigin, _ headers: RawSpan) {
        owner = origin
        count = 0
        held.writer.removeAll()
        add(headers, to: origin)
    }

    /// Holds those of a row that a record read, as far as it has none of the same name.
    func add(_ headers: RawSpan, to origin: RecordOrigin) {
        guard !headers.isEmpty, origin.offset >= 0 else { return }
        if origin != owner {
            owner = origin
            count = 0
            held.writer.removeAll()
        }
        scratch.writer.removeAll()
        var more = 0
        Headers.forEach(in: headers) { marked, value, isNull in
            let name = HeldHeaders.unmarked(marked)
            guard isListed(name), !HeldHeaders.contains(name, in: held.bytes) else { return }
            guard fits(name, value, beside: held.count + scratch.count) else { return }
            HeldHeaders.append(name, value, isNull, to: &scratch.writer)
            more += 1
        }
        held.writer.append(scratch.bytes)
        count += more
    }

    /// A record's headers with those held for it that it lacks; the view ends with the next call.
    @_lifetime(copy headers)
    func merged(_ headers: RawSpan, of origin: RecordOrigin, marksAdded: Bool = false) -> RawSpan {
        guard count > 0, origin.offset >= 0, origin == owner else { return headers }
        scratch.writer.removeAll()
        var total = 0
        Headers.forEach(in: headers) { name, value, isNull in
            HeldHeaders.append(name, value, isNull, to: &scratch.writer)
            total += 1
        }
        let own = total
        HeldHeaders.forEach(in: held.bytes) { name, value, isNull in
            var isThere = false
            Headers.forEach(in: headers) { other, _, _ in if other.isEqual(to: name) { isThere = true } }
            guard !isThere else { return }
            let mark = marksAdded ? HeldHeaders.mark.count : 0
            HeldHeaders.append(name, value, isNull, to: &scratch.writer, mark: mark)
            total += 1
        }
        guard total > own else { return headers }
        return listed(total)
    }

    /// A list without the headers in it that came from rows; the view ends with the next call.
    @_lifetime(copy headers)
    func own(_ headers: RawSpan) -> RawSpan {
        var hasMarked = false
        Headers.forEach(in: headers) { name, _, _ in if HeldHeaders.isMarked(name) { hasMarked = true } }
        guard hasMarked else { return headers }
        scratch.writer.removeAll()
        var total = 0
        Headers.forEach(in: headers) { name, value, isNull in
            guard !HeldHeaders.isMarked(name) else { return }
            HeldHeaders.append(name, value, isNull, to: &scratch.writer)
            total += 1
        }
        return total > 0 ? listed(total) : RawSpan.empty
    }

    /// A list in which those that came from rows have their own names; the view ends with the next call.
    @_lifetime(immortal)
    func plain(_ headers: RawSpan) -> RawSpan {
        scratch.writer.removeAll()
        var total = 0
        Headers.forEach(in: headers) { name, value, isNull in
            HeldHeaders.append(HeldHeaders.unmarked(name), value, isNull, to: &scratch.writer)
            total += 1
        }
        return total > 0 ? listed(total) : RawSpan.empty
    }

    private static let mark = Array(HeaderNames.passed.utf8)

    private static func isMarked(_ name: RawSpan) -> Bool { name.hasPrefix(unsafe mark.span.bytes) }

    @_lifetime(copy name)
    private static func unmarked(_ name: RawSpan) -> RawSpan { isMarked(name) ? name.dropping(mark.count) : name }

    /// Those of a list that are on the propagation list; the view ends with the next call.
    @_lifetime(immortal)
    func listed(of headers: RawSpan) -> RawSpan {
        scratch.writer.removeAll()
        var total = 0
        Headers.forEach(in: headers) { marked, value, isNull in
            let name = HeldHeaders.unmarked(marked)
            guard isListed(name), fits(name, value, beside: scratch.count) else { return }
            HeldHeaders.append(name, value, isNull, to: &scratch.writer)
            total += 1
        }
        return total > 0 ? listed(total) : RawSpan.empty
    }

    /// What is held, to be given back after a flush.
    func save() -> Saved { Saved(owner: owner, count: count, bytes: held.writer.copy()) }

    /// Holds what was held before.
    func restore(_ saved: Saved) {
        owner = saved.owner
        count = saved.count
        held.writer.removeAll()
        held.writer.append(saved.bytes)
    }

    @_lifetime(immortal)
    private func listed(_ total: Int) -> RawSpan {
        result.writer.removeAll()
        result.writer.append(varint: UInt64(total))
        result.writer.append(scratch.bytes)
        return result.bytes
    }

    private func fits(_ name: RawSpan, _ value: RawSpan, beside bytes: Int) -> Bool {
        if name.byteCount + value.byteCount <= limit - bytes { return true }
        leftOut += 1
        return false
    }

    private func isListed(_ name: RawSpan) -> Bool {
        names.contains { listed in
            guard listed.count == name.byteCount else { return false }
            for index in 0..<listed.count {
                guard let byte = name.byte(at: index) else { return false }
                let lower = 0x41...0x5a ~= byte ? byte | 0x20 : byte
                if lower != listed[index] { return false }
            }
            return true
        }
    }

    private static func contains(_ name: RawSpan, in bytes: RawSpan) -> Bool {
        var found = false
        forEach(in: bytes) { other, _, _ in if other.isEqual(to: name) { found = true } }
        return found
    }

    // Headers without a count.
    private static func forEach(in bytes: RawSpan, _ body: (RawSpan, RawSpan, Bool) -> Void) {
        var reader = ByteReader(bytes)
        while reader.remaining > 0 {
            do throws(MalformedBytes) {
                let name = try reader.lengthPrefixed()
                let size = try reader.varint()
                if size == 0 {
                    body(name, RawSpan.empty, true)
                } else {
                    body(name, try reader.span(Int(truncatingIfNeeded: size - 1)), false)
                }
            } catch {
                return
            }
        }
    }

    private static func append(
        _ name: RawSpan, _ value: RawSpan, _ isNull: Bool, to writer: inout ByteWriter, mark size: Int = 0
    ) {
        writer.append(varint: UInt64(name.byteCount + size))
        if size > 0 { writer.append(mark) }
        writer.append(name)
        writer.append(varint: isNull ? 0 : UInt64(value.byteCount) + 1)
        writer.append(value)
    }
}

extension LineageRecorder {
    /// What ``saveHeaders()`` gives.
    public struct SavedHeaders {
        fileprivate let saved: HeldHeaders.Saved
    }

    /// A record, or an entry of a flush, begins: it holds its own headers; only where ``propagatesHeaders``.
    @inline(never)
    public func beginHeaders(_ origin: RecordOrigin, _ headers: RawSpan) { held?.begin(origin, headers) }

    /// A record read a row with headers, which go on with it; only where ``propagatesHeaders``.
    @inline(never)
    public func addHeaders(_ headers: RawSpan, to origin: RecordOrigin) { held?.add(headers, to: origin) }

    /// A record's headers, with those on the propagation list that it got from rows.
    ///
    /// The view ends with the next call.
    @inlinable
    @inline(__always)
    @_lifetime(copy meta)
    public func headers(of meta: borrowing RecordMeta) -> RawSpan {
        propagatesHeaders ? mergedHeaders(meta.headers, of: meta.origin) : meta.headers
    }

    /// The same for the application's own caches and topics, where names say which headers came from rows: those cost no cache anything.
    ///
    /// The view ends with the next call.
    @inlinable
    @inline(__always)
    @_lifetime(copy meta)
    public func markedHeaders(of meta: borrowing RecordMeta) -> RawSpan {
        propagatesHeaders ? marked(meta.headers, of: meta.origin) : meta.headers
    }

    @usableFromInline
    @inline(never)
    @_lifetime(copy headers)
    func marked(_ headers: RawSpan, of origin: RecordOrigin) -> RawSpan {
        guard let held else { return headers }
        return held.merged(headers, of: origin, marksAdded: true)
    }

    /// A record's own headers of a list of ``markedHeaders(of:)``; the view ends with the next call.
    @inline(never)
    @_lifetime(copy headers)
    public func ownHeaders(_ headers: RawSpan) -> RawSpan {
        guard let held else { return headers }
        return held.own(headers)
    }

    /// All headers of a list of ``markedHeaders(of:)`` under their own names; the view ends with the next call.
    @inline(never)
    @_lifetime(copy headers)
    public func plainHeaders(_ headers: RawSpan) -> RawSpan {
        guard let held else { return headers }
        return held.plain(headers)
    }

    @usableFromInline
    @inline(never)
    @_lifetime(copy headers)
    func mergedHeaders(_ headers: RawSpan, of origin: RecordOrigin) -> RawSpan {
        guard let held else { return headers }
        return held.merged(headers, of: origin)
    }

    /// Those of a list that are on the propagation list; the view ends with the next call.
    @_lifetime(immortal)
    public func propagatedHeaders(of headers: RawSpan) -> RawSpan {
        guard let held else { return RawSpan.empty }
        return held.listed(of: headers)
    }

    /// What the record being processed holds, to be given back after a flush that it caused; nil where nothing is propagated.
    public func saveHeaders() -> SavedHeaders? { held.map { SavedHeaders(saved: $0.save()) } }

    /// Gives back what ``saveHeaders()`` saved.
    public func restoreHeaders(_ saved: SavedHeaders?) { if let saved { held?.restore(saved.saved) } }

    /// How often a header on the propagation list was left out, since it didn't fit.
    public var leftOutHeaders: Int64 { held?.leftOut ?? 0 }

    // MARK: Capturing

    /// Adds the headers on the capture list to the span that was made last; only where ``capturesHeaders``.
    @inline(never)
    public func capture(_ headers: RawSpan) {
        let last = state.value.batch.spans.count - 1
        guard last >= 0, !headers.isEmpty else { return }
        add(captured(headers), to: &state.value.batch.spans[last])
    }

    /// The headers on the capture list as attributes: text as it is, other bytes in hexadecimal, cut at 256 bytes.
    public func captured(_ headers: RawSpan) -> [String: AttributeValue] {
        var attributes: [String: AttributeValue] = [:]
        for (name, value) in Headers(checked: headers).list {
            guard let value, capturedNames.contains(Array(name.lowercased().utf8)) else { continue }
            let bytes = Array(value.prefix(256))
            // A name that comes several times gets numbers.
            var key = AttributeNames.headerPrefix + name
            var number = 1
            while attributes[key] != nil {
                key = "\(AttributeNames.headerPrefix)\(name).\(number)"
                number += 1
            }
            attributes[key] = unsafe .string(String(strictUTF8: bytes.span.bytes) ?? bytes.span.bytes.hexadecimal)
        }
        return attributes
    }
}
