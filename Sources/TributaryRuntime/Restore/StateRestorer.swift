public import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// Where the restoring of one store stands.
public struct RestoreProgress: Sendable {
    /// The store.
    public var store: String
    /// The task.
    public var task: String
    /// The changelog partition.
    public var changelog: TopicPartition
    /// The offset where it began.
    public var start: Int64
    /// The offset where it ends.
    public var end: Int64
    /// The offset of the next record.
    public var position: Int64
    /// How many records were read so far.
    public var records: Int64
    /// Whether it is done.
    public var isDone: Bool

    package init(
        store: String, task: String, changelog: TopicPartition, start: Int64, end: Int64, position: Int64,
        records: Int64, isDone: Bool
    ) {
        self.store = store
        self.task = task
        self.changelog = changelog
        self.start = start
        self.end = end
        self.position = position
        self.records = records
        self.isDone = isDone
    }
}

/// Brings the stores of a task to where their changelogs end, before there is the task.
///
/// Stores with trusted rows take the records behind their position. If a store is empty, or its rows cannot be trusted
/// (Docs/Architecture.md), the task's engine is built anew beside the old one: trusted stores are copied, the others come from their
/// changelogs by external sort and append, and the new file takes the old one's place. The rows carry the lineage of the
/// changelog's headers, byte for byte; restoring makes no span.
public struct StateRestorer {
    private let log: any Log
    private let configuration: RuntimeConfiguration
    private let onProgress: @Sendable (RestoreProgress) -> Void
    private let reader: ChangelogReader
    private let metrics: MetricsRegistry?
    private let thread: Int

    /// Makes a restorer.
    ///
    /// - Parameters:
    ///   - log: where the changelogs are.
    ///   - configuration: the application's settings.
    ///   - metrics: where the stores' instruments are known, as those of thread `thread`; nil where nobody measures.
    ///   - thread: the number of the thread whose tasks are restored.
    ///   - isStopping: whether the application is asked to stop, which ends a restore with an error.
    ///   - onProgress: told how far each store is.
    public init(
        _ log: any Log, configuration: RuntimeConfiguration, metrics: MetricsRegistry? = nil, thread: Int = 1,
        isStopping: @escaping @Sendable () -> Bool = { false },
        onProgress: @escaping @Sendable (RestoreProgress) -> Void = { _ in }
    ) {
        self.log = log
        self.configuration = configuration
        self.onProgress = onProgress
        self.metrics = metrics
        self.thread = thread
        reader = ChangelogReader(log, configuration, isStopping: isStopping)
    }

    private struct Work {
        let store: StateStore
        let changelog: TopicPartition
        let identity: String
        let life: UInt64
        /// The source topic that takes a changelog's place.
        let source: Topology.Source?
        let ends: Watermarks
        var start: Int64
        /// Nil if the rows are trusted, else why not; empty if there are none.
        let distrust: String?
        /// Where the trusted rows stand.
        var position: StorePosition?
    }

    /// Restores every store of a task that has a changelog, or a source topic for one.
    ///
    /// - Parameters:
    ///   - task: the state.
    ///   - start: where the sources begin: what a source topic holds behind is processed, not restored.
    /// - Throws: `LogError` or `StoreError`; the state is then as it was at its last commit.
    public func restore(_ task: TaskState, at start: TaskStart = TaskStart()) throws {
        var work: [Work] = []
        for store in task.stores where store.description.canBeRestored && !store.description.isGlobal {
            work.append(try inspect(store, task.changelog(store.name), task, start))
        }
        configuration.killPoint?(.restoreBegun)
        // Of versions all records count, in their order.
        let empty = work.filter {
            $0.distrust != nil && $0.store.description.isInTaskFile && !$0.store.isVersioned
        }
        if let engine = task.engines.persistent, let folder = engine.temporaryFolder,
            empty.contains(where: { $0.ends.high > $0.ends.low || $0.distrust?.isEmpty == false })
        {
            try rebuild(empty, in: engine, folder, task)
            let names = Set(empty.map(\.store.name))
            for item in work where !names.contains(item.store.name) {
                try replayTrusted(item, task)
            }
        } else {
            for item in work {
                try replayTrusted(item, task)
            }
        }
        try task.restored()
        configuration.killPoint?(.restored)
    }

    // MARK: Trust

