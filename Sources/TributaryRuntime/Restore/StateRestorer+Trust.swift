internal import TributaryCore
internal import TributaryDSL
internal import TributaryLineage
internal import TributaryState

extension StateRestorer {
    // MARK: Trust

    func inspect(
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
}
