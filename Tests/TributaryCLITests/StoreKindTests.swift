import TestSupport
import Testing
import Tributary

/// The commands on stores of sessions and versions, and on windows of several keys.
@Suite(.timeLimit(.minutes(10))) struct StoreKindTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }
    var state: String { "\(log)/state/kinds" }
    var traces: String { "\(folder.path)/traces.jsonl" }

    init() throws { folder = try TemporaryFolder() }

    private func runApplication() async throws {
        let topics = await CommandRun("topics", "create", "visits", "prices", "--log", log)
        #expect(topics.status == 0)
        func produce(_ topic: String, _ rows: [(String, String?, Int)]) async throws {
            let lines = rows.map { key, value, time in
                #"{"key":"\#(key)","value":\#(value.map { "\"\($0)\"" } ?? "null"),"timestamp":\#(time)}"#
            }
            let file = try folder.file(topic, lines.joined(separator: "\n"))
            let run = await CommandRun("topics", "produce", topic, file, "--log", log)
            #expect(run.status == 0, "\(run.complaint)")
        }
        // Two sessions of ann, one of annabel, one of bob; windows of 10 s.
        try await produce(
            "visits",
            [
                ("ann", "x", 1000), ("ann", "x", 3000), ("bob", "x", 4000), ("annabel", "x", 5000),
                ("ann", "x", 20000), ("ann", "x", 21000),
            ])
        try await produce(
            "prices",
            [("tea", "1", 1000), ("tea", "3", 3000), ("tea", "2", 2000), ("ham", "7", 1500), ("ham", nil, 2500)])
        let exporter = try OTLPFileExporter(.init(path: traces), resource: TelemetryResource(serviceName: "kinds"))
        let builder = StreamsBuilder()
        let visits = builder.stream("visits", of: String.self).groupByKey()
        _ = visits.windowedBy(SessionWindows(gap: .seconds(5), grace: .seconds(60))).count(as: "sessions")
        _ = visits.windowedBy(.tumbling(size: .seconds(10), grace: .seconds(60))).count(as: "windows")
        _ = builder.table(
            "prices", key: .string, value: .string,
            materialized: Materialized(as: "versions", type: .versioned(history: .seconds(60))))
        let app = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "kinds", log: .embedded(at: log),
                lineage: LineageConfiguration(sampler: .alwaysOn, exporter: exporter), handlesSignals: false))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < 11 && app.state != .error { try await Task.sleep(for: .milliseconds(2)) }
                app.shutdown()
            }
            try await group.waitForAll()
        }
        exporter.shutdown(timeout: .seconds(5))
    }

    /// The first lines of the rows that a command shows.
    private func rows(_ arguments: String...) async -> [String] {
        let run = await CommandRun(arguments + ["--state", state])
        #expect(run.status == 0, "\(run.complaint)")
        return run.output.filter { !$0.hasPrefix(" ") }
    }

    private func complaint(_ arguments: String...) async -> String {
        let run = await CommandRun(arguments + ["--state", state])
        #expect(run.status != 0)
        return run.complaint
    }

    private static let first = "1970-01-01T00:00:01.000Z/1970-01-01T00:00:03.000Z"
    private static let second = "1970-01-01T00:00:20.000Z/1970-01-01T00:00:21.000Z"

    @Test func `sessions are shown as sessions, found by key, time and both`() async throws {
        try await runApplication()
        let store = ["--store", "sessions", "--value-format", "int64"]
        func shown(_ words: String...) async -> [String] {
            let run = await CommandRun(words + store + ["--state", state])
            #expect(run.status == 0, "\(run.complaint)")
            return run.output.filter { !$0.hasPrefix(" ") }
        }
        let ann = ["ann @ session \(Self.first) = 2", "ann @ session \(Self.second) = 2"]
        #expect(await shown("store", "get", "ann") == ann)
        #expect(await shown("store", "get", "ann", "--session", "20000/21000") == [ann[1]])
        #expect(await shown("store", "get", "ann@1000/3000", "--key-format", "session") == [ann[0]])
        let all = await shown("store", "scan")
        #expect(all.count == 4 && all.first == ann[0])
        #expect(await shown("store", "scan", "--reverse") == all.reversed())
        #expect(await shown("store", "scan", "--reverse", "--max", "1") == [all[3]])
        #expect(await shown("store", "scan", "--through", "ann") == ann)
        #expect(await shown("store", "scan", "--from", "bob").count == 1)
        #expect(await shown("store", "scan", "--since", "10000") == [ann[1]])
        #expect(await shown("store", "scan", "--until", "3500") == [ann[0]])
        let json = await CommandRun(["store", "get", "bob", "--json", "--state", state] + store)
        #expect(json.text.contains(#""key":"bob","windowStart":4000,"windowEnd":4000,"value":1"#), "\(json.text)")
        #expect(
            await complaint("store", "get", "ann", "--store", "sessions", "--window", "1").contains("keeps sessions"))
        #expect(await complaint("store", "get", "eve", "--store", "sessions").contains("no key 'eve'"))
        #expect(await complaint("store", "scan", "--store", "sessions", "--versions").contains("keeps no versions"))
        let trace = await CommandRun(
            "trace", "--traces", traces, "--state", state, "--store", "sessions", "--key", "ann", "--session",
            "20000/21000")
        #expect(trace.text.contains("put sessions"), "\(trace.complaint)")
        let vague = await complaint("trace", "--traces", traces, "--store", "sessions", "--key", "ann")
        #expect(vague.contains("name one with --session START/END"))
    }

    @Test func `the program itself shows them`() async throws {
        try await runApplication()
        func shown(_ words: String...) throws -> [String] {
            let program = try Program([Program.own("tributary")] + words + ["--state", state], withErrors: true)
            let text = program.readToEnd()
            #expect(program.wait() == 0, "\(text)")
            return text.split(separator: "\n").map { String($0) }.filter { !$0.hasPrefix(" ") }
        }
        let ann = ["ann @ session \(Self.first) = 2", "ann @ session \(Self.second) = 2"]
        let store = ["--store", "sessions", "--value-format", "int64"]
        #expect(try shown("store", "get", "ann", store[0], store[1], store[2], store[3]) == ann)
        #expect(try shown("store", "get", "tea", "--at", "2500", "--store", "versions") == ["tea = 2"])
        #expect(try shown("store", "scan", "--reverse", "--max", "1", "--store", "versions") == ["tea = 3"])
    }

    @Test func `a window store shows all windows of a key, and those of a range of keys and times`() async throws {
        try await runApplication()
        let ann = await rows("store", "get", "ann", "--store", "windows", "--value-format", "int64")
        #expect(
            ann == ["ann @ window 1970-01-01T00:00:00.000Z = 2", "ann @ window 1970-01-01T00:00:20.000Z = 2"])
        let late = await rows("store", "scan", "--store", "windows", "--since", "10000", "--value-format", "int64")
        #expect(late == [ann[1]])
        // A key's windows come with it, though their rows' keys are longer.
        #expect(await rows("store", "scan", "--store", "windows", "--through", "ann").count == 2)
        #expect(await rows("store", "scan", "--store", "windows", "--from", "annabel").count == 2)
        let before = await CommandRun(
            "store", "scan", "--store", "windows", "--since", "2", "--until", "1", "--state", state)
        #expect(before.status == 2 && before.complaint.contains("--until is before --since"))
    }

    @Test func `a store of versions shows the newest, those of a time, and all`() async throws {
        try await runApplication()
        let store = ["--store", "versions", "--state", state]
        func shown(_ words: String...) async -> [String] {
            let run = await CommandRun(words + store)
            return run.output.filter { !$0.hasPrefix(" ") }
        }
        #expect(await shown("store", "get", "tea") == ["tea = 3"])
        #expect(await shown("store", "get", "tea", "--at", "2500") == ["tea = 2"])
        #expect(await shown("store", "get", "tea", "--at", "1970-01-01T00:00:01Z") == ["tea = 1"])
        #expect(await shown("store", "get", "tea", "--at", "999") == [])
        #expect(await shown("store", "get", "tea", "--versions") == ["tea = 1", "tea = 2", "tea = 3"])
        #expect(await shown("store", "get", "ham") == ["ham = (deleted)"])
        #expect(await shown("store", "get", "ham", "--at", "2000") == ["ham = 7"])
        #expect(await shown("store", "scan") == ["tea = 3"])
        #expect(await shown("store", "scan", "--graves") == ["ham = (deleted)"])
        #expect(await shown("store", "scan", "--versions") == ["ham = 7", "tea = 1", "tea = 2", "tea = 3"])
        #expect(await shown("store", "scan", "--versions", "--reverse", "--max", "2") == ["tea = 3", "tea = 2"])
        #expect(await shown("store", "scan", "--versions", "--since", "2600", "--until", "2700") == ["tea = 2"])
        let json = await CommandRun(["store", "get", "tea", "--at", "2500", "--json"] + store)
        #expect(json.text.contains(#""timestamp":2000,"validTo":3000"#), "\(json.text)")
        let times = await CommandRun(["store", "scan", "--since", "1"] + store)
        #expect(times.status == 2 && times.complaint.contains("add --versions"))
    }

    @Test func `stats and replays know what kind of store it is`() async throws {
        try await runApplication()
        let stats = await CommandRun("store", "stats", "--state", state)
        #expect(stats.text.contains("sessions  4 sessions, "), "\(stats.text)")
        #expect(stats.text.contains("versions  1 rows and 3 earlier versions, "), "\(stats.text)")
        #expect(stats.text.contains("windows  4 windows, "), "\(stats.text)")
        for (store, more) in [
            ("sessions", []), ("versions", []), ("windows", []), ("sessions", ["--session-retention", "65000"]),
            ("versions", ["--history", "60000"]),
        ] {
            let target = "\(folder.path)/\(store)\(more.count)"
            let arguments = ["changelog", "replay", "--log", log, "--topic", "kinds-\(store)-changelog"] + more
            let run = await CommandRun(arguments + ["--to", target])
            #expect(run.status == 0, "\(run.complaint)")
            let scan = ["store", "scan", "--store", store, "--log", log, "--state"]
            let own = await CommandRun(scan + [target])
            let expected = await CommandRun(scan + [state])
            #expect(!own.output.isEmpty && own.output == expected.output, "\(own.complaint)")
            let printed = await CommandRun(arguments + ["--to", "-"])
            #expect(printed.output.sorted() == own.output.sorted(), "\(store): \(printed.complaint)")
        }
        let both = await CommandRun(
            "changelog", "replay", "--log", log, "--topic", "kinds-versions-changelog", "--to", "-", "--history", "1",
            "--session-retention", "1")
        #expect(both.status == 2 && both.complaint.contains("a store is of one kind"))
    }
}
