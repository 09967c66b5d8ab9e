internal import Tributary
internal import TributaryCore
internal import TributaryDSL
internal import TributaryLMDB
internal import TributaryRuntime
internal import TributaryState
internal import TributaryTesting

/// One run of a case as an application.
final class ApplicationExecution {
    private static let applicationID = CaseExecution.applicationID
    private let item: ConformanceCase
    private let built: TopologyInterpreter.Built
    private let folder: TemporaryFolder
    private let log: EmbeddedLog
    private let clock = ManualClock()
    private var configuration: StreamsConfiguration
    private let lines: LineageLines
    private let spans = KeptSpans()
    private let producer: any LogProducer
    private let internalTopics: [String: InternalTopic]
    private let sources: [TopicPartition]
    private var result = ActualResult()
    private var lineage: [JSONValue] = []

    /// Makes the log with its topics, and the application.
    init(_ item: ConformanceCase) throws {
        self.item = item
        built = try TopologyInterpreter.build(item)
        let topology = try built.topology.resolvingPatterns(item.pipedTopics)
        folder = try TemporaryFolder()
        var settings = EmbeddedLogConfiguration()
        settings.durability = .relaxed
        settings.mapSize = 1 << 28
        settings.linger = .zero
        // The cases' times are of 1970: retention would take everything.
        settings.maintenanceInterval = .zero
        log = try EmbeddedLog.open(at: "\(folder.path)/log", configuration: settings)
        try Self.createTopics(item, topology, log)
        var configuration = StreamsConfiguration(
            applicationID: Self.applicationID, log: .open(log), stateDirectory: "\(folder.path)/state",
            guarantee: item.config.exactlyOnce ? .exactlyOnce : .atLeastOnce, commitInterval: .zero,
            handlesSignals: false)
        // The clock stands still, so that whatever a round did is committed at its end: after each record, as on the driver.
        item.config.apply(to: &configuration.runtime)
        configuration.runtime.recordsPerRound = 1
        configuration.runtime.time = clock.source
        configuration.runtime.lineage.exporter = spans
        configuration.runtime.lineage.sendsCells = true
        configuration.runtime.seed = 1
        configuration.stateMapSize = 1 << 28
        self.configuration = configuration
        lines = LineageLines(item, topology, cluster: log.clusterID)
        producer = try log.makeProducer(ProducerConfiguration(clientID: "conformance"))
        internalTopics = Dictionary(
            uniqueKeysWithValues: topology.internalTopics.map { ("\(Self.applicationID)-\($0.name)", $0) })
        let plan = try TopicPlan(topology, applicationID: Self.applicationID, log: log)
        sources = topology.sources.flatMap { source in
            let name = source.isInternal ? "\(Self.applicationID)-\(source.topic)" : source.topic
            return (0..<(plan.partitions[name] ?? 1)).map { TopicPartition(name, $0) }
        }
    }

    deinit {
        producer.close()
        log.close()
    }

    /// Topics with one partition for all that is read and written; those that closures name are known from what is expected.
    private static func createTopics(_ item: ConformanceCase, _ topology: Topology, _ log: EmbeddedLog) throws {
        var names = Set((topology.sources + topology.globalSources).filter { !$0.isInternal }.map(\.topic))
        let repartitions = Set(topology.internalTopics.map(\.name))
        for node in topology.nodes {
            if case .sink(let topic?) = node.kind, !repartitions.contains(topic) { names.insert(topic) }
        }
        for step in item.expected.steps ?? [] { names.formUnion(step.keys.filter { !$0.hasPrefix("peek:") }) }
        if let topic = item.config.deadLetterTopic { names.insert(topic) }
        try log.createTopics(names.sorted().map { TopicSpecification($0) })
    }

    /// Runs all steps and returns what was observed.
    ///
    /// - Parameter restartsAfter: after how many steps the application is stopped and another started; nil for never.
    /// - Parameter atOnce: all records are sent before anything is awaited, and make one step.
    func run(restartsAfter: Int? = nil, atOnce: Bool = false) async throws -> CaseRun {
        if atOnce { configuration.runtime.recordsPerRound = RuntimeConfiguration(applicationID: "").recordsPerRound }
        result.describe = DescribeText.normalised(built.topology.describe())
        result.steps = []
        result.changelogs = [:]
        result.repartitions = [:]
        let tail = try LogTail(log)
        if atOnce {
            try await running { application in
                try await takeAtOnce(application, tail)
                try await takeEnd(application)
            }
            return CaseRun(result)
        }
        let half = restartsAfter ?? item.steps.count
        if half < item.steps.count {
            try await running { application in try await take(item.steps.prefix(half), application, tail) }
        }
        try await running { application in
            try await take(half < item.steps.count ? item.steps.dropFirst(half) : item.steps[...], application, tail)
            try await takeEnd(application)
        }
        // Nothing may come of stopping: everything was committed.
        for (topic, _) in try tail.take() { throw CaseError("stopping wrote to the topic '\(topic)'") }
        return CaseRun(
            result, lineage: lineage, spans: try LineageLines.spans(spans.batches, of: item), cluster: log.clusterID)
    }

