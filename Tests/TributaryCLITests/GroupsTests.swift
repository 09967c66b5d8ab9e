import TestSupport
import Testing
import Tributary

/// Groups as they are shown, and applications that begin anew.
@Suite(.timeLimit(.minutes(10))) struct GroupsTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() async throws {
        folder = try TemporaryFolder()
        let made = await CommandRun(
            "topics", "create", "words", "counts", "--partitions", "2", "--set", "retention.ms=-1", "--log", log)
        #expect(made.status == 0, "\(made.complaint)")
        let words = (0..<10).map {
            #"{"key":"w\#($0 % 2)","value":"x","timestamp":\#($0 * 1000),"partition":\#($0 % 2)}"#
        }
        let lines = try folder.file("words", words.joined(separator: "\n"))
        let written = await CommandRun("topics", "produce", "words", lines, "--log", log)
        #expect(written.status == 0, "\(written.complaint)")
    }

    private func tributary(_ arguments: String...) async -> CommandRun { await CommandRun(arguments + ["--log", log]) }

    private func run(
        _ id: String = "counter", records: Int64 = 10, _ body: @Sendable @escaping () async throws -> Void = {}
    ) async throws {
        let builder = StreamsBuilder()
        builder.stream("words", key: .string, value: .string).groupByKey().count(as: "counts").toStream().to("counts")
        let app = try StreamsApplication(
            builder.build(),
            configuration: StreamsConfiguration(
                applicationID: id, log: .embedded(at: log), logs: .none, handlesSignals: false))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await app.run() }
            group.addTask {
                while app.metrics.records < records && app.state != .error {
                    try await Task.sleep(for: .milliseconds(2))
                }
                try await body()
                app.shutdown()
            }
            try await group.waitForAll()
        }
    }

    private func counts() async -> [String] {
        await tributary("topics", "consume", "counts", "--value-format", "int64").output.filter { !$0.hasPrefix(" ") }
            .compactMap { $0.split(separator: "  ").last.map { String($0) } }
    }

    @Test func `groups are listed and described, running or stopped`() async throws {
        let none = await tributary("groups", "list")
        #expect(none.status == 0 && none.output.isEmpty && none.complaint.contains("there are no groups"))
        try await run { [log] in
            let list = await CommandRun("groups", "list", "--log", log)
            #expect(list.output.count == 1 && list.text.contains("running: this process ("), "\(list.text)")
        }
        let list = await tributary("groups", "list")
        #expect(list.output == ["counter  2 partitions  lag 0  stopped"])
        let more = try folder.file("more", #"{"key":"w0","value":"y","partition":1}"#)
        _ = await tributary("topics", "produce", "words", more)
        let described = await tributary("groups", "describe", "counter")
        #expect(described.output == ["counter  stopped", "  words  2 partitions  lag 1"])
        let offsets = await tributary("groups", "offsets", "counter")
        #expect(offsets.output.count == 2, "\(offsets.complaint)")
        #expect(offsets.output[0].hasPrefix("words-0  committed 5  of 0 to 5  lag 0"))
        #expect(offsets.output[1].hasPrefix("words-1  committed 5  of 0 to 6  lag 1"))
        let json = await tributary("groups", "list", "--json")
        #expect(
            json.text.hasPrefix(
                #"{"group":"counter","members":[],"lag":1,"partitions":[{"topic":"words","partition":0,"#))
        let near = await tributary("groups", "describe", "countre")
        #expect(near.status == 1 && near.complaint.contains("did you mean 'counter'?"))
    }

    @Test func `a dry run shows all and changes nothing`() async throws {
        try await run()
        let dry = await tributary("reset", "counter", "--local-state", "--dry-run")
        #expect(dry.status == 0, "\(dry.complaint)")
        #expect(
            dry.output == [
                "words-0  committed 5 -> 0", "words-1  committed 5 -> 0", "delete the topic counter-counts-changelog",
                "delete the state in \(log)/state/counter",
            ])
        let unsure = await tributary("reset", "counter")
        #expect(unsure.status == 2 && unsure.complaint.contains("nothing was done: add --yes"))
        #expect(await tributary("groups", "list").text.contains("lag 0"))
        #expect(await tributary("topics", "list").text.contains("counter-counts-changelog"))
        #expect(await CommandRun("store", "stats", "--state", "\(log)/state/counter").status == 0)
    }

    @Test(arguments: [["--local-state"], []])
    func `a reset application counts anew`(_ state: [String]) async throws {
        try await run()
        #expect(await counts().contains("w0 = 5"))
        let reset = await CommandRun(["reset", "counter", "--yes", "--log", log] + state)
        #expect(reset.status == 0, "\(reset.complaint)")
        #expect(!(await tributary("topics", "list").text.contains("changelog")))
        try await run()
        // Not 10: neither offsets nor state are those of before.
        let found = await counts()
        #expect(found.filter { $0 == "w0 = 5" }.count == 2 && found.filter { $0 == "w1 = 5" }.count == 2, "\(found)")
        #expect(found.allSatisfy { ($0.split(separator: " ").last.flatMap { Int($0) } ?? 10) <= 5 }, "\(found)")
    }

    @Test(arguments: [
        ("latest", [5, 5]), ("3", [3, 3]), ("99", [5, 5]), ("time:1970-01-01T00:00:04.500Z", [3, 2]),
        ("earliest", [0, 0]),
    ])
    func `offsets go to the end, a number or a time`(_ place: String, _ offsets: [Int]) async throws {
        try await run()
        let reset = await tributary("reset", "counter", "--to", place, "--yes")
        #expect(reset.status == 0, "\(reset.complaint)")
        let found = await tributary("groups", "offsets", "counter").output
        #expect(zip(found, offsets).allSatisfy { $0.contains("committed \($1) ") }, "\(found)")
    }

    @Test func `an application that runs is not reset`() async throws {
        try await run { [log] in
            for more in [["--dry-run"], ["--yes"]] {
                let reset = await CommandRun(["reset", "counter", "--log", log] + more)
                #expect(reset.status == 1)
                #expect(
                    reset.complaint.contains("'counter' is running: stop it first (this process ("),
                    "\(reset.complaint)")
            }
        }
    }

    @Test func `what belongs to others stays`() async throws {
        try await run()
        try await run("counter-eu")
        let dry = await tributary("reset", "counter", "--dry-run")
        #expect(!dry.text.contains("counter-eu"))
        let state = try folder.file("precious", "data")
        let wrong = await tributary("reset", "counter", "--state", folder.path, "--yes")
        #expect(wrong.status == 1 && wrong.complaint.contains("is no application's state"), "\(wrong.complaint)")
        #expect(try String(decoding: contents(state), as: UTF8.self) == "data")
        let unknown = await tributary("reset", "nobody", "--dry-run")
        #expect(unknown.status == 1 && unknown.complaint.contains("there is nothing of an application 'nobody'"))
        let elsewhere = await tributary("reset", "counter", "--to", "2026-01-01", "--yes")
        #expect(elsewhere.status == 2 && elsewhere.complaint.contains("--to is 'beginning'"))
    }

    @Test func `only named topics are moved`() async throws {
        try await run()
        _ = await tributary("topics", "create", "other")
        let dry = await tributary("reset", "counter", "--input-topic", "other", "--dry-run")
        #expect(dry.output == ["other-0  committed nothing -> 0", "delete the topic counter-counts-changelog"])
        let missing = await tributary("reset", "counter", "--input-topic", "othre", "--dry-run")
        #expect(missing.status == 1 && missing.complaint.contains("did you mean 'other'?"))
    }
}
