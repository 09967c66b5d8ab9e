internal import Synchronization
public import TributaryCore
public import TributaryDSL
internal import TributaryLMDB
internal import TributaryLineage
public import TributaryRuntime
internal import TributaryState

/// A topology that runs: on a log, with its state, until it is stopped.
///
/// ``run()`` opens everything, restores the state, processes until ``shutdown()``, SIGTERM or SIGINT, commits and closes. All
/// methods may be called from any thread.
public final class StreamsApplication: Sendable {
    /// The states of an application, with Kafka Streams' names.
    public enum State: String, Sendable {
        /// Not started.
        case created
        /// Opening, making topics, restoring state.
        case rebalancing
        /// Processing.
        case running
        /// Stopping: committing and closing.
        case pendingShutdown
        /// Stopped.
        case notRunning
        /// Stopping because of an error.
        case pendingError
        /// Stopped because of an error.
        case error
    }

    private struct Status: Sendable {
        var state = State.created
        var listeners: [@Sendable (State, State) -> Void] = []
        var restoreListeners: [@Sendable (RestoreProgress) -> Void] = []
        var threads: [StreamThread] = []
        var live = 0
        var notYetRunning = 0
        var failure: (any Error)?
        var end: CheckedContinuation<Void, any Error>?
        var names = SourceNames()
        var isPaused = false
        var beginsAgain = false
    }

    /// The topology.
    public let topology: Topology
    /// The settings, with the log's defaults filled in once it is open.
    public let configuration: StreamsConfiguration
    /// All metrics of the application, for exporters and for metrics of your own.
    public let metricsRegistry = MetricsRegistry()
    private let status = Guarded(Status())
    private let stopRequested = Atomic(false)
    private let isWatched = Atomic(false)

    /// Makes an application.
    ///
    /// - Throws: `SettingError` for a setting that can't be, `TopologyError` for settings that contradict each other.
    public init(_ topology: Topology, configuration: StreamsConfiguration) throws {
        try configuration.check()
        for name in ResolvedTopology(topology, applicationID: configuration.applicationID).internalTopics {
            guard TopicName.isValid(name) else {
                throw TopologyError(
                    .invalidName,
                    "the internal topic '\(name)' has more than \(TopicName.maximumLength) characters: "
                        + "give the application or the operator a shorter name")
            }
        }
        self.topology = topology
        var configuration = configuration
        configuration.runtime.log = configuration.runtime.log.adding([("application", configuration.applicationID)])
        self.configuration = configuration
        if let exporter = configuration.runtime.lineage.exporter {
            LineageMetrics.register(exporter, in: metricsRegistry, clientID: configuration.applicationID)
        }
    }

    /// The state.
    public var state: State { status.withLock { $0.state } }

    /// Whether processing is paused.
    public var isPaused: Bool { status.withLock { $0.isPaused } }

    func setPaused(_ isPaused: Bool) {
        let threads = status.withLock { status -> [StreamThread]? in
            guard status.isPaused != isPaused else { return nil }
            status.isPaused = isPaused
            for thread in status.threads { thread.setPaused(isPaused) }
            return status.threads
        }
        guard let threads else { return }
        for thread in threads { thread.wake() }
        configuration.runtime.log(
            .info, isPaused ? "processing is paused" : "processing goes on", [], source: "Tributary")
    }

    /// Calls `listener` with the new and the old state at each change, from the thread that makes it.
    public func onStateChange(_ listener: @escaping @Sendable (_ new: State, _ old: State) -> Void) {
        status.withLock { $0.listeners.append(listener) }
    }

    /// Calls `listener` as stores are restored, from the stream thread that restores.
    public func onRestore(_ listener: @escaping @Sendable (RestoreProgress) -> Void) {
        status.withLock { $0.restoreListeners.append(listener) }
    }

    /// Says that whoever calls ``run()`` shows a person why it ended.
    func watch() { isWatched.store(true, ordering: .relaxed) }

    /// The stream threads, for queries of a store.
    func runningThreads(_ store: String) throws(StoreError) -> [StreamThread] {
        guard let description = topology.stores[store] else {
            throw StoreError(.unknownStore, "the topology has no such store", store: store)
        }
        // Each thread has all of a global table.
        let threads = Array(runningThreads().prefix(description.isGlobal ? 1 : .max))
        if threads.isEmpty { throw StoreError(.closed, "the application does not run", store: store) }
        return threads
    }

    /// The stream threads, as long as the application runs.
    func runningThreads() -> [StreamThread] { status.withLock { $0.state == .running ? $0.threads : [] } }

    /// A stored cell in words; nil if there is none.
    func report(_ cell: [UInt8]) throws(MalformedBytes) -> CellReport? {
        guard !cell.isEmpty else { return nil }
        return try CellReport(cell.span.bytes, names: status.withLock { $0.names })
    }

