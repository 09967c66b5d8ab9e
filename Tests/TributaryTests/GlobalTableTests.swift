import TestSupport
import Testing
import Tributary
import TributaryCore
import TributaryLMDB
import TributaryLineage
import TributaryTesting

/// Global tables, on the driver; what Kafka Streams does record for record is in the conformance cases.
@Suite struct GlobalTableTests {
    private func topology(_ describe: (StreamsBuilder, GlobalKTable<String, String>) -> Void) throws -> Topology {
        let builder = StreamsBuilder()
        let table = builder.globalTable("countries", key: .string, value: .string, as: "names")
        describe(builder, table)
        return try builder.build()
    }

    private func joined() throws -> Topology {
        try topology { builder, table in
            builder.stream("in", key: .string, value: .string)
                .leftJoin(table, by: { _, value in value.isEmpty ? nil : value }) { "\($0)=\($1 ?? "-")" }
                .to("out", value: .string)
        }
    }

    private func pipe(_ driver: TopologyTestDriver, _ topic: String, _ key: String?, _ value: String?) throws {
        try driver.pipe(
            topic: topic, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) }, timestamp: 5)
    }

    @Test func `a record finds the row of the key that is selected, whatever key it has itself`() throws {
        let driver = try TopologyTestDriver(joined())
        defer { driver.close() }
        try pipe(driver, "in", "1", "no")
        try pipe(driver, "countries", "no", "Norway")
        try pipe(driver, "countries", nil, "Nowhere")
        for value in ["no", "se", ""] { try pipe(driver, "in", "2", value) }
        try pipe(driver, "countries", "no", nil)
        try pipe(driver, "in", "3", "no")
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["no=-", "no=Norway", "se=-", "=-", "no=-"])
        #expect(out.map(\.key) == ["1", "2", "2", "2", "3"])
        #expect(driver.dropped == [.nullKey: 1])
        #expect(driver.storeNames == ["names"])
    }

    @Test(arguments: [false, true])
    func `rows are there again after a restart, and are what their records were made from`(isKept: Bool) throws {
        let folder = try TemporaryFolder()
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sendsCells = true
        if isKept {
            configuration.persistentEngine = { [path = folder.path] task in
                try LMDBStateEngine(
                    directory: "\(path)/\(task)",
                    options: LMDBStateOptions(mapSize: 1 << 26, maximumTables: 16, durability: .fast))
            }
        }
        let driver = try TopologyTestDriver(joined(), configuration: configuration)
        defer { driver.close() }
        try pipe(driver, "countries", "no", "Norway")
        try pipe(driver, "countries", "se", "Sweden")
        try pipe(driver, "countries", "se", nil)
        try driver.restart()
        try pipe(driver, "countries", "no", "Norge")
        try driver.crash()
        for value in ["no", "se"] { try pipe(driver, "in", "1", value) }
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.map(\.value) == ["no=Norge", "se=-"])
        let arena = CellArena()
        let cells = try driver.log.records(in: TopicPartition("out", 0)).map { record in
            try #require(try CellHeader.decode(record.cell.span.bytes, into: arena))
        }
        #expect(cells.map(\.count) == [2, 1])
        #expect(!cells.contains { $0.has(flags: Cell.gap) })
        // Of the table it is the third record, which came after the restart.
        let entries = arena.entries(of: cells[0])
        #expect(entries.map(\.first).sorted() == [0, 3])
    }

    @Test func `a read of a row is linked to the record that it is`() throws {
        var configuration = TestDriverConfiguration()
        configuration.runtime.lineage.sampler = .parentBased(root: .alwaysOn)
        configuration.runtime.lineage.spans = .storage
        let driver = try TopologyTestDriver(joined(), configuration: configuration)
        defer { driver.close() }
        try pipe(driver, "countries", "se", "Sweden")
        try pipe(driver, "countries", "no", "Norway")
        try pipe(driver, "in", "1", "no")
        var reads: [(link: LinkRecord, topic: String)] = []
        var processed: [UInt64] = []
        var puts = 0
        for batch in driver.finishedSpans {
            for span in batch.spans {
                let name = batch.operations[Int(span.operation)].name
                if name == "process countries" { processed.append(span.context.span) }
                if name == "put names" { puts += 1 }
                guard name == "get names", span.links > 0 else { continue }
                let link = batch.links[Int(span.firstLink)]
                reads.append((link, batch.topics[Int(link.topic)]))
            }
        }
        #expect(puts == 0, "a row is its record, not a step of its own")
        #expect(reads.map(\.topic) == ["countries"])
        #expect(reads.map(\.link.offset) == [1])
        #expect(reads.map(\.link.context.span) == processed.suffix(1))
        #expect(reads.map(\.link.type) == [.joined])
    }

    @Test func `processors read it without being connected, and none writes into it`() throws {
        final class Lookup: Processor {
            private var context: ProcessorContext<String, String>?
            private var names: KeyValueStore<String, String>?

            func initialize(_ context: ProcessorContext<String, String>) throws {
                self.context = context
                names = try context.keyValueStore("names", key: .string, value: .string)
            }

            func process(_ record: Record<String, String>) throws {
                let found = try names?.get(record.value)?.value ?? "-"
                try context?.forward(record.with(value: found))
                do { try names?.put("new", "value") } catch {
                    try context?.forward(record.with(value: "\(error)"))
                }
            }
        }
        let topology = try topology { builder, _ in
            builder.stream("in", key: .string, value: .string).process(key: .string, value: .string) { Lookup() }
                .to("out")
        }
        let driver = try TopologyTestDriver(topology)
        defer { driver.close() }
        try pipe(driver, "countries", "no", "Norway")
        try pipe(driver, "in", "1", "no")
        let out = try driver.takeRecords(from: "out", .string, .string)
        #expect(out.first?.value == "Norway")
        #expect(out.last?.value.contains("read-only") == true)
        #expect(try driver.rows(ofStore: "names").count == 1)
    }

    @Test func `its topic is read by nothing else`() throws {
        let builder = StreamsBuilder()
        _ = builder.globalTable("t", of: String.self)
        builder.stream("t", of: String.self).to("out")
        #expect(throws: TopologyError.self) { try builder.build() }
    }

    // MARK: Applications

    private func application(_ log: EmbeddedLog, threads: Int, lineage: LineageMode = .cells) throws
        -> StreamsApplication
    {
        var configuration = StreamsConfiguration(
            applicationID: "app", log: .open(log), commitInterval: .milliseconds(10), threads: threads, logs: .none,
            handlesSignals: false)
        configuration.runtime.stateFlushInterval = .milliseconds(10)
        configuration.runtime.lineage.mode = lineage
        return try StreamsApplication(joined(), configuration: configuration)
    }

    private func running(_ app: StreamsApplication, _ body: () async throws -> Void) async throws {
        async let done: Void = app.run()
        do {
            while app.state != .running && app.state != .error { try await Task.sleep(for: .milliseconds(2)) }
            if app.state == .running { try await body() }
            app.shutdown()
        } catch {
            app.shutdown()
            try? await done
            throw error
        }
        try await done
    }

    private func outputs(_ log: EmbeddedLog, _ count: Int) async throws -> [String] {
        var values: [String] = []
        for try await record in log.records("out", of: String.self) {
            values.append(record.value ?? "")
            if values.count == count { break }
        }
        return values
    }

    @Test func `each thread has all partitions before its first record, follows them, and goes on from its own state`()
        async throws
    {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        defer { log.close() }
        try log.createTopics([
            TopicSpecification("in", partitions: 2, settings: ["retention.ms": "-1"]), .kept("out"),
            TopicSpecification("countries", partitions: 3, settings: ["retention.ms": "-1"]),
        ])
        let countries = try log.producer("countries", of: String.self)
        let codes = (0..<100).map { "c\($0)" }
        for code in codes { try countries.send(code, "name of \(code)", timestamp: 1) }
        try countries.flush()
        let records = try log.producer("in", of: String.self)
        for code in codes { try records.send("k\(code)", code, timestamp: 0) }
        try records.flush()
        let app = try application(log, threads: 2)
        try await running(app) {
            let all = try await outputs(log, 100)
            #expect(all.sorted() == codes.map { "\($0)=name of \($0)" }.sorted())
            try countries.send("c7", "seven", timestamp: 2)
            try countries.delete("c8", timestamp: 2)
            try countries.flush()
            let store = try app.store("names", key: .string, value: .string)
            while try await store.get("c7")?.value != "seven" { try await Task.sleep(for: .milliseconds(2)) }
            while try await store.get("c8") != nil { try await Task.sleep(for: .milliseconds(2)) }
            let rows = try await store.all()
            #expect(rows.count == 99)
        }
        let again = try application(log, threads: 1)
        // What has come meanwhile is there before the first record.
        try countries.send("c9", "nine", timestamp: 3)
        try countries.close()
        for code in ["c6", "c7", "c8", "c9"] { try records.send("last", code, timestamp: 4) }
        try records.close()
        try await running(again) {
            let all = try await outputs(log, 104)
            #expect(Array(all.suffix(4)) == ["c6=name of c6", "c7=seven", "c8=-", "c9=nine"])
            #expect(again.metrics.records == 4 + 1, "the table is gone on with where it was")
        }
    }

    @Test func `a topic that was made anew makes the table anew, and a missing one is named at the start`() async throws
    {
        let folder = try TemporaryFolder()
        let log = try EmbeddedLog.open(at: folder.path)
        defer { log.close() }
        try log.createTopics([.kept("in"), .kept("out")])
        do {
            try await application(log, threads: 1).run()
            Issue.record("it started")
        } catch { #expect("\(error)".contains("the source topic 'countries'")) }
        try log.createTopics([.kept("countries")])
        for (code, name) in [("no", "Norway"), ("se", "Sweden")] {
            let countries = try log.producer("countries", of: String.self)
            try countries.send(code, name, timestamp: 1)
            try countries.close()
            let app = try application(log, threads: 1)
            let store = try app.store("names", key: .string, value: .string)
            try await running(app) {
                let rows = try await store.all()
                #expect(rows.map(\.value) == [name])
            }
            try log.deleteTopics(["countries"])
            try log.createTopics([.kept("countries")])
        }
    }
}
