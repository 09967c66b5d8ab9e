import Glibc
import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLineage

/// Programs as users write them, and what a person sees of them.
@Suite(.timeLimit(.minutes(10))) struct ProgramTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() throws { folder = try TemporaryFolder() }

    private func start(_ mode: String = "silent") throws -> Program {
        try Program([Program.own("program-test-process"), log, mode], withErrors: true)
    }

    private func open(_ topics: String...) throws -> EmbeddedLog {
        let log = try EmbeddedLog.open(at: log)
        try log.createTopics(topics.map { .kept($0) })
        return log
    }

    private func send(_ log: EmbeddedLog, _ topic: String, _ key: [UInt8]?, _ value: [UInt8]) throws {
        let producer = try log.makeProducer(ProducerConfiguration(clientID: "test"))
        defer { producer.close() }
        let number = try producer.number(ofTopic: topic)
        if let key {
            try producer.send(
                OutgoingRecord(timestamp: 1, key: key.span.bytes, value: value.span.bytes), topic: number, partition: 0)
        } else {
            try producer.send(
                OutgoingRecord(timestamp: 1, key: nil, value: value.span.bytes), topic: number, partition: 0)
        }
        try producer.flush()
    }

    /// Reads until a text was there; what was read.
    private func read(_ program: Program, until text: String) -> String {
        var all = ""
        for _ in 0..<600 where !all.contains(text) { all += program.read(milliseconds: 50) }
        return all
    }

    @Test func `the last spans leave before a program ends, also one that fails`() async throws {
        final class Waits: SpanExporter {
            let flushes = Guarded<[Duration]>([])
            func export(_ batch: SpanBatch) {}
            func flush(timeout: Duration) { flushes.withLock { $0.append(timeout) } }
        }
        let exporter = Waits()
        let builder = StreamsBuilder()
        builder.stream("nowhere", of: String.self).to("out")
        let application = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "spans", log: .embedded(at: log), lineage: LineageConfiguration(exporter: exporter),
                logs: .none))
        await #expect(throws: TopologyError.self) { try await StreamsProgram.run(application, nil) }
        #expect(exporter.flushes.withLock { $0 } == [.seconds(5)])
    }

    @Test func `all missing topics are named in one line`() throws {
        let program = try start()
        let output = program.readToEnd()
        #expect(program.wait() == 1)
        #expect(
            output
                == """
                program-test-process: the source topic 'numbers', the source topic 'words', the output topic 'out' of node \
                'KTABLE-TOSTREAM-SINK', the output topic 'counts' of node 'SINK' do not exist: create them (for example: \
                tributary topics create numbers words out counts --partitions 1 --log \(log))

                """
                .replacingNodes(in: output), "\(output)")
    }

    @Test func `an id that runs already is one line`() throws {
        let log = try open("numbers", "words", "out", "counts")
        let member = try log.joinGroup(GroupConfiguration(group: "child", clientID: "test", tasks: 0))
        let program = try start()
        let output = program.readToEnd()
        #expect(program.wait() == 1)
        #expect(output.hasPrefix("program-test-process: inUse: process \(getpid())"), "\(output)")
        #expect(output.split(separator: "\n").count == 1, "\(output)")
        member.leave()
        log.close()
    }

    @Test(arguments: ["silent", "no-warnings"])
    func `a bad record is one line with its coordinates`(_ mode: String) throws {
        let log = try open("numbers", "words", "out", "counts")
        try send(log, "numbers", [1], [1, 2, 3])
        let program = try start(mode)
        let lines = program.readToEnd().split(separator: "\n").filter { $0.hasPrefix("program-test-process: ") }
        #expect(program.wait() == 1)
        #expect(lines.count == 1 && lines[0].contains("record numbers-0@0"), "\(lines)")
        log.close()
    }

    @Test(arguments: [("bad-topology", "not a name"), ("lines", "the first line the second [2J")])
    func `what is wrong with the program is one line`(_ mode: String, _ words: String) throws {
        let program = try start(mode)
        let output = program.readToEnd()
        #expect(program.wait() == 1)
        #expect(output.hasPrefix("program-test-process: ") && output.contains(words), "\(output)")
        #expect(output.filter(\.isNewline).count == 1, "\(output)")
    }

    @Test func `a line of summary is shown, and SIGTERM ends it well`() throws {
        let log = try open("numbers", "words", "out", "counts")
        for _ in 0..<3 { try send(log, "words", [0x61], [0x62]) }
        let program = try start("")
        let output = read(program, until: "lag 0  3 records")
        #expect(output.contains("child  running  "), "\(output)")
        program.signal(SIGTERM)
        let rest = program.readToEnd()
        #expect(program.wait() == 0, "\(rest)")
        log.close()
    }

    @Test func `what is left out is warned of unless that is turned off`() throws {
        let log = try open("numbers", "words", "out", "counts")
        try send(log, "numbers", nil, [0, 0, 0, 0, 0, 0, 0, 1])
        for (mode, isWarned) in [("", true), ("no-warnings", false)] {
            let program = try start(mode)
            // The summary says so in both cases.
            let output = read(program, until: mode.isEmpty ? "1 left out" : "running  ")
            #expect(output.contains("WARNING") == isWarned, "\(output)")
            program.signal(SIGTERM)
            #expect(program.wait() == 0)
        }
        log.close()
    }

    @Test func `what was restored is said`() throws {
        let log = try open("numbers", "words", "out", "counts")
        for _ in 0..<3 { try send(log, "words", [0x61], [0x62]) }
        let first = try start("")
        _ = read(first, until: "lag 0  3 records")
        first.signal(SIGTERM)
        #expect(first.wait() == 0)
        try Program.run(["rm", "-r", "\(self.log)/state"])
        let second = try start("")
        let output = read(second, until: "running  ")
        #expect(output.contains("child  restored "), "\(output)")
        second.signal(SIGTERM)
        #expect(second.wait() == 0)
        log.close()
    }
}

