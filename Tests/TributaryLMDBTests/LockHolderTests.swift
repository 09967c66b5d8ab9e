import Glibc
import Synchronization
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB

/// Log lines as they come.
final class LineCollector: Sendable {
    private let lines = Guarded<[String]>([])
    var sink: LogSink {
        LogSink { line in
            self.lines.withLock {
                $0.append(line.message + line.metadata.map { " \($0.key)=\($0.value)" }.joined())
            }
        }
    }
    var all: [String] { lines.withLock { $0 } }

    /// Waits for a line, at most ten seconds.
    func wait(_ isIt: (String) -> Bool) -> String? {
        for _ in 0..<1000 {
            if let line = all.first(where: isIt) { return line }
            usleep(10_000)
        }
        return nil
    }
}

@Suite(.timeLimit(.minutes(10)), .serialized) struct LockHolderTests {
    @Test func `a stopped process that has the writer's lock is named, and the commit goes on when it is gone`() throws
    {
        let folder = try TemporaryFolder()
        let lines = LineCollector()
        let log = try openLog(folder) {
            $0.logs = lines.sink
            $0.lockPatience = .milliseconds(50)
        }
        try log.createTopics([TopicSpecification("t")])
        let child = try startChild("hold-writer", folder)
        child.signal(SIGSTOP)
        let writer = TestThread { do { try log.write([TestRecord("k", "1")], to: "t") } catch { Issue.record(error) } }
        let line = lines.wait { $0.contains("process \(child.id), which is stopped") }
        #expect(line?.contains("log.mdb") == true, "\(lines.all)")
        #expect(try log.texts("t").isEmpty)
        child.kill()
        writer.join()
        #expect(try log.texts("t") == ["0 k=1"])
    }

    @Test func `opening a log that a stopped process is opening names it, and ends at its time limit`() throws {
        let folder = try TemporaryFolder()
        try openLog(folder).close()
        let child = try startChild("hold-open", folder)
        child.signal(SIGSTOP)
        let lines = LineCollector()
        do {
            _ = try openLog(folder) {
                $0.logs = lines.sink
                $0.lockPatience = .milliseconds(20)
                $0.lockTimeout = .milliseconds(200)
            }
            Issue.record("no failure")
        } catch {
            #expect((error as? LogError)?.code == .inUse)
            #expect("\(error)".contains("process \(child.id), which is stopped, for 0 s"), "\(error)")
        }
        #expect(lines.all.contains { $0.contains("open.lock") && $0.contains("process \(child.id)") })
        child.kill()
        try openLog(folder).close()
    }

    @Test func `maintenance that a stopped process keeps off says so`() throws {
        let folder = try TemporaryFolder()
        try openLog(folder).close()
        let child = try startChild("hold-maintenance", folder)
        child.signal(SIGSTOP)
        let lines = LineCollector()
        let log = try openLog(folder) {
            $0.logs = lines.sink
            $0.maintenanceInterval = .milliseconds(10)
            $0.lockPatience = .milliseconds(30)
            $0.lockTimeout = .milliseconds(100)
        }
        let line = lines.wait { $0.contains("keeps the log from being trimmed") }
        #expect(line?.contains("process \(child.id), which is stopped") == true, "\(lines.all)")
        #expect(code { try log.performMaintenance() } == .inUse)
        child.kill()
        try log.performMaintenance()
    }
}