    private func inspect(
        _ store: StateStore, _ changelog: TopicPartition, _ task: TaskState, _ start: TaskStart
    ) throws -> Work {
        var ends = try log.watermarks(changelog, committed: false)
        let topic = try log.topic(changelog.topic)
        let source = task.source(store.description)
        if source != nil {
            let begin = start.positions[changelog]
            ends.high = begin.map { $0.isCommitted ? max($0.offset, ends.low) : ends.low } ?? ends.low
            if topic?.settings["cleanup.policy"]?.contains("compact") != true {
                tell(
                    task, .warning,
                    "a table is restored from a topic that isn't compacted: what that has lost can't be found",
                    [("store", store.name), ("topic", changelog.topic)])
            }
        }
        func work(_ start: Int64, _ distrust: String?, _ position: StorePosition? = nil) -> Work {
            Work(
                store: store, changelog: changelog, identity: topic?.identity ?? "", life: topic?.life ?? 1,
                source: source, ends: ends, start: start, distrust: distrust, position: position)
        }
        guard store.description.isPersistent, let engine = task.engine(store.description) else {
            return work(ends.low, "")
        }
        let kept: StorePosition?
        do throws(StoreError) {
            kept = try StorePosition(store: store.name, in: engine)
        } catch {
            guard error.code == .corrupt else { throw error }
            return work(ends.low, "its position can't be read")
        }
        guard let position = kept else {
            return work(ends.low, try store.approximateCount() == 0 ? "" : "its position is missing")
        }
        if let reason = try distrust(position, changelog, topic, ends) {
            tell(
                task, .warning, "a store is rebuilt from its changelog",
                [
                    ("store", store.name), ("changelog", "\(changelog)"), ("reason", reason),
                ])
            return work(ends.low, reason)
        }
        return work(position.next, nil, position)
    }

    // When local state is not trusted.
    private func distrust(
        _ position: StorePosition, _ changelog: TopicPartition, _ topic: TopicDescription?, _ ends: Watermarks
    ) throws -> String? {
        if position.next < ends.low {
            return "its position \(position.next) lies before the changelog's start \(ends.low)"
        }
        if position.next > ends.high {
            return "its position \(position.next) lies beyond the changelog's end \(ends.high)"
        }
        if let topic, position.identity != topic.identity { return "the changelog is another topic of the same name" }
        if position.commitID > 0, let newest = try log.newestCommit(), position.commitID > newest {
            return "it belongs to the log's commit \(position.commitID), and the log's last is \(newest)"
        }
        // Tombstones may be missing from what is still to be applied; where nothing is, none can be.
        let kept = topic?.settings["delete.retention.ms"].flatMap(Int64.init) ?? 86_400_000
        let policy = topic?.settings["cleanup.policy"] ?? "delete"
        let (age, isTooOld) = configuration.time.wall.milliseconds.subtractingReportingOverflow(position.wallTime)
        if policy.contains("compact"), isTooOld || age > kept, try hasRecords(changelog, from: position.next, ends) {
            return "it is older than the changelog keeps tombstones"
        }
        guard position.last >= ends.low else { return nil }
        var isOther = false
        try reader.read(changelog, from: position.last, to: ends.high) { batch in
            guard batch.count > 0 else { return true }
            guard batch.offset(0) == position.last, let key = batch.key(0) else { return false }
            var writer = ByteWriter()
            StoreChangelog.describe(key: key, value: batch.value(0), timestamp: batch.timestamp(0), into: &writer)
            isOther = checksum64(writer.bytes) != position.lastHash
            return false
        }
        return isOther ? "the record at its position is not the one that was applied" : nil
    }

    // On Kafka the end lies behind the marks of transactions, which are no records.
    private func hasRecords(_ changelog: TopicPartition, from start: Int64, _ ends: Watermarks) throws -> Bool {
        guard start < ends.high else { return false }
        var isFound = false
        try reader.read(changelog, from: start, to: ends.high) { batch in
            isFound = batch.count > 0 && batch.offset(0) < ends.high
            return !isFound
        }
        return isFound
    }

    // MARK: Building anew

