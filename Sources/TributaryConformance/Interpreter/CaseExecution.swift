internal import TributaryCore
internal import TributaryDSL
internal import TributaryLMDB
internal import TributaryLineage
internal import TributaryRuntime
internal import TributaryState
internal import TributaryTelemetry
internal import TributaryTesting

/// How one run of a case is set up, beyond what the case says.
struct ExecutionSettings {
    /// What is kept about lineage.
    var mode = LineageMode.cells
    /// Whether traces are sampled.
    var isSampled = true
    /// Whether half of them are.
    var isPartial = false
    /// How traces are sampled, where they are; nil for all.
    var sampler: Sampler?
    /// Which operations have spans.
    var spans = SpanLevel.storage
    /// Whether somebody looks at them, who takes them as lines.
    var writesSpans = true
    /// Whether persistent stores are on LMDB; else a memory engine stands for it.
    var usesLMDB = true
    /// How many records that are piped one after the other are processed, and then committed, together.
    var recordsPerCommit = 1
    /// After how many steps the task is closed and made again from the log and its state; nil for never.
    var restartsAfter: Int?
    /// The same after every so many steps.
    var restartsEvery: Int?
    /// Every so many steps the task crashes before one of the step's first commits; nil for never.
    var crashesEvery: Int?

    /// Whether the task is made again behind a step, or crashes in it.
    func restarts(behind step: Int) -> Bool {
        restartsAfter == step + 1 || restartsEvery.map { (step + 1).isMultiple(of: $0) } ?? false
    }

    /// After how many commits of a step the task crashes in place of the next; nil if it doesn't.
    func commitsBeforeCrash(in step: Int) -> Int? {
        guard let crashesEvery, (step + 1).isMultiple(of: crashesEvery) else { return nil }
        return step / crashesEvery % 3
    }
}

/// One run of a case on the test driver.
struct CaseExecution {
    static let applicationID = "app"
    private let item: ConformanceCase
    private let settings: ExecutionSettings
    private let topology: Topology
    private let formats: OutputFormats
    private let seen: SeenRecords
    private let driver: TopologyTestDriver
    private let folder: TemporaryFolder?
    private let lines: LineageLines
    private var result = ActualResult()
    private var lineage: [JSONValue] = []
    private var evictions: [String: Int64] = [:]
    private var inconsistencies: [String] = []
    private let internalTopics: [String: InternalTopic]

    /// Runs a case.
    ///
    /// - Throws: ``CaseError`` if the runner can't interpret the case. Errors of the topology are part of the result.
    static func run(_ item: ConformanceCase, _ settings: ExecutionSettings) throws -> CaseRun {
        var result = ActualResult()
        let built: TopologyInterpreter.Built
        do { built = try TopologyInterpreter.build(item) } catch let error as CaseError { throw error } catch {
            result.failure = .build
            result.failureMessage = "\(error)"
            return CaseRun(result)
        }
        let isPersistent = built.topology.stores.values.contains(where: \.isPersistent)
        let folder = settings.usesLMDB && isPersistent ? try TemporaryFolder() : nil
        let driver: TopologyTestDriver
        do {
            driver = try TopologyTestDriver(
                built.topology, configuration: Self.configuration(item, settings, folder))
        } catch {
            result.failure = .start
            result.failureMessage = "\(error)"
            return CaseRun(result)
        }
        var execution = CaseExecution(item, settings, built, driver, folder)
        return try execution.run()
    }

    private init(
        _ item: ConformanceCase, _ settings: ExecutionSettings, _ built: TopologyInterpreter.Built,
        _ driver: TopologyTestDriver, _ folder: TemporaryFolder?
    ) {
        self.item = item
        self.settings = settings
        self.driver = driver
        self.folder = folder
        topology = built.topology
        formats = built.formats
        seen = built.seen
        lines = LineageLines(item, built.topology, cluster: LineageTruth.cluster)
        internalTopics = Dictionary(
            uniqueKeysWithValues: built.topology.internalTopics.map { ("\(Self.applicationID)-\($0.name)", $0) })
    }

    private static func configuration(
        _ item: ConformanceCase, _ settings: ExecutionSettings, _ folder: TemporaryFolder?
    ) -> TestDriverConfiguration {
        var configuration = TestDriverConfiguration(applicationID: applicationID)
        configuration.clusterID = LineageTruth.cluster
        item.config.apply(to: &configuration.runtime)
        // Else what was sent before a crash is sent again.
        if settings.crashesEvery != nil { configuration.runtime.guarantee = .exactlyOnce }
        configuration.topics = item.pipedTopics
        configuration.recordsPerCommit = settings.recordsPerCommit
        configuration.runtime.lineage.mode = settings.mode
        configuration.runtime.lineage.sampler =
            settings.isPartial
            ? .parentBased(root: .ratio(0.5))
            : settings.isSampled ? settings.sampler ?? .parentBased(root: .alwaysOn) : .alwaysOff
        configuration.runtime.lineage.spans = settings.spans
        if settings.mode == .off { configuration.runtime.lineage.spans = .none }
        if let folder {
            let options = LMDBStateOptions(mapSize: 1 << 28, maximumTables: 256, durability: .fast)
            configuration.persistentEngine = { [path = folder.path] task in
                try LMDBStateEngine(directory: "\(path)/\(task)", options: options)
            }
        }
        return configuration
    }

