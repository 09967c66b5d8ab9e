internal import TributaryCore
internal import TributaryLineage

extension SuppressionBuffer {
    var hasChanges: Bool { state.value.dirty.count > 0 }

    /// Tells the changelog which changes wait and which don't any more, in the order of Kafka Streams'.
    func flush() throws {
        guard let changelog = store.changelog, hasChanges else { return }
        state.value.order.makeRoom(state.value.dirty.count)
        store.sorter.value.removeAll()
        for place in 0..<state.value.dirty.count {
            let index = state.value.dirty[place]
            found.writer.removeAll()
            cache.copyKey(index, into: &found.writer)
            store.sorter.value.append(word: state.value.order.bucket(of: found.bytes), index: UInt32(index))
        }
        store.sorter.value.sort(isBefore: { _, _ in false })
        let time = recorder.time.wall.milliseconds
        for place in 0..<store.sorter.value.count {
            let index = Int32(store.sorter.value[place])
            let mark = recorder.arena.mark
            defer { recorder.arena.release(to: mark) }
            try send(index, time, to: changelog)
            state.value.places[Int(index)].isDirty = false
            guard state.value.places[Int(index)].position < 0 else { continue }
            cache.remove(index)
            cache.release(index)
        }
        state.value.dirty.removeAll()
    }

    private func send(_ index: Int32, _ time: Int64, to changelog: any ChangelogWriter) throws {
        store.state.value.writes &+= 1
        found.writer.removeAll()
        cache.copyKey(index, into: &found.writer)
        let keySize = found.count
        let lineage = cache.lineage(index)
        store.encodeCell(lineage)
        guard state.value.places[Int(index)].position >= 0 else {
            store.state.value.deletes &+= 1
            return try changelog.append(
                OutgoingRecord(
                    timestamp: time, key: found.bytes, value: nil, context: lineage.context, cell: store.cell.bytes,
                    lineageHeaders: recorder.lineageHeaders(of: lineage.context)))
        }
        let entry = cache.entry(index)
        let origin = cache.origin(entry)
        let kept = cache.longValue(index)
        let end = try BufferedChange(kept).end
        let own = store.keepsHeaders ? recorder.ownHeaders(cache.headers(index)) : cache.headers(index)
        BufferedContext.append(
            timestamp: entry.timestamp, origin: origin, topic: store.topics.name(ofTopic: origin.topic), headers: own,
            to: &found.writer)
        found.writer.append(kept.prefix(end))
        found.writer.append(bigEndian: state.value.places[Int(index)].time)
        let valueEnd = found.count
        // The format's version is a header; those on the propagation list come before it.
        let passed = store.keepsHeaders ? recorder.propagatedHeaders(of: cache.headers(index)) : RawSpan.empty
        Self.append(passed, name: "v", value: version.bytes, to: &found.writer)
        let headersEnd = found.count
        let rarer = recorder.lineageHeaders(of: lineage.context)
        if keepsOldLineage {
            Self.append(rarer, name: HeaderNames.elements, value: kept.dropping(end), to: &found.writer)
        } else {
            found.writer.append(rarer)
        }
        try changelog.append(
            OutgoingRecord(
                timestamp: time, key: found.bytes(in: 0..<keySize), value: found.bytes(in: keySize..<valueEnd),
                headers: found.bytes(in: valueEnd..<headersEnd), context: lineage.context, cell: store.cell.bytes,
                lineageHeaders: found.bytes(from: headersEnd)))
    }

    /// Writes a list of headers with one more behind.
    private static func append(_ headers: RawSpan, name: String, value: RawSpan, to writer: inout ByteWriter) {
        var reader = ByteReader(headers)
        let count = (try? reader.varint()) ?? 0
        writer.append(varint: count &+ 1)
        writer.append(headers.dropping(reader.offset))
        writer.append(varint: UInt64(name.utf8.count))
        writer.append(utf8: name)
        writer.append(varint: UInt64(value.byteCount) + 1)
        writer.append(value)
    }

    /// Takes over what the changelog had: it lies in the store's engine, which has no use for it from now on.
    func load() throws(StoreError) {
        let key = ByteBuffer()
        let headers = ByteBuffer()
        let mark = recorder.arena.mark
        for table in store.layout.tables(from: Int64.min, through: Int64.max) {
            let cursor = try table.cursor(from: nil, through: nil, reverse: false)
            defer { cursor.close() }
            while try cursor.next(key: &key.writer, value: &found.writer) {
                do { try load(key.bytes, EnvelopeView(found.bytes), headers) } catch {
                    throw StoreError(
                        .corrupt, "a change in a buffer: \(error)", store: store.name, key: key.bytes.hexadecimal)
                }
                recorder.arena.release(to: mark)
            }
        }
        try store.removeAll()
    }

    private func load(_ key: RawSpan, _ row: EnvelopeView, _ headers: ByteBuffer) throws {
        guard let bytes = row.payload else { return }
        var reader = ByteReader(bytes)
        let fields = try BufferedContext.read(&reader, headers: &headers.writer)
        let change = reader.rest()
        let end = try BufferedChange(change).end
        guard let time = change.integer(at: end, as: Int64.self) else { throw MalformedBytes.truncated(offset: end) }
        let value = ByteBuffer()
        value.writer.append(change.prefix(end))
        if keepsOldLineage {
            if row.elements.isEmpty {
                let unknown = Lineage(context: .none, cell: store.gapCell)
                Elements.append(count: 2, to: &value.writer)
                Elements.append(unknown, of: recorder.arena, to: &value.writer)
                Elements.append(unknown, of: recorder.arena, to: &value.writer)
            } else {
                value.writer.append(row.elements)
            }
        }
        let index = insert(key, StoreCache.probe(key))
        let origin = RecordOrigin(
            topic: fields.topic.isEmpty ? -1 : store.topics.number(ofTopic: fields.topic), partition: fields.partition,
            offset: fields.offset)
        let source = cache.source(origin, store.topics)
        let parts = try BufferedChange(change)
        var size = 28 + key.byteCount + Int(cache.table.value.sources[Int(source)].topicSize)
        size += StateStore.residentSize(ofHeaders: headers.bytes)
        size += (parts.prior?.count ?? 0) + (parts.new?.count ?? 0)
        if let old = parts.old, old != parts.prior { size += old.count }
        if store.keepsHeaders { Self.mark(row.headers, besides: headers) }
        cache.set(
            index, value.bytes, timestamp: fields.timestamp, recordTime: fields.timestamp, source: source,
            offset: fields.offset, headers: headers.bytes, charge: 0)
        var context = row.context
        if !row.tracestate.isEmpty { recorder.know(row.tracestate, of: &context) }
        cache.setLineage(
            index, Lineage(context: context, cell: recorder.mode == .cells ? try store.readCell(row.cell) : .empty))
        state.value.places[Int(index)].time = time
        state.value.places[Int(index)].size = size
        state.value.bytes &+= Int64(size)
        push(index)
    }

    /// Adds headers that came from rows to a record's own, under names that say so.
    private static func mark(_ passed: RawSpan, besides own: ByteBuffer) {
        let list = Headers(checked: own.bytes).list
        var added: [(name: String, value: [UInt8]?)] = []
        for (name, value) in Headers(checked: passed).list
        where name != "v" && !list.contains(where: { $0.name == name }) {
            added.append((HeaderNames.passed + name, value))
        }
        if added.isEmpty { return }
        own.writer.removeAll()
        own.writer.append(Headers(list + added).encoded)
    }
}