    private func rebuild(_ list: [Work], in engine: any StateEngine, _ folder: String, _ task: TaskState) throws {
        let names = Set(list.map(\.store.name))
        let kept = task.stores.filter { $0.description.isInTaskFile && !names.contains($0.name) }
        let tables = try kept.flatMap { try $0.tableNames(in: engine) }
        // Whole keys: the store `a` must not take what belongs to `ab`.
        let all = task.stores.filter(\.description.isInTaskFile)
        let keys =
            all.map { TaskState.descriptionKey($0.name) } + ["commit"]
            + kept.flatMap { [StorePosition.metadataKey($0.name), $0.timeKey] }
        try engine.rebuild(keeping: tables, metadata: keys) { rebuilt in
            for item in list {
                let filler = StoreFiller(item.store, folder: folder)
                let read = try read(item, task) { key, value, timestamp, context, cell, headers, elements in
                    try filler.add(
                        key, value, timestamp: timestamp, context: context, cell: cell, headers: headers,
                        elements: elements)
                }
                try filler.finish(into: rebuilt)
                try position(item, read).save(store: item.store.name, in: rebuilt)
                end(read)
            }
        }
        for store in task.stores where store.description.isInTaskFile { try store.reload() }
    }

    // MARK: Going on

    // Rows that aren't trusted go first.
    private func replayTrusted(_ item: Work, _ task: TaskState) throws {
        if item.distrust?.isEmpty == false { try item.store.removeAll() }
        try replay(item, task)
    }

    private func replay(_ item: Work, _ task: TaskState) throws {
        let engine = item.store.description.isPersistent ? task.engine(item.store.description) : nil
        let read = try read(item, task) { key, value, timestamp, context, cell, headers, elements in
            try item.store.restore(
                key, value, timestamp: timestamp, context: context, cell: cell, headers: headers,
                elements: elements)
            if let engine, engine.dirtyBytes > configuration.stateDirtyBytes {
                // The old position stands: what was applied behind it will be applied again, to the same end.
                try item.store.prepareCommit()
                try engine.commit()
            }
        }
        configuration.killPoint?(.restoreApplied)
        // With nothing to apply, too: as of now no tombstone can have been missed.
        if let engine, item.position != nil || item.start < item.ends.high {
            try position(item, read).save(store: item.store.name, in: engine)
        }
        end(read)
    }

    private func position(_ item: Work, _ read: Read) -> StorePosition {
        // Where no record came the one applied last is the same as before.
        let before = read.last < 0 ? item.position : nil
        return StorePosition(
            next: max(item.ends.high, item.start), last: before?.last ?? read.last,
            lastHash: before?.lastHash ?? read.hash, commitID: before?.commitID ?? -1,
            wallTime: configuration.time.wall.milliseconds, identity: item.identity)
    }

    /// What was read of a changelog: offset and hash of the last record, -1 and 0 if there was none.
    private struct Read {
        var progress: RestoreProgress
        let metrics: RestoreMetrics?
        /// When it began, ns.
        let start: Int64
        var last: Int64 = -1
        var hash: UInt64 = 0
    }

    /// Tells that a store has all that was read.
    private func end(_ read: Read) {
        guard !read.progress.isDone else { return }
        var read = read
        read.progress.position = read.progress.end
        read.progress.isDone = true
        report(read)
        read.metrics?.time.observe(configuration.time.monotonic.nanoseconds() - read.start)
    }

    private func warn(_ item: Work, unreadable: Int64, _ task: TaskState) {
        guard unreadable > 0 else { return }
        tell(
            task, .warning, "cells of changelog records can't be read: their rows have a gap",
            [("store", item.store.name), ("changelog", "\(item.changelog)"), ("records", "\(unreadable)")])
    }

    private func instruments(_ store: String, _ task: TaskState) -> RestoreMetrics? {
        guard let metrics else { return nil }
        let labels = TaskMetrics.labels(task.task, clientID: configuration.applicationID, thread: thread)
        return RestoreMetrics(metrics, labels, store: store)
    }

    private func tell(
        _ task: TaskState, _ level: LogLevel, _ message: String, _ metadata: [(key: String, value: String)]
    ) {
        configuration.log.adding([("task", task.task)])(level, message, metadata, source: "TributaryRuntime")
    }

    private func report(_ read: Read, batch isBatch: Bool = false) {
        read.metrics?.publish(read.progress, isBatch)
        onProgress(read.progress)
    }

