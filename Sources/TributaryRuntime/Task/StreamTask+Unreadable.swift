internal import TributaryCore
internal import TributaryDSL

extension StreamTask {
    /// Stored bytes of a source partition are not what was written: the handler of deserialisation says whether to go on behind
    /// them.
    ///
    /// How many records they held is unknown; as many as there are offsets are counted as dropped.
    ///
    /// - Throws: `TaskFailure` with the first offset, unless the handler lets it pass.
    func sourceUnreadable(_ queue: PartitionQueue, _ error: LogError, resume: Int64) throws {
        let (topic, partition) = (queue.partition.topic, queue.partition.partition)
        let from = error.offset ?? resume
        let coordinate = RecordCoordinate(topic: topic, partition: partition, offset: from)
        let response = configuration.deserializationHandler(
            FailedRecord(
                step: .deserialization, node: node(of: queue), store: nil, task: taskID, coordinate: coordinate,
                key: nil,
                error: error))
        guard response == .continue else {
            throw TaskFailure(
                step: .deserialization, node: node(of: queue), store: nil, task: taskID, coordinate: coordinate,
                key: nil,
                cause: error)
        }
        let lost = max(resume.subtractingSaturated(from), 1)
        unintendedDrops[.deserialization, default: 0] += lost
        log(
            .warning, "a batch that can't be read was left out",
            [
                ("reason", DropReason.deserialization.rawValue), ("partition", "\(queue.partition)"),
                ("from", "\(from)"),
                ("to", "\(resume)"), ("error", "\(error)"),
            ], source: "TributaryRuntime")
        queue.skip(to: resume)
        hot.value.needsCommit = true
    }
}