/// The lines that a person sees.
@Suite struct StatusTests {
    private func progress(_ store: String, _ position: Int64, of end: Int64, isDone: Bool = false) -> RestoreProgress {
        RestoreProgress(
            store: store, task: "0_0", changelog: TopicPartition("c", 0), start: 100, end: end, position: position,
            records: position - 100, isDone: isDone)
    }

    @Test func `restoring says how many stores, which part, and where the newest is`() {
        var status = RestoreStatus()
        #expect(status.line == nil && status.summary(milliseconds: 1) == nil)
        status.note(progress("a", 100, of: 2100))
        #expect(status.line == "restoring 1 of 1 stores, 0 %: a 0_0 at 100 of 2,100")
        status.note(progress("b", 600, of: 1100))
        status.note(progress("a", 2100, of: 2100, isDone: true))
        #expect(status.line == "restoring 1 of 2 stores, 83 %: a 0_0 at 2,100 of 2,100")
        #expect(status.summary(milliseconds: 1234) == "restored 2 stores from 2,500 changelog records in 1.2 s")
    }

    @Test func `a summary has the rate since the one before`() {
        var report = StatusReport(application: "app", start: 1000)
        func sample(_ time: Int64, _ records: Int64, lag: Int64 = 0, dropped: Int64 = 0) -> StatusReport.Sample {
            let metrics = ApplicationMetrics(records: records, commits: 1, dropped: dropped, lag: lag)
            return StatusReport.Sample(state: .running, metrics: metrics, time: time)
        }
        #expect(
            report.line(sample(2000, 1500, lag: 12_000), RestoreStatus())
                == "app  running  1,500 records/s  lag 12,000  1,500 records")
        #expect(
            report.line(sample(2500, 1600, dropped: 2), RestoreStatus())
                == "app  running  200 records/s  lag 0  1,600 records  2 left out")
        let starting = StatusReport.Sample(
            state: .rebalancing, metrics: ApplicationMetrics(records: 0, commits: 0, dropped: 0, lag: 0), time: 3000)
        #expect(report.line(starting, RestoreStatus()) == "app  starting")
    }
}

extension String {
    /// This text with the names of nodes, which the builder gives, as they are in another.
    fileprivate func replacingNodes(in output: String) -> String {
        let pattern = /of node '([^']*)'/
        let names = output.matches(of: pattern).map { String($0.1) }
        var index = 0
        return replacing(pattern) { match in
            defer { index += 1 }
            return names.indices.contains(index) ? "of node '\(names[index])'" : String(match.0)
        }
    }
}
