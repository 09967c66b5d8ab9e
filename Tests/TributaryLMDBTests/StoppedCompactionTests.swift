import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryTesting

@testable import TributaryLMDB

/// A log that is closed while its partitions are compacted.
@Suite(.timeLimit(.minutes(10))) struct StoppedCompactionTests {
    /// It is asked each time that it begins a batch; a partition that was never compacted is the one where nothing lies before the dirty part.
    @Test(arguments: 0..<12)
    func `a compaction that is told to stop is interrupted wherever it is, and the next one ends it`(stopsAfter: Int)
        throws
    {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        defer { log.close() }
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        for index in 0..<8 { try log.write([TestRecord("k", "\(index)", at: 0)], to: "t") }
        let store = log.handle.core.store
        let row = try #require(try store.topic("t"))
        let settings = try TopicSettings(row.settings, topic: "t")
        let left = Atomic(stopsAfter)
        func run(_ isStopped: @escaping () -> Bool) throws -> String {
            var compactor = Compactor(store, "t", row.id, 0, settings, isStopped: isStopped)
            return "\(try compactor.run(all: true, ratio: 0))"
        }
        let outcome = try run { left.subtract(1, ordering: .relaxed).oldValue <= 0 }
        let wasEnough = left.load(ordering: .relaxed) >= 0
        #expect(outcome == (wasEnough ? "done" : "interrupted"), "stopped after \(stopsAfter) batches")
        #expect(try run { false } == "done")
        #expect(try log.texts("t") == ["6 k=6", "7 k=7"] || log.texts("t") == ["7 k=7"])
        #expect(try log.verify().isEmpty)
    }
}
