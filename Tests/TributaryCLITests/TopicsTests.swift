import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct TopicsTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() throws { folder = try TemporaryFolder() }

    private func create(_ arguments: String...) async {
        let run = await CommandRun(["topics", "create"] + arguments + ["--log", log])
        #expect(run.status == 0, "\(run.complaint)")
    }

    private func produce(_ text: String, _ arguments: String...) async throws -> CommandRun {
        try await CommandRun(["topics", "produce", "t", folder.file("lines", text), "--log", log] + arguments)
    }

    private func consume(_ arguments: String...) async -> CommandRun {
        await CommandRun(["topics", "consume", "t", "--log", log] + arguments)
    }

    @Test func `a log that isn't there is not made by looking`() async {
        let run = await CommandRun("topics", "list", "--log", log)
        #expect(run.status == 1)
        #expect(run.complaint.contains("there is no embedded log in"))
    }

    @Test func `topics are created, listed, described and deleted`() async {
        await create("t", "u", "--partitions", "3", "--set", "cleanup.policy=compact")
        let list = await CommandRun("topics", "list", "--log", log)
        #expect(list.output == ["t  3 partitions  0 offsets  compact", "u  3 partitions  0 offsets  compact"])
        let json = await CommandRun("topics", "describe", "u", "--json", "--log", log)
        #expect(json.text.contains(#""settings":{"cleanup.policy":"compact"}"#))
        #expect(json.text.hasSuffix(#"{"partition":2,"low":0,"high":0}]}"#))
        let unsure = await CommandRun("topics", "delete", "u", "--log", log)
        #expect(unsure.status == 2 && unsure.complaint.contains("add --yes"))
        #expect(await CommandRun("topics", "delete", "u", "--yes", "--log", log).status == 0)
        #expect(await CommandRun("topics", "list", "--log", log).output.count == 1)
        let gone = await CommandRun("topics", "describe", "tt", "--log", log)
        #expect(gone.status == 1 && gone.complaint.contains("did you mean 't'?"))
    }

    @Test func `a topic that exists is refused, or left alone if asked`() async {
        await create("t")
        let again = await CommandRun("topics", "create", "t", "--log", log)
        #expect(again.status == 1 && again.complaint.contains("topicExists"))
        await create("t", "--if-missing")
        let other = await CommandRun("topics", "create", "t", "--if-missing", "--partitions", "2", "--log", log)
        #expect(other.status == 1)
        let wrong = await CommandRun("topics", "create", "v", "--set", "retention.ms=soon", "--log", log)
        #expect(wrong.status == 1 && wrong.complaint.contains("retention.ms=soon"))
    }

    @Test func `JSON lines come back with key, value, headers, time and coordinates`() async throws {
        await create("t")
        let wrote = try await produce(
            """
            {"key":"k","value":{"b":[1,2.5,"x"],"a":null},"headers":[["h","1"],["h",null]],"timestamp":5}

            {"key":"k","value":null,"timestamp":6,"headers":{"tributary-cell":"forged","own":"yes"}}
            {"key":{"hex":"00ff"},"value":true,"timestamp":7,\
            "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
            """)
        #expect(wrote.status == 0 && wrote.errors == ["wrote 3 records to t"], "\(wrote.complaint)")
        let lines = await consume()
        #expect(
            lines.output == [
                #"t-0@0  1970-01-01T00:00:00.005Z  k = {"b":[1,2.5,"x"],"a":null}"#, "    h: 1", "    h: null",
                "t-0@1  1970-01-01T00:00:00.006Z  k = null", "    own: yes",
                "t-0@2  1970-01-01T00:00:00.007Z  0x00ff = true",
                "    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            ])
        let json = await consume("--json", "--value-format", "json", "--max", "1")
        #expect(
            json.output == [
                #"{"topic":"t","partition":0,"offset":0,"timestamp":5,"key":"k","#
                    + #""value":{"b":[1,2.5,"x"],"a":null},"headers":[["h","1"],["h",null]]}"#
            ])
    }

    @Test func `records of any time are shown`() async throws {
        await create("t", "--set", "retention.ms=-1")
        let times: [Int64] = [.min, .max, -1, 0]
        let lines = times.map { "{\"value\":\"v\",\"timestamp\":\($0)}" }.joined(separator: "\n")
        #expect(try await produce(lines).status == 0)
        let shown = await consume()
        #expect(shown.status == 0)
        let texts = shown.output.map { String($0.split(separator: "  ")[1]) }
        #expect(
            texts == [
                "-292275055-05-16T16:47:04.192Z", "292278994-08-17T07:12:55.807Z", "1969-12-31T23:59:59.999Z",
                "1970-01-01T00:00:00.000Z",
            ])
        for time in times { #expect(await consume("--from", "time:\(time)").status == 0) }
        #expect(await consume("--from", "\(Int64.max)", "--max", "\(Int64.max)").output.isEmpty)
        #expect(await consume("--json").text.contains("\"timestamp\":\(Int64.min)"))
    }

    @Test func `what consume prints as JSON, produce writes again`() async throws {
        await create("t")
        await create("copy", "--partitions", "2")
        _ = try await produce(
            #"{"key":"a","value":"1","timestamp":1,"headers":[["x","y"]]}"# + "\n" + #"{"key":"b","value":null}"#)
        let first = await consume("--json")
        let copied = await CommandRun(
            "topics", "produce", "copy", try folder.file("copy", first.text), "--by-key", "--log", log)
        #expect(copied.status == 0, "\(copied.complaint)")
        let second = await CommandRun("topics", "consume", "copy", "--log", log)
        #expect(second.text.contains("a = 1") && second.text.contains("x: y") && second.text.contains("b = null"))
    }

    @Test func `text lines are split at the first separator`() async throws {
        await create("t")
        #expect(try await produce("a:1:2\n", "--format", "text").status == 0)
        #expect(try await produce("b=>3\r\n", "--format", "text", "--separator", "=>").status == 0)
        #expect(try await produce("{}", "--format", "value").status == 0)
        #expect(try await produce("c:-\nd:null\n", "--format", "text", "--null", "-").status == 0)
        let shown = await consume().output.compactMap { $0.split(separator: "  ", maxSplits: 2).last.map(String.init) }
        #expect(shown == ["a = 1:2", "b = 3", "null = {}", "c = null", #"d = "null""#])
    }

    @Test func `a text line without a separator is refused`() async throws {
        await create("t")
        let run = try await produce("a:1\nno key\n", "--format", "text")
        #expect(run.status == 1)
        #expect(run.complaint.contains("lines:2: there is no ':' between a key and a value"), "\(run.complaint)")
        #expect(await consume().output.count == 1)
    }

    @Test(arguments: [
        ("nope", "not JSON at byte 1"), ("[1]", "not a JSON object"),
        (#"{"value":1,"timestamp":"soon"}"#, "whole milliseconds"),
        (#"{"value":1,"timestamp":1.5}"#, "whole milliseconds"),
        (#"{"value":1,"partition":-1}"#, "a number from 0"), (#"{"value":1,"partition":7}"#, "there is no partition 7"),
        (#"{"value":1,"key":{"hex":"0"}}"#, "even number of hexadecimal digits"),
        (#"{"value":1,"headers":[["a"]]}"#, "[name, value]"),
        (#"{"value":1,"traceparent":"00-0-0-0"}"#, "not a W3C trace context"),
        (#"{"value":1,"traceparent":7}"#, "not a W3C trace context"),
        (#"{"key":"k","vaule":1}"#, "a record has no 'vaule'; did you mean 'value'?"),
        (#"{"key":"k","value":1,"colour":"red"}"#, "a record has no 'colour', only: key, value, headers"),
        (#"{"key":"k"}"#, #"there is no 'value'; a tombstone says "value":null"#),
        (#"{"value":1,"value":2}"#, "'value' is given twice"),
    ])
    func `a bad line is named, and those before it are written`(_ line: String, _ words: String) async throws {
        await create("t")
        let run = try await produce("{\"value\":\"good\"}\n\(line)\n")
        #expect(run.status == 1)
        #expect(run.complaint.contains("lines:2: ") && run.complaint.contains(words), "\(run.complaint)")
        #expect(run.complaint.contains("1 records before it are written"))
        #expect(await consume().output.count == 1)
    }

    @Test func `reading begins at an offset, a time or the end, and stops after so many`() async throws {
        await create("t")
        _ = try await produce(
            (0..<10).map { #"{"value":"v\#($0)","timestamp":\#($0 * 1000)}"# }.joined(separator: "\n"))
        func values(_ arguments: String...) async -> [String] {
            await CommandRun(["topics", "consume", "t", "--log", log] + arguments).output.compactMap {
                $0.split(separator: " ").last.map(String.init)
            }
        }
        #expect(await values("--from", "8") == ["v8", "v9"])
        #expect(await values("--from", "99") == [])
        #expect(await values("--from", "end") == [])
        #expect(await values("--max", "2") == ["v0", "v1"])
        #expect(await values("--from", "time:1970-01-01T00:00:07.500Z") == ["v8", "v9"])
        #expect(await values("--from", "time:7000", "--max", "1") == ["v7"])
        let partition = await CommandRun("topics", "consume", "t", "--partition", "3", "--log", log)
        #expect(partition.status == 1 && partition.complaint.contains("0 to 0"))
    }

    @Test func `keys that rewrite the screen are shown harmless, numbers as numbers`() async throws {
        await create("t")
        _ = try await produce(
            #"{"key":{"hex":"000000000000002a"},"value":"\u001b[2Jboo"}"# + "\n" + #"{"key":"a\nb","value":"t\tu"}"#)
        let shown = await consume("--key-format", "int64", "--max", "1")
        #expect(shown.text.contains("42 = 0x1b5b324a626f6f"))
        let text = await consume("--value-format", "text")
        #expect(!text.text.contains("\u{1b}"))
        #expect(text.text.contains(#"a\nb = t\tu"#))
    }

    @Test func `progress is shown on a terminal only`() async throws {
        await create("t")
        let file = try folder.file(
            "many", String(repeating: "{\"value\":\"some text that is long enough\"}\n", count: 5000))
        let quiet = await CommandRun(["topics", "produce", "t", file, "--log", log])
        #expect(quiet.screen.isEmpty)
        let loud = await CommandRun(["topics", "produce", "t", file, "--log", log], isTerminal: true)
        #expect(loud.screen.contains("[####") && loud.screen.hasSuffix("\r\u{1b}[K"))
    }

    @Test func `values go through as they are written`() async throws {
        await create("t")
        let values = [
            "12345678901234567890", "1.50", "1e400", "-0", "[1.0, 2]", #"{"b":1.10,"a":"x\u0041"}"#, "true",
        ]
        let lines = values.map { "{\"value\": \($0) ,\"key\":1.50}" }.joined(separator: "\n")
        #expect(try await produce(lines).status == 0)
        #expect(await consume("--value-format", "json").output.map { String($0.split(separator: " = ")[1]) } == values)
        #expect(await consume().output.allSatisfy { $0.contains("  1.50 = ") })
        let json = await consume("--json", "--value-format", "json", "--max", "2")
        #expect(json.text.contains(#""value":12345678901234567890,"#) && json.text.contains(#""value":1.50,"#))
    }

    @Test func `null and the text null differ`() async throws {
        await create("t")
        _ = try await produce(
            #"{"key":null,"value":"null"}"# + "\n" + #"{"key":"null","value":null}"# + "\n" + #"{"value":"\"null\""}"#)
        let shown = await consume().output.compactMap { $0.split(separator: "  ", maxSplits: 2).last.map(String.init) }
        #expect(shown == [#"null = "null""#, #""null" = null"#, #"null = "\"null\"""#])
        let json = await consume("--json", "--value-format", "json").output
        #expect(json[0].contains(#""key":null,"value":{"hex":"6e756c6c"}"#))
        #expect(json[1].contains(#""key":"null","value":null"#))
        #expect(json[2].contains(#""value":"null""#))
    }

    @Test func `only records with a key are shown`() async throws {
        await create("t", "--partitions", "3")
        _ = try await produce((0..<30).map { #"{"key":"k\#($0 % 5)","value":\#($0)}"# }.joined(separator: "\n"))
        let shown = await consume("--key", "k3").output
        #expect(shown.count == 6 && shown.allSatisfy { $0.contains("k3 = ") })
        #expect(await consume("--key", "k3", "--max", "2").output.count == 2)
        #expect(await consume("--key", "k").output.isEmpty)
        _ = try await produce(#"{"key":7,"value":"seven"}"#, "--key-format", "int64")
        #expect(await consume("--key", "7", "--key-format", "int64").text.contains("7 = seven"))
        let wrong = await consume("--key", "x", "--key-format", "int64")
        #expect(wrong.status == 2 && wrong.complaint.contains("'x' is not a 64-bit integer"))
    }

    @Test(arguments: [
        "2026-02-30", "2026-13-01", "2025-02-29T12:00", "2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z", "2026-1-31",
        "2026-01-31T12:00:1e1", "2026-01-31T", "26-01-31", "2026-01-31T12:00.5", "2026-01-31T12:00:00.Z",
    ])
    func `a time that can't be is refused`(_ time: String) async throws {
        await create("t")
        let run = await consume("--from", "time:\(time)")
        #expect(run.status == 2 && run.complaint.contains("'\(time)' is no time"), "\(run.complaint)")
    }

    @Test(arguments: ["2024-02-29", "2026-01-31T23:59:59.999999Z", "2026-01-31 12:00"])
    func `a time that can be is taken`(_ time: String) async throws {
        await create("t")
        #expect(await consume("--from", "time:\(time)").status == 0)
    }

    @Test(arguments: ["a b", "..", "ä", ""])
    func `what a topic's name may be is said`(_ name: String) async throws {
        await create("t")
        for command in [["topics", "create", name], ["topics", "consume", name]] {
            let run = await CommandRun(command + ["--log", log])
            #expect(run.status == 1)
            #expect(run.complaint.contains("a topic's name is 1 to 249 of the characters A-Z a-z 0-9 . _ -"))
        }
    }
}
