public import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

/// Brings the stores of a task to where their changelogs end, before there is the task.
///
/// Stores with trusted rows take the records behind their position. If a store is empty, or its rows cannot be trusted
/// (Docs/Architecture.md), the task's engine is built anew beside the old one: trusted stores are copied, the others come from their
/// changelogs by external sort and append, and the new file takes the old one's place. The rows carry the lineage of the
/// changelog's headers, byte for byte; restoring makes no span.
public struct StateRestorer {
    let log: any Log
    let configuration: RuntimeConfiguration
    private let onProgress: @Sendable (RestoreProgress) -> Void
    let reader: ChangelogReader
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

    struct Work {
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

    func tell(
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
