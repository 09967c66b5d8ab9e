internal import TributaryCore
public import TributaryLineage

/// Rows that are lists of values, each of which came from something else (layout: `Docs/Formats.md`, State).
///
/// A list of one keeps its lineage as other rows do; a longer one has the lineage of each value beside it, in their order.
extension StateStore {
    /// Adds a value behind those of a key's list, and logs the list.
    public func append(_ element: RawSpan, toListOf key: RawSpan, _ meta: borrowing RecordMeta) throws {
        state.value.gets &+= 1
        let exists = try readInner(key)
        guard recorder.makesSpan(meta.lineage.context) else {
            return try append(element, toListOf: key, exists: exists, meta.lineage.context, meta)
        }
        // The values that are there aren't what this one came from.
        let span = beginWrite(element, link: .superseded, row: nil, window: nil, meta)
        do {
            try append(element, toListOf: key, exists: exists, span.context, meta)
        } catch {
            recorder.end(span, error: error)
            throw error
        }
        recorder.end(span)
    }

    private func append(
        _ element: RawSpan, toListOf key: RawSpan, exists: Bool, _ context: TraceContext, _ meta: borrowing RecordMeta
    ) throws {
        elements.writer.removeAll()
        defer { elements.writer.removeAll() }
        list.writer.removeAll()
        list.writer.append(StoredList.mark)
        var cell = meta.lineage.cell
        if exists {
            let old = try StoredList(value, store: self, key: key)
            list.writer.append(bigEndian: UInt32(truncatingIfNeeded: old.count + 1))
            list.writer.append(old.content)
            if keepsLineage {
                try copyElements(old.count, key)
                Elements.append(Lineage(context: context, cell: cell), of: arena, to: &elements.writer)
                cell = recorder.add(rowCell, cell)
            }
        } else {
            list.writer.append(bigEndian: UInt32(1))
        }
        list.writer.append(bigEndian: UInt32(truncatingIfNeeded: element.byteCount))
        list.writer.append(element)
        if keepsHeaders { encodeHeaders(recorder.headers(of: meta)) }
        try writeThrough(
            key, list.bytes, timestamp: meta.timestamp, recordTime: meta.timestamp,
            Lineage(context: context, cell: cell), headers: loggedHeaders(meta, isDelete: false))
    }

    /// Copies the elements of the row that was read, with a count of one more.
    private func copyElements(_ count: Int, _ key: RawSpan) throws(StoreError) {
        Elements.append(count: count + 1, to: &elements.writer)
        do throws(EnvelopeError) {
            let known = try EnvelopeView(found.bytes).elements
            if known.isEmpty, count == 1 {
                Elements.append(state.value.lineage, of: arena, to: &elements.writer)
                return
            }
            var reader = ByteReader(known)
            let told = (try? reader.varint()) ?? 0
            if told == UInt64(count) {
                elements.writer.append(known.dropping(reader.offset))
            } else {
                // Written while lineage was off: nobody knows.
                for _ in 0..<count { Elements.append(unknownLineage, of: arena, to: &elements.writer) }
            }
        } catch {
            throw corrupt("\(error)", key: key)
        }
    }

    /// The error for a row whose bytes are not of its store's layout.
    func corrupt(_ message: String, key: RawSpan) -> StoreError {
        StoreError(.corrupt, message, store: name, key: key.hexadecimal)
    }

    private var unknownLineage: Lineage { Lineage(context: .none, cell: keepsCells ? gapCell : .empty) }

    /// Deletes a key's list if there is one.
    public func removeList(of key: RawSpan, _ meta: borrowing RecordMeta) throws {
        state.value.gets &+= 1
        guard try readInner(key) else { return }
        _ = try write(
            key, nil, timestamp: meta.timestamp, cell: meta.lineage.cell, link: .deleted, row: rowContext, meta)
    }

    /// Calls the body with each value of a list that was copied, and where it came from; the cells are valid while the record is processed.
    public func forEachElement(
        _ index: Int, of rows: CopiedRows, _ body: (RawSpan, Lineage) throws -> Void
    ) throws {
        try show(index, of: rows)
        let row = state.value.lineage
        // The copy's bytes, since the body may read from the store.
        let view: EnvelopeView
        do throws(EnvelopeError) { view = try EnvelopeView(rows.value(index)) } catch {
            throw corrupt("\(error)", key: rows.key(index))
        }
        guard let payload = view.payload else { throw corrupt("no list", key: rows.key(index)) }
        let list = try StoredList(payload, store: self, key: rows.key(index))
        do {
            var elements = try ElementsReader(view.elements)
            var values = list.values
            for _ in 0..<list.count {
                let value = try values.next()
                let lineage = try elements.next(into: arena)
                try body(value, lineage ?? (list.count == 1 ? row : unknownLineage))
            }
        } catch let error as MalformedBytes {
            throw corrupt("the list: \(error)", key: rows.key(index))
        }
    }

    // MARK: Elements of the row at hand

    @_lifetime(immortal)
    @inline(__always)
    func storedElements() -> RawSpan { holdsElements ? elements.bytes : RawSpan.empty }

    /// Those of a changelog record, for the row that it restores.
    @inline(__always)
    func takeElements(_ restored: RawSpan) {
        guard holdsElements else { return }
        elements.writer.removeAll()
        if keepsLineage { elements.writer.append(restored) }
    }

    func logElements(
        _ key: RawSpan, _ value: RawSpan?, timestamp: Int64, _ lineage: Lineage, headers: RawSpan
    ) throws {
        var rarer = ByteWriter()
        recorder.append(
            recorder.lineageHeaders(of: lineage.context), elements: elements.writer.copy(), to: &rarer)
        try changelog?.append(
            OutgoingRecord(
                timestamp: timestamp, key: key, value: value, headers: headers, context: lineage.context,
                cell: cell.bytes, lineageHeaders: rarer.bytes))
    }
}

/// The bytes of a list, as Kafka Streams' `ListValueStore` has them: 1, how many, and each with its length before it (4 bytes each).
struct StoredList: ~Escapable {
    static let mark: UInt8 = 1
    static let headSize = 5

    let count: Int
    /// The values with their lengths.
    let content: RawSpan

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, store: StateStore, key: RawSpan) throws(StoreError) {
        guard bytes.byte(at: 0) == Self.mark, let count = bytes.integer(at: 1, as: UInt32.self),
            // Each value has a length.
            Int(count) <= (bytes.byteCount - Self.headSize) / 4
        else { throw store.corrupt("no list", key: key) }
        self.count = Int(count)
        content = bytes.dropping(Self.headSize)
    }

    var values: Values {
        @_lifetime(copy self) get { Values(reader: ByteReader(content)) }
    }

    struct Values: ~Escapable {
        var reader: ByteReader

        @_lifetime(copy reader)
        init(reader: ByteReader) { self.reader = reader }

        @_lifetime(self: copy self)
        @_lifetime(copy self)
        mutating func next() throws(MalformedBytes) -> RawSpan {
            let size = try reader.integer(UInt32.self)
            return try reader.span(Int(size))
        }
    }
}