    private mutating func run() throws -> CaseRun {
        defer { driver.close() }
        result.describe = DescribeText.normalised(topology.describe())
        result.steps = []
        result.changelogs = [:]
        result.repartitions = [:]
        var waiting = 0
        for (index, step) in item.steps.enumerated() {
            driver.crash(insteadOfCommitAfter: settings.commitsBeforeCrash(in: index))
            do {
                switch step {
                case .pipe(let record):
                    let key = record.key.map { Array($0.utf8) }
                    let value = record.value.map { Array($0.utf8) }
                    let headers = Headers(record.headers.map { ($0.name, $0.value.map { Array($0.utf8) }) })
                    waiting += 1
                    if waiting < settings.recordsPerCommit, index + 1 < item.steps.count,
                        case .pipe = item.steps[index + 1]
                    {
                        try driver.append(
                            topic: record.topic, key: key, value: value, timestamp: record.timestamp, headers: headers)
                        result.steps?.append([:])
                        continue
                    }
                    waiting = 0
                    try driver.pipe(
                        topic: record.topic, key: key, value: value, timestamp: record.timestamp, headers: headers)
                case .advanceWallClock(let milliseconds): try driver.advanceWallClock(by: .milliseconds(milliseconds))
                }
            } catch let error as CaseError {
                throw error
            } catch {
                if let failure = error as? TaskFailure, let cause = failure.cause as? CaseError { throw cause }
                result.failure = .step(index)
                result.failureMessage = "\(error)"
                return try finish()
            }
            try take(step: index)
            if settings.restarts(behind: index) { try driver.restart() }
        }
        try takeStores()
        takeTopology()
        return try finish()
    }

    private func finish() throws -> CaseRun {
        driver.close()
        let spans = settings.writesSpans ? try LineageLines.spans(driver.finishedSpans, of: item) : []
        var run = CaseRun(result, lineage: lineage, spans: spans)
        run.evictions = evictions
        run.inconsistencies = inconsistencies
        return run
    }
}

// MARK: What is seen

extension CaseExecution {
    private mutating func take(step: Int) throws {
        var records = seen.take()
        for (topic, record) in try driver.takeRecords() {
            if let own = internalTopics[topic] {
                let raw = CaseResult.RawRecord(record, of: own.store.flatMap { topology.stores[$0] })
                switch own.kind {
                case .changelog: result.changelogs?[topic, default: []].append(raw)
                case .repartition: result.repartitions?[topic, default: []].append(raw)
                }
                continue
            }
            let output = try formats[topic].record(record)
            let index = records[topic]?.count ?? 0
            records[topic, default: []].append(output)
            lineage.append(
                lines.output(
                    output, step: step, topic: topic, index: index, record.context, Array(record.cell.dropFirst())))
        }
        result.steps?.append(records)
    }

    private mutating func takeStores() throws {
        var stores: [String: CaseResult.Store] = [:]
        for name in driver.storeNames {
            guard let description = topology.stores[name] else { continue }
            if description.isBuffer {
                stores[name] = .opaque
                continue
            }
            let format = RecordFormat(description)
            var rows: [CaseResult.Row] = []
            let held = try driver.rows(ofStore: name)
            evictions[name] = try driver.evictions(ofStore: name)
            if description.isLogged { compareWithChangelog(name, description, held) }
            if description.isPrivate {
                stores[name] = .opaque
                continue
            }
            for row in held {
                let key = try format.key.key(row.key)
                let value = try format.value(row.value)
                rows.append(CaseResult.Row(key, value, row.timestamp, row.headers, of: description))
                lineage.append(
                    lines.stored(key, value, store: name, row.context, row.cell))
            }
            stores[name] = .rows(rows)
        }
        result.stores = stores
    }

    /// After a commit a store has what its changelog says, and nothing else; of windows those that are still seen.
    private mutating func compareWithChangelog(_ name: String, _ description: StoreDescription, _ rows: [DriverRow]) {
        // A version that is too old, or an older one, or a row that was forgotten: changelog and rows differ.
        if description.history != nil || description.maximumRows != nil { return }
        let topic = "\(Self.applicationID)-\(name)-changelog"
        var logged: [String: String] = [:]
        for record in result.changelogs?[topic] ?? [] { logged[record.key ?? ""] = record.value }
        let held = Dictionary(rows.map { (hexadecimal($0.key), hexadecimal($0.value)) }) { $1 }
        for (key, value) in held where logged[key] != value {
            inconsistencies.append("store \(name) has \(key)=\(value), its changelog \(logged[key] ?? "nothing")")
        }
        guard description.retention == nil else { return }
        for (key, value) in logged where held[key] == nil {
            inconsistencies.append("store \(name) lacks \(key)=\(value) of its changelog")
        }
    }

    private mutating func takeTopology() {
        result.internalTopics = internalTopics.mapValues {
            CaseResult.InternalTopic($0, settings: $0.settings)
        }
        for topic in topology.sourceChangelogs {
            result.internalTopics?[topic.name] = CaseResult.InternalTopic(topic, settings: topic.settings)
        }
        result.copartition = topology.copartition(applicationID: Self.applicationID)
        result.droppedRecords = driver.droppedRecords
    }
}
