public import TributaryCore
public import TributaryDSL
internal import TributaryState

/// Makes the task that keeps the global tables of a thread, and brings it to the ends of its topics.
///
/// Each thread has a copy of its own, so that its tasks read rows without a lock; what a copy costs is its size times the threads.
public struct GlobalTables {
    private let topology: Topology
    private let log: any Log
    private let configuration: RuntimeConfiguration
    private let engines: any EngineFactory
    private let thread: Int
    private let isStopping: @Sendable () -> Bool

    /// The global tables of thread `thread`; `isStopping` ends the reading with an error.
    public init(
        _ topology: Topology, log: any Log, configuration: RuntimeConfiguration, engines: any EngineFactory,
        thread: Int, isStopping: @escaping @Sendable () -> Bool = { false }
    ) {
        self.topology = topology
        self.log = log
        self.configuration = configuration
        self.engines = engines
        self.thread = thread
        self.isStopping = isStopping
    }

    /// The name under which a partition's place is kept with the rows.
    static func placeKey(_ partition: TopicPartition) -> String { "\(partition.topic)/\(partition.partition)" }

    /// Makes the task, with all records that its topics have by now.
    ///
    /// - Returns: nil for a topology without global tables.
    /// - Throws: `LogError.Code.closed` if the application is stopped meanwhile; `TaskFailure`, `LogError`, `StoreError`.
    public func start(_ assembly: TaskAssembly) throws -> StreamTask? {
        let parts = topology.globalSubTopologies
        guard !parts.isEmpty else { return nil }
        let state = try TaskState(
            topology, parts, task: "global_\(thread)", partition: 0, configuration: configuration, engines: engines)
        let start: TaskStart
        var ends: [TopicPartition: Int64] = [:]
        do { start = try places(state, &ends) } catch {
            state.close()
            throw error
        }
        let task = try assembly.makeTask(parts, state)
        do {
            try assembly.start(task, at: start)
            try read(into: task, ends)
        } catch {
            task.close()
            throw error
        }
        return task
    }

    // Where each partition is gone on with: what is kept of another topic of the name, or before what is left of it, is read anew.
    private func places(_ state: TaskState, _ ends: inout [TopicPartition: Int64]) throws -> TaskStart {
        var start = TaskStart()
        for source in topology.globalSources {
            guard let topic = try log.topic(source.topic) else { continue }
            start.descriptions[source.topic] = topic
            let names = topology.globalSubTopologies.filter { $0.sourceTopics.contains(source.topic) }.flatMap(\.stores)
            let stores = state.stores.filter { names.contains($0.name) }
            var kept: [TopicPartition: Int64] = [:]
            for number in 0..<topic.partitions {
                let partition = TopicPartition(source.topic, number)
                let marks = try log.watermarks(partition, committed: true)
                ends[partition] = marks.high
                start.positions[partition] = TaskStart.Position(
                    offset: marks.low, partitionTime: -1)
                guard let engine = state.engines.persistent,
                    let place = try? StorePosition(store: GlobalTables.placeKey(partition), in: engine),
                    place.identity == topic.identity, place.next >= marks.low, place.next <= marks.high
                else { continue }
                kept[partition] = place.next
            }
            if kept.count == Int(topic.partitions), stores.allSatisfy(\.description.isInTaskFile) {
                for (partition, next) in kept {
                    start.positions[partition] = TaskStart.Position(offset: next, partitionTime: -1)
                }
            } else {
                for store in stores { try store.removeAll() }
            }
        }
        return start
    }

    private func read(into task: StreamTask, _ ends: [TopicPartition: Int64]) throws {
        let reader = ChangelogReader(log, configuration, isStopping: isStopping)
        for queue in task.queues {
            let end = ends[queue.partition] ?? 0
            guard queue.nextOffset < end else { continue }
            try reader.read(queue.partition, from: queue.nextOffset, to: end) { batch in
                let goesOn = try task.replay(batch, of: queue.partition, to: end)
                if let engine = task.stores.engines.persistent, engine.dirtyBytes > configuration.stateDirtyBytes {
                    try task.committed(0, force: true)
                }
                return goesOn
            }
            queue.skip(to: end)
        }
        try task.committed(0, force: true)
    }
}
