import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB
import TributaryTesting

@Suite(.timeLimit(.minutes(10))) struct MaintenanceTests {
    @Test func `retention by time takes whole batches from the front`() throws {
        let folder = try TemporaryFolder()
        let time = ManualClock()
        let log = try openLog(folder) { $0.time = time.source }
        try log.createTopics([TopicSpecification("t", settings: ["retention.ms": "1000"])])
        for index in 0..<5 { try log.write([TestRecord("k", "\(index)", at: Int64(index) * 1000)], to: "t") }
        time.set(wall: 3500)
        try log.performMaintenance()
        let place = TopicPartition("t", 0)
        #expect(try log.watermarks(place, committed: true) == Watermarks(low: 3, high: 5))
        #expect(try log.texts("t") == ["3 k=3", "4 k=4"])
        #expect(code { _ = try log.read("t", from: 2) } == .offsetOutOfRange)
        time.set(wall: 100_000)
        try log.performMaintenance()
        #expect(try log.watermarks(place, committed: true) == Watermarks(low: 5, high: 5))
        try log.write([TestRecord("k", "5", at: 100_000)], to: "t")
        #expect(try log.texts("t") == ["5 k=5"])
        #expect(try log.verify().isEmpty)
    }

    @Test func `retention by stream time goes by the newest record of the partition, whatever the day is`() throws {
        let folder = try TemporaryFolder()
        let time = ManualClock(1_800_000_000_000)
        let settings = [
            "retention.ms": "1000", "cleanup.policy": "delete", "tributary.retention.time": "stream",
        ]
        let places = [TopicPartition("t", 0), TopicPartition("t", 1)]
        do {
            let log = try openLog(folder) { $0.time = time.source }
            try log.createTopics([TopicSpecification("t", partitions: 2, settings: settings)])
            // Of 2023, out of order; the other partition has a time of its own.
            for age: Int64 in [5000, 0, 3000, 900, 1000, 1001] {
                try log.write([TestRecord("k \(age)", "1", at: 1_700_000_000_000 - age)], to: "t")
                try log.write([TestRecord("k \(age)", "1", at: 1_600_000_000_000)], to: "t", 1)
            }
            try log.performMaintenance()
            #expect(try log.watermarks(places[0], committed: true) == Watermarks(low: 1, high: 6))
            #expect(try log.watermarks(places[1], committed: true) == Watermarks(low: 0, high: 6))
            log.close()
        }
        // The newest record's time is known after a restart, and when that record is gone.
        let log = try openLog(folder) { $0.time = time.source }
        try log.deleteRecords(before: [places[0]: 2])
        try log.performMaintenance()
        #expect(try log.watermarks(places[0], committed: true) == Watermarks(low: 3, high: 6))
        try log.write([TestRecord("k", "1", at: 1_700_000_000_101)], to: "t")
        try log.performMaintenance()
        #expect(try log.watermarks(places[0], committed: true) == Watermarks(low: 6, high: 7))
        #expect(try log.verify().isEmpty)
        // A topic made anew has no time yet.
        try log.deleteTopics(["t"])
        try log.createTopics([TopicSpecification("t", partitions: 2, settings: settings)])
        try log.write([TestRecord("k", "1", at: 5)], to: "t")
        try log.performMaintenance()
        #expect(try log.watermarks(places[0], committed: true) == Watermarks(low: 0, high: 1))
    }

    @Test func `records older than their topic keeps them are said, once an hour for each partition`() throws {
        let folder = try TemporaryFolder()
        let now: Int64 = 1_800_000_000_000
        let time = ManualClock(now)
        let lines = LineCollector()
        let log = try openLog(folder) {
            $0.time = time.source
            $0.logs = lines.sink
        }
        try log.createTopics([
            TopicSpecification("t", partitions: 2, settings: ["retention.ms": "1000"]),
            TopicSpecification("stream", settings: ["retention.ms": "1000", "tributary.retention.time": "stream"]),
            TopicSpecification("kept", settings: ["retention.ms": "-1"]),
            TopicSpecification("compacted", settings: ["retention.ms": "1000", "cleanup.policy": "compact"]),
            TopicSpecification("week"),
        ])
        try log.write([TestRecord("k", "1", at: now - 1000), TestRecord("k", "1", at: now + 5000)], to: "t")
        for topic in ["stream", "kept", "compacted"] { try log.write([TestRecord("k", "1", at: 5)], to: topic) }
        try log.write([TestRecord("k", "1", at: now - 7 * 86_400_000)], to: "week")
        #expect(lines.all.isEmpty)
        for _ in 0..<3 { try log.write([TestRecord("k", "1", at: now - 1001)], to: "t") }
        #expect(
            lines.all.count == 1 && lines.all[0].contains("topic=t partition=0 timestamp=\(now - 1001)"), "\(lines.all)"
        )
        try log.write([TestRecord("k", "1", at: Int64.min)], to: "t", 1)
        try log.write([TestRecord("k", "1", at: now - 7 * 86_400_000 - 1)], to: "week")
        #expect(lines.all.count == 3)
        time.advance(by: .milliseconds(3_600_000))
        for _ in 0..<3 { try log.write([TestRecord("k", "1", at: now - 1001)], to: "t") }
        #expect(lines.all.count == 4)
    }

    @Test func `retention by bytes keeps at least so much`() throws {
        let folder = try TemporaryFolder()
        let time = ManualClock()
        let log = try openLog(folder) { $0.time = time.source }
        try log.createTopics([TopicSpecification("t", settings: ["retention.bytes": "10000"])])
        let value = String(repeating: "x", count: 3000)
        for _ in 0..<20 { try log.write([TestRecord("k", value)], to: "t") }
        try log.performMaintenance()
        #expect(try log.watermarks(TopicPartition("t", 0), committed: true) == Watermarks(low: 16, high: 20))
        #expect(try log.verify().isEmpty)
    }

    @Test func `records before an offset are deleted, also inside a batch`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t")])
        for start in [0, 5] { try log.write((0..<5).map { TestRecord("k", "\(start + $0)") }, to: "t") }
        let place = TopicPartition("t", 0)
        try log.deleteRecords(before: [place: 7])
        #expect(try log.texts("t") == ["7 k=7", "8 k=8", "9 k=9"])
        #expect(code { try log.deleteRecords(before: [place: 11]) } == .offsetOutOfRange)
        try log.deleteRecords(before: [place: -1])
        #expect(try log.watermarks(place, committed: true) == Watermarks(low: 10, high: 10))
        #expect(try log.verify().isEmpty)
    }

    @Test func `compaction keeps the newest of each key and leaves the last batch alone`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        try log.write([TestRecord("a", "1"), TestRecord("b", "1"), TestRecord("c", "1")], to: "t")
        try log.write([TestRecord("a", "2"), TestRecord("b", "2")], to: "t")
        try log.write([TestRecord("a", "3"), TestRecord("a", "4")], to: "t")
        try log.performMaintenance()
        #expect(try log.texts("t") == ["2 c=1", "3 a=2", "4 b=2", "5 a=3", "6 a=4"])
        try log.performMaintenance()
        #expect(try log.texts("t") == ["2 c=1", "3 a=2", "4 b=2", "5 a=3", "6 a=4"])
        try log.write([TestRecord("d", "1")], to: "t")
        try log.performMaintenance()
        #expect(try log.texts("t") == ["2 c=1", "4 b=2", "6 a=4", "7 d=1"])
        for start in 0...8 {
            let kept = [2, 4, 6, 7].filter { $0 >= start }
            #expect(try log.read("t", from: Int64(start)).map(\.offset) == kept.map(Int64.init))
        }
        #expect(try log.verify().isEmpty)
    }

    @Test func `compaction goes on behind records that were deleted before it came to them`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        for round in 0..<4 { try log.write((0..<5).map { TestRecord("k\($0)", "\(round)") }, to: "t") }
        try log.deleteRecords(before: [TopicPartition("t", 0): 7])
        try log.performMaintenance()
        #expect(try log.read("t").map(\.offset) == Array(10..<20))
        #expect(try log.verify().isEmpty)
    }

    @Test func `reading on in a gap behind a large batch goes on at once`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.batchBytes = 256 << 10 }
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        let large = String(repeating: "x", count: 200_000)
        try log.write([TestRecord("large", large), TestRecord("a", "1"), TestRecord("b", "1")], to: "t")
        try log.write([TestRecord("a", large), TestRecord("b", "2")], to: "t")
        try log.write([TestRecord("end", "1")], to: "t")
        try log.performMaintenance()
        #expect(try log.read("t").map(\.offset) == [0, 3, 4, 5])
        for start: Int64 in [1, 2, 3] { #expect(try log.read("t", from: start).map(\.offset) == [3, 4, 5]) }
    }

    @Test func `a tombstone stays for its delay after compaction saw it`() throws {
        let folder = try TemporaryFolder()
        let time = ManualClock()
        let log = try openLog(folder) { $0.time = time.source }
        try log.createTopics([
            TopicSpecification("t", settings: ["cleanup.policy": "compact", "delete.retention.ms": "1000"])
        ])
        try log.write([TestRecord("a", "1"), TestRecord("b", "1")], to: "t")
        try log.write([TestRecord("a", nil)], to: "t")
        try log.write([TestRecord("end", "1")], to: "t")
        time.set(wall: 10_000)
        try log.performMaintenance()
        #expect(try log.texts("t") == ["1 b=1", "2 a=-", "3 end=1"])
        time.set(wall: 10_999)
        try log.performMaintenance()
        #expect(try log.texts("t") == ["1 b=1", "2 a=-", "3 end=1"])
        time.set(wall: 11_000)
        try log.performMaintenance()
        #expect(try log.texts("t") == ["1 b=1", "3 end=1"])
        #expect(try log.verify().isEmpty)
    }

    @Test func `compaction of many batches keeps lineage, headers and timestamps, and says less bytes`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) { $0.batchBytes = 2048 }
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        var newest: [String: TestRecord] = [:]
        var records: [TestRecord] = []
        for index in 0..<5000 {
            let key = "key \((index &* 7919) % 97)"
            var record = TestRecord(key, "value \(index)", at: Int64(index * 3 % 1000))
            record.offset = Int64(index)
            record.context = TraceContext(traceHigh: UInt64(index), traceLow: 2, span: 3, flags: 1)
            record.cell = [1, UInt8(index & 255)]
            record.headers = Headers([("h", [UInt8(index & 255)])])
            records.append(record)
            newest[key] = record
        }
        try log.write(records, to: "t")
        var end = TestRecord("end", "1")
        end.offset = 5000
        try log.write([end], to: "t")
        try log.performMaintenance()
        #expect(try log.read("t") == newest.values.sorted { $0.offset < $1.offset } + [end])
        #expect(try log.verify().isEmpty)
    }

    @Test func `compaction goes on until nothing is dirty, however little memory its keys may take`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) {
            $0.batchBytes = 4096
            $0.compactionBytes = 0  // room for some 1,400 keys
        }
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        let keys = 10_000
        for round in 0..<3 {
            try log.write((0..<keys).map { TestRecord("key \(($0 &* 7919) % keys)", "\(round)") }, to: "t")
        }
        try log.write([TestRecord("end", "1")], to: "t")
        try log.performMaintenance()
        let records = try log.read("t")
        // All but the last round's are gone, which may hold a batch that is left alone.
        #expect(records.map(\.offset) == Array(Int64(2 * keys)...Int64(3 * keys)))
        #expect(try log.verify().isEmpty)
    }

    @Test func `compaction by itself catches up with what comes in while it works`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder) {
            $0.batchBytes = 4096
            $0.maintenanceInterval = .milliseconds(250)
            $0.compactionBytes = 0
        }
        try log.createTopics([TopicSpecification("t", partitions: 2, settings: ["cleanup.policy": "compact"])])
        let keys = 5000
        for _ in 0..<20 {
            for partition: Int32 in 0...1 {
                try log.write((0..<keys).map { TestRecord("\($0)", "v") }, to: "t", partition)
            }
        }
        // Runs of 1,400 keys, one each interval, would need 36 s.
        var left = 0
        for _ in 0..<2000 {
            left = try (0...1).reduce(0) { try $0 + log.read("t", Int32($1)).count }
            if left <= 2 * 2 * keys { break }
            usleep(10_000)
        }
        #expect(left <= 2 * 2 * keys)
        log.close()
    }

    @Test func `batches of which nothing stays leave one that stands for them`() throws {
        let folder = try TemporaryFolder()
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", settings: ["cleanup.policy": "compact"])])
        for round in 0..<700 { try log.write([TestRecord("a", "\(round)")], to: "t") }
        try log.performMaintenance()
        #expect(try log.texts("t") == ["698 a=698", "699 a=699"])
        for start: Int64 in [0, 1, 300, 697] { #expect(try log.read("t", from: start).map(\.offset) == [698, 699]) }
        // Both runs of a transaction's 256, and the rest with the record that stays.
        var verifier = EmbeddedLogVerifier(log)
        verifier.run()
        #expect(verifier.findings.isEmpty && verifier.batches == 4)
        // What has no record has no time either.
        #expect(try log.offsets(atOrAfter: [TopicPartition("t", 0): 0]) == [TopicPartition("t", 0): 698])
    }
}
