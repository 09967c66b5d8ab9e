internal import TributaryCore
internal import TributaryLMDB

/// `tributary topics verify`, and the child process that does the walking.
enum VerifyCommand {
    static let spec = CommandSpec(
        words: ["topics", "verify"], summary: "Reads a whole log and checks it: rows, checksums, offsets, sizes.",
        details:
            "LMDB's own pages have no checksum: on a damaged tree the walk itself may crash. So it is done in a child "
            + "process, and a crash is a finding. Everything that is found wrong is printed with its coordinates, and the "
            + "exit status is 1.",
        options: [LogAccess.embedded, .flag("in-process", "walk in this process: if it crashes, it crashes here")],
        examples: ["tributary topics verify --log ./bank-data"], run: { try run($0, $1) })

    private static func run(_ arguments: Arguments, _ console: Console) throws -> Int32 {
        let path = try arguments.required("log")
        guard arguments.has("in-process") else { return try inChild(path, console) }
        let log = try LogAccess.open(path)
        defer { log.close() }
        var verifier = EmbeddedLogVerifier(log)
        try verifier.run()
        for finding in verifier.findings { console.line("\(finding)") }
        let size =
            "\(NumberText.grouped(Int64(verifier.batches))) batches, \(NumberText.grouped(Int64(verifier.records))) records"
        if verifier.findings.isEmpty {
            console.line("\(size): all is well")
        } else {
            console.line("\(size): \(verifier.findings.count) findings")
        }
        return verifier.findings.isEmpty ? 0 : 1
    }

    private static func inChild(_ path: String, _ console: Console) throws -> Int32 {
        let child = try ChildProcess(["topics", "verify", "--in-process", "--log", path])
        while true {
            // The ending first: what was written before it is then in the pipe.
            let ending = child.poll()
            for line in child.lines(wait: ending == nil ? 200 : 0) { console.line(line) }
            switch ending {
            case nil: continue
            case .exited(let status)?: return status
            case .killed(let signal)?:
                console.line("the walk crashed (signal \(signal)): the log's file is damaged")
                return 1
            }
        }
    }
}
