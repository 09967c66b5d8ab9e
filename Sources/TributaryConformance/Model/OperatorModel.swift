internal import TributaryDSL
internal import TributaryRuntime

/// What a topology does, in the plainest way: dictionaries and lists, one record at a time, nothing of the library.
///
/// An oracle for random cases, made from the semantics document and the format of the cases. It knows the operators that
/// `LineageGenerator` uses. Its caches have room for everything, and it has one task, as the test driver.
struct OperatorModel {
    /// What the model expects: outputs by step, rows and changelogs of the stores that were given names.
    struct Outcome {
        var result = CaseResult()
        /// The names of the stores that are in the result.
        var stores: Set<String> = []
    }

    private var builder: ModelBuilder

    /// What a case does.
    ///
    /// - Throws: ``CaseError`` for what the model doesn't know.
    static func run(_ item: ConformanceCase) throws -> Outcome {
        var model = OperatorModel(builder: ModelBuilder(hasCaches: item.config.cacheBytes > 0))
        model.builder.inMemoryStores = item.config.inMemoryStores
        for statement in item.topology { try model.builder.add(statement) }
        return try model.run(item)
    }

    private mutating func run(_ item: ConformanceCase) throws -> Outcome {
        let topology = try TopologyInterpreter.build(item).topology
        let names = ResolvedTopology(topology, applicationID: CaseExecution.applicationID)
        let machine = ModelMachine(
            builder, order: try builder.sourceOrder(topology.subTopologies.flatMap(\.sourceTopics).map(names.topic)))
        var outcome = Outcome()
        var steps: [[String: [CaseResult.Record]]] = []
        for step in item.steps {
            guard case .pipe(let record) = step else { throw CaseError("the model has no wall clock") }
            try machine.pipe(record)
            steps.append(machine.output.take())
        }
        outcome.result.steps = steps
        var stores: [String: CaseResult.Store] = [:]
        var changelogs: [String: [CaseResult.RawRecord]] = [:]
        for store in builder.existingStores {
            guard let name = store.name else { continue }
            outcome.stores.insert(name)
            stores[name] = .rows(
                store.all().map {
                    CaseResult.Row($0.key, $0.row.value, timestamp: store.isTimestamped ? $0.row.time : nil)
                })
            guard store.isLogged else { continue }
            changelogs["\(CaseExecution.applicationID)-\(name)-changelog"] = store.changelog.map { record in
                CaseResult.RawRecord(
                    record.key.changelogText(
                        isWindowStore: store.retention != nil, hasSessions: store.hasSessions),
                    record.value.changelogText,
                    timestamp: record.time)
            }
        }
        outcome.result.stores = stores
        outcome.result.changelogs = changelogs
        return outcome
    }
}

/// What the model's sinks and peeks wrote in a step.
final class ModelOutput {
    private var records: [String: [CaseResult.Record]] = [:]

    func add(_ topic: String, _ record: ModelRecord) {
        records[topic, default: []].append(
            CaseResult.Record(record.key, record.value, timestamp: record.time, headers: record.headers))
    }

    func see(_ id: String, _ record: ModelRecord) {
        records["peek:\(id)", default: []].append(CaseResult.Record(record.key, record.value, timestamp: nil))
    }

    func take() -> [String: [CaseResult.Record]] {
        defer { records = [:] }
        return records
    }
}

/// Stream time and schedules of the model.
final class ModelClock {
    private struct Schedule {
        let interval: Int64
        var due: Int128
        let run: (Int64) throws -> Void
    }

    // By due time; of equal ones it is the one that a Java priority queue would give.
    private var queue: [Schedule] = []
    var streamTime: Int64 = -1

    func schedule(every interval: Int64, _ run: @escaping (Int64) throws -> Void) {
        insert(Schedule(interval: interval, due: 0, run: run))
    }

    /// Runs what is due, in the order of due times; what was missed is run once (Docs/Semantics.md, Processors).
    func punctuate() throws {
        let now = Int128(streamTime)
        while let first = queue.first, first.due <= now {
            removeFirst()
            try first.run(streamTime)
            let step = Int128(first.interval)
            insert(
                Schedule(
                    interval: first.interval, due: first.due + ((now - first.due) / step + 1) * step, run: first.run))
        }
    }

    private func insert(_ schedule: Schedule) {
        var hole = queue.count
        queue.append(schedule)
        while hole > 0 {
            let above = (hole + 1) / 2 - 1
            if queue[above].due <= schedule.due { break }
            queue[hole] = queue[above]
            hole = above
        }
        queue[hole] = schedule
    }

    private func removeFirst() {
        let last = queue.removeLast()
        guard !queue.isEmpty else { return }
        var hole = 0
        while let below = [2 * hole + 1, 2 * hole + 2].filter({ $0 < queue.count })
            .min(by: { (queue[$0].due, $0) < (queue[$1].due, $1) }), queue[below].due < last.due
        {
            queue[hole] = queue[below]
            hole = below
        }
        queue[hole] = last
    }
}

/// Takes records through the model, as the test driver does.
final class ModelMachine {
    let output: ModelOutput
    private let clock: ModelClock
    private let network: ModelNetwork
    private let stores: [ModelStore]
    private let order: [Int]

    init(_ builder: ModelBuilder, order: [Int]) {
        output = builder.output
        clock = builder.clock
        network = builder.network
        // A node's number is greater than those of the nodes above it. A table's flush forwards from its first user; a
        // processors' store is written by any of its users, and forwards nothing.
        stores = builder.existingStores.sorted { $0.flushOrder < $1.flushOrder }
        self.order = order
        builder.openFilters()
        for node in builder.allNodes { node.start?() }
    }

    func pipe(_ record: PipedRecord) throws {
        guard let index = network.sources.firstIndex(where: { $0.topic == record.topic }) else { return }
        network.sources[index].queue.append(
            ModelRecord(
                key: CaseKey(record.key), value: CaseValue(record.value), time: record.timestamp,
                headers: record.headers))
        while let next = order.filter({ !network.sources[$0].queue.isEmpty }).min(by: { earlier($0, $1) }) {
            let record = network.sources[next].queue.removeFirst()
            clock.streamTime = max(clock.streamTime, record.time)
            try network.sources[next].node.send(record)
            try clock.punctuate()
            try commit()
        }
    }

    private func earlier(_ one: Int, _ other: Int) -> Bool {
        guard let left = network.sources[one].queue.first, let right = network.sources[other].queue.first,
            left.time != right.time
        else { return (order.firstIndex(of: one) ?? 0) < (order.firstIndex(of: other) ?? 0) }
        return left.time < right.time
    }

    // In the order of the topology, again until nothing is left.
    private func commit() throws {
        while let store = stores.first(where: \.isDirty) { try store.flush() }
    }
}

/// The sources of the model, and what waits in them.
final class ModelNetwork {
    var sources: [ModelSource] = []
}
