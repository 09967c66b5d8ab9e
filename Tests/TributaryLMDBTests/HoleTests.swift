import Glibc
import TestSupport
import Testing
import TributaryCore
import TributaryLMDB
import TributaryTesting

/// What isn't there that should be: batches, and the newest commit.
@Suite(.timeLimit(.minutes(10))) struct HoleTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func make(_ settings: [String: String], _ write: (EmbeddedLog) throws -> Void) throws {
        let log = try openLog(folder)
        try log.createTopics([TopicSpecification("t", settings: settings), TopicSpecification("u")])
        try write(log)
        log.close()
    }

    private func writeBatches(_ log: EmbeddedLog) throws {
        for base in [0, 5, 10, 15, 20] { try log.write((0..<5).map { TestRecord("k\(base + $0)", "v") }, to: "t") }
        try log.write([TestRecord("other", "1")], to: "u")
    }

    /// Takes batches out of the file, as nothing but damage does.
    private func remove(_ bases: [Int64]) throws {
        let environment = try LMDBEnvironment(
            path: folder.path + "/log/log.mdb", options: LMDBOptions(mapSize: 1 << 30))
        var write = try environment.write()
        let records = try write.openDatabase("records", create: false)
        for base in bases {
            var key = ByteWriter()
            key.append(bigEndian: UInt32(1))
            key.append(bigEndian: Int32(0))
            key.append(bigEndian: base)
            #expect(try write.delete(records, key.bytes))
        }
        try write.commit()
    }

    private func failure(_ log: EmbeddedLog, from offset: Int64) -> (read: Int, error: LogError?) {
        var read = 0
        do throws(LogError) {
            let consumer = try log.makeConsumer(ConsumerConfiguration(clientID: "c"))
            _ = try consumer.assign(TopicPartition("t", 0), from: offset)
            while let batch = try consumer.poll(timeout: 0) { read += batch.count }
            return (read, nil)
        } catch { return (read, error) }
    }

    /// How much is there from an offset on; -1 if that can't be read.
    private func readsAll(_ log: EmbeddedLog, from offset: Int64) -> Int {
        let (read, error) = failure(log, from: offset)
        return error == nil ? read : -1
    }

    @Test(arguments: ["delete", "compact", "compact,delete"])
    func `a batch that is missing is an error with the first and the next offset`(_ policy: String) throws {
        try make(["cleanup.policy": policy, "retention.ms": "-1"], writeBatches)
        try remove([5, 10])
        let log = try openLog(folder)
        for (start, count) in [(0, 5), (4, 1), (5, 0), (7, 0), (14, 0)] {
            let (read, error) = failure(log, from: Int64(start))
            #expect(read == count && error?.code == .corrupt && error?.topic == "t" && error?.partition == 0)
            #expect(error?.offset == Int64(max(start, 5)) && error?.resumeOffset == 15)
        }
        #expect(readsAll(log, from: 15) == 10)
        #expect(try log.verify().contains { $0.topic == "t" && $0.offset == 5 && $0.message.contains("5 to 14") })
        #expect(code { try log.performMaintenance() } == (policy == "delete" ? nil : .corrupt))
    }

    @Test(arguments: [[0], [20], [0, 5, 10, 15, 20]])
    func `missing batches at the front, at the end or everywhere are errors`(_ bases: [Int64]) throws {
        try make([:], writeBatches)
        try remove(bases)
        let log = try openLog(folder)
        let (read, error) = failure(log, from: 0)
        #expect(read == (bases == [20] ? 20 : 0))
        #expect(error?.code == .corrupt && error?.offset == bases[0])
        #expect(error?.resumeOffset == (bases == [0] ? 5 : 25))
        #expect(try log.verify().contains { $0.offset == bases[0] })
    }

    @Test func `what retention, deletion and compaction took is not missing`() throws {
        try make(["cleanup.policy": "compact,delete", "retention.ms": "-1"]) { log in
            try writeBatches(log)
            for _ in 0..<3 { try log.write((5..<15).map { TestRecord("k\($0)", "w") }, to: "t") }
            try log.performMaintenance()
            #expect(try log.read("t").map(\.offset) == Array(0..<5) + Array(15..<25) + Array(35..<55))
            try log.deleteRecords(before: [TopicPartition("t", 0): 2])
        }
        let log = try openLog(folder)
        #expect(readsAll(log, from: 2) == 33)
        #expect(readsAll(log, from: 7) == 30)
        #expect(readsAll(log, from: 25) == 20)
        #expect(try log.verify().isEmpty)
    }

    @Test func `retention doesn't believe a damaged batch, and goes on with the other partitions`() throws {
        let clock = ManualClock(1_700_000_000_000)
        let settings = ["retention.ms": "1000"]
        do {
            let log = try openLog(folder) { $0.time = clock.source }
            try log.createTopics([
                TopicSpecification("t", settings: settings), TopicSpecification("u", settings: settings),
                TopicSpecification("compacted", settings: ["cleanup.policy": "compact"]),
            ])
            for value in ["first batch", "second batch"] {
                try log.write([TestRecord("k", value, at: clock.milliseconds)], to: "t")
                try log.write([TestRecord("k", "other", at: clock.milliseconds - 5000)], to: "u")
                for _ in 0..<2 { try log.write([TestRecord("k", "kept \(value)")], to: "compacted") }
            }
            log.close()
        }
        // The greatest timestamp of the first batch becomes one of long ago; a compacted batch is damaged, too.
        let path = folder.path + "/log/log.mdb"
        try flip(path, "first batch", byte: 36, bit: 7)
        try flip(path, "kept first batch", byte: 30, bit: 0)
        let log = try openLog(folder) { $0.time = clock.source }
        #expect(code { try log.performMaintenance() } == .corrupt)
        #expect(try log.watermarks(TopicPartition("t", 0), committed: true) == Watermarks(low: 0, high: 2))
        #expect(try log.watermarks(TopicPartition("u", 0), committed: true) == Watermarks(low: 2, high: 2))
        #expect(failure(log, from: 0).error?.offset == 0)
    }

    /// Turns over a bit of the header of the batches whose first record has a value, by what lies before it.
    private func flip(_ path: String, _ value: String, byte: Int, bit: UInt8) throws {
        let bytes = try contents(path)
        let text = Array(value.utf8)
        var found = 0
        for start in 52..<(bytes.count - text.count) where bytes[start] == text[0] {
            // Header 52, attributes, timestamp, two lengths, the key `k`.
            let head = start - 52 - 5
            guard head >= 0, bytes[head..<(head + 4)] == [0xfa, 0x42, 1, 0],
                bytes[start..<(start + text.count)] == text[...]
            else { continue }
            try BitFlip(offset: head + byte, bit: bit).apply(to: path)
            found += 1
        }
        try #require(found > 0)
    }

    @Test func `a partition whose row was set back is an error, not the end`() throws {
        try make([:], writeBatches)
        do {
            let environment = try LMDBEnvironment(
                path: folder.path + "/log/log.mdb", options: LMDBOptions(mapSize: 1 << 30))
            var write = try environment.write()
            let partitions = try write.openDatabase("partitions", create: false, sealed: true)
            var row = ByteWriter()
            for number: Int64 in [10, 0, 500, 0] { row.append(bigEndian: number) }
            let key: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 0]
            try write.put(partitions, unsafe key.span.bytes, row.bytes)
            try write.commit()
        }
        let log = try openLog(folder)
        let (read, error) = failure(log, from: 0)
        #expect(read == 10 && error?.code == .corrupt && error?.topic == "t" && error?.offset == 10)
        #expect(!(try log.verify().isEmpty))
    }

    @Test func `a meta page with another commit's number is refused, whichever bit it is`() throws {
        try make([:], writeBatches)
        let path = folder.path + "/log/log.mdb"
        for place in [144, 4096 + 144] {
            for bit in 0..<64 {
                let flip = BitFlip(offset: place + bit / 8, bit: UInt8(bit % 8))
                try flip.apply(to: path)
                #expect(code { _ = try openLog(folder) } == .corrupt, "\(flip)")
                try flip.apply(to: path)
            }
        }
        #expect(try openLog(folder).read("t").count == 25)
    }
}