    /// Reads a changelog from where the store stands to its end.
    private func read(
        _ item: Work, _ task: TaskState,
        _ apply: (
            RawSpan, RawSpan?, Int64, TraceContext, _ cell: RawSpan, _ headers: RawSpan, _ elements: RawSpan
        ) throws -> Void
    ) throws -> Read {
        var read = Read(
            progress: RestoreProgress(
                store: item.store.name, task: task.task, changelog: item.changelog, start: item.start,
                end: item.ends.high, position: item.start, records: 0, isDone: item.start >= item.ends.high),
            metrics: instruments(item.store.name, task), start: configuration.time.monotonic.nanoseconds())
        report(read)
        guard !read.progress.isDone else { return read }
        let coordinates = CoordinateCells(
            task.recorder,
            SourcePartition(
                cluster: log.clusterID, topic: item.changelog.topic, partition: item.changelog.partition,
                life: item.life), isForeign: item.source == nil)
        let source = item.source.map { SourceRecords($0, item.changelog, configuration.timestamps) }
        let takesContexts = task.recorder.propagators.contains(.traceContext)
        let hashed = ByteBuffer()
        let unreadable = item.store.unreadableCells
        defer { warn(item, unreadable: item.store.unreadableCells - unreadable, task) }
        try reader.read(item.changelog, from: item.start, to: item.ends.high) { batch in
            var lastIndex = -1
            for index in 0..<batch.count {
                guard batch.offset(index) < item.ends.high else { break }
                read.progress.records += 1
                guard let key = batch.key(index) else { continue }
                if let source {
                    guard let time = source.time(of: batch, index) else { continue }
                    let context = takesContexts ? source.context(of: batch, index, task.recorder) : .none
                    try apply(
                        key, batch.value(index), time, context,
                        coordinates.cell(batch.offset(index), batch.timestamp(index)),
                        batch.headers(index), RawSpan.empty)
                    continue
                }
                let cell = batch.cell(index)
                var context = batch.context(index)
                var rarer: StrippedHeaders?
                if !batch.lineageHeaders(index).isEmpty {
                    let headers = StrippedHeaders(batch.lineageHeaders(index))
                    task.recorder.know(headers.tracestate.span.bytes, of: &context)
                    rarer = headers
                }
                let elements = rarer?.elements ?? []
                if cell.isEmpty {
                    // With a context someone else sent it; with neither nothing is known, as in a row written without lineage.
                    let isForeign = context.isValid
                    if !takesContexts { context = .none }
                    try apply(
                        key, batch.value(index), batch.timestamp(index), context,
                        isForeign ? coordinates.cell(batch.offset(index), batch.timestamp(index)) : RawSpan.empty,
                        batch.headers(index), elements.span.bytes)
                } else {
                    try apply(
                        key, batch.value(index), batch.timestamp(index), context, cell, batch.headers(index),
                        elements.span.bytes)
                }
                lastIndex = index
            }
            if lastIndex >= 0, let key = batch.key(lastIndex) {
                hashed.writer.removeAll()
                StoreChangelog.describe(
                    key: key, value: batch.value(lastIndex), timestamp: batch.timestamp(lastIndex),
                    into: &hashed.writer)
                read.last = batch.offset(lastIndex)
                read.hash = checksum64(hashed.bytes)
            }
            read.progress.position = batch.nextOffset
            report(read, batch: true)
            configuration.killPoint?(.restoreBatch)
            return true
        }
        return read
    }
}

/// Cells of records that have none that counts: a record's own coordinate; with a gap where it is one of a changelog that someone else sent.
private final class CoordinateCells {
    private let recorder: LineageRecorder
    private let source: SourcePartition
    private let flags: UInt8
    private let fingerprint: UInt32
    private let bytes = ByteBuffer(capacity: 128)

    init(_ recorder: LineageRecorder, _ source: SourcePartition, isForeign: Bool) {
        self.recorder = recorder
        self.source = source
        flags = isForeign ? Cell.gap : 0
        fingerprint = isForeign ? 0 : recorder.fingerprint
    }

    @_lifetime(immortal)
    func cell(_ offset: Int64, _ timestamp: Int64) -> RawSpan {
        guard recorder.mode == .cells else { return RawSpan.empty }
        let cell = recorder.arena.source(source, offset: offset, timestamp: timestamp, fingerprint: fingerprint)
        bytes.writer.removeAll()
        CellHeader.append(cell.with(flags: flags), of: recorder.arena, to: &bytes.writer)
        return bytes.bytes
    }
}
