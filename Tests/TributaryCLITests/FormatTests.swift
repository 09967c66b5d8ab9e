import TestSupport
import Testing

/// Keys and values of every kind, shown and typed.
@Suite(.timeLimit(.minutes(10))) struct FormatTests {
    let folder: TemporaryFolder
    var log: String { "\(folder.path)/log" }

    init() async throws {
        folder = try TemporaryFolder()
        let made = await CommandRun("topics", "create", "t", "copy", "--log", log)
        #expect(made.status == 0, "\(made.complaint)")
    }

    private func produce(_ topic: String, _ text: String, _ arguments: [String]) async throws -> CommandRun {
        try await CommandRun(["topics", "produce", topic, folder.file("lines", text), "--log", log] + arguments)
    }

    private func shown(_ arguments: [String] = [], of topic: String = "t") async -> String {
        let run = await CommandRun(["topics", "consume", topic, "--log", log] + arguments)
        #expect(run.status == 0, "\(run.complaint)")
        return run.output.map { $0.split(separator: "  ", maxSplits: 2).last.map(String.init) ?? "" }.joined(
            separator: "\n")
    }

    @Test(arguments: [
        ("int16", "-2", "fffe"), ("int32", "7", "00000007"), ("int64", "-1", "ffffffffffffffff"),
        ("float", "1.5", "3fc00000"), ("double", "-0.1", "bfb999999999999a"), ("bool", "true", "01"),
        ("uuid", "0f8fad5b-d9cb-469f-a165-70867728950e", nil), ("base64", "AAE/", "00013f"), ("base64", "Zg==", "66"),
        ("date", "2026-01-31T13:00:00.000Z", "0000019c14238c80"), ("hex", "0x00ff", "00ff"), ("text", "ä", "c3a4"),
        ("json", "[1, 2]", nil), ("long", "5", "0000000000000005"), ("string", "s", "73"),
    ])
    func `a kind is typed, shown, and copied byte for byte`(_ kind: String, _ text: String, _ bytes: String?)
        async throws
    {
        let formats = ["--key-format", kind, "--value-format", kind]
        let typed = try await produce("t", "\(text)|\(text)", ["--format", "text", "--separator", "|"] + formats)
        #expect(typed.status == 0, "\(typed.complaint)")
        #expect(await shown(formats) == "\(text) = \(text)")
        if let bytes {
            #expect(await shown(["--key-format", "hex", "--value-format", "hex"]) == "0x\(bytes) = 0x\(bytes)")
        }
        let found = await CommandRun(["topics", "consume", "t", "--key", text, "--log", log] + formats)
        #expect(found.output.count == 1, "\(found.complaint)")
        let json = await CommandRun(["topics", "consume", "t", "--json", "--log", log] + formats)
        let copied = try await produce("copy", json.text, formats)
        #expect(copied.status == 0, "\(copied.complaint)")
        let hex = ["--key-format", "hex", "--value-format", "hex"]
        #expect(await shown(hex, of: "copy") == (await shown(hex)))
    }

    @Test(arguments: [
        "auto", "json", "int64", "double", "bool", "uuid", "windowed:text", "window:int64", "session:json",
    ])
    func `bytes that are not of a kind are copied all the same`(_ kind: String) async throws {
        let bytes = [
            "", "00", "6e756c6c", "7b22686578223a223030227d", "226e756c6c22", "7ff8000000000001", "ff", "41424344",
        ]
        let lines = bytes.map { "{\"key\":{\"hex\":\"\($0)\"},\"value\":{\"hex\":\"\($0)\"}}" }.joined(separator: "\n")
        #expect(try await produce("t", lines, []).status == 0)
        let formats = ["--key-format", kind, "--value-format", kind.contains(":") ? "json" : kind]
        let json = await CommandRun(["topics", "consume", "t", "--json", "--log", log] + formats)
        let copied = try await produce("copy", json.text, formats)
        #expect(copied.status == 0, "\(copied.complaint)")
        let hex = ["--key-format", "hex", "--value-format", "hex"]
        #expect(await shown(hex, of: "copy") == (await shown(hex)))
    }

    @Test(arguments: [
        ("windowed:text", "w1@1970-01-01T00:00:10.000Z", "77310000000000002710"),
        ("window:text", "w1@1970-01-01T00:00:10.000Z", "7731000000000000271000000000"),
        ("window:int32", "5@1970-01-01T00:00:10.000Z#2", "00000005000000000000271000000002"),
        (
            "session:text", "a@b@1970-01-01T00:00:10.000Z/1970-01-01T00:00:11.000Z",
            "6140620000000000002af80000000000002710"
        ),
    ])
    func `a windowed key shows its window and can be typed`(_ kind: String, _ text: String, _ bytes: String)
        async throws
    {
        let formats = ["--key-format", kind]
        #expect(try await produce("t", "{\"key\":{\"hex\":\"\(bytes)\"},\"value\":\"v\"}", []).status == 0)
        #expect(await shown(formats) == "\(text) = v")
        #expect(await shown(["--key", text] + formats) == "\(text) = v")
        let json = await CommandRun(["topics", "consume", "t", "--json", "--log", log] + formats)
        #expect(json.text.contains(#""start":10000"#))
        #expect(try await produce("copy", json.text, formats).status == 0)
        #expect(await shown(["--key-format", "hex"], of: "copy") == "0x\(bytes) = v")
    }

    @Test(arguments: [
        ("int16", "40000", "'40000' is not a 16-bit integer"), ("uuid", "x", "'x' is not a UUID"),
        ("bool", "yes", "'yes' is neither true nor false"), ("base64", "AB==", "'AB==' is not base64"),
        ("double", "much", "'much' is not a number"), ("windowed:text", "k", "'k' names no window: type KEY@START"),
        ("session:text", "k@5", "typed as KEY@START/END"), ("date", "2026-02-30", "there is no such day"),
        ("hex", "0xabc", "is not hexadecimal"),
    ])
    func `what is not of a kind is refused`(_ kind: String, _ text: String, _ words: String) async throws {
        let run = try await produce("t", "\(text)|v", ["--format", "text", "--separator", "|", "--key-format", kind])
        #expect(
            run.status == 1 && run.complaint.contains("lines:1: ") && run.complaint.contains(words), "\(run.complaint)")
    }

    @Test(arguments: [
        (["--key-format", "windowed:nix"], "--key-format is one of auto, text, hex"),
        (["--value-format", "windowed:text"], "--value-format is one of auto, text, hex"),
    ])
    func `a format that isn't there is named`(_ arguments: [String], _ words: String) async {
        let run = await CommandRun(["topics", "consume", "t", "--log", log] + arguments)
        #expect(run.status == 2 && run.complaint.contains(words))
    }
}
