public import TributaryCore
internal import TributaryLineage
internal import TributaryState

/// The steps of a commit for tasks that share a collector (Docs/Architecture.md): caches, outputs, offsets, and sometimes the state.
///
/// Used by the tasks' thread.
public struct Committer {
    private let collector: RecordCollector
    private let recorder: LineageRecorder
    private let deferral: DeferredEncoding
    private let group: any LogGroup
    private let configuration: RuntimeConfiguration

    /// What a commit did and how long it took, ns.
    public struct Outcome {
        /// Until the log had committed; nil where there was nothing to commit.
        public var logTime: Int64?
        /// To make the state durable; nil where it was not.
        public var stateTime: Int64?
    }

    /// Makes a committer.
    public init(_ assembly: TaskAssembly, _ group: any LogGroup, _ configuration: RuntimeConfiguration) {
        collector = assembly.collector
        recorder = assembly.recorder
        deferral = assembly.deferral
        self.group = group
        self.configuration = configuration
    }

    /// Commits what tasks have done.
    ///
    /// - Parameters:
    ///   - dirty: the tasks that have something to commit.
    ///   - all: tasks whose state is made durable with it, whether they have something to commit or not.
    /// - Throws: what a node, a store or the log throws. Nothing is committed then, unless it was the state that failed.
    @discardableResult
    public func commit(_ dirty: [StreamTask], andDurably all: [StreamTask] = []) throws -> Outcome {
        let clock = configuration.time.monotonic
        let start = clock.nanoseconds()
        var outcome = Outcome()
        var offsets: [TopicPartition: CommittedOffset] = [:]
        for task in dirty {
            try task.flush()
            offsets.merge(task.offsets()) { $1 }
        }
        try deferral.check()
        var commitID: Int64 = 0
        configuration.killPoint?(.cachesFlushed)
        // Global tables have nothing in the log.
        if dirty.contains(where: { !$0.isGlobal }) {
            if configuration.guarantee == .exactlyOnce {
                commitID = try collector.commitTransaction(offsets, group)
            } else {
                try collector.flush()
                configuration.killPoint?(.outputsWritten)
                try group.commit(offsets)
            }
            configuration.killPoint?(.logCommitted)
            recorder.settle(.committed)
            outcome.logTime = clock.nanoseconds() - start
        }
        let middle = clock.nanoseconds()
        for task in all.isEmpty ? dirty : all {
            if try task.committed(commitID, force: !all.isEmpty) { outcome.stateTime = clock.nanoseconds() - middle }
        }
        return outcome
    }
}