    /// Counters of all stream threads.
    public var metrics: ApplicationMetrics {
        let threads = status.withLock { $0.threads }.map(\.metrics)
        func sum(_ counter: KeyPath<ThreadMetrics, Counter>) -> Int64 {
            threads.reduce(0) { $0 + $1[keyPath: counter].value }
        }
        return ApplicationMetrics(
            records: sum(\.processed), commits: sum(\.commits), dropped: sum(\.dropped), lag: sum(\.lag))
    }

    /// Asks the application to commit and stop; returns at once.
    ///
    /// Calling it again does nothing.
    public func shutdown() {
        stopRequested.store(true, ordering: .releasing)
        let threads = status.withLock { $0.threads }
        if state == .running || state == .rebalancing { change(to: .pendingShutdown) }
        for thread in threads { thread.stop() }
    }

    /// Runs until ``shutdown()``, a signal, the task's cancellation, or an error.
    ///
    /// - Throws: ``ApplicationError`` if it was run before; `TopologyError`, `LogError` or `StoreError` if it cannot start, or
    ///   if the log fails; `TaskFailure` for a record that no handler let pass, and for what else fails in a task. Nothing that was committed is lost.
    public func run() async throws {
        let isFirst = status.withLock { status in
            guard status.state == .created else { return false }
            status.state = .rebalancing
            return true
        }
        guard isFirst else {
            throw ApplicationError(.alreadyRun, "an application runs once: make another to run again")
        }
        notify(.rebalancing, .created)
        let signals = configuration.handlesSignals ? SignalWatch { [weak self] in self?.shutdown() } : nil
        defer { signals?.end() }
        do {
            try await runThreads()
            change(to: .notRunning)
        } catch {
            let log = configuration.runtime.log
            // Who watches shows the error, and nobody asked for it twice.
            if !isWatched.load(ordering: .relaxed) || !log.isDefault {
                log(
                    .error, "the application stopped", [("error", ErrorText.of(error))], source: "Tributary")
            }
            change(to: .error)
            throw error
        }
    }

    private func runThreads() async throws {
        var runtime = configuration.runtime
        let log = try configuration.log.open(runtime)
        defer { if configuration.log.isOwned { log.close() } }
        runtime.guarantee = configuration.guarantee ?? log.defaults.guarantee
        guard log.defaults.guarantees.contains(runtime.guarantee) else {
            throw LogError(
                .unsupported, "this log can't run an application with the guarantee \(runtime.guarantee.rawValue) yet")
        }
        runtime.commitInterval =
            configuration.commitInterval
            ?? (runtime.guarantee == .exactlyOnce
                ? log.defaults.exactlyOnceCommitInterval : log.defaults.atLeastOnceCommitInterval)
        let directory = try stateDirectory(log.defaults.stateDirectory)
        let settings = runtime
        while try await runThreads(settings, log, directory) {}
    }