    private func running(_ body: (StreamsApplication) async throws -> Void) async throws {
        let application = try StreamsApplication(built.topology, configuration: configuration)
        // A second application must not make the ids of the first again: a trace may have spans of both.
        configuration.runtime.seed = (configuration.runtime.seed ?? 0) &+ 1
        let states = AsyncStream<StreamsApplication.State> { continuation in
            application.onStateChange { new, _ in continuation.yield(new) }
        }
        let end = Task { try await application.run() }
        do {
            for await state in states {
                if state == .running { break }
                if state == .error || state == .notRunning { throw CaseError("the application stopped at its start") }
            }
            try await body(application)
        } catch {
            application.shutdown()
            // Why it stopped says more than that it doesn't answer.
            try await end.value
            throw error
        }
        application.shutdown()
        try await end.value
    }

    private func take(
        _ steps: ArraySlice<CaseStep>, _ application: StreamsApplication, _ tail: LogTail
    ) async throws {
        for step in steps {
            var piped: [String: Int] = [:]
            switch step {
            case .pipe(let record):
                try send(record)
                piped[record.topic] = 1
            case .advanceWallClock(let milliseconds):
                clock.advance(by: .milliseconds(milliseconds))
                try await application.finishRounds()
            }
            try await settle(application)
            try take(tail, besides: piped)
        }
    }

    private func takeAtOnce(_ application: StreamsApplication, _ tail: LogTail) async throws {
        var piped: [String: Int] = [:]
        for case .pipe(let record) in item.steps {
            try send(record)
            piped[record.topic, default: 0] += 1
        }
        try await settle(application)
        try take(tail, besides: piped)
    }

    private func takeEnd(_ application: StreamsApplication) async throws {
        var stores: [String: CaseResult.Store] = [:]
        for (name, description) in built.topology.stores {
            if description.isBuffer || description.isPrivate {
                stores[name] = .opaque
                continue
            }
            let format = RecordFormat(description)
            var rows: [CaseResult.Row] = []
            for row in try await application.rows(ofStore: name) {
                let key = try format.key.key(row.key)
                let value = try format.value(row.value)
                rows.append(CaseResult.Row(key, value, row.timestamp, row.headers, of: description))
                lineage.append(lines.stored(key, value, store: name, row.context, row.cell))
            }
            stores[name] = .rows(rows)
        }
        result.stores = stores
        try takeTopics(application)
    }

    private func send(_ record: PipedRecord) throws {
        let key = record.key.map { Array($0.utf8) }
        let value = record.value.map { Array($0.utf8) }
        let headers = Headers(record.headers.map { ($0.name, $0.value.map { Array($0.utf8) }) })
        try producer.send(
            OutgoingRecord(
                timestamp: record.timestamp, key: key?.span.bytes, value: value?.span.bytes,
                headers: headers.encoded.span.bytes), topic: try producer.number(ofTopic: record.topic), partition: 0)
        try producer.flush()
    }

    /// Waits until all records of all source topics are processed and committed.
    ///
    /// Offsets are committed with or after what came of the records: if offsets read first equal ends read later, nothing is
    /// on its way.
    private func settle(_ application: StreamsApplication) async throws {
        while true {
            try await application.finishRounds()
            // Global tables commit nothing: what one round has polled the next one applies.
            if !built.topology.globalSources.isEmpty { try await application.finishRounds() }
            let committed = try log.committedOffsets(group: Self.applicationID)
            let isDone = try sources.allSatisfy { source in
                try (committed[source]?.offset ?? 0) >= log.watermarks(source, committed: true).high
            }
            if isDone { return }
        }
    }

    private func take(_ tail: LogTail, besides piped: [String: Int]) throws {
        var piped = piped
        var records = built.seen.take()
        for (topic, record) in try tail.take() {
            // The step's own records are the first that are new in their topics.
            if let count = piped[topic], count > 0 {
                piped[topic] = count - 1
                continue
            }
            let own = internalTopics[topic]
            switch own?.kind {
            case .changelog:
                let store = own?.store.flatMap { built.topology.stores[$0] }
                result.changelogs?[topic, default: []].append(CaseResult.RawRecord(record, of: store))
            case .repartition: result.repartitions?[topic, default: []].append(CaseResult.RawRecord(record))
            case nil:
                let output = try built.formats[topic].record(record)
                let step = result.steps?.count ?? 0
                let index = records[topic]?.count ?? 0
                let cell = Array(record.cell.dropFirst())
                lineage.append(lines.output(output, step: step, topic: topic, index: index, record.context, cell))
                records[topic, default: []].append(output)
            }
        }
        result.steps?.append(records)
    }

    private func takeTopics(_ application: StreamsApplication) throws {
        var topics: [String: CaseResult.InternalTopic] = [:]
        for (name, topic) in internalTopics {
            guard let found = try log.topic(name) else { continue }
            // Settings of our own say how the embedded log trims; the reference has none.
            let settings = found.settings.filter { !$0.key.hasPrefix("tributary.") }
            topics[name] = CaseResult.InternalTopic(topic, settings: settings)
        }
        result.internalTopics = topics
        for topic in built.topology.sourceChangelogs {
            result.internalTopics?[topic.name] = CaseResult.InternalTopic(topic, settings: topic.settings)
        }
        result.copartition = built.topology.copartition(applicationID: Self.applicationID)
        result.droppedRecords = application.metrics.dropped
    }
}
