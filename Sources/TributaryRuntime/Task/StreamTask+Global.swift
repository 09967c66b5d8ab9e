public import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// What the task that keeps the global tables of a thread does otherwise: it has all partitions of its topics, commits no offsets but keeps
/// its places with its rows, and reads what it doesn't have yet before any other task begins.
extension StreamTask {
    /// Whether the task keeps global tables.
    var isGlobal: Bool { subTopologies.contains(where: \.isGlobal) }

    /// The offset of the next record of each source partition.
    public var positions: [TopicPartition: Int64] {
        Dictionary(uniqueKeysWithValues: queues.map { ($0.partition, $0.nextOffset) })
    }

    /// The source partitions of the task, in the order of its topics.
    func sourcePartitions(of topic: String, at start: TaskStart) -> [TopicPartition] {
        guard isGlobal else { return [TopicPartition(topic, partition)] }
        return start.positions.keys.filter { $0.topic == topic }.sorted { $0.partition < $1.partition }
    }

    /// Applies records as a restore does: without spans, with the contexts of their headers.
    ///
    /// - Returns: false behind the offset `end`.
    func replay(_ batch: RecordBatch, of partition: TopicPartition, to end: Int64) throws -> Bool {
        guard let queue = queues.first(where: { $0.partition == partition }) else { return false }
        hot.value.batch = batch
        hot.value.needsCommit = true
        recorder.pause()
        for index in 0..<batch.count {
            guard batch.offset(index) < end else {
                queue.skip(to: end)
                return false
            }
            hot.value.index = index
            do { try replay(batch, index, queue) } catch {
                throw failure(.processing, node: nil, coordinates(origin(queue, batch, index)), error)
            }
        }
        queue.skip(to: batch.nextOffset)
        return true
    }

    private func replay(_ batch: RecordBatch, _ index: Int, _ queue: PartitionQueue) throws {
        hot.value.processedRecords &+= 1
        let mark = recorder.arena.mark
        defer { recorder.arena.release(to: mark) }
        let stripped = StrippedHeaders(batch.headers(index))
        var context = TraceContext.none
        if queue.takesContexts {
            context = batch.context(index).isValid ? batch.context(index) : stripped.context
            let own = StrippedHeaders(batch.lineageHeaders(index))
            let tracestate = own.tracestate.isEmpty ? stripped.tracestate : own.tracestate
            recorder.know(tracestate.span.bytes, of: &context)
        }
        recorder.current.value.context = recorder.mode == .off ? .none : context
        if recorder.mode == .cells { takeCell(batch, index, queue) }
        let origin = origin(queue, batch, index)
        if recorder.propagatesHeaders { recorder.beginHeaders(origin, stripped.list.span.bytes) }
        var key = RawSpan.empty
        var hasKey = false
        if let bytes = batch.key(index) {
            key = bytes
            hasKey = true
        }
        let meta = RecordMeta(
            key: key, hasKey: hasKey, keyIsStale: false,
            timestamp: max(batch.timestamp(index), 0), origin: origin, headers: stripped.list.span.bytes,
            lineage: recorder.current.span)
        try queue.entry.process(batch.value(index), meta)
    }

    /// How far the rows of global tables, and of tables that have their topics for changelogs, are in their topics.
    func sourcePlaces() -> [(name: String, next: Int64, identity: String)] {
        if isGlobal { return queues.map { (GlobalTables.placeKey($0.partition), $0.nextOffset, $0.topicIdentity) } }
        return stores.inOrder.compactMap { store in
            guard store.description.isPersistent, let topic = store.description.sourceTopic,
                let queue = queues.first(where: { $0.partition.topic == topic })
            else { return nil }
            return (store.name, queue.committedOffset, queue.topicIdentity)
        }
    }
}
