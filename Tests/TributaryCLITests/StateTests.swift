import TestSupport
import Testing
import Tributary

/// The commands on what a real application left behind: its state, changelogs and traces.
@Suite(.timeLimit(.minutes(10))) struct StateTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }
    var state: String { "\(log)/state/counter" }
    var traces: String { "\(folder.path)/traces.jsonl" }

    init() throws { folder = try TemporaryFolder() }

    /// Counts words, also in windows, keeps a table, and stops.
    private func runApplication(sampler: Sampler = .alwaysOn) async throws {
        let topics = await CommandRun("topics", "create", "words", "people", "--log", log)
        #expect(topics.status == 0)
        let words = (0..<30).map { #"{"key":"w\#($0 % 3)","value":"x","timestamp":\#(1000 + $0 * 1000)}"# }
        _ = await CommandRun(
            "topics", "produce", "words", try folder.file("w", words.joined(separator: "\n")), "--log", log)
        try await producePeople(
            #"{"key":"ann","value":"1","timestamp":5}"# + "\n" + #"{"key":"bob","value":"2","timestamp":6}"#)
        let exporter = try OTLPFileExporter(.init(path: traces), resource: TelemetryResource(serviceName: "counter"))
        let lineage = LineageConfiguration(sampler: sampler, exporter: exporter)
        try await run(lineage, records: 32)
        // In a run of its own: a delete that meets its put in the cache leaves nothing behind.
        try await producePeople(#"{"key":"ann","value":null,"timestamp":7}"#)
        try await run(lineage, records: 1)
        exporter.shutdown(timeout: .seconds(5))
    }

    private func producePeople(_ lines: String) async throws {
        let run = await CommandRun("topics", "produce", "people", try folder.file("p", lines), "--log", log)
        #expect(run.status == 0, "\(run.complaint)")
    }

    private func run(_ lineage: LineageConfiguration, records: Int64) async throws {
        let builder = StreamsBuilder()
        let grouped = builder.stream("words", key: .string, value: .string).groupByKey()
        _ = grouped.count(as: "counts")
        _ = grouped.windowedBy(.tumbling(size: .seconds(10))).count(as: "windows")
        _ = builder.table("people", key: .string, value: .string, as: "people")
        let app = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: "counter", log: .embedded(at: log),
                lineage: lineage, handlesSignals: false))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < records && app.state != .error {
                    try await Task.sleep(for: .milliseconds(2))
                }
                app.shutdown()
            }
            try await group.waitForAll()
        }
    }

    @Test func `a stored value shows its time, context and cell, with the topics' names`() async throws {
        try await runApplication()
        let run = await CommandRun(
            "store", "get", "w1", "--state", state, "--store", "counts", "--value-format", "int64")
        #expect(run.status == 0, "\(run.complaint)")
        #expect(run.output.first == "w1 = 10")
        #expect(run.output[1].contains("1970-01-01T00:00:29.000Z"))
        #expect(run.output[2].contains("context  00-") && run.output[2].hasSuffix("sampled"))
        #expect(run.output[3].contains("10 records, words-0 @ 1...28 (10), from 2000 to 29000, digest "))
        let json = await CommandRun("store", "get", "w1", "--state", state, "--store", "counts", "--json")
        #expect(json.text.hasPrefix(#"{"task":"0_0","store":"counts","key":"w1","value":"#))
        #expect(json.text.contains(#""topic": "words", "partition": 0, "first": 1, "last": 28, "count": 10"#))
    }

    @Test func `a deleted key shows its grave, an unknown one fails`() async throws {
        try await runApplication()
        let grave = await CommandRun("store", "get", "ann", "--state", state, "--store", "people")
        #expect(grave.output.first == "ann = (deleted)", "\(grave.complaint)")
        #expect(grave.text.contains("1 record, people-0 @ 2 (1)"))
        let graves = await CommandRun("store", "scan", "--graves", "--state", state, "--store", "people")
        #expect(graves.output.first == "ann = (deleted)")
        let none = await CommandRun("store", "get", "eve", "--state", state, "--store", "people")
        #expect(none.status == 1 && none.complaint.contains("no key 'eve'"))
        let wrong = await CommandRun("store", "get", "eve", "--state", state, "--store", "persons")
        #expect(wrong.status == 1 && wrong.complaint.contains("only: counts, people, windows"))
        let misplaced = await CommandRun("store", "stats", "--state", "\(log)/state")
        #expect(misplaced.status == 1 && misplaced.complaint.contains("try one of: \(state)"))
    }

    @Test func `a scan keeps to its bounds, windows show their starts`() async throws {
        try await runApplication()
        func keys(_ arguments: String...) async -> [String] {
            await CommandRun(["store", "scan", "--state", state, "--value-format", "int64"] + arguments).output
                .filter { !$0.hasPrefix(" ") }
        }
        #expect(await keys("--store", "counts", "--from", "w1") == ["w1 = 10", "w2 = 10"])
        #expect(await keys("--store", "counts", "--through", "w1", "--max", "1") == ["w0 = 10"])
        let windows = await keys("--store", "windows")
        #expect(windows.count == 10)
        #expect(windows.contains("w0 @ window 1970-01-01T00:00:10.000Z = 4"), "\(windows)")
        let one = await CommandRun(
            "store", "get", "w0", "--window", "10000", "--state", state, "--store", "windows", "--value-format", "int64"
        )
        #expect(one.output.first == "w0 @ window 1970-01-01T00:00:10.000Z = 4", "\(one.complaint)")
    }

    @Test func `stats count rows and graves and say how far the changelog is applied`() async throws {
        try await runApplication()
        let run = await CommandRun("store", "stats", "--state", state, "--json")
        #expect(run.text.contains(#"{"store":"counts","rows":3,"#), "\(run.text)")
        #expect(run.text.contains(#""changelogPosition":"#))
        let text = await CommandRun("store", "stats", "--state", state)
        #expect(text.text.contains("people  1 rows") && text.text.contains(", 1 graves"), "\(text.text)")
    }

    @Test func `a changelog is replayed as of now, an offset and a time`() async throws {
        try await runApplication()
        func replay(_ arguments: String...) async -> CommandRun {
            await CommandRun(
                ["changelog", "replay", "--log", log, "--topic", "counter-people-changelog", "--to", "-"] + arguments)
        }
        let now = await replay()
        #expect(now.output.first == "bob = 2", "\(now.complaint)")
        #expect(now.text.contains("1 record, people-0 @ 1 (1), at 6"))
        #expect(await replay("--graves").output.first == "ann = (deleted)")
        let offset = await replay("--until-offset", "1", "--json")
        #expect(offset.output.count == 1, "\(offset.text)")
        #expect(await replay("--until-time", "1970-01-01T00:00:00.004Z").output.isEmpty)
        let time = await replay("--until-time", "soon")
        #expect(time.status == 2 && time.complaint.contains("'soon' is no time"))
        let windows = await CommandRun(
            "changelog", "replay", "--log", log, "--topic", "counter-windows-changelog", "--window-retention",
            "86400000",
            "--to", "-", "--value-format", "int64")
        #expect(windows.text.contains("w0 @ window 1970-01-01T00:00:10.000Z = 4"), "\(windows.text)")
    }

    @Test func `a replay into a folder is a store that can be read`() async throws {
        try await runApplication()
        for (store, more) in [("counts", []), ("windows", ["--window-retention", "86400000"])] {
            let target = "\(folder.path)/\(store)"
            let arguments = [
                "changelog", "replay", "--log", log, "--topic", "counter-\(store)-changelog", "--to", target,
            ]
            let run = await CommandRun(arguments + more)
            #expect(run.status == 0, "\(run.complaint)")
            func scan(_ state: String) async -> [String] {
                await CommandRun("store", "scan", "--state", state, "--store", store, "--log", log).output
            }
            let own = await scan(target)
            #expect(!own.isEmpty)
            #expect(own == (await scan(state)))
            let again = await CommandRun(arguments + more)
            #expect(again.status == 1 && again.complaint.contains("holds a store already"))
        }
    }

    @Test func `a stored value leads to its trace, and its links to all its source records`() async throws {
        try await runApplication()
        let value = ["--state", state, "--store", "counts", "--key", "w1"]
        let tree = await CommandRun(["trace", "--traces", traces] + value)
        #expect(tree.status == 0, "\(tree.complaint)")
        #expect(tree.output.first?.hasPrefix("process words") == true)
        #expect(tree.text.contains("previous -> put counts"))
        let why = await CommandRun(["trace", "--traces", traces, "--follow-links"] + value)
        let sources = why.text.split(separator: "\n").filter { $0.hasPrefix("words-0@") }
        #expect(sources.map(String.init) == stride(from: 1, to: 30, by: 3).map { "words-0@\($0)" })
        let json = await CommandRun(["trace", "--traces", traces, "--follow-links", "--json"] + value)
        #expect(json.text.hasPrefix(#"{"complete":true,"truncated":false,"sources":["#))
        let list = await CommandRun("trace", "--traces", traces, "--max", "1", "--json")
        #expect(list.output.count == 1 && list.text.hasPrefix(#"{"traceId":"#))
        let id = String(list.text.dropFirst(#"{"traceId":""#.count).prefix(32))
        #expect(await CommandRun("trace", id, "--traces", traces).text.contains("process "))
        let unknown = await CommandRun("trace", String(repeating: "a", count: 32), "--traces", traces)
        #expect(unknown.status == 1 && unknown.complaint.contains("is not in the files"))
    }

    @Test func `a value that was not sampled has a cell and no trace`() async throws {
        try await runApplication(sampler: .alwaysOff)
        let run = await CommandRun(
            "trace", "--traces", traces, "--state", state, "--store", "counts", "--key", "w1")
        #expect(run.status == 1 && run.complaint.contains("it was not sampled"))
        let cell = await CommandRun("store", "get", "w1", "--state", state, "--store", "counts")
        #expect(cell.text.contains("10 records"))
    }
}