    /// Runs with the topics that there are now.
    ///
    /// - Returns: whether to run again, since there are others.
    private func runThreads(
        _ runtime: RuntimeConfiguration, _ log: any Log, _ directory: String
    ) async throws -> Bool {
        let patternTopics = PatternTopics(topology, applicationID: runtime.applicationID, log: log)
        let known = try patternTopics.names()
        let topology = try self.topology.resolvingPatterns(Array(known))
        try TopicPlan.checkTopics(topology, deadLetterTopic: runtime.deadLetterTopic, log: log)
        let plan = try TopicPlan(topology, applicationID: runtime.applicationID, log: log)
        let group = try log.joinGroup(
            GroupConfiguration(
                group: runtime.applicationID, clientID: runtime.applicationID, tasks: plan.tasks.count))
        let placement = Placement(group)
        defer {
            group.leave()
            placement.end()
        }
        let lock = try StateDirectoryLock(directory: directory)
        defer { _ = lock }
        try plan.prepare(log)
        var names = SourceNames()
        for source in topology.sources where !source.isInternal {
            let life = try log.topic(source.topic)?.life ?? 1
            if let other = names.add(cluster: log.clusterID, topic: source.topic, life: life) {
                throw TopologyError(
                    .conflict,
                    "the topics '\(source.topic)' and '\(other)' have the same 4-byte hash in this cluster, so that cells "
                        + "couldn't tell them apart: rename one of them")
            }
        }
        let sourceNames = names
        status.withLock { $0.names = sourceNames }
        let engines = LMDBEngines(
            directory: directory, mapSize: configuration.stateMapSize, checkedBytes: configuration.stateCheckedBytes,
            faults: configuration.stateFaults, log: runtime.log,
            killPoint: runtime.killPoint)
        let watch =
            patternTopics.canChange
            ? try TopicWatch(
                patternTopics, known: known, every: runtime.topicRefreshInterval.milliseconds, runtime.log
            ) { [weak self] found in self?.beginAgain(found) } : nil
        defer { watch?.end() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                start(topology, plan, runtime, log, group, placement, engines, continuation)
            }
        } onCancel: {
            shutdown()
        }
        return status.withLock { status in
            defer { status.beginsAgain = false }
            return status.beginsAgain && !stopRequested.load(ordering: .acquiring)
        }
    }

    // There are other topics to be read: the threads commit and end, and others are started for those.
    private func beginAgain(_ topics: Set<String>) {
        configuration.runtime.log(
            .info, "there are other topics that fit a pattern", [("topics", topics.sorted().joined(separator: ", "))],
            source: "Tributary")
        let threads = status.withLock { status in
            status.beginsAgain = true
            return status.threads
        }
        if state == .running { change(to: .rebalancing) }
        for thread in threads { thread.stop() }
    }

    private func start(
        _ topology: Topology, _ plan: TopicPlan, _ runtime: RuntimeConfiguration, _ log: any Log, _ group: any LogGroup,
        _ placement: Placement, _ engines: LMDBEngines, _ continuation: CheckedContinuation<Void, any Error>
    ) {
        let context = ThreadContext(
            topology: topology, plan: plan, configuration: runtime, log: log, group: group, engines: engines,
            metrics: metricsRegistry,
            onRestore: { [weak self] progress in
                let listeners = self?.status.withLock { $0.restoreListeners } ?? []
                for listener in listeners { listener(progress) }
            },
            onRunning: { [weak self] in self?.threadRuns() }, onFailure: configuration.onThreadFailure,
            onReplace: { [weak self] _ in self?.threadBeginsAgain() }, onEnd: { [weak self] in self?.threadEnded($0) })
        let count = max(min(runtime.threads, plan.tasks.count), 1)
        let before = status.withLock { $0.threads }
        let threads = (0..<count).map { index in
            StreamThread(
                index: index + 1, tasks: plan.tasks.filter { $0.number % count == index }, context: context,
                metrics: index < before.count ? before[index].metrics : nil)
        }
        status.withLock { status in
            status.threads = threads
            for thread in threads { thread.setPaused(status.isPaused) }
            status.live = count
            status.notYetRunning = count
            status.end = continuation
        }
        for thread in threads where !thread.start() {
            threadEnded(LogError(.io, "the system gave no thread"))
        }
        do { try placement.begin(threads) } catch { for thread in threads { thread.fail(error) } }
        if status.withLock({ $0.beginsAgain }) { for thread in threads { thread.stop() } }
        if stopRequested.load(ordering: .acquiring) { shutdown() }
    }

    private func threadRuns() {
        let all = status.withLock { status in
            status.notYetRunning -= 1
            return status.notYetRunning == 0 && status.state == .rebalancing
        }
        if all { change(to: .running) }
    }

    private func threadBeginsAgain() {
        let wasRunning = status.withLock { status in
            status.notYetRunning += 1
            return status.state == .running
        }
        if wasRunning { change(to: .rebalancing) }
    }

    // One thread that fails stops the others: they commit and end.
    private func threadEnded(_ error: (any Error)?) {
        if error != nil { change(to: .pendingError) }
        let (others, finished) = status.withLock { status -> ([StreamThread], CheckedContinuation<Void, any Error>?) in
            status.live -= 1
            if let error, status.failure == nil { status.failure = error }
            defer { if status.live == 0 { status.end = nil } }
            return (error == nil ? [] : status.threads, status.live == 0 ? status.end : nil)
        }
        for thread in others { thread.stop() }
        guard let finished else { return }
        if let failure = status.withLock({ $0.failure }) {
            finished.resume(throwing: failure)
        } else {
            finished.resume()
        }
    }

    private func change(to new: State) {
        let old = status.withLock { status -> State? in
            let old = status.state
            guard old != new, old != .error, old != .notRunning, !(old == .pendingError && new == .pendingShutdown)
            else { return nil }
            status.state = new
            return old
        }
        if let old { notify(new, old) }
    }

    private func notify(_ new: State, _ old: State) {
        let listeners = status.withLock { $0.listeners }
        for listener in listeners { listener(new, old) }
        configuration.runtime.log(
            .info, "the application's state changed", [("from", old.rawValue), ("to", new.rawValue)],
            source: "Tributary")
    }
}

/// Counters of an application since it started.
public struct ApplicationMetrics: Sendable {
    /// Records processed.
    public var records: Int64
    /// Commits made.
    public var commits: Int64
    /// Records left out, whatever the reason.
    public var dropped: Int64
    /// Records known to be in the source partitions and not yet processed.
    public var lag: Int64

    package init(records: Int64, commits: Int64, dropped: Int64, lag: Int64) {
        self.records = records
        self.commits = commits
        self.dropped = dropped
        self.lag = lag
    }
}
